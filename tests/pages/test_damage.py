"""Runs of strangers and damaged ones: each page says in one line what is wrong, without a traceback or a path."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from core.runs import Run
from core.settings import runs_folder
from pages.parts import state
from pages.parts.words import FAILED
from tests.pages.test_pages import opened, words
from tests.support.made_run import made_run

ID = "20260115-093000-abcdef"
BIDI = "\u202e"


def written(name: str, data: bytes) -> Callable[[Run], None]:
    def damage(run: Run) -> None:
        (run.folder / name).parent.mkdir(exist_ok=True)
        (run.folder / name).write_bytes(data)

    return damage


def recorded(*statements: str) -> Callable[[Run], None]:
    def damage(run: Run) -> None:
        with sqlite3.connect(run.folder / "run.sqlite") as db:
            for statement in statements:
                db.execute(statement)
        db.close()

    return damage


def replaced(data: bytes) -> Callable[[Run], None]:
    def damage(run: Run) -> None:
        for path in run.folder.glob("results/*.parquet"):
            path.write_bytes(data)

    return damage


DAMAGE = {
    "manifest, deep": written("manifest.json", b"[" * 100_000),
    "manifest, a list": written("manifest.json", b"[1]"),
    "manifest, other types": written("manifest.json", b'{"model": 3, "not_run": 7, "application_problems": [[]]}'),
    "plan, bytes": written("plan.json", b"\xff\xfe\x00"),
    "state, garbage": written("run.sqlite", b"x" * 5_000),
    "state, unknown": recorded(
        f"UPDATE run SET value = '<b>{BIDI}owned' WHERE key = 'state'",
        "INSERT INTO events (at, kind, message) VALUES ('soon', x'00ff', 'Traceback' || char(10) || ' /home/me/x.py')",
    ),
    "state, other types": recorded("UPDATE units SET images = 'many', seconds = 'x', state = 'done'"),
    "results, garbage": replaced(b"PAR1 no table PAR1"),
    "report, bytes": written("report/report.html", b"\xff\xfe<script>alert(1)</script>"),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("damage", DAMAGE)
def test_each_page_says_in_one_line_what_is_wrong(workspace: Path, damage: str) -> None:
    run = made_run(runs_folder() / ID)
    DAMAGE[damage](run)
    for page in ("audit", "explore", "compare", "findings", "report"):
        app = opened(page, run)
        if page == "audit":
            app.button_group(key="audit_view").set_value("progress").run()
            assert not app.exception
        said = words(app)
        assert "Traceback (most" not in said and BIDI not in said and str(workspace) not in unmarked(said)
        assert all("\n" not in item.value and len(item.value) < 2_000 for item in app.error)


def unmarked(text: str) -> str:
    """The text as a person sees it: without the marks that keep Markdown from being made of it."""
    return re.sub(r"\\(?=\W)|\u2060", "", text)


def test_a_defect_is_one_line_and_its_traceback_goes_to_the_log(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run = made_run(runs_folder() / ID)

    def broken() -> None:
        raise ZeroDivisionError("/home/me/secret")

    monkeypatch.setattr(state, "current_run", broken)
    with caplog.at_level(logging.ERROR, "loupe"):
        app = opened("findings", run)
    assert [item.value for item in app.error] == [FAILED] and "secret" not in words(app)
    assert "ZeroDivisionError" in caplog.text


def test_errors_of_a_finished_run_are_amber_and_named_everywhere(workspace: Path) -> None:
    run = made_run(runs_folder() / ID, images=6, failed=1)
    run.update_manifest(application_problems={"concepts": f"the bank is missing{BIDI}\nTraceback", "own": 3})
    assert run.progress().state == "done_with_errors"
    for page in ("audit", "explore", "report"):
        app = opened(page, run)
        if page == "audit":
            app.button_group(key="audit_view").set_value("progress").run()
            assert "Some of the work failed" in words(app)
        said = unmarked(words(app))
        assert ":orange-badge[finished with errors]" in said
        assert (
            "1 of 3 groups of images failed after all attempts" in said
            and "the bank is missing" in said
            and "own failed: 3" in said
        )


def test_a_clean_run_is_green(workspace: Path) -> None:
    said = words(opened("explore", made_run(runs_folder() / ID)))
    assert "green" in said and "orange" not in said and "failed after all attempts" not in said
