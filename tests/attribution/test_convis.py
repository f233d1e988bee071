"""ConVis against a literal loop: every box cut from a padded image, resized and embedded one by one in float64."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.support.tiny import TEXTS, Zoo, fresh, pixels
from core import explain
from core.attribution import convis
from core.attribution.contract import Work
from core.concepts.graph import Concept, make_graph
from core.concepts.lattice import PRESETS, Lattice
from core.methods import method_info
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref

FAST: dict[str, Any] = {"preset": "fast"}
POOL = make_graph([Concept(f"c{at}", f"c{at}", f"text {at} of the pool") for at in range(30)], {}, "a test")


def work_of(model: Model, images: Tensor, seed: int = 3) -> Work:
    return Work(model, ImageTrunk(model, images), TextTrunk(model, TEXTS), seed=seed)


def options(**chosen: Any) -> Any:
    return method_info("convis").parse({**FAST, **chosen})


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A small vocabulary, embedded anew each time."""
    monkeypatch.setattr(convis, "vocabulary", lambda: POOL)
    monkeypatch.setattr(convis, "embed_glosses", lambda model, graph: model.embed_texts(graph.glosses).numpy())
    yield


def literal_crops(model: Model, image: Tensor, lattice: Lattice, canvas: Tensor | None = None) -> list[Tensor]:
    """The unit embedding of each box that touches the image, in float64, box by box."""
    plain = ref.Plain(model)
    image = image.double()
    height, width = image.shape[1:]
    down, across = -(-height // lattice.cells), -(-width // lattice.cells)
    size = (lattice.cells * down, lattice.cells * across)
    if size != (height, width):
        image = F.interpolate(image[None], size=size, mode="bicubic", antialias=True)[0]
    edge = lattice.cells * 4 // 7
    if canvas is None:
        canvas = torch.zeros(3, size[0] + 2 * edge * down, size[1] + 2 * edge * across, dtype=torch.float64)
    canvas = canvas.double()
    canvas[:, edge * down : edge * down + size[0], edge * across : edge * across + size[1]] = image
    mean, std = (torch.tensor(v).double()[:, None, None] for v in (model.preprocessing.mean, model.preprocessing.std))
    low = torch.minimum(-mean / std, canvas.amin(dim=(1, 2))[:, None, None])
    high = torch.maximum((1 - mean) / std, canvas.amax(dim=(1, 2))[:, None, None])
    found = []
    for side in (4 * lattice.cells // 7, 2 * lattice.cells // 7):
        for top in range(edge - side + 1, edge + lattice.cells):
            for left in range(edge - side + 1, edge + lattice.cells):
                box = canvas[:, top * down : (top + side) * down, left * across : (left + side) * across]
                box = F.interpolate(box[None], size=(height, width), mode="bicubic", antialias=True)[0]
                found.append(plain.image(torch.minimum(torch.maximum(box, low), high)))
    return found


def literal_map(values: list[float], cells: int) -> np.ndarray:
    """Each box adds its value to the cells it covers; the sum over the number of boxes a cell has."""
    edge = cells * 4 // 7
    total, count = np.zeros((3 * cells, 3 * cells)), np.zeros((3 * cells, 3 * cells))
    at = 0
    for side in (4 * cells // 7, 2 * cells // 7):
        for top in range(edge - side + 1, edge + cells):
            for left in range(edge - side + 1, edge + cells):
                total[top : top + side, left : left + side] += values[at]
                count[top : top + side, left : left + side] += 1
                at += 1
    assert at == len(values)
    inner = slice(edge, edge + cells)
    return total[inner, inner] / count[inner, inner]


def agrees(got: Any, expected: Any, tolerance: float = 1e-4) -> None:
    spread = float(np.ptp(expected))
    error = float(np.abs(np.asarray(got, float) - np.asarray(expected)).max()) / spread
    assert error <= tolerance, f"off by {error:.1e} of the map's range"


@pytest.mark.parametrize("family", ["vit", "vit_wide", "efficientnet"])
def test_the_map_is_the_mean_over_covering_crops(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    images = pixels(model)
    work = work_of(model, images)
    got = convis.attribute_image(work, options()).numpy()
    embedded = literal_crops(model, images[1], PRESETS["fast"])
    assert len(embedded) == 164
    for text in (0, 2):
        word = ref.Plain(model).words(TEXTS[text])
        expected = literal_map([float(each @ word) for each in embedded], 7)
        agrees(got[1, text], expected, 1e-3)
        for mutant in (-got[1, text], got[1, text].T, got[1, text][::-1], got[0, text], got[1, 2 - text]):
            with pytest.raises(AssertionError):
                agrees(mutant, expected, 2e-2)


def test_paper_exact_is_the_stretched_sum_of_ranks_over_noise(zoo: Zoo, pool: None) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    work = work_of(model, images)
    got = convis.attribute_image(work, options(paper_exact=True))[0, 1].numpy()
    lattice = PRESETS["fast"]
    generator = work.generator("convis", work.image_keys[0])
    noise = torch.rand((3, 70 + 80, 70 + 80), generator=generator)
    mean, std = (torch.tensor(v)[:, None, None] for v in (model.preprocessing.mean, model.preprocessing.std))
    embedded = literal_crops(model, images[0], lattice, (noise - mean) / std)
    plain = ref.Plain(model)
    word, others = plain.words(TEXTS[1]), [plain.words(gloss) for gloss in POOL.glosses]
    ranks = [float(sum(each @ other > each @ word for other in others)) for each in embedded]
    summed = literal_map(ranks, 7)
    expected = 1 - (summed - summed.min()) / (summed.max() - summed.min())
    agrees(got, expected, 1e-3)
    assert (got.min(), got.max()) == (0, 1)
    for mutant in (1 - got, got.T, convis.attribute_image(work, options(score="rank"))[0, 1].numpy()):
        with pytest.raises(AssertionError):
            agrees(mutant, expected, 2e-2)


def test_gamma_counts_the_first_ranks_alone(zoo: Zoo, pool: None) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    got = convis.attribute_image(work_of(model, images), options(score="gamma", reach=3))[0, 1].numpy()
    embedded, plain = literal_crops(model, images[0], PRESETS["fast"]), ref.Plain(model)
    word, others = plain.words(TEXTS[1]), [plain.words(gloss) for gloss in POOL.glosses]
    ranks = [int(sum(each @ other > each @ word for other in others)) for each in embedded]
    assert min(ranks) < 3 <= max(ranks)

    def value(rank: int, reach: int) -> float:
        return 2 * (math.exp(-5 * rank / reach) - 0.5) if rank < reach else -1.0

    agrees(got, literal_map([value(rank, 3) for rank in ranks], 7), 1e-3)
    for wrong in ([value(rank, 6) for rank in ranks], [-float(rank) for rank in ranks]):
        with pytest.raises(AssertionError):
            agrees(got, literal_map(wrong, 7), 2e-2)


def test_ranks_are_between_none_and_all_of_the_pool(zoo: Zoo, pool: None) -> None:
    model = zoo("vit")
    found = explain(model, pixels(model), TEXTS, "convis", score="rank", **FAST).image
    assert found is not None
    assert 0 <= found.min() < found.max() <= 1
    assert np.ptp(found) > 0.05


@pytest.mark.parametrize(("preset", "crops", "cells"), [("exact", 730, 14), ("fast", 164, 7)])
def test_crops_are_counted_and_shared_by_all_texts(zoo: Zoo, preset: str, crops: int, cells: int) -> None:
    model = fresh(zoo("vit"))
    images = pixels(model, 1)
    spent = []
    for texts in (TEXTS[:1], TEXTS):
        before = model.meter.image
        result = explain(model, images, texts, "convis", preset=preset)
        assert result.image is not None
        assert result.image.shape == (1, len(texts), cells, cells)
        spent.append(model.meter.image - before)
    # One plain forward for the score beside the crops; the released loop embeds 1,800 for the same map.
    assert spent == [crops + 1, crops + 1]
    assert method_info("convis").cost({"preset": preset}).total(1, 9) == crops
    assert 1800 / 730 > 2.4


def test_every_crop_has_the_size_of_the_input_and_of_the_image_s_values(zoo: Zoo) -> None:
    for family in ("vit", "vit_wide"):
        model = zoo(family)
        images = pixels(model, 1)
        cut = torch.cat(list(convis.crops(model, images[0], PRESETS["fast"], 50)))
        assert cut.shape == (164, *images.shape[1:])
        low, high = (-torch.tensor(model.preprocessing.mean) / torch.tensor(model.preprocessing.std)).min(), 10.0
        assert low - 1e-5 <= float(cut.min()) <= float(cut.max()) < high
        together = torch.cat(list(convis.crops(model, images[0], PRESETS["fast"], 7)))
        assert torch.equal(cut, together)


def test_noise_repeats_with_its_seed_and_belongs_to_the_image(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model, 2)

    def maps(order: Tensor, seed: int, margin: str) -> Any:
        return explain(model, order, TEXTS[0], "convis", seed=seed, margin=margin, **FAST).image

    noisy = maps(images, 1, "noise")
    assert np.allclose(noisy[::-1], maps(images.flip(0), 1, "noise"), atol=1e-6)
    assert not np.allclose(noisy, maps(images, 2, "noise"), atol=1e-4)
    assert not np.allclose(noisy, maps(images, 1, "mean"), atol=1e-4)
    assert np.array_equal(maps(images, 1, "mean"), maps(images, 2, "mean"))


def test_the_brightest_quarter_of_a_planted_scorer_wins(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    word = model.embed_texts(["evidence"])[0]
    aside = torch.zeros_like(word)
    aside[word.abs().argmin()] = 1
    aside = aside - (aside @ word) * word
    model.__dict__["bulk"] = lambda seen: seen.mean(dim=(1, 2, 3))[:, None] * word + 10 * aside / aside.norm()
    image = torch.zeros(1, 3, 64, 64)
    image[:, :, 40:60, 8:24] = 1
    found = explain(model, image, ["evidence"], "convis").image
    assert found is not None
    row, column = np.unravel_index(found[0, 0].argmax(), (14, 14))
    assert (40 <= (row + 0.5) * 64 / 14 <= 60) and (8 <= (column + 0.5) * 64 / 14 <= 24)
    turned = np.unravel_index(found[0, 0].argmin(), (14, 14))
    assert not (40 <= (turned[0] + 0.5) * 64 / 14 <= 60 and 8 <= (turned[1] + 0.5) * 64 / 14 <= 24)


def test_a_map_without_difference_becomes_zero_not_nothing() -> None:
    flat = torch.full((1, 2, 3, 3), 0.7)
    flat[0, 1, 0, 0] = 0.9
    found = convis.stretched(flat)
    assert not found[0, 0].any()
    assert (float(found[0, 1].min()), float(found[0, 1].max())) == (0, 1)
