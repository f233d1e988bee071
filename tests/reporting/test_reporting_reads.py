"""Judging a run and writing its report read its results, its thresholds and every record once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.findings import apply_rules, failed_methods
from core.reporting.document import build_report
from core.rules import Context, thresholds
from core.runs import Run, results
from core.runs.parts import ApplicationPlan
from tests.support.contexts import ReportContext, context_of
from tests.support.made_knowledge import made_knowledge
from tests.support.made_reliance import made_reliance
from tests.support.made_run import made_run
from tests.support.made_sanity import made_sanity


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with three records, two of which rules and chapters both read."""
    run = made_run(tmp_path_factory.mktemp("reads") / "run", images=6)
    made_sanity(run)
    made_reliance(run)
    made_knowledge(run)
    parts = tuple(ApplicationPlan(name=name) for name in ("sanity", "reliance", "knowledge"))
    run.plan.model_copy(update={"applications": parts}).save(run.folder / "plan.json")
    return Run(run.folder)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each Parquet file and thresholds file is read."""
    counts: Counter[str] = Counter()

    def counted(read: Callable[..., Any], name: Callable[..., str]) -> Callable[..., Any]:
        def reading(*given: Any, **more: Any) -> Any:
            counts[name(*given)] += 1
            return read(*given, **more)

        return reading

    monkeypatch.setattr(results, "unit_table", counted(results.unit_table, lambda file, _: Path(file).name))
    monkeypatch.setattr(pd, "read_parquet", counted(pd.read_parquet, lambda file: "/".join(Path(file).parts[-2:])))
    monkeypatch.setattr(thresholds, "load_thresholds", counted(thresholds.load_thresholds, lambda *_: "thresholds"))
    return counts


def test_each_file_is_read_once_per_report(run: Run, reads: Counter[str]) -> None:
    context = Context(run)
    findings = apply_rules(context)
    report = build_report(ReportContext(context, findings))
    assert findings and report.applications and report.trust
    records = [name for name in reads if "/" in name]
    assert {name.split("/")[0] for name in records} == {"sanity", "reliance", "knowledge"}
    assert reads["thresholds"] == 1 and sum("/" not in name and name != "thresholds" for name in reads) >= 1
    assert {name: count for name, count in reads.items() if count != 1} == {}


def test_without_a_snapshot_they_are_read_again(run: Run, reads: Counter[str]) -> None:
    failed_methods(run)
    failed_methods(run)
    assert reads["sanity/checks.parquet"] == reads["thresholds"] == 2
    frame = run.results(["image"])
    assert frame.equals(run.results(["image"])) and min(reads.values()) >= 2


def test_a_snapshot_gives_copies_of_what_the_run_gives(run: Run) -> None:
    snapshot = context_of(run).run
    assert snapshot.snapshot() is snapshot and snapshot.id == run.id
    for columns in (None, ["image", "method", "map"]):
        one, other = snapshot.results(columns), run.results(columns)
        assert one.columns.tolist() == other.columns.tolist() and len(one) == len(other)
    one = snapshot.results()
    one.loc[:, "image"] = "changed"
    assert "changed" not in set(snapshot.results()["image"])
