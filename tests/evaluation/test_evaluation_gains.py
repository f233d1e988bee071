"""The floor of the gain: which pairs lose their value, and what that does to the tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.evaluation.gains import LEAST_GAIN, STORED_DIVIDED, Gains, above_floor, gain_of, rows_above_floor
from core.evaluation.summary import summarise, summary_of
from core.runs import Run
from tests.support.made_run import made_run

METHODS = ("raw", "rise")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("gains") / "run", images=8, methods=METHODS)


def with_gain(rows: pd.DataFrame, image: str, gain: float, text_kind: str | None = None) -> pd.DataFrame:
    """The rows, with another gain of one image's texts and areas that are divided by it."""
    changed = rows.copy()
    here = (rows.image == image) & rows.deletion_curve.notna()
    if text_kind:
        here &= rows.text_kind == text_kind
    for at in rows.index[here]:
        old = float(rows.at[at, "deletion_curve"][0]) - float(rows.at[at, "deletion_curve"][-1])
        curve = np.array(rows.at[at, "deletion_curve"])
        curve[0], curve[-1] = 0.2 + gain, 0.2
        changed.at[at, "deletion_curve"] = curve
        for name in STORED_DIVIDED:
            changed.at[at, name] = rows.at[at, name] * old / gain
    return changed


def test_a_gain_is_the_fall_from_the_whole_image_to_the_hidden_one(run: Run) -> None:
    rows = run.results()
    gains = gain_of(rows)
    assert gains.isna().sum() == (rows.kind == "score").sum()
    for at, curve in rows.deletion_curve.dropna().items():
        assert gains[at] == pytest.approx(float(curve[0]) - float(curve[-1]))
        assert gains[at] != pytest.approx(float(curve[-1]) - float(curve[0]))


def test_pairs_below_half_of_the_median_gain_have_no_value(run: Run) -> None:
    rows = run.results()
    image, other = sorted(set(rows.image))[:2]
    small = with_gain(with_gain(rows, image, 0.02), other, 0.02, "class")
    got, gains = above_floor(small)
    # A second implementation, pair by pair.
    pairs = {}
    for row in small[small.deletion_curve.notna()].itertuples():
        pairs[row.image, row.text] = float(row.deletion_curve[0] - row.deletion_curve[-1])
    floor = LEAST_GAIN * float(np.median(list(pairs.values())))
    assert gains == Gains(pytest.approx(floor), 16, 3, 8, 1)
    for at, row in zip(small.index, small.itertuples(), strict=True):
        below = row.kind != "score" and pairs[row.image, row.text] < floor
        for name in STORED_DIVIDED:
            assert np.isnan(got.at[at, name]) == (below or row.kind == "score")
        assert row.kind == "score" or got.at[at, "correlation"] == row.correlation
    assert small.faithfulness.notna().sum() > got.faithfulness.notna().sum(), "what is stored stays"


def test_without_a_small_gain_nothing_is_left_out(run: Run) -> None:
    rows = run.results()
    got, gains = above_floor(rows)
    assert gains.pairs == 16 and gains.pairs_below == gains.images_below == 0
    pd.testing.assert_frame_equal(got, rows)


def test_pairs_whose_rise_was_too_small_for_an_area_are_counted_apart(run: Run) -> None:
    rows = run.results()
    image = sorted(set(rows.image))[0]
    flat = (rows.image == image) & rows.deletion_curve.notna()
    pairs = len(rows.loc[flat, ["image", "text"]].drop_duplicates())
    for name in ("deletion", "insertion", "faithfulness"):
        rows.loc[flat, name] = np.nan
    _, gains = above_floor(rows)
    assert (gains.pairs, gains.pairs_flat, gains.images, gains.images_below) == (16 - pairs, pairs, 8, 1)


def test_rows_without_curves_keep_their_values(run: Run) -> None:
    rows = run.results()
    rows["deletion_curve"] = None
    got, gains = above_floor(rows)
    assert gains == Gains()
    assert got.faithfulness.notna().sum() == rows.faithfulness.notna().sum() > 0


def test_one_image_of_small_gain_no_longer_decides_a_mean(run: Run) -> None:
    rows = run.results()
    changed = with_gain(rows, sorted(set(rows.image))[0], 0.011)

    def row_of(frame: pd.DataFrame) -> pd.Series:
        trust = summary_of(frame, run.plan).trust
        return trust[(trust.method == "rise") & (trust.metric == "faithfulness")].iloc[0]

    before, after = row_of(rows), row_of(changed)
    raw = changed[changed.method == "rise"].groupby("image").faithfulness.mean()
    assert raw.mean() > 3 * before.value, "it would"
    assert (before.n, after.n) == (8, 7)
    assert after.value == pytest.approx(before.value, rel=0.1)
    assert after["median"] == pytest.approx(raw.sort_values()[:-1].median(), rel=1e-5)


def test_rules_read_the_same_rows_as_the_summary(run: Run, tmp_path: Path) -> None:
    got = rows_above_floor(run, ["image", "method", "faithfulness"])
    assert list(got.columns) == ["image", "method", "faithfulness"]
    assert len(got) == len(run.results())
    mean = got[got.method == "rise"].groupby("image").faithfulness.mean().mean()
    trust = summarise(run).trust
    assert trust[(trust.method == "rise") & (trust.metric == "faithfulness")].value.item() == pytest.approx(mean)
