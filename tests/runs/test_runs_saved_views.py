"""Saved views of a run: stored in the workspace, in the order of the plan, robust against what others write there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError
from core.runs import Run
from core.runs.saved_views import FOLDER, MOST_VIEWS, SavedView, delete_view, save_view, saved_views
from core.runs.shelf import NAME_CHARACTERS
from core.settings import runs_folder, workspace
from tests.support.made_run import made_run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path))
    return made_run(runs_folder() / "20260115-093000-abcdef", methods=("raw",))


def listed(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_view_is_stored_outside_the_run_in_the_order_of_the_plan(run: Run) -> None:
    before, images = listed(run.folder), run.plan.images
    view = save_view(run, "  two\n of  them ", [images[3], images[1], images[3], "unknown"])
    assert view == SavedView("two of them", (images[1], images[3])) and saved_views(run) == {view.name: view}
    assert listed(run.folder) == before
    # The same name replaces it and keeps its place.
    save_view(run, "other", images[:1])
    save_view(run, "two of them", images[:2])
    assert [(one.name, one.images) for one in saved_views(run).values()] == [
        ("two of them", images[:2]),
        ("other", images[:1]),
    ]
    delete_view(run, "two of them")
    delete_view(run, "never saved")
    assert list(saved_views(run)) == ["other"]


def test_runs_have_views_of_their_own(run: Run, tmp_path: Path) -> None:
    other = made_run(tmp_path / "elsewhere" / "20260115-093000-abcdef", methods=("raw",))
    save_view(run, "one", run.plan.images[:1])
    assert saved_views(other) == {}


@pytest.mark.parametrize("name", ["", " \n", "x" * (NAME_CHARACTERS + 1)])
def test_a_name_that_cannot_be_used_is_refused(run: Run, name: str) -> None:
    with pytest.raises(InputError):
        save_view(run, name, run.plan.images)
    assert saved_views(run) == {}


def test_no_image_and_too_many_views_are_refused(run: Run) -> None:
    with pytest.raises(InputError, match="no image of this audit is selected"):
        save_view(run, "none", ["unknown"])
    for at in range(MOST_VIEWS):
        save_view(run, f"view {at}", run.plan.images[:1])
    with pytest.raises(InputError, match="delete one first"):
        save_view(run, "one more", run.plan.images[:1])
    save_view(run, "view 0", run.plan.images[:2])
    assert len(saved_views(run)) == MOST_VIEWS


@pytest.mark.parametrize(
    "content",
    [
        "",
        "nothing",
        "{}",
        "[1, null]",
        '[{"name": 3}]',
        '[{"name": "a", "images": 5}]',
        '[{"name": "a", "images": [[]]}]',
    ],
)
def test_a_damaged_list_of_views_hides_nothing_else(run: Run, content: Any) -> None:
    path = workspace() / FOLDER / f"{run.id}.json"
    path.parent.mkdir()
    path.write_text(content)
    assert saved_views(run) == {}
    save_view(run, "new", run.plan.images[:1])
    assert [entry["name"] for entry in json.loads(path.read_text())] == ["new"]
