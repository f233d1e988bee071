"""A run as a copy behind a URL: sent while the run grows, fetched to go on with it on another machine. No torch.

`copy.json` names every file with its size, its SHA-256 and where it lies. What never changes once it is written (result
rows, images) lies under its own name; anything else under the name of its hash. The index is written after all that it
names, and what it no longer names is removed after that: a copy that was interrupted is the one before. The queue stays
on the local disk; SQLite itself makes the copy of `run.sqlite`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.datasets.remote import Remote, file_system, told
from core.drafts import own_folder, sweep
from core.errors import InputError, RunError
from core.runs.run import Run, open_run
from core.runs.store import FINISHED

INDEX, VERSIONS, DATABASE = "copy.json", "versions", "run.sqlite"
LASTING = ("results/", "dataset/images/")
MOST_INDEX, CHUNK = 512 * 2**20, 2**20
# Hidden files, drafts, logs with places of the machine, and the files of SQLite, which are not copied one by one.
_LEFT_OUT = re.compile(r"(^|/)(\.[^/]*|run\.sqlite[^/]*|[^/]*\.(part|tmp|log))$|(^|/)\.")
_DRAFT, _TOP = ".copy-", re.compile("/*[^/]*")
_PART = re.compile(r"[^/\\\x00-\x1f\x7f]{1,200}")


class CopiedFile(BaseModel):
    """A file of the run as it was sent: its size in bytes, its SHA-256, and its place below the URL."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    at: str


class CopyIndex(BaseModel):
    """What a copy holds, by the name in the run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal["1"] = "1"
    files: dict[str, CopiedFile] = {}


class RunCopy:
    """The copy of one run at one URL. Raises `InputError` in one line where the URL cannot be read or written."""

    def __init__(self, run: Run, remote: Remote) -> None:
        self._run, self._remote = run, remote
        self._files, self._root = file_system(remote)
        self._index = _index(self._files, self._root, remote) or CopyIndex()
        # Size and time of change of each file as it was read last.
        self._seen: dict[str, tuple[int, int]] = {}
        self._published: set[str] = set()

    def send(self) -> int:
        """Send what the copy lacks, and remove what the run no longer has. Returns the number of files sent."""
        with told(self._remote, "written"):
            # First: what it calls done has its file by now.
            database = _database(self._run)
            held, sent = self._changed()
            if database is not None:
                sent += self._put(DATABASE, database, held)
            if held != self._index.files:
                before, self._index = self._index, CopyIndex(files=held)
                self._write(INDEX, self._index.model_dump_json().encode())
                kept = {file.at for file in held.values()}
                for place in sorted({file.at for file in before.files.values()} - kept):
                    self._files.rm_file(f"{self._root}/{place}")
            if self._run.progress().state in FINISHED:
                self._publish(held)
        return sent

    def _changed(self) -> tuple[dict[str, CopiedFile], int]:
        """Every file of the run's folder as the copy has it now, and how many of them had to be sent."""
        held: dict[str, CopiedFile] = {}
        sent = 0
        for name, path in _walk(self._run.folder):
            try:
                found = path.stat()
                state = found.st_size, found.st_mtime_ns
                if name in self._index.files and self._seen.get(name) == state:
                    held[name] = self._index.files[name]
                    continue
                data = path.read_bytes()
            except FileNotFoundError:
                # A draft that has its name by now, or a unit that was packed; the next time tells.
                continue
            sent += self._put(name, data, held)
            self._seen[name] = state
        return held, sent

    def _put(self, name: str, data: bytes, held: dict[str, CopiedFile]) -> int:
        sha256, earlier = hashlib.sha256(data).hexdigest(), self._index.files.get(name)
        if earlier is not None and (earlier.size, earlier.sha256) == (len(data), sha256):
            held[name] = earlier
            return 0
        at = name if name.startswith(LASTING) and earlier is None else f"{VERSIONS}/{sha256}"
        self._write(at, data)
        held[name] = CopiedFile(size=len(data), sha256=sha256, at=at)
        return 1

    def _publish(self, held: Mapping[str, CopiedFile]) -> None:
        """The report of a finished run under its own names as well, for people and programs; no copy is made of it."""
        for name in held:
            if name.startswith("report/") and name.count("/") == 1 and name not in self._published:
                self._write(name, (self._run.folder / name).read_bytes())
                self._published.add(name)

    def _write(self, place: str, data: bytes) -> None:
        path = f"{self._root}/{place}"
        try:
            self._files.pipe_file(path, data)
        except FileNotFoundError:
            # Object storage has no folders; other file systems want theirs first. A bucket is never made.
            if not self._files.exists(_TOP.match(path)[0]):  # type: ignore[index]
                raise
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(path, data)


