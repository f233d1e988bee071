"""The state of a run in SQLite (WAL): its units, who works on them, what happened. Safe to read while it is written."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from core.runs.database import value
from core.runs.lease import LEASE_SECONDS as LEASE_SECONDS
from core.runs.lease import Holder, holder, lease_end
from core.runs.queue import TRIES as TRIES
from core.runs.queue import Queue
from core.runs.queue import Unit as Unit
from core.runs.steps import IMAGES, Step, read, share_done, time_left
from core.storage import without_folders

RunState = Literal["planned", "running", "cancelling", "cancelled", "reporting", "done", "done_with_errors", "failed"]
FINISHED: tuple[RunState, ...] = ("done", "done_with_errors")
STOPPED: tuple[RunState, ...] = ("cancelled", "failed", *FINISHED)
AT_WORK: tuple[RunState, ...] = ("running", "cancelling", "reporting")
LINE = 500


@dataclass(frozen=True)
class Progress:
    """Where a run stands. `seconds_left` counts all steps that are left; it is None until something can be said."""

    state: RunState
    stage: str
    done: int
    failed: int
    total: int
    images_done: int
    images_total: int
    seconds_left: float | None
    message: str
    alive: bool
    steps: tuple[Step, ...] = ()
    ended: str = ""

    @property
    def share(self) -> float:
        """The share of the work that is done, from 0 to 1: of all steps if they are known, of the units otherwise."""
        if self.state in FINISHED:
            return 1.0
        if self.steps:
            return share_done(self.steps)
        return (self.done + self.failed) / self.total if self.total else 0.0

    @property
    def died(self) -> bool:
        """Whether its worker ended, or has not been heard of, before the work was over."""
        return self.state in AT_WORK and not self.alive


class RunStore(Queue):
    """One run directory's state. Each call opens its own connection, so threads and processes may share it."""

    # -- creation and reading ------------------------------------------------------------------------------------

    def create(self, units: Sequence[tuple[str, int]] = ()) -> None:
        """Lay down the tables and the units, given as (key, number of images) in order. Keeps what is there."""
        with self._write(create=True) as db:
            for position, (key, images) in enumerate(units):
                db.execute(
                    "INSERT OR IGNORE INTO units (position, key, images) VALUES (?, ?, ?)", (position, key, images)
                )
            db.execute("INSERT OR IGNORE INTO run VALUES ('state', 'planned'), ('stage', ''), ('message', '')")
            db.execute("INSERT OR IGNORE INTO run VALUES ('created', ?)", (repr(time.time()),))

    def get(self, key: str, default: str = "") -> str:
        """A value of the run table."""
        with self._read() as db:
            row = db.execute("SELECT value FROM run WHERE key = ?", (key,)).fetchone()
        return row[0] if row else default

    def set(self, **values: str) -> None:
        """Set values of the run table in one transaction."""
        with self._write() as db:
            db.executemany("INSERT OR REPLACE INTO run VALUES (?, ?)", list(values.items()))

    def progress(self) -> Progress:
        """Where the run stands now."""
        with self._read() as db:
            values = dict(db.execute("SELECT key, value FROM run").fetchall())
            counts = {
                state: (n, images)
                for state, n, images in db.execute("SELECT state, COUNT(*), SUM(images) FROM units GROUP BY state")
            }
            spent = db.execute("SELECT SUM(seconds), SUM(images) FROM units WHERE state = 'done'").fetchone()
        total = sum(n for n, _ in counts.values())
        images_total = sum(images for _, images in counts.values())
        done, images_done = counts.get("done", (0, 0))
        failed, images_failed = counts.get("failed", (0, 0))
        left = images_total - images_done - images_failed
        # Units that are computed at the same time take less time by the clock than the sum of theirs.
        seconds = spent[0] / _workers(values) if spent[0] else None
        per_image = seconds / spent[1] if seconds and spent[1] else None
        by_units = per_image * left if per_image is not None else None
        steps = _with_images(read(values.get("steps", "")), 1.0 - left / images_total if images_total else 0.0, seconds)
        return Progress(
            state=values.get("state", "planned"),
            stage=values.get("stage", ""),
            done=done,
            failed=failed,
            total=total,
            images_done=images_done,
            images_total=images_total,
            seconds_left=time_left(steps) if steps else by_units,
            message=values.get("message", ""),
            alive=_holder(values) is not None,
            steps=steps,
            ended=values.get("ended", ""),
        )

    def events(self, limit: int = 1000) -> list[tuple[float, str, str]]:
        """The log: (seconds since 1970, kind, message), oldest first."""
        with self._read() as db:
            rows = db.execute("SELECT at, kind, message FROM events ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        return rows[::-1]

    def log(self, kind: str, message: str) -> None:
        """Append to the log, in one line that names no place of this machine."""
        message = without_folders(" ".join(message.split()))[:LINE]
        with self._write() as db:
            db.execute("INSERT INTO events (at, kind, message) VALUES (?, ?, ?)", (time.time(), kind, message))

    def damage(self) -> str:
        """What SQLite's own check finds wrong with the file; empty if it is whole."""
        with self._read() as db:
            found = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
        return "" if found == "ok" else found

    # -- work ----------------------------------------------------------------------------------------------------

    def enter(self, state: RunState, stage: str) -> bool:
        """Go on to a state and stage; False, changing nothing, if somebody has asked the work to stop meanwhile."""
        with self._write() as db:
            if value(db, "state") == "cancelling":
                return False
            db.execute("INSERT OR REPLACE INTO run VALUES ('state', ?), ('stage', ?)", (state, stage))
        return True

    def take(self, owner: str) -> bool:
        """Make `owner` the run's worker, with a lease that `beat` renews; False if another one holds the run."""
        with self._write() as db:
            held = _holder(dict(db.execute("SELECT key, value FROM run")))
            if held and held.owner != owner:
                return False
            _lease(db, owner)
        return True

    def hand_over(self, owner: str, heir: str) -> None:
        """Make `heir` the run's worker if `owner` still is."""
        with self._write() as db:
            if value(db, "worker") == owner:
                _lease(db, heir)

    def leave(self, owner: str) -> None:
        """End the hold of `owner` on the run; one that another has taken over stays."""
        with self._write() as db:
            if value(db, "worker") == owner:
                db.execute("INSERT OR REPLACE INTO run VALUES ('worker', ''), ('lease', '')")

    def holder(self) -> Holder | None:
        """Who works on the run, and how long its lease lasts; None if nobody does."""
        with self._read() as db:
            return _holder(dict(db.execute("SELECT key, value FROM run").fetchall()))

    def beat(self, owner: str, leader: str = "") -> bool:
        """Renew the leases of `owner` on the run and its units; False, changing nothing, if another one has the run.

        A process that shares the units of `leader` renews those that it has in hand, while `leader` has the run.
        """
        with self._write() as db:
            worker = value(db, "worker")
            if worker not in (leader or owner, ""):
                return False
            if worker == owner:
                _lease(db, owner)
            db.execute("UPDATE units SET lease = ? WHERE state = 'running' AND owner = ?", (lease_end(), owner))
        return True

    def cancel(self) -> RunState:
        """Ask the worker to stop; without one the run is cancelled at once.

        Returns the state then: "cancelling", or one of `STOPPED`, which a run that has ended keeps.
        """
        with self._write() as db:
            values = dict(db.execute("SELECT key, value FROM run").fetchall())
            state = values.get("state", "planned")
            if state not in STOPPED:
                state = "cancelled" if _holder(values) is None else "cancelling"
                db.execute("INSERT OR REPLACE INTO run VALUES ('state', ?)", (state,))
                if state == "cancelled":
                    db.execute("INSERT OR REPLACE INTO run VALUES ('stage', '')")
        return state


def _with_images(steps: tuple[Step, ...], share: float, seconds: float | None) -> tuple[Step, ...]:
    """The steps with what the units tell at any time: the share of images that are done, and the time they took."""
    return tuple(
        replace(step, share=share, began=0.0, seconds=seconds)
        if seconds and step.name == IMAGES and step.state in ("running", "done")
        else step
        for step in steps
    )


def _lease(db: sqlite3.Connection, owner: str) -> None:
    db.execute("INSERT OR REPLACE INTO run VALUES ('worker', ?), ('lease', ?)", (owner, repr(lease_end())))


def _workers(values: dict[str, str]) -> int:
    """Among how many processes the units are shared; one where a run from outside holds something else."""
    found = values.get("workers", "")
    return max(int(found), 1) if found.isdecimal() and len(found) < 6 else 1


def _holder(values: dict[str, str]) -> Holder | None:
    return holder(values.get("worker"), values.get("lease"))
