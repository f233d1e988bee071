"""The report on its page: the command that signs it, and what the page says of a PDF that is signed or out of date."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.evaluation.summary import summarise
from core.findings import apply_rules
from core.reporting.evidence import write_evidence
from core.rules import Context
from core.runs import Run
from core.runs.results import file_sha256
from core.runs.review import add_entry
from core.runs.shelf import open_elsewhere, shelf_id
from pages.parts.commands import with_run
from pages.parts.signature import command
from tests.pages.test_pages import words
from tests.support.made_run import made_run
from tests.support.page_alone import links_as_words, opened_alone  # noqa: F401  # a fixture of every test here


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run in a folder with a blank in its name, listed in the app, with a report."""
    made = made_run(tmp_path / "my audits" / "demo", images=2, methods=("raw",))
    made.report.mkdir(exist_ok=True)
    (made.report / "report.pdf").write_bytes(b"%PDF-1.7 made for this test")
    return open_elsewhere(made.folder)


def shown(run: Run) -> AppTest:
    """The page of the report with a run that is listed under its own name."""
    app = opened_alone("report", None)
    app.session_state["run_id"] = shelf_id(run)
    app.run()
    assert not app.exception
    return app


def test_the_page_gives_the_whole_command_that_signs(run: Run) -> None:
    app = shown(run)
    (line,) = [one.value for one in app.code if " sign " in one.value]
    parts = shlex.split(line)
    at = parts.index("sign")
    assert parts[at + 1] == str(run.folder.resolve()) and " " in parts[at + 1]
    assert parts[at + 2 : at + 4] == ["--as", "preparer"]
    assert [part for part in parts if part.startswith("--")] == ["--as", "--pkcs12", "--passphrase-file"]
    app.segmented_control(key=f"sign-as-{run.id}").set_value("reviewer").run()
    assert any("--as reviewer" in one.value for one in app.code)
    # The approval record says that it is no signature.
    assert {"Approval record", "Digital signature"} <= {one.label for one in app.expander}
    assert "none of them puts a signature into the PDF" in words(app).replace("\\", "")


def test_a_command_names_the_run_and_no_folder_where_several_people_use_the_server(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shlex.quote(str(run.folder.resolve()))
    told = with_run("python -m core spot-check RUN && python -m core report RUN", run)
    assert told.count(folder) == 2 and "RUN" not in told
    # A word that only contains the letters stays.
    assert with_run("RUNNING RUN", run) == f"RUNNING {folder}"
    monkeypatch.setenv("LOUPE_ROLES", str(tmp_path / "roles.toml"))
    assert shelf_id(run) in command(run, "approver") and str(tmp_path) not in command(run, "approver")


def test_a_pdf_that_lacks_entries_of_the_review_log_is_told_as_older(run: Run) -> None:
    write_evidence(run, summarise(run), apply_rules(Context(run)), run.report / "evidence.zip")
    assert not shown(run).warning
    for why in ("Read by the team", "Discussed"):
        add_entry(run, "A. Auditor", "comment", why=why)
    app = shown(run)
    (line,) = [one.value for one in app.warning]
    assert "older than the review log" in line and "it lacks 2 entries" in line
    # The companion: a report made with them is not older.
    write_evidence(run, summarise(run), apply_rules(Context(run)), run.report / "evidence.zip")
    assert not shown(run).warning


def test_a_report_that_is_made_again_without_a_change_is_told_as_the_same(run: Run) -> None:
    app = shown(run)
    pdf = run.report / "report.pdf"
    for digest, line in ((file_sha256(pdf), "has not changed"), ("0" * 64, "The report was regenerated.")):
        app.session_state[f"report-before-{run.id}"] = digest
        app.session_state[f"report-job-{run.id}"] = Ended()
        app.run()
        assert [line in one.value for one in app.success] == [True]
    assert "This PDF is not signed." in words(app).replace("\\", "")


class Ended:
    """A process that has ended well."""

    def poll(self) -> int:
        return 0
