"""`reproduce`: what is computed again is equal, and what was changed is told with its first difference."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from core import reproducing
from core.audit.worker import work
from core.cli import main
from core.reporting import inspection
from core.reporting.inspection import Inspection
from tests.audit.small import loaded, new_run, plan_for, save_model, stub_report, take_in
from tests.support.made_run import made_run


def test_differences_of_rows_are_told_beyond_rounding_and_once_a_column() -> None:
    stored = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None], "c": [[1.0, 2.0], [3.0]], "seconds": [1.0, 2.0]})
    again = stored.assign(a=[1.0 + 1e-9, np.nan], seconds=[5.0, 6.0])
    assert list(reproducing.row_differences(stored, again)) == []
    again = stored.assign(a=[1.1, 2.0], c=[[1.0, 2.1], [3.0]])
    assert list(reproducing.row_differences(stored, again)) == [
        "row 0, a: stored 1.0, computed 1.1",
        "row 0, c: stored [1.0, 2.0], computed [1.0, 2.1]",
    ]
    assert "1 rows were computed, 2 are stored" in next(reproducing.row_differences(stored, again[:1]))
    assert "computed None" in next(reproducing.row_differences(stored, stored.drop(columns="b")))


def test_statistics_of_a_bundle_are_equal_or_the_difference_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "evidence.zip"
    bundle.write_bytes(b"x")
    found = Inspection(checked=("files", "plan", "every table and 6 findings with those recomputed from the rows"))
    monkeypatch.setattr(inspection, "inspect_bundle", lambda path: found)
    assert main(["reproduce", str(bundle)]) == 0
    assert capsys.readouterr().out.startswith("every table and 6 findings, computed again from the result rows of evid")
    found = Inspection(problems=("tables/trust.csv, row 1, mean: contains '1'; the results give '2'",))
    monkeypatch.setattr(inspection, "inspect_bundle", lambda path: found)
    assert main(["reproduce", str(bundle), "--statistics"]) == 1
    assert "differs\ntables/trust.csv, row 1" in capsys.readouterr().out
    assert main(["reproduce", str(bundle), "--units", "0"]) == 2
    assert "a bundle contains no images" in capsys.readouterr().err


def test_a_run_without_a_report_or_a_unit_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",))
    assert main(["reproduce", str(run.folder)]) == 2
    assert "has no report whose statistics could be compared" in capsys.readouterr().err
    assert main(["reproduce", str(run.folder), "--units", "7"]) == 2
    assert "unit 7 of " in capsys.readouterr().err


def test_a_unit_is_computed_again_and_a_changed_row_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub_report(monkeypatch)
    dataset, config = take_in(tmp_path / "data", 2), save_model(tmp_path / "model")
    run = new_run(tmp_path / "run", plan_for(dataset, config))
    assert work(run, model=loaded(config)) == "done"
    assert main(["reproduce", str(run.folder), "--units", "0", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["equal"] and told["part"].startswith("unit 0, ")
    file = run.folder / "results" / f"{run.store.units()[0]['key']}.parquet"
    rows = pq.read_table(file)
    at = rows.column_names.index("score")
    changed = pc.add(rows.column(at), 0.01).cast(rows.schema.field(at).type)
    pq.write_table(rows.set_column(at, rows.schema.field(at), changed), file)
    assert main(["reproduce", str(run.folder), "--units", "0"]) == 1
    assert "differs\nrow 0, score: stored " in capsys.readouterr().out