def fetch(remote: Remote, folder: Path) -> Run:
    """The run of a copy, in a new folder, with the size and the hash of every file checked.

    Raises `InputError` in one line, and leaves nothing behind, if there is no copy, if a file of it is missing or not
    as it was sent, or if the folder has anything in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder.name} exists already; name a new folder")
    files, root = file_system(remote)
    index = _index(files, root, remote)
    if index is None or "plan.json" not in index.files:
        raise InputError(f"{remote} holds no copy of a run ({INDEX}); check the URL")
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder.parent, f"{_DRAFT}*")
    needed, free = sum(file.size for file in index.files.values()), shutil.disk_usage(folder.parent).free
    if needed > free:
        raise InputError(f"{remote} has {needed / 1e9:.1f} GB, and the disk has room for {free / 1e9:.1f}; free space")
    with own_folder(_DRAFT, folder.parent) as draft:
        for name, file in sorted(index.files.items()):
            target = draft / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with told(remote, "read"):
                _fetch_file(files, f"{root}/{file.at}", file, name, target)
        if folder.exists():
            folder.rmdir()
        draft.rename(folder)
    return open_run(folder)


def _fetch_file(files: object, place: str, file: CopiedFile, name: str, target: Path) -> None:
    digest, size = hashlib.sha256(), 0
    with files.open(place, "rb") as source, target.open("wb") as out:  # type: ignore[attr-defined]
        while size <= file.size and (chunk := source.read(CHUNK)):
            size += len(chunk)
            digest.update(chunk)
            out.write(chunk)
    if (size, digest.hexdigest()) != (file.size, file.sha256):
        raise InputError(f"{name} is not as it was sent: its size or SHA-256 differs; send the run again")


def _index(files: object, root: str, remote: Remote) -> CopyIndex | None:
    """What is at the URL; None if there is no copy."""
    with told(remote, "read"):
        try:
            with files.open(f"{root}/{INDEX}", "rb") as stream:  # type: ignore[attr-defined]
                data = stream.read(MOST_INDEX + 1)
        except FileNotFoundError:
            return None
        try:
            index = CopyIndex.model_validate_json(data)
        except ValidationError as error:
            raise InputError(f"{remote}: {INDEX} is damaged or from another version; name another URL") from error
        for name in [*index.files, *(file.at for file in index.files.values())]:
            parts = name.split("/")
            if not all(_PART.fullmatch(part) for part in parts) or {".", ".."} & set(parts) or len(parts) > 20:
                raise InputError(f"{remote}: {INDEX} names a file outside of the run; name another URL")
        names = {PurePosixPath(name) for name in index.files}
        if any(parent in names for name in names for parent in name.parents):
            raise InputError(f"{remote}: {INDEX} has a file that is also a folder; name another URL")
        return index


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of a run that belong into a copy, by name, in order; no links."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and not _LEFT_OUT.search(name):
            yield name, path


def _database(run: Run) -> bytes | None:
    """The bytes of `run.sqlite` in one consistent state, also while others write to it; None if there is none."""
    path = run.folder / DATABASE
    if not path.is_file():
        return None
    with TemporaryDirectory(prefix="loupe-copy-") as place:
        draft = Path(place) / DATABASE
        try:
            with closing(sqlite3.connect(path)) as own, closing(sqlite3.connect(draft)) as copy:
                own.backup(copy)
        except sqlite3.Error as error:
            raise RunError(f"{DATABASE} cannot be copied ({error}); `python -m core resume` mends it") from error
        return draft.read_bytes()
