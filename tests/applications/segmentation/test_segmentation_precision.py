"""Intervals of mean average precision and overlap: coverage, and none where a label is too rare for one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.applications.segmentation.chapter import whole_told
from core.applications.segmentation.multilabel import RECIPES, mean_average_precision
from core.applications.segmentation.record import (
    FEWEST_RANKED,
    FEWEST_WITH_LABEL,
    ONE_SCORE,
    covered_by_one,
    overlap_table,
    precision_table,
)
from core.applications.segmentation.tables import estimate_text
from core.statistics import jackknife
from core.statistics.intervals import SHARE

LABELS = 4


def drawn(random: np.random.Generator, images: int, true: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and truth `(images, labels)`; the `true` images of each label score a standard deviation higher."""
    truth = np.stack([random.permutation(np.arange(images) < true) for _ in range(LABELS)], axis=1)
    return random.normal(size=truth.shape) + truth, truth


def recognised(scores: np.ndarray, truth: np.ndarray) -> Any:
    rows = [
        {"image": f"image {image}", "label": f"label {label}", "truth": bool(truth[image, label])}
        | dict.fromkeys(RECIPES, scores[image, label])
        for image in range(len(scores))
        for label in range(scores.shape[1])
    ]
    return SimpleNamespace(recognition=pd.DataFrame(rows))


def precisions(true: int, images: int = 100) -> pd.DataFrame:
    table = precision_table(recognised(*drawn(np.random.default_rng(0), images, true)))
    return table[table.metric == "mean average precision"].set_index("recipe")


def test_a_rare_label_leaves_mean_average_precision_without_an_interval() -> None:
    scores, truth = drawn(np.random.default_rng(0), 24, 1)
    got = jackknife(lambda at: mean_average_precision(scores[at], truth[at]), 24, within=SHARE)
    assert got.low == 0.0 and got.high is not None and got.high - got.low > 0.6, "what was printed: next to nothing"
    rare = precisions(true=FEWEST_RANKED - 1)
    assert rare.value.notna().all() and rare.low.isna().all() and set(rare.n) == {100}
    assert "[no interval], n = 100" in estimate_text(rare.loc["cosine"])
    often = precisions(true=100 - FEWEST_RANKED + 1)
    assert often.low.isna().all(), "images without the label count as well"
    enough = precisions(true=FEWEST_RANKED)
    assert enough.low.notna().all() and (enough.low <= enough.value).all() and (enough.value <= enough.high).all()
    assert (enough.high - enough.low)["cosine"] < 0.4


@pytest.mark.parametrize("alike", [True, False])
def test_one_score_for_all_is_exact_where_every_image_has_as_many_true_labels(alike: bool) -> None:
    truth = np.eye(LABELS, dtype=bool)[np.arange(4 * FEWEST_RANKED + 4) % LABELS]
    truth[0, 1] |= not alike
    table = precision_table(recognised(np.random.default_rng(0).normal(size=truth.shape), truth))
    for _, part in table.groupby("metric"):
        chance = part.set_index("recipe").loc[ONE_SCORE]
        assert bool(chance.exact) is alike and chance.value == pytest.approx(1 / LABELS, abs=0.01)
        assert pd.isna(chance.low) is alike and ("(exact)" in estimate_text(chance)) is alike
        others = part[part.recipe != ONE_SCORE]
        assert not others.exact.any() and "[no interval]" not in estimate_text(others.iloc[0])


def test_the_interval_covers_mean_average_precision_only_with_its_bias_corrected() -> None:
    random = np.random.default_rng(1)
    scores, truth = drawn(random, 40_000, 40_000 * 8 // 60)
    expected = mean_average_precision_of_many(scores, truth)
    hits = {True: 0, False: 0}
    for _ in range(150):
        scores, truth = drawn(random, 60, 8)
        for biased in hits:
            got = jackknife(
                lambda at, s=scores, t=truth: mean_average_precision(s[at], t[at]), 60, within=SHARE, biased=biased
            )
            assert got.low is not None and got.high is not None
            hits[biased] += got.low <= expected <= got.high
    assert 0.91 <= hits[True] / 150 <= 1.0
    assert hits[False] < hits[True]


def mean_average_precision_of_many(scores: np.ndarray, truth: np.ndarray) -> float:
    """The same by sorting, for many images."""
    each = []
    for label in range(truth.shape[1]):
        true = truth[np.argsort(-scores[:, label]), label]
        each.append((np.cumsum(true)[true] / (np.flatnonzero(true) + 1)).mean())
    return float(np.mean(each))


def test_many_images_are_ranked_as_few_are() -> None:
    scores, truth = drawn(np.random.default_rng(2), 50, 10)
    assert mean_average_precision_of_many(scores, truth) == pytest.approx(mean_average_precision(scores, truth))
    assert mean_average_precision_of_many(-scores, truth) != pytest.approx(mean_average_precision(scores, truth))


@pytest.mark.parametrize(("images_with", "known"), [(FEWEST_WITH_LABEL, True), (FEWEST_WITH_LABEL - 1, False)])
def test_a_label_in_one_image_leaves_the_overlap_without_an_interval(images_with: int, known: bool) -> None:
    random = np.random.default_rng(3)
    rows = []
    for image in range(12):
        for label, count in (("common", 12), ("rare", images_with)):
            true = float(image < count)
            union = true * random.uniform(1, 2) + random.random()
            row = {"map": "raw", "image": f"{image:02d}", "label": label, "intersection": true * random.random()}
            rows.append({**row, "union": union, "true": true})
    (row,) = overlap_table(SimpleNamespace(overlap=pd.DataFrame(rows))).itertuples()  # type: ignore[arg-type]
    assert row.value > 0 and row.labels == 2
    assert pd.notna(row.low) is known and pd.notna(row.high) is known


def test_images_that_one_label_covers_whole_are_named() -> None:
    rows = [
        ("b", "b.png", "cat", 90, 90, 1.0), ("b", "b.png", "dog", 0, 90, 0.0), ("a", "a.png", "", 80, 80, 1.0),
        ("c", "c.png", "cat", 89, 90, 0.99), ("c", "c.png", "dog", 1, 90, 0.01), ("d", "d.png", "dog", 0, 0, 0.0),
    ]  # fmt: skip
    areas = pd.DataFrame(rows, columns=["image", "image_name", "label", "pixels", "seen", "share"])
    record: Any = SimpleNamespace(areas=areas, images=dict.fromkeys("abcd"))
    # The background covers one as well; an image of which nothing was seen is not covered.
    assert covered_by_one(record) == ["a.png", "b.png"]
    (told,) = whole_told(record)
    assert told.startswith("In 2 of 4 images one label covers the whole visible image (a.png, b.png): ")
    record.areas = areas[areas["image"] == "c"]
    assert whole_told(record) == ()
