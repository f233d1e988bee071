"""User studies: balanced pairs, orders of their own, votes that are only added, and preferences that were planted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError, RunError
from core.evaluation.user_preference import agreement, preferences
from core.evaluation.user_study import (
    VOTES,
    Study,
    add_votes,
    counted,
    designed,
    load_study,
    load_votes,
    sides,
    start_study,
)

METHODS = ["one", "three", "two"]


def maps(images: int, texts: int = 2) -> dict[tuple[str, str, str], list[str]]:
    return {(f"i{at}", f"{at}.png", f"text {text}"): METHODS for at in range(images) for text in range(texts)}


@pytest.mark.parametrize("images", [1, 7, 10])
def test_every_pair_of_methods_is_shown_once_for_each_image_and_sides_are_balanced(images: int) -> None:
    study = designed("run", maps(12), images, seed=3)
    assert len(study.pairs) == 3 * images
    by_image = Counter((pair.image, *sorted((pair.left, pair.right))) for pair in study.pairs)
    assert set(by_image.values()) == {1} and len({pair.image for pair in study.pairs}) == images
    assert all(
        len({pair.text for pair in study.pairs if pair.image == image}) == 1 for image in {p.image for p in study.pairs}
    )
    for first, second in (("one", "two"), ("one", "three"), ("three", "two")):
        left = [pair.left for pair in study.pairs if {pair.left, pair.right} == {first, second}]
        assert abs(left.count(first) - left.count(second)) == images % 2
    assert all(sum(each) == 2 * images for each in sides(study).values())


def test_the_seed_decides_and_each_rater_has_an_order() -> None:
    study = designed("run", maps(12), 6, seed=3)
    assert study == designed("run", maps(12), 6, seed=3) != designed("run", maps(12), 6, seed=4)
    assert sorted(study.order("Ada")) == list(range(18)) == sorted(study.order("Ben"))
    assert study.order("Ada") == study.order(" ada ") != study.order("Ben")
    # Over many raters no pair comes early more often than chance allows.
    places = np.array([np.argsort(study.order(f"rater {at}")) for at in range(400)])
    assert np.abs(places.mean(axis=0) - 8.5).max() < 4 * 5.19 / 20


def test_too_few_methods_are_refused() -> None:
    with pytest.raises(InputError, match="at least two methods"):
        designed("run", {("i", "i.png", "t"): ["one"]}, 3, 0)


def test_votes_are_only_added_and_the_last_one_counts(tmp_path: Path) -> None:
    study = designed("run", maps(4), 4, seed=0)
    start_study(tmp_path, study)
    assert load_study(tmp_path) == study and load_votes(tmp_path, study) == ()
    add_votes(tmp_path, "Ada", {0: "left", 1: "right"}, at="2026-01-01T00:00:00+00:00")
    first = (tmp_path / VOTES).read_bytes()
    add_votes(tmp_path, " ADA ", {0: "neither", 1: "right"})
    assert (tmp_path / VOTES).read_bytes().startswith(first)
    votes = load_votes(tmp_path, study)
    assert len(votes) == 3 and counted(votes) == {"Ada": {0: "neither", 1: "right"}}
    before = (tmp_path / VOTES).read_bytes()
    for rater, choices, said in (
        ("Ada", {0: "left", 99: "left"}, "a pair that the study does not have"),
        ("Ada", {2: "both"}, "the votes cannot be stored"),
        (" ", {2: "left"}, "the votes cannot be stored"),
    ):
        with pytest.raises(InputError, match=said):
            add_votes(tmp_path, rater, choices)
    assert (tmp_path / VOTES).read_bytes() == before
    with pytest.raises(InputError, match="already holds a study"):
        start_study(tmp_path, study)
    (tmp_path / VOTES).write_bytes(before + b"{}\n")
    with pytest.raises(RunError, match=r"votes\.jsonl is damaged"):
        load_votes(tmp_path, study)


def rated(tmp_path: Path, study: Study, strength: dict[str, float], seed: int) -> None:
    """Three raters who prefer a method with the probability that its strength gives against the other."""
    start_study(tmp_path, study)
    random = np.random.default_rng(seed)
    for rater in ("Ada", "Ben", "Cay"):
        chosen = {}
        for at, pair in enumerate(study.pairs):
            left = strength[pair.left] / (strength[pair.left] + strength[pair.right])
            chosen[at] = "left" if random.random() < left else "right"
        add_votes(tmp_path, rater, chosen)


def test_a_planted_preference_is_shown_and_none_where_there_is_none(tmp_path: Path) -> None:
    study = designed("run", maps(40), 40, seed=1)
    rated(tmp_path / "a", study, {"one": 8.0, "two": 1.0, "three": 1.0}, seed=0)
    votes = load_votes(tmp_path / "a", study)
    best, *others = preferences(study, votes)
    assert best.method == "one" and best.share.n == 40 and best.votes == 240
    assert best.share.low is not None and best.share.low < 8 / 9 < best.share.high + 1e-9  # type: ignore[operator]
    assert best.p_adjusted is not None and best.p_adjusted < 1e-6
    assert sum(one.share.value for one in (best, *others)) == pytest.approx(1.5)  # type: ignore[misc]
    alpha = agreement(study, votes)
    assert alpha.value is not None and alpha.low is not None and alpha.low > 0.1 and alpha.n == 40

    rated(tmp_path / "b", study, dict.fromkeys(METHODS, 1.0), seed=2)
    votes = load_votes(tmp_path / "b", study)
    for one in preferences(study, votes):
        assert one.p_adjusted is not None and one.p_adjusted > 0.05 and not one.share.excludes(0.5)
    alpha = agreement(study, votes)
    assert alpha.low is not None and alpha.high is not None and alpha.low < 0.0 < alpha.high


def test_the_side_is_not_taken_for_the_method(tmp_path: Path) -> None:
    study = designed("run", maps(20), 20, seed=1)
    start_study(tmp_path, study)
    add_votes(tmp_path, "Ada", dict.fromkeys(range(len(study.pairs)), "left"))
    for one in preferences(study, load_votes(tmp_path, study)):
        assert one.share.value == pytest.approx(0.5)
