"""Runs that were opened from a bundle: they can be read, and nothing of them is changed. No torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from core.characters import brief
from core.errors import RunError
from core.runs.database import writing
from core.runs.run import Run
from core.runs.store import FINISHED, STOPPED, RunStore

# The file that says from which bundle a run was opened.
MARK = "opened.json"
READ_ONLY = "opened from a bundle; read only"


def is_opened(run: Run) -> bool:
    """Whether a run was opened from a bundle."""
    return (run.folder / MARK).is_file()


def check_changeable(run: Run) -> None:
    """Raises `RunError` for a run that was opened from a bundle."""
    if is_opened(run):
        raise RunError("this audit was opened from a bundle and is read only; change it where the bundle was made")


def bundle_of(run: Run) -> str:
    """The file name of the bundle from which a run was opened, and the first digits of its SHA-256."""
    try:
        told = json.loads((run.folder / MARK).read_text(encoding="utf-8"))
        return f"{brief(str(told['bundle']), 80)}, SHA-256 {str(told['sha256'])[:12]}"
    except (OSError, ValueError, KeyError, TypeError):
        return "a bundle"


def _number(text: str) -> float:
    """A number of a table from outside; 0 for anything else."""
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if 0 <= found < 1e9 else 0.0


def lay_state(
    store: RunStore, units: Sequence[dict[str, Any]], state: str, events: Sequence[tuple[float, str, str]]
) -> None:
    """Write the state of a new run: its units as they ended, its state and its log. Whatever had not ended waits."""
    ended = state if state in STOPPED else "cancelled"
    left = {"done", "failed"}
    with writing(store.path, create=True) as db:
        for unit in units:
            standing = unit["state"] if unit["state"] in left else "waiting"
            db.execute(
                "INSERT INTO units (position, key, images, state, tries, seconds, sha256, rows, error) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(unit[name] for name in ("position", "key", "images")),
                    standing,
                    int(_number(unit["tries"])),
                    _number(unit["seconds"]),
                    *(unit[name] for name in ("sha256", "rows", "error")),
                ),
            )
        values = [("state", ended), ("stage", ""), ("message", "" if ended in FINISHED else READ_ONLY)]
        db.executemany("INSERT OR REPLACE INTO run VALUES (?, ?)", values)
        db.executemany("INSERT INTO events (at, kind, message) VALUES (?, ?, ?)", list(events))
