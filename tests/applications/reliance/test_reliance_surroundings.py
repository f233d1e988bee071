"""What corners alone say of a class: a closed form, and that a habit of all images is no excess."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from core.applications.reliance.families import SURROUNDINGS
from core.applications.reliance.record import RelianceRecord
from core.applications.reliance.surroundings import alone_table, corner_table
from core.applications.reliance.verdicts import judged, untested, values_of
from tests.support.made_reliance import made_reliance
from tests.support.made_run import made_run


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> RelianceRecord:
    folder: Path = tmp_path_factory.mktemp("surroundings")
    return made_reliance(made_run(folder / "run", images=24, methods=("raw",)))


def with_corners(record: RelianceRecord, own: float, others: float) -> RelianceRecord:
    """The record with these corner scores for red circles, a little noise on them, and none for the other class."""
    noise = 0.01 * np.random.default_rng(3).normal(size=len(record.alone))
    mine = record.alone["text"] == "red circle"
    level = np.where(mine, np.where(record.alone["best"], own, others), 0.0)
    parts: dict[str, Any] = {**vars(record), "alone": record.alone.assign(shown=level + noise)}
    return RelianceRecord(**parts)


def test_the_excess_is_own_minus_other_corners_over_the_gain(record: RelianceRecord) -> None:
    made = with_corners(record, 0.12, 0.02)
    table = corner_table(made, least=0.1, enough=8)
    assert table["text"].tolist() == ["red circle", "green square"]
    row = table.iloc[0]
    part = made.alone[(made.alone["text"] == "red circle") & (made.alone["place"] != "border")]
    part = part.groupby(["image", "best"])[["shown", "total"]].mean().reset_index()
    own, others = (part[part["best"] == best]["shown"].to_numpy() for best in (True, False))
    gain = part[part["best"]]["total"].mean()
    assert row.value == pytest.approx((own.mean() - others.mean()) / gain)
    assert row.low < row.value < row.high and row.n == len(own) == 12
    expected = ttest_ind(own - 0.1 * gain, others, equal_var=False, alternative="greater").pvalue
    assert row.p == pytest.approx(expected, rel=1e-6, abs=0.0) and row.p < 1e-6
    assert row.p != pytest.approx(
        ttest_ind(own, others, equal_var=False, alternative="greater").pvalue, rel=1e-3, abs=0.0
    )


def test_what_all_corners_say_is_no_excess(record: RelianceRecord) -> None:
    row = corner_table(with_corners(record, 0.15, 0.15), least=0.1, enough=8).set_index("text")
    assert abs(row.loc["red circle", "value"]) < 0.1 and row.loc["red circle", "p"] > 0.9
    assert row.loc["red circle", "own"] > 0.6


def test_one_place_alone_is_told_from_the_others(record: RelianceRecord) -> None:
    lit = (record.alone["place"] == "top left") & (record.alone["text"] == "red circle") & record.alone["best"]
    parts: dict[str, Any] = {**vars(record), "alone": record.alone.assign(shown=record.alone["shown"] + 0.1 * lit)}
    table = alone_table(RelianceRecord(**parts), ("top left", "border"), least=0.2, enough=8)
    assert len(table) == 4 and (table.iloc[0].text, table.iloc[0].place) == ("red circle", "top left")
    assert table.iloc[0].value == pytest.approx(0.5, abs=0.05) and table.iloc[0].p < 1e-3
    assert (table.iloc[1:]["value"].abs() < 0.1).all() and (table.iloc[1:]["p"] > 0.5).all()


def test_classes_of_few_images_are_left_out(record: RelianceRecord) -> None:
    assert len(corner_table(record, least=0.1, enough=12)) == 2
    assert corner_table(record, least=0.1, enough=13).empty
    nothing: dict[str, Any] = {**vars(record), "alone": pd.DataFrame(columns=record.alone.columns)}
    assert corner_table(RelianceRecord(**nothing), least=0.1, enough=2).empty


def test_a_class_that_meets_the_criterion_only_by_its_look_is_named() -> None:
    values = {"topic": ["reef", "mill", "pond"], "place": "corners", "region": "corners", "n": 20, "p": 0.5}
    table = pd.DataFrame(values | {"value": [1.0, 0.6, 0.1], "low": [0.6, 0.4, 0.0], "high": [1.5, 0.9, 0.2]})
    context: Any = SimpleNamespace(thresholds={"general.significance": 0.05})
    judged_rows = judged(table, 0.5, SURROUNDINGS, context, natural=pd.Series([True, True, True]))
    told = values_of(judged_rows)
    assert set(judged_rows["verdict"]) == {"passed"} and told["natural"] == 1
    assert told["excused"] == "“reef”, “mill”"
    # The companion: what lies within the limit needs no excuse.
    within = values_of(judged(table.iloc[2:], 0.5, SURROUNDINGS, context, natural=pd.Series([True], index=[2])))
    assert (within["excused"], within["natural"]) == ("none", "none")
    regions = judged_rows.assign(region=["border", "upper left corner", "border"])
    assert values_of(regions)["excused"].startswith("border and “reef”")


def test_classes_without_a_test_are_counted_and_named() -> None:
    assert untested(["owl", "fox", "elk"], ["fox"]) == {"every": 3, "classes": 1, "untested": "“owl”, “elk”"}
    assert untested(["owl"], ["owl"])["untested"] == "none"
    assert untested(map(str, range(30)), [])["untested"].endswith("“19” and 10 more")
