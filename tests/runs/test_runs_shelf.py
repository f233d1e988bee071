"""The list of runs: nothing that people name, open or delete changes a run, and no stranger's path is opened."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.datasets import load_dataset
from core.errors import InputError, RunError
from core.processes import this_owner
from core.runs import Run, load_seal, sealed_problems
from core.runs.seal import seal
from core.runs.shelf import (
    close_elsewhere,
    delete_dataset,
    delete_run,
    empty_trash,
    label_of,
    may_work,
    open_allowed,
    open_elsewhere,
    restore,
    set_label,
    shelf,
    shelf_id,
    trash,
)
from core.runs.succession import duplicate
from core.settings import datasets_folder, runs_folder
from tests.support.made_run import made_run, workspace_run

ID = "20260115-093000-abcdef"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LOUPE_FOLDERS", raising=False)
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    """A run of the workspace whose dataset lies where the app keeps them."""
    return workspace_run(ID, images=2, methods=("raw",))


def test_names_and_tags_leave_the_seal_as_it_is(run: Run) -> None:
    seal(run)
    set_label(shelf_id(run), "  My   run ", ["red", "", "red", " blue "])
    assert (label_of(run.id).name, label_of(run.id).tags) == ("My run", ("red", "blue"))
    kept = load_seal(run)
    assert kept is not None and sealed_problems(run, kept[0]) == [] and run.id in shelf()
    set_label(run.id, "", [])
    assert label_of(run.id).name == ""
    for name, tags in (("x" * 200, []), ("x", ["y" * 60]), ("x", [str(at) for at in range(20)])):
        with pytest.raises(InputError):
            set_label(run.id, name, tags)


def test_a_deleted_run_is_in_the_trash_until_it_is_restored_or_removed(run: Run) -> None:
    delete_run(run)
    assert shelf() == {} and [path.name for path in trash()] == [ID]
    # The dataset of a run in the trash stays, and is found from there.
    assert Run(trash()[0]).dataset.id == Run(trash()[0]).plan.dataset
    dataset = load_dataset(next(datasets_folder().iterdir()))
    with pytest.raises(InputError, match=ID):
        delete_dataset(dataset)
    restore(ID)
    assert list(shelf()) == [ID]
    delete_run(Run(runs_folder() / ID))
    assert empty_trash() == 1 and trash() == []
    delete_dataset(dataset)
    assert [path.name for path in trash()] == [f"dataset-{dataset.root.name}"]
    restore(trash()[0].name)
    assert load_dataset(dataset.root).id == dataset.id
    for name in ("../runs", "nothing", ""):
        with pytest.raises(InputError):
            restore(name)


def test_a_run_that_is_worked_on_or_needed_stays(run: Run) -> None:
    run.store.set(state="running")
    run.store.take(this_owner())
    with pytest.raises(RunError, match="cancel it first"):
        delete_run(run)
    run.store.leave(this_owner())
    inside = run.folder / "dataset" / "x"
    inside.parent.mkdir()
    shutil.move(run.dataset_root, inside)
    plan = run.plan.model_copy(update={"dataset_root": "dataset/x"})
    (run.folder / "plan.json").unlink()
    plan.save(run.folder / "plan.json")
    copy = duplicate(Run(run.folder))
    with pytest.raises(RunError, match=copy.id):
        delete_run(Run(run.folder))


def test_runs_of_other_folders_and_beside_one_are_listed_without_copying(run: Run, tmp_path: Path) -> None:
    other = made_run(tmp_path / "elsewhere" / "demo", images=2, methods=("raw",))
    beside = made_run(other.folder / "beside" / "demo-vit", images=2, methods=("raw",))
    open_elsewhere(other.folder)
    listed = shelf()
    assert set(listed) == {ID, shelf_id(other), shelf_id(beside)}
    assert shelf_id(other).startswith("demo-") and str(tmp_path) not in shelf_id(other)
    assert may_work(other) and may_work(run)
    with pytest.raises(RunError, match="another folder"):
        delete_run(other)
    assert close_elsewhere(other) and set(shelf()) == {ID} and other.folder.exists()
    with pytest.raises(RunError, match="not a run directory"):
        open_elsewhere(tmp_path)


def test_a_browser_opens_nothing_outside_the_folders_of_the_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = made_run(tmp_path / "private" / "demo", images=2, methods=("raw",))
    lines, dataset = set(), other.dataset_root.name
    (tmp_path / "open").mkdir()
    for allowed in ("", str(tmp_path / "open")):
        monkeypatch.setenv("LOUPE_FOLDERS", allowed)
        (tmp_path / "open" / "link").unlink(missing_ok=True)
        (tmp_path / "open" / "link").symlink_to(other.folder)
        for name in (other.folder, tmp_path / "nothing", tmp_path / "open" / "link", "/etc", "a\0b", "open/../private"):
            with pytest.raises(InputError) as refused:
                open_allowed(str(name))
            lines.add(str(refused.value))
    # Nobody learns from the answer what is there.
    assert len(lines) == 1 and shelf() == {}
    shutil.move(tmp_path / "private", tmp_path / "open" / "private")
    moved = tmp_path / "open" / "private" / "demo"
    # Its dataset is still named where it was.
    with pytest.raises(InputError):
        open_allowed(str(moved))
    plan = Run(moved).plan.model_copy(update={"dataset_root": f"../demo-data/store/{dataset}"})
    (moved / "plan.json").unlink()
    plan.save(moved / "plan.json")
    opened = open_allowed(str(moved))
    assert list(shelf()) == [shelf_id(opened)] and not may_work(opened)
    (moved / "results" / "more").symlink_to("/etc")
    close_elsewhere(opened)
    with pytest.raises(InputError):
        open_allowed(str(moved))
