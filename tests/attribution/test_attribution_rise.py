"""RISE with soft masks against explicit sums over them; least squares is in `test_perturbation`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.support.tiny import TEXTS, Zoo, fresh, pixels
from core import explain
from core.attribution import rise
from core.attribution.contract import Work
from core.methods import method_info
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref

FEW: dict[str, Any] = {"masks": 40, "cells": 4, "estimator": "centred"}


def work_of(model: Model, images: Tensor, seed: int = 3) -> Work:
    return Work(model, ImageTrunk(model, images), TextTrunk(model, TEXTS), seed=seed)


def options(**chosen: Any) -> Any:
    return method_info("rise").parse({**FEW, **chosen})


def masks_of(work: Work, parsed: Any) -> Tensor:
    return torch.cat(list(rise.rise_masks(work, parsed, *work.images.pixels.shape[-2:])))


def literal(work: Work, parsed: Any, image: int, centred: bool) -> Tensor:
    """Maps `(texts, rows, columns)`: the sum over masks of score times mask, pixel by pixel, then averaged by cell."""
    plain = ref.Plain(work.model)
    pixels = work.images.pixels[image].double()
    masks = masks_of(work, parsed).double()
    scores = torch.stack(
        [torch.stack([plain.image(pixels * mask) @ plain.words(text) for text in TEXTS]) for mask in masks]
    )
    if centred:
        scores = scores - scores.mean(dim=0)
    total = torch.zeros(len(TEXTS), *masks.shape[1:], dtype=torch.float64)
    for score, mask in zip(scores, masks, strict=True):
        total += score[:, None, None] * mask / (len(masks) * parsed.keep)
    rows, columns = work.images.grid()
    height, width = masks.shape[1] // rows, masks.shape[2] // columns
    return total.unflatten(1, (rows, height)).unflatten(3, (columns, width)).mean(dim=(2, 4))


def agrees(got: Tensor, expected: Tensor, tolerance: float = 1e-4) -> None:
    error = float((got.double() - expected).abs().max() / expected.abs().max())
    assert error <= tolerance, f"off by {error:.1e}"


@pytest.mark.parametrize("paper_exact", [False, True])
@pytest.mark.parametrize(("family", "keep"), [("vit", 0.5), ("vit_wide", 0.3), ("efficientnet", 0.5)])
def test_the_map_is_the_explicit_sum_over_masks(zoo: Zoo, family: str, keep: float, paper_exact: bool) -> None:
    model = zoo(family)
    work, parsed = work_of(model, pixels(model)), options(keep=keep, paper_exact=paper_exact)
    got = rise.attribute_image(work, parsed).values
    expected = literal(work, parsed, 1, centred=not paper_exact)
    agrees(got[1], expected)
    for mutant in (-got[1], got[1].flip(0), got[1].flip(2), got[0]):
        with pytest.raises(AssertionError):
            agrees(mutant, expected, 5e-3)


def test_centring_takes_the_level_away_and_keeps_the_order_of_a_clear_case(zoo: Zoo) -> None:
    model = zoo("vit")
    work = work_of(model, pixels(model, 1))
    level = rise.attribute_image(work, options(paper_exact=True)).values[0, 0].mean()
    centred = rise.attribute_image(work, options()).values[0, 0].mean()
    assert abs(float(level) - float(work.scores[0, 0])) < abs(float(centred) - float(work.scores[0, 0]))


@pytest.mark.parametrize(("height", "width", "cells", "keep"), [(64, 64, 4, 0.5), (48, 80, 8, 0.2), (50, 70, 3, 0.7)])
def test_masks_are_coarse_grids_enlarged_and_shifted(
    zoo: Zoo, height: int, width: int, cells: int, keep: float
) -> None:
    work = work_of(zoo("vit"), pixels(zoo("vit"), 1))
    parsed = method_info("rise").parse({"masks": 200, "cells": cells, "keep": keep, "estimator": "centred"})
    masks = torch.cat(list(rise.rise_masks(work, parsed, height, width)))
    assert masks.shape == (200, height, width)
    assert 0 <= float(masks.min()) < 0.05
    assert 0.95 < float(masks.max()) <= 1
    assert float(masks.mean()) == pytest.approx(keep, abs=0.05)
    # Every pixel has the same chance to be seen, corners too.
    assert float((masks.mean(dim=0) - keep).abs().max()) < 0.2
    # Bilinear: no pixel differs from its neighbour by more than one cell's slope.
    assert float(masks.diff(dim=1).abs().max()) <= 1 / (height // cells) + 1e-6
    assert float(masks.diff(dim=2).abs().max()) <= 1 / (width // cells) + 1e-6


def enlarged(coarse: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Bilinear enlargement with pixel centres aligned and edges repeated, pixel by pixel."""
    rows, columns = coarse.shape
    out = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            row = min(max((y + 0.5) * rows / height - 0.5, 0), rows - 1)
            column = min(max((x + 0.5) * columns / width - 0.5, 0), columns - 1)
            top, left = int(row), int(column)
            bottom, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
            upper = coarse[top, left] * (1 - column + left) + coarse[top, right] * (column - left)
            lower = coarse[bottom, left] * (1 - column + left) + coarse[bottom, right] * (column - left)
            out[y, x] = upper * (1 - row + top) + lower * (row - top)
    return out


