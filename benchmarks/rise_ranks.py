"""How well a few coalitions rank places: RISE by least squares beside the published soft masks.

Each estimator is judged by the mean Spearman correlation, over texts and images, with what its own game gives with
many coalitions of another seed. The two games differ (hard cells that leave the image; soft, shifted masks in the
mean colour), so each has a reference of its own. The centred average of hard cells is judged by the reference of least
squares; its draws are part of that reference, which favours it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.packages.problem import Problem
from core.attribution.draws import cell_grid, kept_cells, pool_of
from core.attribution.explain import attribute
from core.attribution.surrogate import fit
from core.statistics import spearman

OTHER_SEED = 1
# Least squares with fewer coalitions than asked: where does it meet the published masks?
FEWER = (64, 128, 256)


def ranks(problem: Problem, pixels: Tensor, reference: int, published: int) -> dict[str, Any]:
    """Mean rank correlations with the references, and the forward-equivalents behind each, per image."""
    rows: list[dict[str, float]] = []
    spent: dict[str, float] = {}
    for index in range(len(pixels)):
        one = replace(problem, pixels=pixels[index : index + 1])
        hard, centred = _hard_reference(one, reference, published)
        soft, spent["soft reference"] = _rise(one, OTHER_SEED, masks=reference, paper_exact=True)
        sizes = [size for size in FEWER if hard[0].size < size < problem.samples] + [problem.samples]
        own = {f"least squares, {size}": _rise(one, 0, masks=size) for size in sizes}
        spent |= {name: forwards for name, (_, forwards) in own.items()}
        theirs, spent["published masks"] = _rise(one, 0, masks=published, paper_exact=True)
        rows.append(
            {
                **{name: _mean_rank(maps, hard) for name, (maps, _) in own.items()},
                "centred average of hard cells": _mean_rank(centred, hard),
                "published masks": _mean_rank(theirs, soft),
                "the two references with each other": _mean_rank(_pooled(soft, hard.shape[1:]), hard),
            }
        )
    return {
        "reference": reference,
        "published": published,
        "images": len(pixels),
        "rank_correlation": {name: float(np.mean([row[name] for row in rows])) for name in rows[0]},
        "each image": rows,
        "forwards": {name: round(value, 1) for name, value in spent.items()},
    }


def _rise(problem: Problem, seed: int, **options: Any) -> tuple[NDArray[Any], float]:
    work = replace(problem.work(), seed=seed)
    with problem.model.meter.measuring() as spent:
        found = attribute(work, "rise", [], sides=("image",), **options).image
    assert found is not None
    return found[0], spent.image


def _hard_reference(problem: Problem, reference: int, published: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Least squares on the reference's coalitions, and the centred average of the first `published` of them."""
    work = replace(problem.work(), seed=OTHER_SEED)
    grid = cell_grid(work, problem.cells)
    kept = kept_cells(work, 0, grid, reference)
    scores = (pool_of(work, 0, "auto").embeddings(kept) @ problem.units.T).cpu().double()
    exact = fit(kept.flatten(1), scores).coefficients.T.unflatten(-1, grid)
    rows, some = kept[:published].flatten(1).double(), scores[:published]
    centred = (some - some.mean(dim=0)).T @ (rows - rows.mean(dim=0)) / len(rows)
    return exact.numpy(), torch.unflatten(centred, -1, grid).numpy()


def _pooled(maps: NDArray[Any], grid: tuple[int, ...]) -> NDArray[Any]:
    return torch.nn.functional.adaptive_avg_pool2d(torch.as_tensor(maps)[None], grid)[0].numpy()


def _mean_rank(maps: NDArray[Any], exact: NDArray[Any]) -> float:
    found = [spearman(one, other) for one, other in zip(maps, exact, strict=True)]
    return float(np.mean([rank for rank in found if rank is not None]))
