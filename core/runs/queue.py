"""The units of a run in its `run.sqlite`: which wait, who has one in hand, which are done. No torch."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from core.runs.database import Database, value
from core.runs.lease import Holder, holder, lease_end
from core.runs.results import file_sha256

TRIES = 3


@dataclass(frozen=True)
class Unit:
    """One piece of work: the images at `position` in the plan's shards."""

    position: int
    key: str
    tries: int
    owner: str = ""


class Queue(Database):
    """Units are claimed one by one; what a dead worker had in hand goes back."""

    def units(self) -> list[dict[str, Any]]:
        """Every unit as a dictionary, in order."""
        with self._read() as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute("SELECT * FROM units ORDER BY position")]

    def claim(self, owner: str) -> Unit | None:
        """The next waiting unit, leased to `owner`; None if none waits. Dead or overdue leases are taken back first."""
        with self._write() as db:
            for position, by, lease in db.execute(
                "SELECT position, owner, lease FROM units WHERE state = 'running'"
            ).fetchall():
                if holder(by, lease) is None:
                    db.execute("UPDATE units SET state = 'waiting', owner = NULL WHERE position = ?", (position,))
            db.execute(
                "UPDATE units SET state = 'failed', error = COALESCE(error, 'the worker died each time')"
                " WHERE state = 'waiting' AND tries >= ?",
                (TRIES,),
            )
            row = db.execute(
                "SELECT position, key, tries FROM units WHERE state = 'waiting' ORDER BY tries, position LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            db.execute(
                "UPDATE units SET state = 'running', owner = ?, lease = ?, tries = tries + 1 WHERE position = ?",
                (owner, lease_end(), row[0]),
            )
        return Unit(row[0], row[1], row[2], owner)

    def elsewhere(self, owner: str) -> Holder | None:
        """Who but `owner` holds a unit that is not finished, and for how long; None if nobody does."""
        held = [holder(unit["owner"], unit["lease"]) for unit in self.units() if unit["state"] == "running"]
        others = [found for found in held if found is not None and found.owner != owner]
        return max(others, key=lambda found: found.seconds, default=None)

    def finish(self, unit: Unit, sha256: str, rows: int, seconds: float | None) -> None:
        """Mark a unit done with the hash of its file, in one transaction; no more if another one has it by now."""
        with self._write() as db:
            db.execute(
                "UPDATE units SET state = 'done', owner = NULL, sha256 = ?, rows = ?, seconds = ?, error = NULL"
                " WHERE position = ? AND state = 'running' AND ? IN ('', owner)",
                (sha256, rows, seconds, unit.position, unit.owner),
            )

    def give_back(self, unit: Unit, error: str | None = None) -> None:
        """Return a unit that was not finished. With an error it counts as a try and fails for good after `TRIES`."""
        with self._write() as db:
            if error is None:
                db.execute(
                    "UPDATE units SET state = 'waiting', owner = NULL, tries = MAX(tries - 1, 0)"
                    " WHERE position = ? AND state = 'running' AND ? IN ('', owner)",
                    (unit.position, unit.owner),
                )
            else:
                state = "failed" if unit.tries + 1 >= TRIES else "waiting"
                db.execute(
                    "UPDATE units SET state = ?, owner = NULL, error = ?"
                    " WHERE position = ? AND state = 'running' AND ? IN ('', owner)",
                    (state, error, unit.position, unit.owner),
                )

    def requeue(self, packed: Collection[str] = ()) -> int:
        """Before a resume: put back failed units and done ones whose file is missing or changed. Returns how many.

        A changed file is removed: it is nobody's result. Those in `packed` lie in a sound part and need no file.
        """
        back = 0
        for unit in self.units():
            file = self.folder / "results" / f"{unit['key']}.parquet"
            sound = unit["key"] in packed or (file.exists() and file_sha256(file) == unit["sha256"])
            broken = unit["state"] == "done" and not sound
            if broken or unit["state"] == "failed":
                if broken:
                    file.unlink(missing_ok=True)
                with self._write() as db:
                    db.execute(
                        "UPDATE units SET state = 'waiting', owner = NULL, tries = 0, error = NULL,"
                        " sha256 = NULL WHERE position = ?",
                        (unit["position"],),
                    )
                    _reopen(db)
                back += 1
        return back

    def adopt(self, position: int, sha256: str, rows: int) -> None:
        """Mark a unit done whose file was found whole, though nobody has recorded it."""
        with self._write() as db:
            db.execute(
                "UPDATE units SET state = 'done', owner = NULL, sha256 = ?, rows = ?, error = NULL"
                " WHERE position = ? AND state <> 'done'",
                (sha256, rows, position),
            )

    def lay_anew(self, units: Sequence[tuple[str, int]]) -> list[str]:
        """Replace the units by these; one with a key that was there keeps its state. Returns the keys that went.

        They stay noted under `replaced` until that value is set empty, so that their files can be removed later.
        """
        with self._write() as db:
            db.row_factory = sqlite3.Row
            old = {row["key"]: dict(row) for row in db.execute("SELECT * FROM units")}
            gone = sorted({*old, *json.loads(value(db, "replaced") or "[]")} - {key for key, _ in units})
            db.execute("DELETE FROM units")
            for position, (key, images) in enumerate(units):
                row = {**old.get(key, {}), "position": position, "key": key, "images": images}
                names = ", ".join(row)
                # The names are columns, the values are bound.
                db.execute(f"INSERT INTO units ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))  # noqa: S608
            db.execute("INSERT OR REPLACE INTO run VALUES ('replaced', ?)", (json.dumps(gone),))
            _reopen(db)
        return gone

    def replaced(self) -> list[str]:
        """The keys of units that were replaced and whose files may still be there."""
        with self._read() as db:
            return list(json.loads(value(db, "replaced") or "[]"))


def _reopen(db: sqlite3.Connection) -> None:
    """A run with units to do is not done, whatever happens next."""
    db.execute("UPDATE run SET value = 'running' WHERE key = 'state' AND value IN ('done', 'done_with_errors')")
