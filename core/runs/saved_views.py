"""Saved views: images of a run under a name, chosen again on every page. No torch.

They lie in the workspace as names and tags do, never in a run: nothing here changes what is sealed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from core.characters import line_of
from core.drafts import write_whole
from core.errors import InputError
from core.processes import locked
from core.runs.run import Run
from core.runs.shelf import NAME_CHARACTERS, shelf_id
from core.settings import workspace

FOLDER = "views"
MOST_VIEWS = 100


@dataclass(frozen=True)
class SavedView:
    """Images of a run by their ids, in the order of the plan, under a name that no other view of the run has."""

    name: str
    images: tuple[str, ...]


def saved_views(run: Run) -> dict[str, SavedView]:
    """The saved views of a run by name, in the order in which they were saved.

    Images that the plan does not have are left out, and views of which nothing remains.
    """
    try:
        stored = json.loads(_path(run).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        # Nothing was saved; and a damaged list of views must not hide the run.
        return {}
    planned = set(run.plan.images)
    views = {}
    for entry in stored if isinstance(stored, list) else []:
        if not (isinstance(entry, dict) and isinstance(entry.get("name"), str)):
            continue
        images = entry.get("images")
        known = (
            tuple(one for one in images if isinstance(one, str) and one in planned) if isinstance(images, list) else ()
        )
        if known:
            views[entry["name"]] = SavedView(entry["name"], known)
    return views


def save_view(run: Run, name: str, images: Iterable[str]) -> SavedView:
    """Save images of a run under a name, in place of the view that has it.

    Raises `InputError` for a name that is empty or too long, for no images, and for too many views.
    """
    name = " ".join(line_of(name).split())
    wanted = set(images)
    chosen = tuple(image for image in run.plan.images if image in wanted)
    if not name:
        raise InputError("the view needs a name")
    if len(name) > NAME_CHARACTERS:
        raise InputError(f"the name has {len(name)} characters; at most {NAME_CHARACTERS} are stored")
    if not chosen:
        raise InputError("no image of this audit is selected")
    view = SavedView(name, chosen)
    with _locked_views():
        views = saved_views(run)
        if name not in views and len(views) >= MOST_VIEWS:
            raise InputError(f"this audit has {MOST_VIEWS} saved views; delete one first")
        _write(run, {**views, name: view})
    return view


def delete_view(run: Run, name: str) -> None:
    """Forget a saved view; nothing happens where there is none of that name."""
    with _locked_views():
        views = saved_views(run)
        if views.pop(name, None) is not None:
            _write(run, views)


def _write(run: Run, views: dict[str, SavedView]) -> None:
    entries = [{"name": view.name, "images": list(view.images)} for view in views.values()]
    write_whole(_path(run), (json.dumps(entries, ensure_ascii=True) + "\n").encode())


def _locked_views() -> AbstractContextManager[None]:
    (workspace() / FOLDER).mkdir(parents=True, exist_ok=True)
    return locked(workspace() / FOLDER)


def _path(run: Run) -> Path:
    return workspace() / FOLDER / f"{shelf_id(run)}.json"
