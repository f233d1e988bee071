"""The numbers of the sanity checks on maps whose answer is known, and the states that maps are made in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from core.applications.planned import cheaper
from core.applications.sanity_checks import cosine, likeness, overlapping, paraphrases, values
from core.applications.sanity_states import Allowance, allotted, changed, moved, moved_share, shared, states
from core.applications.sanity_states import subject as made_subject
from core.methods import METHODS
from core.methods.applications.sanity import CARD
from core.models.randomised import Randomised
from tests.support.tiny import Zoo, fresh, pixels, tiny_model


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
    # A map that isn't mirrored with its picture is another one.
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


def test_the_states_of_a_picture(zoo: Zoo) -> None:
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
    own, _, picture = found["texts"]
    assert [found[name][1] for name in ("texts", "seed 1", "seed 2", "flip")] == [4, 5, 6, 4]
    assert torch.equal(found["flip"][2], picture.flip(-1))
    for name in ("seed 1", "last_block", "image_tower", "text_tower"):
        assert torch.equal(found[name][2], picture)
    assert torch.allclose(found["seed 1"][0], own[:, :1], atol=1e-6)
    for name in ("last_block", "upper_half", "image_tower", "text_tower", "noise", "disturbed 1"):
        assert not torch.allclose(found[name][0], own[:, :1], atol=1e-4), name


def test_disturbances_stay_within_their_bound(zoo: Zoo) -> None:
    model = zoo("vit")
    picture, options = pixels(model, 1), CARD.parse({"noise": 0.1, "draws": 2})
    found = dict(changed(model, picture, options, torch.Generator().manual_seed(0)))
    spread = torch.tensor(model.preprocessing.std)[:, None, None]
    for name in ("disturbed 1", "disturbed 2"):
        change = ((found[name] - picture) * spread).abs()
        assert 0.09 < float(change.max()) <= 0.1 + 1e-6
    assert not torch.equal(found["disturbed 1"], found["disturbed 2"])
    noise = found["noise"] * spread + torch.tensor(model.preprocessing.mean)[:, None, None]
    assert -1e-6 <= float(noise.min()) < 0.01 and 0.99 < float(noise.max()) <= 1 + 1e-6


def test_a_moved_picture_is_moved_by_whole_pixels() -> None:
    picture = torch.rand(1, 3, 32, 40)
    step = round(moved_share(picture) * 40)
    assert step == 2
    assert torch.equal(moved(picture)[..., step:], picture[..., :-step])
    assert torch.equal(moved(picture)[..., 0], picture[..., 0])
    assert moved(picture).shape == picture.shape


def test_only_what_a_state_may_use_is_shared() -> None:
    pools = {("coalitions", 1): "a", ("rise", 2): "b", ("fixlip", 3): "c", "words": "d"}
    assert shared(pools, ("coalitions",)) == {("coalitions", 1): "a"}
    assert shared(pools, ("coalitions", "rise")) == {("coalitions", 1): "a", ("rise", 2): "b"}


# -- what it may cost ------------------------------------------------------------------------------------------------


def test_dear_methods_get_fewer_checks_and_pictures(zoo: Zoo) -> None:
    model = zoo("vit")

    def given(name: str, budget: float, pictures: int = 8, **options: Any) -> tuple[int, bool]:
        room = Allowance(CARD.parse({"budget": budget}), pictures, 8, 1)
        found = allotted(METHODS[name], options, model, room)
        return found.pictures, found.all

    assert given("raw", 600) == (8, True)
    cost = METHODS["semantic_priors"].cost({"count": 4})
    judged = 3 * (cost.image + cost.pool)
    assert given("semantic_priors", 6 * judged + 1) == (6, False)
    # The least number of pictures may cost five times the budget.
    assert given("semantic_priors", 4 * judged / 5 + 1) == (4, False)
    assert given("semantic_priors", 4 * judged / 5 - 1) == (0, False)
    assert given("semantic_priors", 100_000) == (8, True)
    assert given("semantic_priors", 1) == (0, False)
    assert given("semantic_priors", 250, pictures=2) == (2, False)


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
