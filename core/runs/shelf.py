"""The runs that the app lists: those of the workspace, those opened from elsewhere or a bundle, those beside others.

Names and tags, which folders were opened, and the trash lie in the workspace, never in a run: nothing here changes what
is sealed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.characters import brief, line_of
from core.datasets import Dataset
from core.drafts import write_whole
from core.errors import InputError, LoupeError, RunError
from core.processes import locked
from core.runs.run import Run, list_runs, open_run
from core.settings import datasets_folder, opened_folder, runs_folder, server_folders, workspace

SHELF = "shelf.json"
MOST_TAGS, NAME_CHARACTERS, TAG_CHARACTERS = 12, 120, 40
# Of a folder that is opened from a page: how many files are looked at.
_FILES = 200_000


@dataclass(frozen=True)
class Label:
    """What people call a run or a dataset."""

    name: str = ""
    tags: tuple[str, ...] = ()


def shelf_id(run: Run) -> str:
    """By what the app and its addresses know a run: its id in the workspace, its name and a hash elsewhere."""
    folder = run.folder.resolve()
    if folder.parent in (runs_folder().resolve(), opened_folder().resolve()):
        return run.id
    return f"{brief(folder.name, 60)}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]}"


def listed_run(key: str) -> Run | None:
    """The run that is listed under a `shelf_id`. One of the workspace is found without a look at any other folder."""
    own = next((run for run in list_runs(runs_folder()) if run.id == key), None)
    return own or shelf().get(key)


def shelf() -> dict[str, Run]:
    """Every run that is listed, by `shelf_id`, newest first; one that is no longer there is left out."""
    found = list_runs(runs_folder())
    bundles = list_runs(opened_folder())
    found += [Run(Path(folder)) for folder in _read().get("opened", {}) if (Path(folder) / "plan.json").is_file()]
    beside = [Run(path.parent) for run in found for path in run.folder.glob("beside/*/plan.json")]
    runs = {shelf_id(run): run for run in (*found, *beside) if may_work(run) or _readable(run)}
    runs |= {shelf_id(run): run for run in bundles}
    return dict(sorted(runs.items(), key=lambda item: item[1].requested, reverse=True))


def is_own(run: Run) -> bool:
    """Whether a run lies in the workspace, so that the app may move and delete it."""
    return run.folder.resolve().parent == runs_folder().resolve()


def may_work(run: Run) -> bool:
    """Whether the app may start a worker for a run: it lies in the workspace, or the command line has opened it."""
    trusted = [Path(folder) for folder, way in _read().get("opened", {}).items() if way == "cli"]
    return _inside(run.folder.resolve(), [runs_folder().resolve(), *trusted])


# -- names and tags ----------------------------------------------------------------------------------------------


def label_of(key: str) -> Label:
    """The name and tags of a run, by `shelf_id`, or of a dataset, by `dataset:` and its id."""
    return labels().get(key, Label())


def labels() -> dict[str, Label]:
    """Every name and tag that was given."""
    return {
        key: Label(str(entry.get("name", "")), tuple(str(tag) for tag in entry.get("tags", [])))
        for key, entry in _read().get("labels", {}).items()
        if isinstance(entry, dict)
    }


def set_label(key: str, name: str, tags: Iterable[str] = ()) -> Label:
    """Give a run or a dataset a name and tags; both empty takes them away. Raises `InputError` for too long ones."""
    name = " ".join(line_of(name).split())
    kept = tuple(dict.fromkeys(tag for each in tags if (tag := " ".join(line_of(each).split()))))
    if len(name) > NAME_CHARACTERS:
        raise InputError(f"the name has {len(name)} characters; at most {NAME_CHARACTERS} are kept")
    if len(kept) > MOST_TAGS or any(len(tag) > TAG_CHARACTERS for tag in kept):
        raise InputError(f"at most {MOST_TAGS} tags of at most {TAG_CHARACTERS} characters are kept")

    def change(kept_so_far: dict[str, Any]) -> None:
        entries = kept_so_far.setdefault("labels", {})
        entries.pop(key, None)
        if name or kept:
            entries[key] = {"name": name, "tags": list(kept)}

    _change(change)
    return Label(name, kept)


# -- runs from elsewhere -----------------------------------------------------------------------------------------


def open_elsewhere(folder: Path) -> Run:
    """List a run of any folder in the app, as the command line asks. Raises `RunError` if there is none."""
    if not (folder / "plan.json").is_file():
        raise RunError(f"{folder} is not a run directory: it has no plan.json")
    run = open_run(folder.resolve())
    if not is_own(run):
        _change(lambda kept: kept.setdefault("opened", {}).update({str(run.folder): "cli"}))
    return run


def open_allowed(name: str) -> Run:
    """List a run of a folder that somebody names in the browser.

    It, its dataset and every file in it must lie in a folder that the operator opened for reading (`LOUPE_FOLDERS`).
    Raises `InputError`, which never tells whether anything is anywhere else.
    """
    refused = InputError(
        "there is no audit in this folder, or the operator of this server has not opened it for reading"
    )
    roots = server_folders()
    try:
        folder = Path(name).resolve(strict=True)
        if not (_inside(folder, roots) and (folder / "plan.json").is_file()):
            raise refused
        for number, file in enumerate(folder.rglob("*")):
            if number >= _FILES or (file.is_symlink() and not _inside(Path(os.path.realpath(file)), roots)):
                raise refused
        run = open_run(folder)
        if not _readable(run):
            raise InputError("the dataset of this audit lies outside the folders that the operator opened for reading")
    except (OSError, ValueError, RuntimeError) as error:
        raise refused from error
    if not is_own(run):
        _change(lambda kept: kept.setdefault("opened", {}).setdefault(str(run.folder), "page"))
    return run


def close_elsewhere(run: Run) -> bool:
    """Take a run of another folder off the list; nothing of it is changed. False if it was not opened."""
    folder = str(run.folder.resolve())
    known = folder in _read().get("opened", {})
    _change(lambda kept: kept.setdefault("opened", {}).pop(folder, None))
    return known


# -- the trash ----------------------------------------------------------------------------------------


def trash_folder() -> Path:
    """Where deleted runs and datasets lie until the trash is emptied. As deep as `runs`: links still lead on."""
    return workspace() / "trash"


def users_of(dataset_folder: Path) -> list[Run]:
    """The runs, also those in the trash, whose images lie in or below a folder."""
    place = dataset_folder.resolve()
    users = []
    for run in (*shelf().values(), *list_runs(trash_folder())):
        try:
            if run.dataset_root.resolve().is_relative_to(place):
                users.append(run)
        except LoupeError:
            # A damaged plan names no images.
            continue
    return users


def delete_run(run: Run) -> None:
    """Move a run of the workspace to the trash. Raises `RunError` while a worker has it or another run needs it."""
    if not is_own(run):
        raise RunError("this audit lies in another folder; it can be taken off the list, not deleted")
    if run.store.path.exists() and run.progress().alive:
        raise RunError("a worker is busy with this audit; cancel it first")
    others = [other for other in users_of(run.folder) if other.folder.resolve() != run.folder.resolve()]
    others = [other for other in others if not other.folder.resolve().is_relative_to(run.folder.resolve())]
    if others:
        raise RunError(f"the images of another audit lie in this one: {', '.join(other.id for other in others[:5])}")
    _move(run.folder, trash_folder() / run.id)


def delete_dataset(dataset: Dataset) -> None:
    """Move a dataset of the workspace to the trash. Raises `InputError` while a run uses it."""
    users = users_of(dataset.root)
    if users:
        told = ", ".join(user.id for user in users[:5])
        more = f" and {len(users) - 5} more" if len(users) > 5 else ""
        raise InputError(
            f"audits use this dataset, so that it stays: {told}{more}; delete them first, in the trash too"
        )
    _move(dataset.root, trash_folder() / f"dataset-{dataset.root.name}")


def trash() -> list[Path]:
    """What lies in the trash, by name."""
    return sorted(path for path in trash_folder().glob("*") if path.is_dir())


def restore(name: str) -> Path:
    """Put something of the trash back where it was. Raises `InputError` if something is there by now."""
    source = _in_trash(name)
    kept = name.removeprefix("dataset-")
    target = runs_folder() / name if kept == name else datasets_folder() / kept
    if target.exists():
        raise InputError(f"{target.name} exists again; what is in the trash stays there")
    _move(source, target)
    return target


def empty_trash() -> int:
    """Remove what lies in the trash for good; returns how many things went."""
    found = trash()
    for path in found:
        shutil.rmtree(path)
    return len(found)


def _readable(run: Run) -> bool:
    """Whether the operator has opened the folders of a run and of its images for reading; asked at every look."""
    roots = server_folders()
    try:
        return _inside(run.folder.resolve(), roots) and _inside(run.dataset_root.resolve(), roots)
    except (LoupeError, OSError, ValueError, RuntimeError):
        return False


def _in_trash(name: str) -> Path:
    found = {path.name: path for path in trash()}
    if name not in found:
        raise InputError("this is no longer in the trash")
    return found[name]


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)


def _inside(path: Path, roots: Iterable[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)


def _read() -> Mapping[str, Any]:
    """What the file holds; parsed once, as every run of a list asks for it."""
    path = workspace() / SHELF
    try:
        there = path.stat()
    except OSError:
        return {}
    return _parsed(path, there.st_ino, there.st_mtime_ns, there.st_size)


@lru_cache(maxsize=4)
def _parsed(path: Path, *state: int) -> Mapping[str, Any]:
    """The file in a state of it, which is told by what changes whenever it is written."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    parts = found if isinstance(found, dict) else {}
    return {name: part for name, part in parts.items() if isinstance(part, dict)}


def _change(change: Callable[[dict[str, Any]], object]) -> None:
    workspace().mkdir(parents=True, exist_ok=True)
    with locked(workspace()):
        kept = deepcopy(dict(_read()))
        change(kept)
        write_whole(workspace() / SHELF, (json.dumps(kept, indent=1, ensure_ascii=True) + "\n").encode())
