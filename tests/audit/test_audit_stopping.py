"""A request to stop reaches the work wherever it is; a worker that is gone is told with its reason."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.audit.death import death
from core.audit.engines import local
from core.audit.steps import counted
from core.audit.worker import work
from core.datasets import Dataset
from core.processes import owner_of
from core.runs import Run
from tests.audit.small import loaded, new_run, plan_for


@pytest.fixture
def run(tmp_path: Path, dataset: Dataset, vit: Path) -> Run:
    return new_run(tmp_path / "run", plan_for(dataset, vit))


# Small pieces of work for far longer than a request may take; bounded, so that a lost one fails.
PIECES = range(10**9)


def test_a_request_stops_a_unit_in_the_middle(run: Run, vit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = local.run_unit

    def endless(*_: Any) -> Any:
        run.store.cancel()
        for piece in PIECES:
            try:
                str(piece)
            except Exception:
                continue

    monkeypatch.setattr(local, "run_unit", endless)
    assert work(run, model=loaded(vit), report=False) == "cancelled"
    now = run.progress()
    assert (now.state, now.alive, now.done) == ("cancelled", False, 0)
    assert [(unit["state"], unit["tries"]) for unit in run.store.units()] == [("waiting", 0)] * 4
    monkeypatch.setattr(local, "run_unit", plain)
    assert work(run, model=loaded(vit), report=False) == "done"
    assert {step.state for step in run.progress().steps} == {"done"}


def test_a_request_stops_the_report_and_a_resume_makes_it(
    run: Run, vit: Path, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reporting = sys.modules["core.reporting"]
    plain = reporting.render_report

    def endless(*_: Any, **__: Any) -> Any:
        run.store.cancel()
        for piece in PIECES:
            str(piece)

    monkeypatch.setattr(reporting, "render_report", endless)
    assert work(run, model=loaded(vit)) == "cancelled" == run.progress().state
    monkeypatch.setattr(reporting, "render_report", plain)
    assert work(run, model=loaded(vit)) == "done" and rendered == [run.id]


def test_the_reason_of_a_worker_that_is_gone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.store.take(owner_of(os.getpid()))
    run.store.set(state="running")
    assert death(run, run.progress()) == ""
    run.store.set(worker=owner_of(os.getpid()).rsplit(":", 1)[0] + ":1")
    assert death(run, run.progress()).startswith("The worker process is gone") and "last seen" in death(
        run, run.progress()
    )
    run.store.set(ended="signal 9")
    assert "killed by signal 9 (SIGKILL)" in death(run, run.progress())
    run.store.set(ended="code 3")
    assert "exit code 3" in death(run, run.progress())
    run.store.set(ended="signal <b>")
    assert "<b>" not in death(run, run.progress())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    assert "disk is full" in death(run, run.progress())


@pytest.mark.parametrize(
    ("line", "share"),
    [
        ("concepts: image 5 of 10", 0.5),
        ("mutual knowledge: 3/10 images", 0.3),
        ("mosaics: 10 of 10", 0.98),
        ("embeddings: 10 of 10 images", None),
        ("reading images: 5/10", None),
        ("Concepts", None),
        ("concepts: 1 of 0", None),
    ],
)
def test_a_line_that_counts_images_tells_how_far_a_step_is(line: str, share: float | None) -> None:
    assert counted(line) == share
