"""The consensus experiment on images whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.consensus import METHODS, THRESHOLDS, compared, consensus, held_out, overlaps, passed, roc_area
from benchmarks.consensus_maps import CONTROLS, Explained
from benchmarks.regions import Known, Pair, Scene
from core.models.geometry import Geometry

SIDE, IMAGES = 16, 24
GEOMETRY = Geometry(SIDE, SIDE, SIDE, SIDE, 1.0, 1.0, 0.0, 0.0)


def planted(informed: bool) -> tuple[Known, list[int], list[Explained]]:
    """Regions that each method sees through noise of its own; trust follows the noise, or is turned upside down."""
    rng = np.random.default_rng(0)
    noise = np.linspace(0.6, 6.0, len(METHODS))
    scenes, each = [], []
    for at in range(IMAGES):
        top, left = rng.integers(0, SIDE - 6, 2)
        region = np.zeros((SIDE, SIDE), dtype=bool)
        region[top : top + 6, left : left + 6] = True
        pair = Pair("thing", "a thing", region, ())
        scenes.append(Scene(Path(f"{at}.png"), (pair,)))
        maps = region[None] + noise[:, None, None] * rng.standard_normal((len(METHODS), SIDE, SIDE))
        maps = np.concatenate([maps, rng.standard_normal((len(CONTROLS), SIDE, SIDE))])[:, None].astype(np.float32)
        trust = 1 / noise if informed else noise / 10
        trust = np.concatenate([trust, np.zeros(len(CONTROLS))]) + 0.01 * rng.standard_normal(len(maps))
        checked = np.full(len(METHODS), 0.1 if at < 4 else np.nan)
        each.append(Explained(maps, trust[:, None], checked, checked, GEOMETRY))
    return Known(tuple(scenes), {"thing": "a thing"}, {}), list(range(IMAGES)), each


def test_trust_that_follows_the_truth_helps_and_trust_that_misleads_does_not() -> None:
    good, bad = compared(*planted(True)), compared(*planted(False))
    assert good["by trust"] == METHODS[0] and bad["by trust"] == METHODS[-1]
    assert good["trust and worth"]["roc"] > 0.8 and bad["trust and worth"]["roc"] < -0.8
    for told, sign in ((good, 1), (bad, -1)):
        value, low, high = told["rows"]["method by trust"]["less in advance"]["roc"]
        assert sign * value > 0 and min(sign * low, sign * high) > 0
    rows = good["rows"]
    assert rows["consensus by trust"]["roc"][0] > rows["consensus, equal weights"]["roc"][0]
    assert bad["rows"]["consensus by trust"]["roc"][0] < bad["rows"]["consensus, equal weights"]["roc"][0]
    assert rows["clip_surgery"]["less in advance"]["roc"] == [0, 0, 0]


def test_a_method_that_fails_a_check_takes_no_part() -> None:
    known, scenes, each = planted(True)
    for one in each:
        one.trust[0] = 0.0  # not above the controls
        one.weights[1] = 0.9
        one.texts[2] = 0.99
    good, told = passed(np.stack([one.trust[:, 0] for one in each]), each)
    assert good.tolist() == [False, False, False] + [True] * (len(METHODS) - 3)
    assert not told[METHODS[0]]["passes"] and told[METHODS[3]]["passes"]
    assert compared(known, scenes, each)["by trust"] == METHODS[3]


def test_a_consensus_is_the_weighted_mean_of_ranks() -> None:
    maps = np.array([[[[1.0, 5.0], [3.0, 2.0]]], [[[90.0, 10.0], [10.0, 0.0]]]])
    got = consensus(maps, np.array([[3.0], [1.0]]))
    ranks: NDArray[np.float64] = np.array([[[0, 1], [2 / 3, 1 / 3]], [[1, 0.5], [0.5, 0]]])
    assert np.allclose(got[0], (3 * ranks[0] + ranks[1]) / 4)
    assert np.allclose(consensus(maps, np.array([[-1.0], [2.0]]))[0], ranks[1])
    assert np.allclose(consensus(maps, np.zeros((2, 1)))[0], ranks.mean(axis=0))
    scaled = (maps - maps.mean(axis=(2, 3), keepdims=True)) / maps.std(axis=(2, 3), keepdims=True)
    assert np.allclose(consensus(maps, np.ones((2, 1)), ranked=False)[0], scaled[:, 0].mean(axis=0))


def test_pixels_are_judged_by_the_textbook_area_and_overlap() -> None:
    rng = np.random.default_rng(1)
    values, region = rng.integers(0, 9, (12, 14)).astype(float), rng.random((12, 14)) < 0.3
    values[0, 0] = np.nan
    seen = np.isfinite(values)
    assert roc_area(values, region) == pytest.approx(roc_auc_score(region[seen], values[seen]))
    assert roc_area(-values, region) != pytest.approx(roc_auc_score(region[seen], values[seen]))
    assert roc_area(values, np.zeros_like(region)) is None
    for at, threshold in enumerate(THRESHOLDS):
        cut = seen & (values >= np.nanmin(values) + threshold * (np.nanmax(values) - np.nanmin(values)))
        expected = (cut & region)[seen].sum() / (cut | region)[seen].sum()
        assert overlaps(values, region)[at] == pytest.approx(expected)


def test_the_threshold_of_a_half_comes_from_the_other_half() -> None:
    table = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    # Images 0 and 2 form one half, whose best threshold is the first; 1 and 3 the other.
    assert held_out(table, np.array([0, 1, 2, 3])).tolist() == [0.1, 0.2, 0.3, 0.4]
