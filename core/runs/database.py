"""How `run.sqlite` is opened and written, and what its errors mean: damage, a disk, or somebody who is at it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from core.errors import DamagedError, LoupeError, RunError, StorageError

TIMEOUT = 30.0
TABLES = """
CREATE TABLE IF NOT EXISTS run (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS units (
  position INTEGER PRIMARY KEY, key TEXT UNIQUE, images INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
  tries INTEGER NOT NULL DEFAULT 0, owner TEXT, lease REAL, seconds REAL, sha256 TEXT, rows INTEGER, error TEXT);
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL);
"""
_NAMES = {"run", "units", "events"}
# The first byte of an extended result code is the kind of error.
_DISK = {
    sqlite3.SQLITE_FULL: "the disk is full; free space and run the command again",
    sqlite3.SQLITE_IOERR: "the disk reported an error, or is full; check its space and run the command again",
    sqlite3.SQLITE_READONLY: "it cannot be written; check its permissions, or copy the run to another disk",
    sqlite3.SQLITE_PERM: "permission was denied; check who owns the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the permissions and the free space of its folder",
    sqlite3.SQLITE_NOMEM: "memory ran out; close other programs and run the command again",
    sqlite3.SQLITE_NOLFS: "the disk supports no large files; use another one",
    sqlite3.SQLITE_PROTOCOL: "the disk supports no locks; use a folder on a local disk",
}
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Database:
    """The `run.sqlite` of a run directory. Each call opens its own connection."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "run.sqlite"

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        if not self.path.exists():
            raise missing(self.path)
        db = None
        try:
            db = reading(self.path)
            yield db
        except sqlite3.Error as error:
            raise told(self.path, error) from error
        finally:
            if db is not None:
                db.close()

    def _write(self, create: bool = False) -> AbstractContextManager[sqlite3.Connection]:
        return writing(self.path, create)


def value(db: sqlite3.Connection, key: str) -> str:
    """A value of the run table, empty if there is none."""
    row = db.execute("SELECT value FROM run WHERE key = ?", (key,)).fetchone()
    return row[0] if row else ""


def reading(path: Path) -> sqlite3.Connection:
    """A connection to read by. On read-only media SQLite cannot lay its log beside the file, and needs none."""
    db = sqlite3.connect(path, timeout=TIMEOUT)
    try:
        db.execute("SELECT 1 FROM sqlite_master LIMIT 1")
        return db
    except sqlite3.Error:
        db.close()
        if os.access(path.parent, os.W_OK):
            raise
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise RunError(
            f"{path.parent.name} has a log that was never written back ({log.name}), and its folder is read-only; "
            "copy the run to a writable folder and read it there"
        )
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, timeout=TIMEOUT)


@contextmanager
def writing(path: Path, create: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection in one transaction, committed at the end and rolled back on an error.

    Raises `DamagedError` if the file is missing or damaged, `StorageError` if the disk or its permissions stand in the
    way, and `RunError` if somebody else keeps it locked.
    """
    if not create and not path.exists():
        raise missing(path)
    db = None
    try:
        db = sqlite3.connect(path, timeout=TIMEOUT, isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        if create:
            db.executescript(TABLES)
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        if db.in_transaction:
            db.execute("COMMIT")
    except sqlite3.Error as error:
        raise told(path, error) from error
    finally:
        if db is not None:
            db.close()


def missing(path: Path) -> RunError:
    """What to say if there is no `run.sqlite`."""
    if not (path.parent / "plan.json").exists():
        return RunError(f"{path.parent} is not a run directory: it has no {path.name}")
    return DamagedError(
        f"{path.parent.name}: {path.name} is missing; `python -m core resume` rebuilds it from the other files"
    )


def told(path: Path, error: sqlite3.Error) -> LoupeError:
    """An error of SQLite as one line that says what to do."""
    where = f"{path.parent.name}/{path.name}"
    kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if kind in _DISK:
        return StorageError(f"{where}: {_DISK[kind]}")
    if kind in _BUSY:
        return RunError(f"{where} is locked by another program; close it and run the command again")
    if kind in (sqlite3.SQLITE_INTERNAL, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_CONSTRAINT):
        return RunError(f"{where} cannot be used ({error})")
    return DamagedError(
        f"{where} is damaged ({error}); `python -m core resume` rebuilds it from the plan and the results"
    )


def damage(path: Path) -> str | None:
    """What is wrong with the file, in a few words; None if it is sound. Reads all of it, writes nothing of its own.

    Raises `StorageError` if it cannot be read for a reason that is not damage.
    """
    if not path.exists():
        return "missing"
    db = None
    try:
        db = reading(path)
        found = [row[0] for row in db.execute("PRAGMA quick_check(1)")]
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        told_as = told(path, error)
        if not isinstance(told_as, DamagedError):
            raise told_as from error
        return "damaged"
    finally:
        if db is not None:
            db.close()
    return None if found == ["ok"] and names >= _NAMES else "damaged"
