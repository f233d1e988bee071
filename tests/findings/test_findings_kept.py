"""What is kept of a large run is what would be worked out, for the run as it is now and no other."""

from __future__ import annotations

import json
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from core.errors import RunError
from core.evaluation.summary import summarise
from core.findings import judge
from core.findings import kept as module
from core.findings.kept import FINDINGS, is_large, keep, kept_findings, kept_summary
from core.runs import Run
from core.settings import kept_folder, runs_folder
from tests.support.made_run import made_run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path))
    return made_run(runs_folder() / "20260115-093000-abcdef", failed_rows=1)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The commands of processes that were started."""
    begun: list[Any] = []
    whole = subprocess.run

    def noted(command: Any, **options: Any) -> Any:
        begun.append(command)
        return whole(command, **options)

    monkeypatch.setattr(subprocess, "run", noted)
    return begun


def same(one: Any, other: Any) -> bool:
    if isinstance(one, pd.DataFrame):
        try:
            pd.testing.assert_frame_equal(one, other, check_dtype=False)
        except AssertionError:
            return False
        return True
    return bool(one == other)


def test_a_process_of_its_own_gives_what_would_be_worked_out_here(run: Run, processes: list[Any]) -> None:
    expected = summarise(run)
    found = kept_summary(run)
    different = [
        part.name for part in fields(expected) if not same(getattr(found, part.name), getattr(expected, part.name))
    ]
    assert not different
    assert kept_findings(run) == judge(run, expected)
    # Both from one process, which worked once.
    assert len(processes) == 1
    # The companion: the comparison tells another run apart.
    other = summarise(made_run(runs_folder() / "20260116-093000-abcdef", seed=1))
    assert not same(found.trust, other.trust) and not same(found.image_agreement, other.image_agreement)


def test_what_the_worker_keeps_is_read_without_a_process(run: Run, processes: list[Any]) -> None:
    summary = summarise(run)
    keep(run, summary, judge(run, summary))
    keep(run, summary, judge(run, summary))
    assert same(kept_summary(run).scores, summary.scores) and not processes
    (folder,) = kept_folder().iterdir()
    (folder / FINDINGS).write_text("[]")
    assert kept_findings(run) == ()
    # A change of the run leaves that behind; its report and its review do not change what is known.
    (run.folder / "review.jsonl").write_text("")
    assert kept_findings(run) == ()
    (run.folder / "spot_check.json").write_text("{}")
    with pytest.raises(RunError):
        kept_findings(run)
    (run.folder / "spot_check.json").unlink()
    file = next((run.folder / "results").glob("*.parquet"))
    file.touch()
    assert kept_findings(run) and len(processes) == 2


def test_only_so_many_are_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    summary = summarise(run)
    for turn in range(4):
        (run.folder / "note.json").write_text(json.dumps(turn) * (turn + 1))
        keep(run, summary, ())
    assert len(list(kept_folder().iterdir())) == 2


@pytest.mark.parametrize("limit", ["LARGE_BYTES", "LARGE_ROWS"])
def test_a_run_is_large_by_its_rows_or_their_bytes(run: Run, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    assert not is_large(run)
    monkeypatch.setattr(module, limit, 1)
    assert is_large(run)
