"""The state of a run in SQLite (WAL): its units, who works on them, what happened. Safe to read while it is written."""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.errors import RunError
from core.runs.results import file_sha256

RunState = Literal["planned", "running", "cancelling", "cancelled", "reporting", "done", "done_with_errors", "failed"]
FINISHED: tuple[RunState, ...] = ("done", "done_with_errors")
STOPPED: tuple[RunState, ...] = ("cancelled", "failed", *FINISHED)
TRIES = 3
LEASE_SECONDS = 60.0

_TABLES = """
CREATE TABLE IF NOT EXISTS run (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS units (
  position INTEGER PRIMARY KEY, key TEXT UNIQUE, images INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
  tries INTEGER NOT NULL DEFAULT 0, owner TEXT, lease REAL, seconds REAL, sha256 TEXT, rows INTEGER, error TEXT);
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Progress:
    """Where a run stands. `seconds_left` is None until a first unit is done."""

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

    @property
    def share(self) -> float:
        """The share of units that are finished, from 0 to 1."""
        return (self.done + self.failed) / self.total if self.total else 0.0


@dataclass(frozen=True)
class Unit:
    """One piece of work: the pictures at `position` in the plan's shards."""

    position: int
    key: str
    tries: int


class RunStore:
    """One run directory's state. Each call opens its own connection, so threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "run.sqlite"

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
        per_image = spent[0] / spent[1] if spent[0] and spent[1] else None
        return Progress(
            state=values.get("state", "planned"),  # type: ignore[arg-type]
            stage=values.get("stage", ""),
            done=done,
            failed=failed,
            total=total,
            images_done=images_done,
            images_total=images_total,
            seconds_left=per_image * left if per_image is not None else None,
            message=values.get("message", ""),
            alive=owner_alive(values.get("worker", "")),
        )

    def units(self) -> list[dict[str, Any]]:
        """Every unit as a dictionary, in order."""
        with self._read() as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute("SELECT * FROM units ORDER BY position")]

    def events(self, limit: int = 1000) -> list[tuple[float, str, str]]:
        """The log: (seconds since 1970, kind, message), oldest first."""
        with self._read() as db:
            rows = db.execute("SELECT at, kind, message FROM events ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        return rows[::-1]

    def log(self, kind: str, message: str) -> None:
        """Append to the log."""
        with self._write() as db:
            db.execute("INSERT INTO events (at, kind, message) VALUES (?, ?, ?)", (time.time(), kind, message))

    def damage(self) -> str:
        """What SQLite's own check finds wrong with the file; empty if it is whole."""
        with self._read() as db:
            found = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
        return "" if found == "ok" else found

    # -- work ----------------------------------------------------------------------------------------------------

    def take(self, owner: str) -> bool:
        """Make `owner` the run's worker; False if another one is alive on it."""
        with self._write() as db:
            row = db.execute("SELECT value FROM run WHERE key = 'worker'").fetchone()
            if row and row[0] != owner and owner_alive(row[0]):
                return False
            db.execute("INSERT OR REPLACE INTO run VALUES ('worker', ?)", (owner,))
        return True

    def claim(self, owner: str) -> Unit | None:
        """The next waiting unit, leased to `owner`; None if none waits. Dead or overdue leases are taken back first."""
        now = time.time()
        with self._write() as db:
            for position, holder, lease in db.execute(
                "SELECT position, owner, lease FROM units WHERE state = 'running'"
            ).fetchall():
                if lease < now or not owner_alive(holder):
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
                (owner, now + LEASE_SECONDS, row[0]),
            )
        return Unit(*row)

    def beat(self, owner: str) -> None:
        """Keep the leases of `owner` alive."""
        with self._write() as db:
            db.execute(
                "UPDATE units SET lease = ? WHERE state = 'running' AND owner = ?", (time.time() + LEASE_SECONDS, owner)
            )

    def finish(self, unit: Unit, sha256: str, rows: int, seconds: float) -> None:
        """Mark a unit done with the hash of its file, in one transaction."""
        with self._write() as db:
            db.execute(
                "UPDATE units SET state = 'done', owner = NULL, sha256 = ?, rows = ?, seconds = ?, error = NULL"
                " WHERE position = ? AND state = 'running'",
                (sha256, rows, seconds, unit.position),
            )

    def give_back(self, unit: Unit, error: str | None = None) -> None:
        """Return a unit that wasn't finished. With an error it counts as a try and fails for good after `TRIES`."""
        with self._write() as db:
            if error is None:
                db.execute(
                    "UPDATE units SET state = 'waiting', owner = NULL, tries = MAX(tries - 1, 0)"
                    " WHERE position = ? AND state = 'running'",
                    (unit.position,),
                )
            else:
                state = "failed" if unit.tries + 1 >= TRIES else "waiting"
                db.execute(
                    "UPDATE units SET state = ?, owner = NULL, error = ? WHERE position = ? AND state = 'running'",
                    (state, error, unit.position),
                )

    def requeue(self) -> int:
        """Before a resume: put back failed units and done ones whose file is missing or changed. Returns how many."""
        back = 0
        for unit in self.units():
            file = self.folder / "results" / f"{unit['key']}.parquet"
            broken = unit["state"] == "done" and not (file.exists() and file_sha256(file) == unit["sha256"])
            if broken or unit["state"] == "failed":
                with self._write() as db:
                    db.execute(
                        "UPDATE units SET state = 'waiting', owner = NULL, tries = 0, error = NULL,"
                        " sha256 = NULL WHERE position = ?",
                        (unit["position"],),
                    )
                back += 1
        return back

    # -- connections ---------------------------------------------------------------------------------------------

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        if not self.path.exists():
            raise RunError(f"{self.folder} is no run directory: it has no run.sqlite")
        db = self._connected()
        try:
            yield db
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        finally:
            db.close()

    def _connected(self) -> sqlite3.Connection:
        """A connection to read by. On read-only media SQLite cannot lay its log beside the file, and needs none."""
        db = sqlite3.connect(self.path, timeout=30)
        try:
            db.execute("SELECT 1 FROM sqlite_master LIMIT 1")
            return db
        except sqlite3.DatabaseError as error:
            db.close()
            if os.access(self.folder, os.W_OK):
                raise self._damaged(error) from error
        log = self.path.with_name(f"{self.path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise RunError(
                f"{self.path} has a log that was never written back ({log.name}), and its folder is read-only; "
                "copy the run to a folder that can be written and read it there"
            )
        return sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, timeout=30)

    @contextmanager
    def _write(self, create: bool = False) -> Iterator[sqlite3.Connection]:
        if not create and not self.path.exists():
            raise RunError(f"{self.folder} is no run directory: it has no run.sqlite")
        db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            if create:
                db.executescript(_TABLES)
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            if db.in_transaction:
                db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from error
        finally:
            db.close()

    def _damaged(self, error: sqlite3.DatabaseError) -> RunError:
        return RunError(f"{self.path} can't be used ({error}); if it is damaged, run the audit anew in another folder")


def this_owner() -> str:
    """Who this process is: host, process id and its start, so that a re-used id isn't taken for it."""
    return owner_of(os.getpid())


def owner_of(pid: int) -> str:
    """Who the process `pid` of this machine is."""
    return f"{socket.gethostname()}:{pid}:{_started(pid)}"


def owner_alive(owner: str | None) -> bool:
    """Whether the process behind `owner` still runs; one on another host is believed to."""
    if not owner:
        return False
    host, pid, started = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    found = _started(int(pid))
    return found != "" and found == started


def _started(pid: int) -> str:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return ""
        return _started_without_proc(pid)
    return "" if fields[0] == "Z" else fields[19]


def _started_without_proc(pid: int) -> str:
    # macOS has no /proc: existence is all that can be told cheaply.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        return "running"
    return "running"
