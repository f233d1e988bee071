"""Taking images in as a process of its own: `python -m core.datasets.job FOLDER`.

The contract, for whoever starts it (the app; `start`, `report`, `cancel` and `dataset` below do all of it):

* FOLDER belongs to one job and to the caller, who removes it when the job is over. The caller puts `job.json` into it
  (a `Job`); uploads are spooled as files anywhere, their original names stand in the job.
* The process writes FOLDER/`report.json` (a `Report`), replaced whole each time: "waiting", then "reading" with `done`
  of `total` files, and at the end "done" (`dataset` is the id of the folder in the store, with what *this* import
  refused and found twice), "failed" (`error` is one line for a person) or "cancelled".
* SIGTERM or SIGINT cancels: nothing is left in the store. So does nothing that a file holds: a bad file is a refusal.
* Exit code 0 done, 2 failed (wrong input), 1 failed (a defect; its traceback is in FOLDER/`errors.log`), 130 cancelled.
* The process holds a lock on FOLDER/`lock` while it lives, so that `report` tells a dead process from a slow one.

The same sources, `store` and `name` give the same dataset as `core.datasets.ingest`. Never imports torch.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from core.datasets.dataset import Dataset, Duplicate, Refusal, Remark, load_dataset
from core.datasets.intake import ingest
from core.datasets.sources import Upload
from core.errors import InputError, LoupeError, first_line
from core.processes import is_locked
from core.sandbox.files import named_file
from core.settings import ROOT

DONE, DEFECT, WRONG_INPUT, CANCELLED = 0, 1, 2, 130
_Kind = TypeVar("_Kind", bound=BaseModel)
_JOB, _REPORT, _LOCK, _CANCEL, _ERRORS = "job.json", "report.json", "lock", "cancel", "errors.log"
_MOST_BYTES = 64 * 2**20
_PAUSE = 0.2  # seconds between two reports of progress


class Source(BaseModel, frozen=True):
    """Something to take in: a folder, ZIP, image or table at `path`; an upload that was spooled has a `name`."""

    path: Path
    name: str | None = None


class Job(BaseModel, frozen=True):
    """What to take in, into which store of datasets, under which name."""

    store: Path
    sources: tuple[Source, ...]
    table: Source | None = None
    name: str | None = None


class Report(BaseModel, frozen=True):
    """How far a job is, or how it ended."""

    state: Literal["waiting", "reading", "done", "failed", "cancelled"] = "waiting"
    done: int = 0
    total: int = 0
    dataset: str | None = None
    refusals: tuple[Refusal, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    remarks: tuple[Remark, ...] = ()
    error: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will change."""
        return self.state in ("done", "failed", "cancelled")


def start(job: Job, folder: Path) -> subprocess.Popen[bytes]:
    """Write the job into `folder` (made if it is missing) and start its process, which outlives no reboot but its
    caller. Keep what is returned, or not: `report` and `cancel` need the folder alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / _JOB, job)
    _write(folder / _REPORT, Report())
    # The lock is taken here and inherited, so that there is no moment at which a living job seems dead.
    with (folder / _LOCK).open("w") as lock, (folder / _ERRORS).open("ab") as errors:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [sys.executable, "-m", "core.datasets.job", str(folder.resolve())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            pass_fds=(lock.fileno(),),
            start_new_session=True,
        )
        lock.write(str(process.pid))
    return process


def report(folder: Path) -> Report:
    """How far the job in `folder` is. A process that died without a last word has failed.

    Raises `InputError` if there is no job.
    """
    # Asked for in this order: a job that ends in between has written its last word before.
    alive = is_locked(folder / _LOCK)
    found = _read(folder / _REPORT, Report)
    if found.over or alive:
        return found
    if (folder / _CANCEL).exists():
        return found.model_copy(update={"state": "cancelled"})
    return found.model_copy(update={"state": "failed", "error": "the import was stopped from outside; start it again"})


def cancel(folder: Path, *, force: bool = False) -> None:
    """Ask the job in `folder` to stop; it ends as "cancelled", unless it was about to finish.

    `force` kills a process that has not followed; what it left in the store is for the next tidying.
    """
    if not is_locked(folder / _LOCK):
        return
    # A process that has not got as far as to handle the signal ends without a word.
    (folder / _CANCEL).touch()
    with contextlib.suppress(OSError, ValueError):
        os.kill(int((folder / _LOCK).read_text()), signal.SIGKILL if force else signal.SIGTERM)


def dataset(folder: Path) -> Dataset:
    """The dataset of a job that is done, with what this import refused and found twice.

    Raises `InputError` with the job's own line if it failed, was cancelled or still works.
    """
    job, found = _read(folder / _JOB, Job), report(folder)
    if found.state != "done" or found.dataset is None:
        raise InputError(found.error or f"the import is not finished but {found.state}")
    stored = load_dataset(job.store / found.dataset)
    return stored.model_copy(
        update={"refusals": found.refusals, "duplicates": found.duplicates, "remarks": found.remarks}
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the job of the folder that is named, and return the exit code."""
    (given,) = sys.argv[1:] if arguments is None else arguments
    folder = Path(given)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    last, told = Report(), 0.0
    end: dict[str, Any]

    def progress(done: int, total: int) -> None:
        nonlocal last, told
        last = Report(state="reading", done=done, total=total)
        if time.monotonic() - told >= _PAUSE or done == total:
            _write(folder / _REPORT, last)
            told = time.monotonic()

    try:
        job = _read(folder / _JOB, Job)
        made = ingest(
            [_source(source) for source in job.sources],
            store=job.store,
            name=job.name,
            table=None if job.table is None else _source(job.table),
            progress=progress,
        )
        lists = {"refusals": made.refusals, "duplicates": made.duplicates, "remarks": made.remarks}
        end = {"state": "done", "dataset": made.id, **lists}
        code = DONE
    except KeyboardInterrupt:
        end, code = {"state": "cancelled"}, CANCELLED
    except LoupeError as error:
        end, code = {"state": "failed", "error": first_line(error)}, WRONG_INPUT
    except Exception as error:  # noqa: BLE001 - whoever waits must learn that it ended; the defect is in the log
        traceback.print_exc()
        end, code = {"state": "failed", "error": f"the import failed ({type(error).__name__})"}, DEFECT
    _write(folder / _REPORT, last.model_copy(update=end))
    return code


def _source(source: Source) -> Path | Upload:
    return source.path if source.name is None else Upload(source.name, source.path)


def _stop(number: int, frame: object) -> NoReturn:
    # Once is enough: a second signal must not end the tidying up.
    for other in (signal.SIGTERM, signal.SIGINT):
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def _read(path: Path, kind: type[_Kind]) -> _Kind:
    try:
        return kind.model_validate_json(named_file(path, _MOST_BYTES))
    except ValidationError as error:
        raise InputError(f"{path} is damaged; start the import again") from error


def _write(path: Path, content: BaseModel) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(content.model_dump_json())
    os.replace(temporary, path)


if __name__ == "__main__":
    sys.exit(main())
