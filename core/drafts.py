"""Names of files and folders that are being written. They say who writes them, so that those of the dead can go."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.processes import machine, started

# pid, start and machine of the process that writes it.
_MARK = re.compile(r"-(\d+)_(\w+)_([0-9a-f]{12})(?:-|\.part$|$)")
OLD_SECONDS = 24 * 3600.0


def draft_path(target: Path) -> Path:
    """The name that `target` is written under until it is complete: beside it, this process's own."""
    return target.with_name(f"{target.stem}-{_mark()}.part")


def write_whole(target: Path, data: bytes) -> None:
    """Write a file that appears under its name only once its bytes are on disk, in place of an earlier one.

    Raises `OSError`; then nothing is left of it.
    """
    draft = draft_path(target)
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def draft_folder(prefix: str, parent: Path | None = None) -> Path:
    """A new empty folder of this process's own, in `parent`, or where the system keeps temporary ones and private."""
    place = Path(tempfile.gettempdir()) if parent is None else parent
    folder = place / f"{prefix}{secrets.token_hex(4)}-{_mark()}"
    folder.mkdir(mode=0o700 if parent is None else 0o777)
    return folder


@contextmanager
def own_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A draft folder that is removed at the end, unless it was moved away."""
    folder = draft_folder(prefix, parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if os.path.lexists(folder):
            # One call that failed must not leave the whole folder behind: nothing else comes by in a run that is done.
            shutil.rmtree(folder, ignore_errors=True)


def sweep(folder: Path, *patterns: str, shared: bool = True) -> list[Path]:
    """Remove what dead processes left in `folder` under names that match a pattern; returns what was removed.

    What a living process writes is left alone. In a folder that others share, what names no process of this machine
    goes once it is a day old; elsewhere what names no process at all goes at once. What cannot be removed stays.
    """
    removed = []
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
        if not _is_left(path, shared):
            continue
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError:
            continue
        removed.append(path)
    return removed


def _is_left(path: Path, shared: bool) -> bool:
    found = _MARK.search(path.name)
    if found and found[3] == machine():
        return started(int(found[1])) != found[2]
    if not found and not shared:
        return True
    try:
        return time.time() - path.lstat().st_mtime > OLD_SECONDS
    except OSError:
        return False


def _mark() -> str:
    return f"{os.getpid()}_{started(os.getpid()) or 'unknown'}_{machine()}"
