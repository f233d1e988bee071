"""The numbers of the sanity checks on maps whose answer is known, and the states that maps are made in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from captum.metrics import sensitivity_max
from scipy.stats import spearmanr

from benchmarks.support.tiny import Zoo, fresh, pixels, tiny_model
from core.applications.sanity.card import CARD, FLOOR, LEAST_IMAGES
from core.applications.sanity.work.checks import cosine, likeness, overlapping, paraphrases, values
from core.applications.sanity.work.states import (
    Allowance,
    allotted,
    allowance,
    changed,
    images_paid,
    moved,
    moved_share,
    shared,
    states,
)
from core.applications.sanity.work.states import subject as made_subject
from core.applications.work.planned import cheaper
from core.attribution.registry import method_module
from core.methods import METHODS
from core.models.randomised import Randomised
from tests.attribution import plain as ref


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    """Tiny models by family."""
    folder = tmp_path_factory.mktemp("zoo")
    return lambda family: tiny_model(family, folder)


ROLES = (("own", ""), ("text", "wrong 1"), ("paraphrase", "photo"), ("empty", ""), ("text", "wrong 2"))


def random_map(seed: int, rows: int = 6, columns: int = 8) -> Any:
    return np.random.default_rng(seed).random((rows, columns))


def told(maps: dict[str, Any], scores: Any = (0.3, 0.1, 0.25, 0.0, 0.1)) -> dict[tuple[str, str], float]:
    return {(check, variant): value for check, variant, value in values(maps, ROLES, np.asarray(scores))}


# -- maps ----------------------------------------------------------------------------------------------------------


def test_likeness_is_the_rank_correlation() -> None:
    a, b = random_map(0), np.round(random_map(1), 1)
    assert likeness(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)
    assert likeness(a, b) != pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1], abs=1e-4)
    assert likeness(a, a**3) == pytest.approx(1) and likeness(a, -a) == pytest.approx(-1)


def test_constant_maps_are_one_map_and_unlike_every_other() -> None:
    flat = np.full((6, 8), 0.3)
    assert likeness(flat, flat + 1) == 1
    assert likeness(flat + 1e-9 * random_map(0), flat) == 1
    assert likeness(flat, random_map(0)) == 0 == likeness(random_map(0), np.zeros((6, 8)))
    assert cosine(np.zeros((2, 2)), np.ones((2, 2))) is None
    assert cosine(random_map(0), -2 * random_map(0)) == pytest.approx(1)


def test_what_was_moved_is_moved_back() -> None:
    still = random_map(2, 8, 8)
    by_a_cell = np.concatenate([random_map(3, 8, 1), still[:, :-1]], axis=1)
    assert likeness(*overlapping(still, by_a_cell, 1 / 8)) == pytest.approx(1, abs=0.02)
    # Not moved back, or to the other side, it is another map.
    assert likeness(*overlapping(still, by_a_cell, 0.0)) < 0.5
    assert likeness(*overlapping(by_a_cell, still, 1 / 8)) < 0.5


def test_every_check_has_its_number() -> None:
    own = random_map(0)
    maps = {
        "texts": np.stack([own, -own, own**2]),
        "more_texts": np.stack([random_map(4), own]),
        "seed 1": own[None],
        "seed 2": -own[None],
        "flip": own[None, :, ::-1],
        "shift": own[None],
        "noise": 3 * own[None],
        "disturbed 1": 1.1 * own[None],
        "disturbed 2": 0.8 * own[None],
        "image_tower": random_map(5)[None],
        "text_tower": own[None],
    }
    found = told(maps)
    assert found["text", "wrong 1"] == pytest.approx(-1) and found["text", "wrong 2"] == pytest.approx(1)
    assert found["text_cosine", "wrong 1"] == pytest.approx(1)
    assert found["paraphrase", "photo"] == pytest.approx(1)
    assert found["paraphrase_score", "photo"] == pytest.approx(-0.05)
    assert found["empty", ""] == pytest.approx(likeness(own, random_map(4)))
    assert found["seed", ""] == pytest.approx((1 - 1 - 1) / 3)
    assert found["flip", ""] == pytest.approx(1)
    assert found["noise", ""] == pytest.approx(3)
    assert found["sensitivity", ""] == pytest.approx(0.2)
    assert found["model", "text_tower"] == pytest.approx(1)
    assert found["model", "image_tower"] == pytest.approx(likeness(own, random_map(5)))
    # A map that isn't mirrored with its image is another one.
    assert told({**maps, "flip": own[None]})["flip", ""] < 0.5


def test_absent_states_give_no_number() -> None:
    found = told({"texts": random_map(0)[None]})
    assert found == {}
    found = told({"texts": np.stack([random_map(0), random_map(1)]), "flip": random_map(0)[None]})
    assert set(found) == {("text", "wrong 1"), ("text_cosine", "wrong 1"), ("flip", "")}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A dog on the mat.", {"A dog on the mat", "a photo of A dog on the mat.", "dog on the mat."}),
        ("a photo of a cat", {"a picture of a cat", "a photo of a cat.", "photo of a cat"}),
        ("RED", {"a photo of RED", "RED."}),
    ],
)
def test_rewordings_say_the_same(text: str, wanted: set[str]) -> None:
    found = paraphrases(text)
    assert text not in found.values() and all(words.strip() for words in found.values())
    assert wanted <= set(found.values())
    assert ("case" in found) == (text != text.upper())


# -- states --------------------------------------------------------------------------------------------------------


def test_the_states_of_a_image(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    options = CARD.parse({"noise": 0.1, "draws": 2})
    given = made_subject(pixels(model, 1), "a red bird", ["dog", "cat"])
    assert given.texts == ("a red bird", "dog", "a photo of a red bird") and given.roles[1] == ("text", "wrong 1")
    assert given.more_texts[:2] == ("", "cat") and given.more_roles[:2] == (("empty", ""), ("text", "wrong 2"))
    found = {}
    for state in states(model, Randomised(model), given, options, seed=4):
        found[state.name] = (state.work.scores.clone(), state.work.seed, state.work.images.pixels.clone())
    assert list(found) == [
        "texts", "more_texts", "seed 1", "seed 2", "flip", "shift", "noise", "disturbed 1", "disturbed 2",
        "last_block", "upper_half", "image_tower", "text_tower",
    ]  # fmt: skip
    own, _, image = found["texts"]
    assert [found[name][1] for name in ("texts", "seed 1", "seed 2", "flip")] == [4, 5, 6, 4]
    assert torch.equal(found["flip"][2], image.flip(-1))
    for name in ("seed 1", "last_block", "image_tower", "text_tower"):
        assert torch.equal(found[name][2], image)
    assert torch.allclose(found["seed 1"][0], own[:, :1], atol=1e-6)
    for name in ("last_block", "upper_half", "image_tower", "text_tower", "noise", "disturbed 1"):
        assert not torch.allclose(found[name][0], own[:, :1], atol=1e-4), name


def test_disturbances_stay_within_their_bound(zoo: Zoo) -> None:
    model = zoo("vit")
    image, options = pixels(model, 1), CARD.parse({"noise": 0.1, "draws": 2})
    found = dict(changed(model, image, options, torch.Generator().manual_seed(0)))
    spread = torch.tensor(model.preprocessing.std)[:, None, None]
    for name in ("disturbed 1", "disturbed 2"):
        change = ((found[name] - image) * spread).abs()
        assert 0.09 < float(change.max()) <= 0.1 + 1e-6
    assert not torch.equal(found["disturbed 1"], found["disturbed 2"])
    noise = found["noise"] * spread + torch.tensor(model.preprocessing.mean)[:, None, None]
    assert -1e-6 <= float(noise.min()) < 0.01 and 0.99 < float(noise.max()) <= 1 + 1e-6


def test_the_largest_change_is_captum_s_maximal_sensitivity(zoo: Zoo) -> None:
    """The same disturbed images through captum, with maps of the second implementation in float64."""
    model, plain = fresh(zoo("vit")), ref.Plain(zoo("vit"))
    options = CARD.parse({"noise": 0.1, "draws": 4})
    given = made_subject(pixels(model, 1), "a red bird", ["dog"])
    maps, drawn = {}, []
    for state in states(model, Randomised(model), given, options, seed=4):
        if state.name == "texts" or state.name.startswith("disturbed"):
            maps[state.name] = method_module("raw")[1].attribute_image(state.work, METHODS["raw"].parse({}))[0].numpy()
        if state.name.startswith("disturbed"):
            drawn.append(state.work.images.pixels.double())
    found = {check: value for check, _, value in values(maps, given.roles, np.zeros(3))}["sensitivity"]

    def explained(images: Any) -> tuple[torch.Tensor]:
        # captum hands over a tuple of one, and wants one in return.
        (one,) = images if isinstance(images, tuple) else (images,)
        return (torch.stack([ref.raw(plain, image, "a red bird") for image in one]),)

    def sensitivity(some: list[torch.Tensor]) -> float:
        # captum repeats the image once for each disturbance and wants as many in return.
        return float(sensitivity_max(
            explained, given.pixels.double(), lambda repeated, radius: torch.cat(some), n_perturb_samples=len(some)
        ))  # fmt: skip

    each = [sensitivity([one]) for one in drawn]
    assert found == pytest.approx(sensitivity(drawn), rel=1e-4) and found == pytest.approx(max(each), rel=1e-4)
    # The companions: the mean instead of the largest, all but the worst, and a change that is not relative.
    size = float(explained(given.pixels.double())[0].norm())
    for wrong in (float(np.mean(each)), max(each[: each.index(max(each))] + each[each.index(max(each)) + 1 :])):
        assert found != pytest.approx(wrong, rel=1e-3)
    assert found != pytest.approx(max(each) * size, rel=1e-3)


def test_a_moved_image_is_moved_by_whole_pixels() -> None:
    image = torch.rand(1, 3, 32, 40)
    step = round(moved_share(image) * 40)
    assert step == 2
    assert torch.equal(moved(image)[..., step:], image[..., :-step])
    assert torch.equal(moved(image)[..., 0], image[..., 0])
    assert moved(image).shape == image.shape


def test_only_what_a_state_may_use_is_shared() -> None:
    pools = {("coalitions", 1): "a", ("rise", 2): "b", ("fixlip", 3): "c", "words": "d"}
    assert shared(pools, ("coalitions",)) == {("coalitions", 1): "a"}
    assert shared(pools, ("coalitions", "rise")) == {("coalitions", 1): "a", ("rise", 2): "b"}


# -- what it may cost ------------------------------------------------------------------------------------------------


def test_dear_methods_get_fewer_checks_and_images(zoo: Zoo) -> None:
    model = zoo("vit")

    def given(name: str, budget: float, images: int = 8, **options: Any) -> tuple[int, bool]:
        room = Allowance(CARD.parse({"budget": budget}), images, 8, 1)
        found = allotted(METHODS[name], options, model, room)
        return found.images, found.all

    assert given("raw", 600) == (8, True)
    cost = METHODS["semantic_priors"].cost({"count": 4})
    judged = 3 * (cost.image + cost.pool)
    assert given("semantic_priors", LEAST_IMAGES * judged + 1) == (LEAST_IMAGES, False)
    # The least number of images may cost a stated multiple of the budget.
    assert given("semantic_priors", LEAST_IMAGES * judged / FLOOR + 1) == (LEAST_IMAGES, False)
    assert given("semantic_priors", LEAST_IMAGES * judged / FLOOR - 1) == (0, False)
    assert given("semantic_priors", 100_000) == (8, True)
    assert given("semantic_priors", 1) == (0, False)
    assert given("semantic_priors", 250, images=2) == (2, False)


def test_few_methods_are_checked_on_more_images_for_the_same_forward_passes(zoo: Zoo) -> None:
    model, options = zoo("vit"), CARD.parse({})
    few: dict[str, dict[str, Any]] = {"raw": {}, "gradcam": {}}
    assert images_paid(few, model, options, 4, 12) == 12
    # No method loses a state on more images.
    for images in (4, 12):
        assert allotted(METHODS["gradcam"], {}, model, allowance(few, options, images, 4)).all
    assert not allotted(METHODS["gradcam"], {}, model, allowance(few, options, 12, 12)).all
    # Never fewer than by the price of all methods, and never beyond what there is.
    assert images_paid(few, model, options, 4, 4) == 4
    assert images_paid(few, model, CARD.parse({"forwards": 1}), 4, 12) == 4
    many: dict[str, dict[str, Any]] = {name: {} for name in METHODS if "image" in METHODS[name].sides}
    assert images_paid(many, model, options, 4, 12) == 4
    budget = CARD.parse({"forwards": 300})
    count = images_paid(few, model, budget, 4, 12)
    spent = {
        images: sum(allotted(METHODS[name], {}, model, allowance(few, budget, images, 4)).forwards for name in few)
        for images in (count, count + 1)
    }
    assert 4 < count < 12 and spent[count] <= 300 < spent[count + 1]


def test_a_method_that_draws_is_run_with_every_seed(zoo: Zoo) -> None:
    room = Allowance(CARD.parse({"budget": 1}), 4, 8, 1)
    rise, occlusion = (METHODS[name] for name in ("rise", "occlusion"))
    found = allotted(rise, {}, zoo("vit"), room)
    assert found.wants("seed 1", rise) and not found.wants("seed 1", occlusion)
    assert found.wants("image_tower", rise) and not found.wants("upper_half", rise) and not found.wants("noise", rise)


def test_cheap_settings_are_never_dearer_than_planned_ones() -> None:
    assert cheaper(METHODS["rise"], {"masks": 400, "keep": 0.4}) == {"masks": 96, "keep": 0.4}
    assert cheaper(METHODS["rise"], {"masks": 40}) == {"masks": 40}
    # 0 cells is the model's own grid: the finest.
    assert cheaper(METHODS["occlusion"], {"cells": 0})["cells"] == 4
    assert cheaper(METHODS["raw"], {}) == {}
    for name, info in METHODS.items():
        options = cheaper(info, {})
        dear, cheap = info.cost({}), info.cost(options)
        assert cheap.image + cheap.pool + cheap.pair <= dear.image + dear.pool + dear.pair, name
