"""One pool of coalitions for everything that hides parts of an image: who pays which forwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.draws import cell_grid, kept_cells, pool_of
from core.attribution.explain import attribute
from core.evaluation.correlation import additive_share, faithfulness_correlation
from core.evaluation.curves import curves
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk

CELLS = 7


@dataclass(frozen=True)
class Served:
    """One consumer of the pool: the coalitions that it added and the forward-equivalents that it was charged."""

    name: str
    added: int
    forwards: float


def shared_pool(
    model: Model, pixels: Tensor, texts: list[str], *, masks: int = 512, extra: int = 256, steps: int = 16
) -> tuple[list[Served], dict[str, NDArray[np.float32]]]:
    """RISE, KernelSHAP, LIME, deletion and insertion and the faithfulness correlation of all three, for all texts.

    Returns what each of them cost, in order, the image's own forward first, and the maps `(texts, rows, columns)`.
    """
    work = Work(model, ImageTrunk(model, pixels), TextTrunk(model, texts))
    pool, served, maps = pool_of(work, 0, "auto"), [], {}
    with model.meter.measuring() as spent:
        assert work.scores.shape == (1, len(texts))
    served.append(Served("the image itself", 0, spent.image))
    asked = {"rise": {"masks": masks}, "kernel_shap": {"masks": masks, "extra": extra}, "lime": {"masks": masks}}
    for method, options in asked.items():
        held = len(pool)
        with model.meter.measuring() as spent:
            found = attribute(work, method, [], sides=("image",), **options).image
        assert found is not None
        maps[method] = found[0]
        served.append(Served(method, len(pool) - held, spent.image))
    held = len(pool)
    with model.meter.measuring() as spent:
        each = {(name, text): values[text] for name, values in maps.items() for text in range(len(texts))}
        curves(pool, each, work.texts.embeddings, steps=steps)
    served.append(Served("deletion and insertion", len(pool) - held, spent.image))
    held = len(pool)
    with model.meter.measuring() as spent:
        kept = kept_cells(work, 0, cell_grid(work, CELLS), masks)
        scores = (pool.embeddings(kept) @ work.texts.embeddings.T).cpu()
        additive_share(kept, scores)
        for (_, text), values in each.items():
            faithfulness_correlation(kept.numpy(), scores[:, text].numpy(), values)
    served.append(Served("faithfulness correlation and its ceiling", len(pool) - held, spent.image))
    return served, maps
