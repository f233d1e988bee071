"""Imports of data in processes of their own: begun, found again, stopped, cleared away. The server reads no file.

Every import has a folder in the workspace, so that a reload, a second tab or a restarted server finds it again. What
was uploaded is copied there under numbers; its names are data. The copies go when the import ends, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from core.content.words import shorten, size
from core.datasets import Upload, job
from core.datasets.names import printable
from core.datasets.store import tidy
from core.errors import InputError
from core.processes import is_locked
from core.settings import LIMITS, datasets_folder, workspace

PATIENCE = 10.0  # seconds from the request to stop until the process is killed
KEPT = 24 * 3600.0  # seconds that the end of an import waits for the session that asked for it
SPARE = 256 * 2**20  # bytes that stay free on the disk
_CHUNK = 2**20
_COPIES, _LABEL, _COPYING = "files", "label.json", "copying"

# Children of this server, kept so that their ends are noticed; the folders say the same to any other server.
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Import:
    """One import: its folder, what it takes in, how far it is, and whether it was asked to stop."""

    folder: Path
    label: str
    report: job.Report
    stopping: bool

    @property
    def id(self) -> str:
        """The name of its folder: when it was begun, and a random part."""
        return self.folder.name


def imports_folder() -> Path:
    """Where imports keep what they need while they run."""
    return workspace() / "imports"


def begin(sources: Sequence[Path | Upload], name: str | None) -> str:
    """Copy what was uploaded, start the import and return its id.

    Raises `InputError`, leaving nothing behind, if too many imports run, or if the limits or the disk are exceeded.
    """
    sweep()
    running = sum(not found.report.over for found in imports())
    if running >= LIMITS.imports:
        raise InputError(f"{running} imports are running, which is the limit; wait for one or cancel it")
    if len(sources) > LIMITS.files:
        raise InputError(f"more than {LIMITS.files:,} files were given; split them into several datasets")
    folder = imports_folder() / f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    try:
        imports_folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(mode=0o700)
        with _copying(folder):
            (folder / _LABEL).write_text(json.dumps(_label(sources)))
            given = tuple(_copied(sources, folder))
            _children.append(job.start(job.Job(store=datasets_folder(), sources=given, name=name), folder))
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            reason = error.strerror or type(error).__name__
            raise InputError(f"the upload could not be stored ({reason}); free space and try again") from error
        raise
    return folder.name


def imports() -> list[Import]:
    """All imports of this workspace that run or wait to be told, the oldest first."""
    _children[:] = [child for child in _children if child.poll() is None]
    folders = sorted(imports_folder().glob("[0-9]*-*-*"))
    return [_read(folder) for folder in folders if folder.is_dir() and not folder.is_symlink()]


def stop(found: Import) -> None:
    """Ask an import to stop; it leaves nothing behind. One that has not followed after a while is killed."""
    mark = found.folder / "stop"
    if not mark.exists():
        mark.touch()
        job.cancel(found.folder)
    elif time.time() - mark.stat().st_mtime > PATIENCE:
        job.cancel(found.folder, force=True)


def remove(found: Import) -> None:
    """Forget an import that has ended."""
    shutil.rmtree(found.folder, ignore_errors=True)


def sweep() -> None:
    """Clear away what ended imports have left: copies at once, the rest once it was told or after a day.

    What killed ones left among the datasets goes too.
    """
    for found in imports():
        if not found.report.over:
            continue
        shutil.rmtree(found.folder / _COPIES, ignore_errors=True)
        with suppress(OSError):
            if time.time() - found.folder.stat().st_mtime > KEPT:
                remove(found)
    tidy(datasets_folder())


def _read(folder: Path) -> Import:
    label = ""
    with suppress(OSError, ValueError):
        label = str(json.loads((folder / _LABEL).read_text()))
    stopping = (folder / "stop").exists()
    if is_locked(folder / _COPYING):
        return Import(folder, label, job.Report(), stopping)
    try:
        report = job.report(folder)
    except InputError:
        # The server died while it copied, or the notes are damaged.
        report = job.Report(state="failed", error="the import ended before it was done; start it again")
    return Import(folder, label, report, stopping)


def _copied(sources: Sequence[Path | Upload], folder: Path) -> Iterator[job.Source]:
    """The sources of the job, with what was uploaded written to numbered files."""
    (folder / _COPIES).mkdir()
    total = 0
    for number, source in enumerate(sources):
        if isinstance(source, Path):
            yield job.Source(path=source)
            continue
        data = source.data
        assert not isinstance(data, bytes | Path)
        data.seek(0)
        with (folder / _COPIES / str(number)).open("xb") as copy:
            while chunk := data.read(_CHUNK):
                total += len(chunk)
                if total > LIMITS.upload_bytes:
                    most = size(LIMITS.upload_bytes)
                    raise InputError(f"the files hold more than {most} in all; split them into several datasets")
                if shutil.disk_usage(folder).free < SPARE:
                    raise InputError("the disk is almost full; free space and try again")
                copy.write(chunk)
        yield job.Source(path=folder / _COPIES / str(number), name=printable(source.name))


def _label(sources: Sequence[Path | Upload]) -> str:
    first = shorten(printable(sources[0].name), 60) if sources else ""
    return first if len(sources) < 2 else f"{first} and {len(sources) - 1:,} more"


@contextmanager
def _copying(folder: Path) -> Iterator[None]:
    """Hold the sign that this process, which lives, is copying into the folder."""
    with (folder / _COPYING).open("w") as sign:
        fcntl.flock(sign, fcntl.LOCK_EX)
        yield
