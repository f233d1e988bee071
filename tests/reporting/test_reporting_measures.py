"""The compact table of further measures, what unrelated maps correlate by, and consensus in the gallery."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.evaluation.agreement import consensus
from core.evaluation.summary import OTHER_METRICS, Summary, summarise
from core.findings import healthy_methods
from core.reporting.assets import Assets
from core.reporting.body import absent
from core.reporting.document import build_report
from core.reporting.gallery import Plates
from core.reporting.measures import other_measures
from core.reporting.trust import against_control, trust
from core.reporting.words import number
from core.runs import Run
from tests.findings.pinned import PINNED
from tests.support.made_run import made_run

METHODS = ("raw", "m2ib", "rise", "gradcam")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("made") / "run", images=8, methods=METHODS, further=True)


@pytest.fixture(scope="module")
def summary(run: Run) -> Summary:
    return summarise(run)


def test_one_table_has_a_row_a_map_and_a_column_a_measure(summary: Summary) -> None:
    (table,) = other_measures(summary).tables
    assert [len(row) for row in table.rows] == [1 + len(OTHER_METRICS)] * (len(METHODS) + 3)
    assert [row[0].endswith("(control)") for row in table.rows] == [False] * 4 + [True] * 3
    assert len(table.columns) == 1 + len(OTHER_METRICS)
    assert sum(column.share for column in table.columns) <= 100
    assert "n = 8 pictures" in table.caption and "trust.csv" in table.more
    trusted = summary.trust.set_index(["method", "metric"])["value"]
    row = next(row for row in table.rows if "RISE" in row[0])
    at = 1 + list(OTHER_METRICS).index("infidelity")
    assert row[at] == number(trusted["rise", "infidelity"], 2) != number(trusted["raw", "infidelity"], 2)
    assert table.columns[at].title == "Infid. \u2193"
    assert table.columns[1].title.endswith("\u2191") and table.columns[-1].title == "Area"
    assert row[1 + list(OTHER_METRICS).index("sufficiency")] == ""


def test_a_run_from_before_has_no_such_table(tmp_path: Path) -> None:
    old = made_run(tmp_path / "run", images=4, methods=("raw", "m2ib"))
    titles = [section.title for section in trust(old, summarise(old), Assets())]
    assert "Faithfulness and controls" in titles and "Other measures" not in titles


def test_the_main_table_stays_as_it_was(run: Run, summary: Summary) -> None:
    sections = {section.title: section for section in trust(run, summary, Assets())}
    (main,) = sections["Faithfulness and controls"].tables
    assert len(main.columns) == 5 and "n = 8 pictures everywhere" in main.caption
    assert list(sections).index("Other measures") > list(sections).index("Faithfulness and controls")


def test_agreement_is_set_beside_that_of_other_pictures(run: Run, summary: Summary) -> None:
    section = next(s for s in trust(run, summary, Assets()) if s.title == "Agreement between methods")
    assert any("pictures paired at random" in sentence for sentence in section.sentences)
    first = section.tables[0].rows[0]
    row = summary.agreement.sort_values("value", kind="stable").iloc[0]
    assert first[-1] == number(row.chance, 2) != first[-2]
    # Their tops lie elsewhere in each picture: by chance less than on the same one.
    best = summary.agreement.sort_values("value").iloc[-1]
    assert best.value > best.chance_high > best.chance


def test_healthy_methods_are_those_above_every_control(summary: Summary) -> None:
    healthy = healthy_methods(summary, PINNED)
    assert "raw" not in healthy and {"rise", "m2ib"} <= set(healthy) <= set(METHODS)
    weaker = summary.versus[(summary.versus.method == "rise") & (summary.versus.control == "centre")].index
    summary.versus.loc[weaker, ["low", "value"]] = -0.1
    assert "rise" not in healthy_methods(summary, PINNED)


def test_the_first_row_of_the_first_picture_ends_with_consensus_and_disagreement(run: Run) -> None:
    plates = Plates(run, Assets())
    image = run.plan.images[0]
    sample = plates.sample(image, "", agreed=("m2ib", "rise"))
    plain = plates.sample(image, "")
    assert sample is not None and plain is not None
    assert [heat.title for heat in sample.rows[0].heats[-2:]] == ["Consensus", "Disagreement"]
    assert "2 methods, above every control" in sample.rows[0].heats[-1].caption
    assert len(sample.rows[0].heats) == len(plain.rows[0].heats) + 2
    assert len(sample.rows[1].heats) == len(plain.rows[1].heats)
    rows = plates.rows[(plates.rows.image == image) & (plates.rows.text_kind == "caption")]
    grids = {row.method: np.asarray(row.map).reshape(int(row.rows), int(row.columns)) for row in rows.itertuples()}
    mean, _ = consensus([grids["m2ib"], grids["rise"]])
    assert sample.rows[0].heats[-2].high == f"{mean.max():.3g}"
    everything, _ = consensus(list(grids.values()))
    assert sample.rows[0].heats[-2].high != f"{everything.max():.3g}"
    none = plates.sample(image, "", agreed=())
    assert none is not None and "none shown above the controls" in none.rows[0].heats[-1].caption
    assert "4 methods" in none.rows[0].heats[-1].caption


@pytest.mark.parametrize(
    ("low", "high", "p", "word"),
    [
        (0.1, 0.3, 0.01, "beats it"),
        (0.1, 0.3, 0.44, "not shown"),
        (-0.3, -0.1, 0.01, "worse"),
        (-0.3, -0.1, 0.44, "not shown"),
        (-0.1, 0.1, 0.01, "not shown"),
        (None, None, 0.01, "not shown"),
        (-0.3, -0.1, float("nan"), "not shown"),
    ],
)
def test_better_and_worse_need_an_interval_and_a_p_value(
    low: float | None, high: float | None, p: float, word: str
) -> None:
    assert against_control(SimpleNamespace(low=low, high=high, p_adjusted=p), PINNED) == word


def test_an_application_that_was_not_run_is_no_method(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    told = [*run.manifest["not_run"], ["segmentation", "data set", "needs labels"]]
    run.update_manifest(not_run=told)
    summary = summarise(run)
    assert ("segmentation", "data set", "needs labels") in summary.not_run
    table = absent(run, summary)
    assert table is None or all("egmentation" not in str(row[0]) for row in table.rows)
    assert build_report(run, summary, (), Assets(), evidence_sha256="0" * 64, files={})
