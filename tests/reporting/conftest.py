"""One made run and its report, shared by the tests of this folder because a report takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.reporting import render_report
from core.runs import Run
from tests.support.made_run import made_run

HOSTILE = "<script>alert(1)</script>"
HOSTILE_IMAGE = '<img src="file:///etc/passwd">'


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A partly failed run whose file names and captions are markup and spreadsheet formulas."""
    folder = tmp_path_factory.mktemp("hostile")
    return made_run(
        folder / "run",
        images=6,
        methods=("raw", "m2ib"),
        failed=1,
        failed_rows=1,
        prefix="=<b>name",
        note=f" {HOSTILE}{HOSTILE_IMAGE}",
    )


@pytest.fixture(scope="session")
def report(hostile_run: Run) -> Path:
    """The folder of its report."""
    return render_report(hostile_run).parent