def test_each_mask_is_its_own_coarse_grid_shifted_by_its_own_part_of_a_cell(zoo: Zoo) -> None:
    work, parsed = work_of(zoo("vit"), pixels(zoo("vit"), 1)), options(keep=0.4)
    height, width, cells = 18, 27, parsed.cells
    masks = torch.cat(list(rise.rise_masks(work, parsed, height, width))).numpy()
    generator = work.generator("rise", parsed.masks, cells, parsed.keep)
    down, across = math.ceil(height / cells), math.ceil(width / cells)
    expected, shifts = [], set()
    for count in (rise.CHUNK, parsed.masks - rise.CHUNK):
        coarse = (torch.rand(count, 1, cells, cells, generator=generator) < 0.4).double()[:, 0].numpy()
        tops = torch.randint(0, down, (count,), generator=generator).tolist()
        lefts = torch.randint(0, across, (count,), generator=generator).tolist()
        for grid, top, left in zip(coarse, tops, lefts, strict=True):
            large = enlarged(grid, (cells + 1) * down, (cells + 1) * across)
            expected.append(large[top : top + height, left : left + width])
            shifts.add((top, left))
    assert masks.shape == np.stack(expected).shape
    assert np.abs(masks - np.stack(expected)).max() < 1e-5
    assert np.abs(masks[1:] - np.stack(expected)[:-1]).max() > 0.5
    assert len(shifts) > 10


def test_the_masks_depend_on_the_seed_and_on_nothing_else(zoo: Zoo) -> None:
    model, parsed = zoo("vit"), options()
    one = masks_of(work_of(model, pixels(model, 1)), parsed)
    torch.manual_seed(99)
    again = masks_of(work_of(model, pixels(model, 2, seed=5)), parsed)
    other = masks_of(work_of(model, pixels(model, 1), seed=4), parsed)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def scorer(model: Model, score: Any, text: str) -> Model:
    """A copy whose embedding of an image is `score(image)` times the text's, and the rest at a right angle."""
    copy = fresh(model)
    word = copy.embed_texts([text])[0]
    aside = torch.zeros_like(word)
    aside[word.abs().argmin()] = 1
    aside = aside - (aside @ word) * word
    aside = aside / aside.norm()
    copy.__dict__["bulk"] = lambda images: score(images)[:, None] * word + 10 * aside
    return copy


@pytest.mark.parametrize("paper_exact", [False, True])
@pytest.mark.parametrize("cell", [(0, 3), (2, 1), (1, 4)])
def test_the_cell_that_a_planted_scorer_looks_at_wins(zoo: Zoo, cell: tuple[int, int], paper_exact: bool) -> None:
    row, column = cell
    model = zoo("vit_wide")

    def score(images: Tensor) -> Tensor:
        return images[:, :, row * 16 : row * 16 + 16, column * 16 : column * 16 + 16].mean(dim=(1, 2, 3))

    planted = scorer(model, score, "evidence")
    result = explain(
        planted,
        torch.ones(1, 3, 48, 80),
        ["evidence"],
        "rise",
        masks=300,
        cells=5,
        estimator="centred",
        paper_exact=paper_exact,
    )
    assert result.image is not None
    found = np.unravel_index(result.image[0, 0].argmax(), (3, 5))
    assert found == cell
    # A scorer that dislikes the cell makes it the least.
    against = explain(
        scorer(model, lambda images: -score(images), "evidence"),
        torch.ones(1, 3, 48, 80),
        ["evidence"],
        "rise",
        masks=300,
        cells=5,
        estimator="centred",
    )
    assert against.image is not None
    assert np.unravel_index(against.image[0, 0].argmin(), (3, 5)) == cell


@pytest.mark.parametrize("removal", ["black", "mean", "blur"])
def test_removals_are_different_questions(zoo: Zoo, removal: str) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    maps = {
        name: explain(model, images, TEXTS, "rise", removal=name, **FEW).image for name in ("black", "mean", "blur")
    }
    for name, other in maps.items():
        assert (name == removal) == np.array_equal(other, maps[removal])  # type: ignore[arg-type]


def test_more_masks_less_noise(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model, 1)

    def spread(masks: int) -> float:
        maps = [
            explain(model, images, TEXTS[0], "rise", seed=seed, **{**FEW, "masks": masks}).image for seed in range(4)
        ]
        return float(np.std(np.stack(maps), axis=0).mean())  # type: ignore[arg-type]

    assert spread(240) < spread(15)


def test_a_model_without_a_grid_gets_the_cells_of_the_masks(zoo: Zoo) -> None:
    model = zoo("byobnet")
    result = explain(model, pixels(model), TEXTS, "rise", **FEW)
    assert result.image is not None
    assert result.image.shape == (2, 3, 4, 4)
