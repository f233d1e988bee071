"""Semantic priors against a plain float64 implementation, planted scorers, counted forwards and the axioms."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.support.tiny import TEXTS, Zoo, double, fresh, pixels
from core import explain
from core.attribution.contract import Work
from core.attribution.regions import regions_of
from core.attribution.semantic_priors import described, game_of
from core.attribution.shapley import all_coalitions, shapley_values
from core.errors import CapabilityError, InputError
from core.methods import METHODS
from core.models.coalitions import embed_coalitions
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk

FEW: dict[str, Any] = {"count": 4}
METHOD = "semantic_priors"
TOLERANCE = 2e-4


def work_of(model: Model, images: Tensor, texts: Any = TEXTS, seed: int = 0) -> Work:
    return Work(model, ImageTrunk(model, images), TextTrunk(model, list(texts)), seed)


def plain_map(model: Model, image: Tensor, text: str, masks: NDArray[Any], cells: NDArray[Any]) -> NDArray[Any]:
    """Every subset is masked, embedded in float64 and scored alone; values are summed by the textbook formula."""
    net = double(model).net
    word = net.encode_text(model.text.full([text]))[0]
    count = len(masks)
    score: dict[tuple[int, ...], float] = {}
    for size in range(count + 1):
        for chosen in combinations(range(count), size):
            seen = np.zeros(masks.shape[1:])
            for region in chosen:
                seen = np.maximum(seen, masks[region])
            out = net.encode_image((image.double() * torch.from_numpy(seen))[None])[0]
            score[chosen] = float(torch.nn.functional.cosine_similarity(out, word, dim=0))
    painted = np.zeros(cells.shape[1:])
    for region in range(count):
        value = 0.0
        for chosen, without in score.items():
            if region in chosen:
                continue
            weight = math.factorial(len(chosen)) * math.factorial(count - len(chosen) - 1) / math.factorial(count)
            value += weight * (score[tuple(sorted((*chosen, region)))] - without)
        painted += value * cells[region]
    return painted


def near(found: NDArray[Any], expected: NDArray[Any], tolerance: float = TOLERANCE) -> None:
    error = np.abs(found - expected).max() / np.abs(expected).max()
    assert error <= tolerance, f"off by {error:.1e} of the largest value"


@pytest.mark.parametrize("family", ["vit", "efficientnet", "siglip"])
@pytest.mark.parametrize("prior", ["semantic", "superpixels", "grid"])
def test_the_map_is_the_plain_one(zoo: Zoo, family: str, prior: str) -> None:
    model = zoo(family)
    images = pixels(model, 1)
    result = explain(model, images, TEXTS[:2], METHOD, regions=prior, **FEW)
    found = regions_of(work_of(model, images), 0, prior, 4)  # type: ignore[arg-type]
    masks, cells = found.masks.numpy().astype(float), found.cells.numpy()
    assert result.image is not None
    expected = [plain_map(model, images[0], text, masks, cells) for text in TEXTS[:2]]
    near(result.image[0], np.stack(expected))
    for wrong in (-result.image[0], result.image[0][::-1], np.rot90(result.image[0], 2, (1, 2))):
        with pytest.raises(AssertionError):
            near(wrong, np.stack(expected), 0.02)


@pytest.mark.parametrize("value", ["similarity", "caption_soft", "caption_best"])
def test_the_values_sum_to_what_the_whole_image_brings(zoo: Zoo, value: str) -> None:
    model = zoo("vit")
    images = pixels(model, 2)
    options = METHODS[METHOD].parse({**FEW, "value": value, "bank": TEXTS, "regions": "grid"})
    work = work_of(model, images)
    game = game_of(work, 1, options)
    result = explain(model, images, TEXTS, METHOD, **options.model_dump())
    assert result.image is not None
    ends = game.embeddings[[0, -1]]
    if value != "similarity":
        ends = described(ends, model.embed_texts(TEXTS), model.logit_scale, best=value == "caption_best")
    brought = (ends[1] - ends[0]) @ model.embed_texts(TEXTS).T
    # A 2 x 2 grid over 4 x 4 cells: each region's value stands in four of them.
    sums = result.image[1].sum(axis=(1, 2)) / 4
    assert np.abs(sums - brought.numpy()).max() < 1e-6
    if value != "caption_best":
        with pytest.raises(AssertionError):
            near(sums, (ends[1] @ model.embed_texts(TEXTS).T).numpy(), 0.02)


def looker(model: Model, look: Tensor, text: str) -> Model:
    """A copy whose score for `text` grows linearly with how bright the pixels of `look` are."""
    copy = fresh(model)
    word = copy.embed_texts([text])[0]
    aside = torch.zeros_like(word)
    aside[word.abs().argmin()] = 1
    aside = aside - (aside @ word) * word
    aside = 10 * aside / aside.norm()
    copy.__dict__["bulk"] = lambda images: (images * look).mean(dim=(1, 2, 3), keepdim=True)[:, 0, 0] * word + aside
    return copy


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_region_that_a_planted_scorer_looks_at_carries_everything(zoo: Zoo, sign: float) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    found = regions_of(work_of(model, images), 0, "semantic", 5)
    target = 1 if len(found) > 1 else 0
    images = torch.ones_like(images)
    look = sign * found.masks[target].float()
    work = work_of(looker(model, look, "evidence"), images, ["evidence"])
    options = METHODS[METHOD].parse({"count": 5})
    # The masks belong to the first image, so the game is put together from them by hand.
    coalitions = all_coalitions(len(found))
    embeddings = embed_coalitions(work.model, images[0], found.visible(coalitions.rows), options.removal)
    values = shapley_values(coalitions, (embeddings @ work.texts.embeddings.T).double())[:, 0]
    others = torch.arange(len(found)) != target
    assert float(values[target] * sign) > 0.001
    assert float(values[others].abs().max()) < 1e-6
    assert float(values[target]) == pytest.approx(float((embeddings[-1] - embeddings[0]) @ work.texts.embeddings[0]))


def test_a_sample_comes_near_the_exact_map(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    exact = explain(model, images, TEXTS, METHOD, regions="grid", count=9).image
    errors = {}
    for budget in (24, 200):
        found = explain(model, images, TEXTS, METHOD, regions="grid", count=9, budget=budget).image
        assert exact is not None
        assert found is not None
        errors[budget] = float(np.abs(found - exact).max() / np.abs(exact).max())
    assert 1e-6 < errors[200] < 0.15 < 1
    assert errors[200] < errors[24]
    other = explain(model, images, TEXTS, METHOD, regions="grid", count=9, budget=24, seed=1).image
    again = explain(model, images, TEXTS, METHOD, regions="grid", count=9, budget=24, seed=1).image
    assert np.array_equal(other, again)  # type: ignore[arg-type]
    assert not np.array_equal(other, explain(model, images, TEXTS, METHOD, regions="grid", count=9, budget=24).image)  # type: ignore[arg-type]


def test_twenty_texts_cost_no_more_than_one(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    images = pixels(model, 2)
    texts = [f"{word} {number}" for number, word in enumerate(("dog", "red bird") * 10)]
    spent = []
    for some in (texts[:1], texts):
        with model.meter.measuring() as meter:
            explain(model, images, some, METHOD, **FEW)
        spent.append(meter.image)
    assert spent[1] <= 1.1 * spent[0]
    assert spent[0] <= METHODS[METHOD].cost(FEW).total(2, 1) == 2 * (1 + 16)
    # Explained one by one, the same texts do cost twenty times as much.
    with model.meter.measuring() as meter:
        for text in texts:
            explain(model, images, [text], METHOD, **FEW)
    assert meter.image > 10 * spent[1]


def test_value_functions_share_one_set_of_masked_images(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    work = work_of(model, pixels(model, 1))
    parse = METHODS[METHOD].parse
    with model.meter.measuring() as meter:
        first = game_of(work, 0, parse(FEW))
        second = game_of(work, 0, parse({**FEW, "value": "caption_soft", "bank": TEXTS}))
    assert first is second
    assert meter.image <= 1 + 16
    assert game_of(work, 0, parse({**FEW, "removal": "black"})) is not first


def test_a_soft_description_is_the_weighted_mean_and_hardens_with_scale(zoo: Zoo) -> None:
    model = zoo("vit")
    embeddings, bank = model.embed_images(pixels(model, 3)), model.embed_texts(TEXTS)
    found = described(embeddings, bank, 7.0).double().numpy()
    e, t = embeddings.double().numpy(), bank.double().numpy()
    for row in range(3):
        weights = np.exp(7.0 * np.array([e[row] @ caption for caption in t]))
        mean = sum(weight * caption for weight, caption in zip(weights / weights.sum(), t, strict=True))
        assert np.abs(found[row] - mean / np.linalg.norm(mean)).max() < 1e-6
        assert np.abs(found[row] - mean).max() > 1e-3
    hard = described(embeddings, bank, 1.0, best=True)
    assert torch.allclose(described(embeddings, bank, 1e5), hard, atol=1e-4)
    assert not torch.allclose(described(embeddings, bank, 1.0), hard, atol=1e-2)


def test_the_bank_decides_what_a_caption_value_is(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    banks = (TEXTS, (*TEXTS, "a cat on a mat"))
    maps = [explain(model, images, TEXTS[0], METHOD, value="caption_soft", bank=bank, **FEW).image for bank in banks]
    assert not np.allclose(maps[0], maps[1], rtol=1e-3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least two captions"):
        explain(model, images, TEXTS, METHOD, value="caption_soft", bank=("one",))
    with pytest.raises(InputError, match="too few to separate the regions; give at least 13"):
        explain(model, images, TEXTS, METHOD, budget=9)


@pytest.mark.parametrize("family", ["vit", "efficientnet"])
def test_as_released_the_values_are_forced_to_sum_to_nothing(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    images = pixels(model, 1)
    work = work_of(model, images)
    options = METHODS[METHOD].parse({**FEW, "paper_exact": True})
    game = game_of(work, 0, options)
    # The release shows the whole image for the empty coalition, and masks black.
    assert torch.allclose(game.embeddings[0], game.embeddings[-1], atol=1e-5)
    assert not game.coalitions.rows[0].any()
    result = explain(model, images, TEXTS, METHOD, paper_exact=True, **FEW)
    assert result.image is not None
    assert np.isfinite(result.image).all()
    if len(game.regions) > 1:
        ours = explain(model, images, TEXTS, METHOD, removal="black", **FEW)
        assert not np.allclose(result.image, ours.image, rtol=1e-3)  # type: ignore[arg-type]


def test_an_opaque_model_is_served_by_superpixels(zoo: Zoo) -> None:
    model = zoo("resnet_clip")
    result = explain(model, pixels(model), TEXTS, METHOD, **FEW)
    assert result.image is not None
    assert result.image.shape[:2] == (2, 3)
    assert np.isfinite(result.image).all()
    if "image_layers" not in model.capabilities:
        with pytest.raises(CapabilityError):
            explain(model, pixels(model), TEXTS, METHOD, regions="semantic", **FEW)
