"""The tables of a run, recomputed from its rows."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from core.evaluation.agreement import common_grid
from core.evaluation.metrics import FURTHER, MAIN, STORED
from core.evaluation.summary import CONTROLS, Summary, summarise
from core.runs import Run
from core.statistics import FEWEST, holm, interval_of_means, sign_flip_p
from tests.support.made_run import made_run

METHODS = ("raw", "m2ib", "rise", "gradcam")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("made") / "run", images=FEWEST, methods=METHODS)


@pytest.fixture(scope="module")
def summary(run: Run) -> Summary:
    return summarise(run)


def rows_of(run: Run, kind: str, method: str) -> pd.DataFrame:
    rows = run.results()
    return rows[(rows.kind == kind) & (rows.method == method) & (rows.status == "ok")]


def test_it_counts_images_pairs_and_methods(summary: Summary) -> None:
    assert (summary.images, summary.pairs, summary.methods) == (FEWEST, 2 * FEWEST, METHODS)
    assert summary.failures.empty
    assert summary.not_run[0][:2] == ("gae", "text")


def test_trust_is_the_mean_over_images_of_each_image_s_mean(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=FEWEST, methods=METHODS)
    summary = summarise(run)
    trust = summary.trust[summary.trust.metric.isin([metric.name for metric in MAIN])]
    assert len(trust) == (len(METHODS) + len(CONTROLS)) * len(MAIN)
    for row in trust.itertuples():
        part = rows_of(run, str(row.kind), str(row.method))
        means = [float(group[row.metric].mean()) for _, group in part.groupby("image")]
        assert row.n == len(means) == FEWEST
        assert row.value == pytest.approx(np.mean(means))
        assert row.low <= row.value <= row.high
        got = interval_of_means(np.array(means))
        assert (row.low, row.high) == pytest.approx((got.low, got.high), rel=1e-4)  # float32 values
    assert set(summary.trust[summary.trust.kind == "control"].method) == set(CONTROLS)


def test_methods_are_compared_with_controls_on_the_same_pairs(run: Run, summary: Summary) -> None:
    kinds = ("caption", "class")
    assert len(summary.versus) == len(METHODS) * len(CONTROLS) * len(kinds)
    assert set(summary.versus.text_kind) == set(kinds)
    key = ["image", "text", "text_kind"]
    for row in summary.versus.itertuples():
        own = rows_of(run, "method", str(row.method)).set_index(key)["faithfulness"]
        other = rows_of(run, "control", str(row.control)).set_index(key)["faithfulness"]
        each = (own - other).xs(row.text_kind, level="text_kind")
        means = each.groupby("image").mean()
        assert row.n == FEWEST
        assert row.value == pytest.approx(means.mean())
        assert row.p == pytest.approx(sign_flip_p(means.to_numpy()))
        assert row.value != pytest.approx(-means.mean())
    assert np.allclose(summary.versus.p_adjusted, holm(summary.versus.p.to_numpy())), "one family"
    assert not np.allclose(summary.versus.p_adjusted, summary.versus.p)
    ranked = summary.versus[summary.versus.control == "random"].groupby("method").value.mean()
    assert ranked.idxmax() == "rise"
    assert ranked.idxmin() == "raw"


def test_agreement_is_the_mean_rank_correlation(run: Run, summary: Summary) -> None:
    assert {(row.a, row.b) for row in summary.agreement.itertuples()} == set(combinations(sorted(METHODS), 2))
    rows = run.results()
    rows = rows[(rows.kind == "method") & (rows.status == "ok")]
    grids = {
        (row.image, row.text, row.method): common_grid(
            np.asarray(row.map, float).reshape(int(row.rows), int(row.columns))
        )
        for row in rows.itertuples()
    }
    for row in summary.agreement.itertuples():
        per_image: dict[str, list[float]] = {}
        for (image, text, method), grid in grids.items():
            if method == row.a:
                rho = stats.spearmanr(grid.ravel(), grids[image, text, row.b].ravel()).statistic
                per_image.setdefault(image, []).append(float(rho))
        assert row.value == pytest.approx(np.mean([np.mean(values) for values in per_image.values()]))
        assert row.n == FEWEST
        assert (row.value < 0) == ("raw" in (row.a, row.b))
        # Maps of different images: every text's with every text's of the other image.
        other = [
            float(stats.spearmanr(one.ravel(), two.ravel()).statistic)
            for (i, _, first), one in grids.items()
            for (j, _, second), two in grids.items()
            if i != j and (first, second) == (row.a, row.b)
        ]
        assert row.chance == pytest.approx(np.mean(other))
        assert row.chance < row.chance_high
        assert row.chance != pytest.approx(row.value, abs=0.01)
        assert 0 <= row.overlap <= 1


def test_pair_agreement_is_the_mean_over_pairs_of_methods(summary: Summary) -> None:
    assert len(summary.pair_agreement) == 2 * FEWEST
    assert (summary.pair_agreement.methods == len(METHODS)).all()
    assert summary.pair_agreement.value.between(-1, 1).all()
    assert summary.pair_agreement.value.mean() == pytest.approx(summary.agreement.value.mean(), abs=1e-6)


def test_scores_and_texts_are_the_rows_of_scores(run: Run, summary: Summary) -> None:
    rows = run.results()
    assert len(summary.scores) == (rows.kind == "score").sum()
    for row in summary.texts.itertuples():
        part = rows[(rows.kind == "score") & (rows.text == row.text) & (rows.text_kind == row.text_kind)]
        assert row.value == pytest.approx(part.groupby("image").score.mean().mean())
        assert row.n == part.image.nunique()
        assert (row.n >= FEWEST) == bool(np.isfinite(row.low))


def test_failed_rows_are_listed_and_left_out(tmp_path: Path) -> None:
    summary = summarise(made_run(tmp_path / "run", images=4, methods=METHODS, failed_rows=3))
    assert len(summary.failures) == 3
    assert set(summary.failures.message) == {"the gradient is not finite"}
    whole = summarise(made_run(tmp_path / "whole", images=4, methods=METHODS))
    assert whole.failures.empty
    assert len(summary.trust) == len(whole.trust)


def test_a_run_with_failed_units_counts_what_is_there(tmp_path: Path) -> None:
    summary = summarise(made_run(tmp_path / "run", images=6, methods=METHODS, failed=1))
    assert summary.images == 4
    assert (summary.trust.n <= 4).all()


def test_an_unfinished_run_has_tables_too(tmp_path: Path) -> None:
    summary = summarise(made_run(tmp_path / "run", images=4, methods=METHODS, finished=False))
    assert summary.images == 2
    assert (summary.trust.n == 2).all()


def test_a_single_image_has_values_without_intervals(tmp_path: Path) -> None:
    summary = summarise(made_run(tmp_path / "run", images=1, methods=METHODS))
    assert (summary.trust.n == 1).all()
    assert summary.trust.low.isna().all()
    assert summary.versus.p.isna().all()
    assert summary.versus.p_adjusted.isna().all()
    assert summary.trust.value.notna().all()


def test_a_run_of_one_method_agrees_with_nobody(tmp_path: Path) -> None:
    summary = summarise(made_run(tmp_path / "run", images=2, methods=("raw",)))
    assert summary.agreement.empty
    assert summary.pair_agreement.empty
    assert list(summary.agreement.columns) == [
        "a",
        "b",
        "value",
        "low",
        "high",
        "n",
        "overlap",
        "chance",
        "chance_high",
    ]


def test_further_measures_are_summed_up_where_they_were_taken(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=4, methods=("raw", "m2ib"))
    names = {metric.name for metric in FURTHER if metric in STORED}
    assert not set(summarise(run).trust.metric) & names, "a run from before these measures"
    further = made_run(tmp_path / "further", images=FEWEST, methods=("raw", "m2ib"), further=True)
    trust = summarise(further).trust.set_index(["kind", "method", "metric"])
    for metric in names:
        got, part = trust.loc[("method", "m2ib", metric)], rows_of(further, "method", "m2ib")
        assert got["value"] == pytest.approx(part.groupby("image")[metric].mean().mean())
        assert got["low"] <= got["value"] <= got["high"]
    assert ("control", "random", "sufficiency") in trust.index
    assert ("method", "raw", "sufficiency") not in trust.index, "a method without words"
