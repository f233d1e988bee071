"""Input and output that fails on purpose: the n-th call of a process on files below a folder, and what it does then.

Counted are the calls that open, write, sync, move, make or remove a file, and those of SQLite. Each can fail with a
full disk or a disk error, or end the process where it stands, in the middle of a write.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import io
import os
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

KILLED = 99
FULL, BROKEN, KILL = "full disk", "disk error", "kill"
_ERRORS = {
    FULL: (errno.ENOSPC, sqlite3.SQLITE_FULL, "database or disk is full"),
    BROKEN: (errno.EIO, sqlite3.SQLITE_IOERR, "disk I/O error"),
}
_READING = {"r", "rb", "rt"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Faults:
    """Counts the calls on files below `folder`; the call number `at` (from 1) fails in the way `kind`, all others work.

    `at` 0: none fails. `lasting`: every later call that needs space fails as well, as on a disk that stays full.
    """

    def __init__(self, folder: Path, at: int = 0, kind: str = FULL, lasting: bool = False) -> None:
        self.folder = f"{folder.resolve()}/"
        self.at, self.kind, self.lasting = at, kind, lasting
        self.calls: list[str] = []
        self.failed = False

    def call(self, name: str, path: Any, writes: bool = True, torn: Callable[[], Any] | None = None) -> None:
        """Count a call, and fail if it is its turn. `torn` does half of it."""
        told = self._path(path)
        if told is None or (self.kind == FULL and not writes):
            return
        self.calls.append(f"{name} {told}")
        if len(self.calls) == self.at or (self.lasting and self.failed):
            self.failed = True
            if self.kind == KILL:
                if torn is not None:
                    torn()
                os._exit(KILLED)
            raise OSError(_ERRORS[self.kind][0], os.strerror(_ERRORS[self.kind][0]), str(path))

    def statement(self, path: Any, sql: str, run: Callable[[], Any]) -> Any:
        """A statement of SQLite."""
        writes = not sql.lstrip().upper().startswith(("SELECT", "ROLLBACK", "PRAGMA QUICK", "PRAGMA INTEGRITY"))
        try:
            self.call(f"sqlite {' '.join(sql.split())[:24]}", path, writes)
        except OSError as error:
            _, code, words = _ERRORS[self.kind]
            told = sqlite3.OperationalError(words)
            told.sqlite_errorcode = code
            raise told from error
        return run()

    def _path(self, path: Any) -> str | None:
        if isinstance(path, int):
            with contextlib.suppress(OSError):
                path = os.readlink(f"/proc/self/fd/{path}")
        try:
            told = os.path.abspath(os.fsdecode(path))
        except TypeError:
            return None
        return told.removeprefix(self.folder) if told.startswith(self.folder) else None

    def install(self) -> None:
        """Put the calls of this process through here, for good: it is meant for a forked child."""
        plain_open, plain_os_open, plain_connect = io.open, os.open, sqlite3.connect
        faults = self

        def opened(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            writes = mode not in _READING
            faults.call("open", file, writes)
            made = plain_open(file, mode, *arguments, **named)
            return _Writer(faults, file, made) if writes and faults._path(file) else made

        def os_opened(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
            faults.call("open", path, bool(flags & _WRITES))
            return plain_os_open(path, flags, *arguments, **named)

        def counted(name: str, plain: Any, writes: bool = True) -> Any:
            def called(path: Any, *arguments: Any, **named: Any) -> Any:
                faults.call(name, path, writes)
                return plain(path, *arguments, **named)

            return called

        class Connection(sqlite3.Connection):
            def __init__(self, path: Any, *arguments: Any, **named: Any) -> None:
                self.at = str(path).removeprefix("file://").split("?")[0]
                faults.statement(self.at, "SELECT connect", lambda: None)
                super().__init__(path, *arguments, **named)

            def execute(self, sql: str, *arguments: Any) -> Any:
                return faults.statement(self.at, sql, lambda: super(Connection, self).execute(sql, *arguments))

            def executemany(self, sql: str, *arguments: Any) -> Any:
                return faults.statement(self.at, sql, lambda: super(Connection, self).executemany(sql, *arguments))

            def executescript(self, sql: str) -> Any:
                return faults.statement(self.at, sql, lambda: super(Connection, self).executescript(sql))

        def connected(path: Any, *arguments: Any, **named: Any) -> sqlite3.Connection:
            return plain_connect(path, *arguments, factory=Connection, **named)

        builtins.open = io.open = opened  # type: ignore[assignment]
        os.open = os_opened
        sqlite3.connect = connected  # type: ignore[assignment]
        for name in ("write", "fsync", "replace", "rename", "mkdir"):
            setattr(os, name, counted(name, getattr(os, name)))
        # Space is needed for none of these.
        for name in ("unlink", "remove", "rmdir"):
            setattr(os, name, counted(name, getattr(os, name), writes=False))


class _Writer:
    """A file that is written, each write of which is counted."""

    def __init__(self, faults: Faults, path: Any, file: Any) -> None:
        self._faults, self._path, self._file = faults, path, file

    def write(self, data: Any) -> int:
        def torn() -> None:
            self._file.write(data[: len(data) // 2])
            self._file.flush()

        self._faults.call("write", self._path, torn=torn)
        return int(self._file.write(data))

    def __enter__(self) -> _Writer:
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._file.__exit__(*error)

    def __iter__(self) -> Any:
        return iter(self._file)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def forked(work: Callable[[], int], log: Path) -> tuple[int, str]:
    """Do `work` in a fork of this process; its exit code, and what it printed on stderr (stdout is dropped)."""
    with log.open("wb") as told:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                os.dup2(told.fileno(), 2)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
                sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
                code = work()
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), log.read_text(errors="replace")
