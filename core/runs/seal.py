"""The seal of a run: one manifest of hashes over everything in it, written when the run ends.

`seal.json` names every file of the run and of its dataset with size and SHA-256, the units and the log in run.sqlite
by their content, the dataset's id and the plan's digest. Not under the seal: run.sqlite as a file (lines may be added
to its log), what processes print, thumbnails, and the review log, which is a chain of its own and may grow. The same
run gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.datasets import Dataset
from core.datasets.dataset import THUMBNAILS
from core.drafts import write_whole
from core.errors import Refused, RunError
from core.runs.plan import canonical
from core.runs.review import REVIEW
from core.runs.run import Run
from core.sandbox.files import chunks, read_file
from core.settings import LIMITS

SEAL = "seal.json"
# What processes write at any time. The units table of run.sqlite is sealed by its content.
FREE = frozenset(
    {SEAL, REVIEW, "worker.log", "report.log", "errors.log", "run.sqlite"}
    | {f"run.sqlite-{part}" for part in ("wal", "shm", "journal")}
    # What `resume` keeps of a damaged one that it has rebuilt.
    | {f"run.sqlite.damaged{end}" for end in ("", "-wal", "-shm")}
)
# Of the log, from its end: more than any run writes.
MOST_LINES = 10_000_000
_HEX = r"^[0-9a-f]{64}$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class FileSeal(_Part):
    """One file as it was sealed."""

    sha256: str = Field(pattern=_HEX)
    bytes: int = Field(ge=0)


class UnitSeal(_Part):
    """One unit as it was sealed."""

    key: str
    state: str
    sha256: str | None
    rows: int | None


class DatasetSeal(_Part):
    """The dataset: its id, the content ids of its images, and its files by their name below its folder."""

    id: str
    images: list[str]
    files: dict[str, FileSeal]


class Seal(_Part):
    """Everything that a run consists of.

    `units_sha256` covers every column of the units table, `log_sha256` the first `log_lines` of the log.
    """

    version: Literal[1] = 1
    plan_sha256: str = Field(pattern=_HEX)
    state: str
    files: dict[str, FileSeal]
    units: list[UnitSeal]
    units_sha256: str = Field(pattern=_HEX)
    log_lines: int = Field(ge=0)
    log_sha256: str = Field(pattern=_HEX)
    dataset: DatasetSeal

    def encoded(self) -> bytes:
        """The bytes of `seal.json`."""
        # Only ASCII, so that a name that is no Unicode (any bytes may name a file) can be written down.
        return (json.dumps(self.model_dump(mode="python"), indent=1, sort_keys=True) + "\n").encode("ascii")


def seal(run: Run) -> str:
    """Write the run's `seal.json` and return its SHA-256. Call it last: what is written afterwards counts as changed.

    Raises `RunError` or `InputError` if the run or its dataset is damaged, `OSError` if the seal cannot be written.
    """
    data = made_seal(run).encoded()
    write_whole(run.folder / SEAL, data)
    return hashlib.sha256(data).hexdigest()


def made_seal(run: Run) -> Seal:
    """The seal that the run would get as it is now."""
    dataset = run.dataset
    units, log = run.store.units(), run.store.events(MOST_LINES)
    return Seal(
        plan_sha256=run.plan.digest,
        state=run.progress().state,
        files=dict(sealed_files(run.folder, dataset.root)),
        units=[UnitSeal(**{name: unit[name] for name in UnitSeal.model_fields}) for unit in units],
        units_sha256=content_digest(list(unit.values()) for unit in units),
        log_lines=len(log),
        log_sha256=content_digest(log),
        dataset=DatasetSeal(
            id=dataset.id,
            images=sorted(image.id for image in dataset.images),
            files=dict(dataset_files(dataset)),
        ),
    )


def load_seal(run: Run) -> tuple[Seal, str] | None:
    """The run's seal and the SHA-256 of its bytes; None if it has none.

    Raises `RunError` if the file is damaged, of another version, or not byte for byte as a seal is written.
    """
    path = run.folder / SEAL
    if not os.path.lexists(path):
        return None
    try:
        data = read_file(path, LIMITS.seal_bytes)
        found = Seal.model_validate(json.loads(data))
        whole = found.encoded() == data
    except (Refused, ValueError, RecursionError, ValidationError) as error:
        raise RunError(f"{SEAL} is damaged or from another version") from error
    if not whole:
        raise RunError(f"{SEAL} was changed after it was written")
    return found, hashlib.sha256(data).hexdigest()


def content_digest(rows: Iterable[Iterable[object]]) -> str:
    """SHA-256 over the rows of a table of run.sqlite, in order."""
    return hashlib.sha256(canonical([[repr(value) for value in row] for row in rows])).hexdigest()


def sealed_files(folder: Path, dataset: Path) -> Iterator[tuple[str, FileSeal]]:
    """Size and SHA-256 of each regular file of a run by its name, without those of the dataset at `dataset`.

    Raises `RunError` for a file that cannot be read.
    """
    for name in listed(folder, {dataset.resolve()})[0]:
        if name not in FREE:
            yield name, _named_seal(folder, name)


def dataset_files(dataset: Dataset) -> Iterator[tuple[str, FileSeal]]:
    """The same for the files of a dataset, without thumbnails."""
    for name in listed(dataset.root, {(dataset.root / THUMBNAILS).resolve()})[0]:
        yield name, _named_seal(dataset.root, name)


def _named_seal(folder: Path, name: str) -> FileSeal:
    try:
        return file_seal(folder / name)
    except Refused as refused:
        raise RunError(f"the run cannot be sealed: {name} {refused}") from refused


def file_seal(path: Path) -> FileSeal:
    """Size and SHA-256 of a regular file. Raises `Refused` for anything else, and for what cannot be read."""
    digest, size = hashlib.sha256(), 0
    for piece in chunks(path):
        digest.update(piece)
        size += len(piece)
    return FileSeal(sha256=digest.hexdigest(), bytes=size)


def listed(folder: Path, without: set[Path]) -> tuple[list[str], list[str]]:
    """The regular files below a folder, and whatever else lies there that is no folder: names sorted, '/' separated.

    Links are not followed; the folders in `without` (resolved paths) are left out.
    """
    regular: list[str] = []
    other: list[str] = []
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as found:
                entries = list(found)
        except OSError:
            # It may not be looked into, or is gone by now.
            other.append(here.relative_to(folder).as_posix())
            continue
        for entry in entries:
            path = Path(entry.path)
            name = path.relative_to(folder).as_posix()
            if entry.is_dir(follow_symlinks=False):
                if path.resolve() not in without:
                    waiting.append(path)
            elif entry.is_file(follow_symlinks=False):
                regular.append(name)
            else:
                other.append(name)
    return sorted(regular), sorted(other)
