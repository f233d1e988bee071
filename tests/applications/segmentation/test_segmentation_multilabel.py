"""Recognition: every recipe against its formula, rankings, and precision against a second way to count it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score

from core.applications.segmentation.multilabel import (
    RECIPES,
    average_precision,
    left_out_means,
    left_out_precisions,
    mean_average_precision,
    ranking,
    ranking_precision,
    recognition_scores,
)


def drawn(images: int = 12, labels: int = 5, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    random = np.random.default_rng(seed)
    truth = random.random((images, labels)) < 0.4
    truth[0], truth[1] = True, False
    return np.round(random.normal(size=(images, labels)) + truth, 1), truth


def test_every_recipe_is_what_its_name_says() -> None:
    random = np.random.default_rng(0)
    cosines, whole = random.normal(size=(3, 4)), random.normal(size=(3, 4))
    maps = random.normal(size=(3, 4, 2, 5))
    got = recognition_scores(cosines, whole, maps, 26.0)
    assert set(got) == set(RECIPES)
    assert np.array_equal(got["cosine"], cosines)
    assert np.array_equal(got["class_surgery"], whole)
    for image in range(3):
        for label in range(4):
            share = 1 / np.exp(26 * (cosines[image] - cosines[image, label])).sum()
            assert got["softmax"][image, label] == pytest.approx(share)
            assert got["best_place"][image, label] == maps[image, label].ravel().max()
    assert np.allclose(got["softmax"].sum(axis=1), 1)
    assert not np.allclose(got["softmax"], recognition_scores(cosines, whole, maps, 1.0)["softmax"], atol=1e-2)


def test_ranks_count_from_the_best_and_ties_keep_the_order() -> None:
    assert ranking(np.array([[0.1, 0.9, 0.5], [0.3, 0.3, 0.4]])).tolist() == [[3, 1, 2], [2, 3, 1]]


def test_average_precision_is_the_library_s() -> None:
    scores, truth = drawn()
    for label in range(truth.shape[1]):
        expected = average_precision_score(truth[:, label], scores[:, label])
        assert average_precision(scores[:, label], truth[:, label]) == pytest.approx(expected, abs=1e-12)
        assert average_precision(-scores[:, label], truth[:, label]) != pytest.approx(expected, abs=1e-2)
    macro = average_precision_score(truth, scores, average="macro")
    assert mean_average_precision(scores, truth) == pytest.approx(macro, abs=1e-12)
    assert mean_average_precision(scores.copy()[::-1], truth) != pytest.approx(macro, abs=1e-2)


def test_ranking_precision_is_the_library_s_over_images_that_rank_anything() -> None:
    scores, truth = drawn()
    got = ranking_precision(scores, truth)
    defined = truth.any(axis=1) & ~truth.all(axis=1)
    assert np.array_equal(np.isfinite(got), defined)
    expected = label_ranking_average_precision_score(truth[defined], scores[defined])
    assert np.nanmean(got) == pytest.approx(expected, abs=1e-12)
    assert np.nanmean(ranking_precision(-scores, truth)) != pytest.approx(expected, abs=1e-2)


def test_perfect_and_equal_scores() -> None:
    _, truth = drawn()
    assert mean_average_precision(truth.astype(float), truth) == 1.0
    shares = truth.mean(axis=0)
    equal = np.zeros(truth.shape)
    assert mean_average_precision(equal, truth) == pytest.approx(shares[(shares > 0) & (shares < 1)].mean())


def test_what_cannot_be_ranked_is_undefined() -> None:
    assert average_precision(np.array([0.1, 0.2]), np.array([True, True])) is None
    assert average_precision(np.array([0.1, 0.2]), np.array([False, False])) is None
    assert mean_average_precision(np.zeros((3, 2)), np.zeros((3, 2), bool)) is None


@pytest.mark.parametrize("seed", range(8))
def test_precision_without_each_image_is_that_of_the_others(seed: int) -> None:
    # Scores of one decimal: many images share one.
    scores, truth = drawn(seed=seed)
    for label in range(scores.shape[1]):
        got = left_out_precisions(scores[:, label], truth[:, label])
        for image in range(len(scores)):
            others = np.delete(np.arange(len(scores)), image)
            expected = average_precision(scores[others, label], truth[others, label])
            assert got[image] == pytest.approx(np.nan if expected is None else expected, abs=1e-12, nan_ok=True)
    means = [mean_average_precision(np.delete(scores, image, 0), np.delete(truth, image, 0)) for image in range(12)]
    assert left_out_means(scores, truth) == pytest.approx(means, abs=1e-12)
    # With the image still in it is another number.
    assert left_out_means(scores, truth) != pytest.approx([mean_average_precision(scores, truth)] * 12, abs=1e-3)


def test_without_an_image_nothing_may_be_ranked() -> None:
    scores = np.array([0.3, 0.2, 0.1])
    assert np.isnan(left_out_precisions(scores, np.array([True, False, False]))).tolist() == [True, False, False]
    assert np.isnan(left_out_precisions(scores, np.array([True, True, False]))).tolist() == [False, False, True]
