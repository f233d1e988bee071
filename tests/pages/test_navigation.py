"""Analyses that a finished audit does not include: their entries are faint; their page leads to an audit of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.applications.registry import APPLICATIONS
from core.datasets import Dataset, ingest
from core.request import AuditRequest, begin, methods_at
from core.runs import Run
from core.settings import ROOT, datasets_folder, runs_folder
from pages.parts import state
from pages.parts.navigation import without_record
from tests.pages.test_pages import opened, unfolded, words
from tests.support.made_run import made_run

SMALL = ROOT / "tests" / "sample"


def styles(app: object) -> str:
    return "".join(str(item.proto.body) for item in app.get("html"))  # type: ignore[attr-defined]


def test_entries_of_a_finished_audit_without_the_analysis_are_faint(workspace: Path) -> None:
    run = made_run(runs_folder() / "20260115-093000-abcdef", images=2, methods=("raw",))
    pages = [name for name, one in APPLICATIONS.items() if one.page is not None]
    planned = {part.name for part in run.plan.applications}
    assert without_record(run) == [name for name in pages if name not in planned] != []
    assert 'href$="/concepts"' in styles(opened("findings", run))


def test_nothing_is_faint_without_an_audit_or_while_one_is_at_work(workspace: Path) -> None:
    assert without_record(None) == [] and "href$=" not in styles(opened("findings"))
    at_work = made_run(runs_folder() / "20260115-093000-abcdef", images=2, methods=("raw",), finished=False)
    assert without_record(at_work) == []


@pytest.mark.parametrize("page", ["home", "findings"])
def test_an_audit_that_cannot_be_read_says_so_and_leaves_the_entries(workspace: Path, page: str) -> None:
    run = made_run(runs_folder() / "20260115-093000-abcdef", images=2, methods=("raw",))
    assert "href$=" in styles(opened(page, run))
    (run.folder / "plan.json").write_text("{")
    app = opened(page, run)
    assert "href$=" not in styles(app) and not app.exception
    assert app.error and all("is damaged" in error.value for error in app.error)


def test_the_page_of_such_an_analysis_plans_the_audit_again_with_it(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset: Dataset = ingest([SMALL / "images", SMALL / "captions.csv"], store=datasets_folder(), name="Mine")
    run = Run(runs_folder() / "20260115-093000-abcdef")
    texts = {"prompts": ("a dog", "a cat")}
    begin(AuditRequest.build(out=run.folder, dataset=dataset.root, texts=texts, methods=methods_at("quick", ("raw",))))
    assert "Not part of this audit" not in words(opened("concepts", run))
    done = made_run(runs_folder() / "20260116-093000-abcdef", images=2, methods=("raw",)).progress()
    monkeypatch.setattr(state, "progress_of", lambda run: done)
    app = opened("concepts", run)
    assert "**Not part of this audit.**" in words(app) and "gains no analysis" in words(app)
    app.button(key="plan-with-it").click().run()
    # The browser is on the page of the form now.
    app = unfolded(app.switch_page("pages/audit.py"), "applications")
    assert not app.exception and app.session_state["application-concepts"]
