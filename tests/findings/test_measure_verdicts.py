"""By which measures a method is better than every control: the direction of the measure, and all controls together."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.evaluation.summary import summarise
from core.evaluation.tables import MeasureRow
from core.findings.measure_verdicts import measure_verdicts, verdict_of
from core.reporting.measures import against_controls_sentences, by_measure
from core.rules import Context
from tests.findings.pinned import PINNED
from tests.support.made_run import made_run
from tests.support.made_sanity import made_sanity


def rows(*values: float, metric: str = "insertion", n: int = 12, p: float = 0.001) -> list[MeasureRow]:
    return [
        MeasureRow(metric, "rise", f"control {at}", "class", value, value - 0.05, value + 0.05, n, p, p)
        for at, value in enumerate(values)
    ]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (rows(0.2, 0.3, 0.1), "better"),
        (rows(0.2, 0.3, 0.01), "not shown"),
        (rows(0.2, 0.3, -0.1), "worse"),
        (rows(0.2, 0.3, 0.1, p=0.06), "not shown"),
        (rows(0.2, 0.3, 0.1, n=7), "too few"),
        (rows(0.2, 0.3, 0.1, metric="deletion"), "worse"),
        (rows(-0.2, -0.3, -0.1, metric="deletion"), "better"),
        (rows(-0.2, -0.3, 0.1, metric="deletion"), "worse"),
    ],
)
def test_a_verdict_needs_every_control_and_the_direction_of_the_measure(made: list[MeasureRow], expected: str) -> None:
    assert verdict_of(made, PINNED) == expected


def test_the_table_has_a_row_a_measure_and_names_no_method_that_fails_a_check(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=14, methods=("raw", "rise", "m2ib"), further=True)
    summary = summarise(run)
    context = Context.of(run, summary, PINNED)
    every = measure_verdicts(context).rows
    faithful = next(row for row in every if row.metric == "faithfulness")
    assert ("rise", "class") in faithful.better and ("raw", "class") not in faithful.better
    for row in every:
        pairs = [*row.better, *row.not_shown, *row.worse, *row.few]
        assert len(pairs) == len(set(pairs)), "each method and kind stands once"
    (table,) = by_measure(context)
    assert len(table.rows) == len(every) and table.place == "body" and "within each measure" in table.more
    (sentence,) = against_controls_sentences(context)
    tested = [row for row in every if ("rise", "class") in (*row.better, *row.not_shown, *row.worse)]
    better = sum(("rise", "class") in row.better for row in tested)
    assert 0 < better <= len(tested) and f"RISE for classes {better} of {len(tested)}" in sentence
    made_sanity(run, {"rise": {("model", "image_tower"): 0.9}})
    left = measure_verdicts(Context.of(run, summary, PINNED)).rows
    assert left and not any(name == "rise" for row in left for part in row[1:] for name, _ in part)
