"""A run that was opened from a bundle, on the pages: marked as read only, readable without its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.evaluation.summary import summarise
from core.findings import judge
from core.reporting.evidence import write_evidence
from core.reporting.unbundling import open_bundle
from core.runs import Run
from core.runs.shelf import shelf
from tests.pages.test_pages import opened, words
from tests.support.made_run import made_run


@pytest.fixture
def bundle(workspace: Path, tmp_path: Path) -> Path:
    run = made_run(tmp_path / "elsewhere" / "run", images=4, methods=("raw", "rise"), failed=1)
    run.update_manifest(state="done_with_errors")
    summary = summarise(run)
    path = tmp_path / "theirs.zip"
    write_evidence(run, summary, judge(run, summary), path)
    return path


@pytest.fixture
def run(bundle: Path) -> Run:
    return open_bundle(bundle)


@pytest.mark.parametrize("page", ["explore", "findings", "report", "runs", "audit"])
def test_a_page_shows_it_and_says_that_it_has_no_images(run: Run, page: str) -> None:
    app = opened(page, run)
    said = words(app).replace("\\", "").replace("\u2060", "")
    assert not app.exception and not app.error, [item.value for item in app.error]
    assert "Opened from theirs.zip, SHA-256 " in said and "A bundle has no images: maps are drawn over grey." in said
    labels = {button.label: button for button in app.button}
    assert not {"Duplicate", "Resume", "Start", "Regenerate the report"} & set(labels)
    in_sidebar = any("Opened from theirs" in one.value.replace("\\", "") for one in app.sidebar.caption)
    assert in_sidebar == (page in ("runs", "audit"))
    if page == "report":
        assert len(app.dataframe) >= 3 and "Review" not in labels
    if page == "runs":
        assert "read only" in app.dataframe[0].value["State"].iloc[0]
        labels["Remove from list"].click().run()
        assert shelf() == {} and not app.exception


def dropped(app: AppTest, name: str, data: bytes) -> AppTest:
    """The page of runs after a file was dropped on its uploader."""
    field: Any = next(one for one in app.get("file_uploader") if "bundle" in str(one.label))
    field.upload(name, data, "application/zip")
    return app.run()


def test_a_bundle_is_dropped_and_shown(bundle: Path) -> None:
    app = dropped(opened("runs"), "theirs.zip", bundle.read_bytes())
    (run,) = shelf().values()
    assert not app.exception and app.session_state["run_id"] == run.id


def test_a_refused_bundle_is_told_in_one_line(bundle: Path) -> None:
    app = dropped(opened("runs"), "theirs.zip", bundle.read_bytes()[:-40])
    assert not app.exception and shelf() == {}
    (line,) = [item.value.replace("\\", "") for item in app.error]
    assert line.startswith("theirs.zip is a corrupt ZIP file")
