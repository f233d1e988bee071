"""How a run ends that could not be worked on to its end: the state it is left in, and where its traceback goes."""

from __future__ import annotations

import datetime
import traceback
from contextlib import suppress

from core.audit.hold import CancelRequest, Hold, LostError
from core.errors import LoupeError, first_line
from core.runs import FINISHED, STOPPED, Run
from core.runs.seal import seal
from core.storage import storage_error, without_folders

ERRORS = "errors.log"


def note_failure(run: Run, kind: str, line: str) -> None:
    """Log a failure in one line; the traceback of the error in hand goes to `errors.log`, which stays here."""
    run.store.log(kind, line)
    with suppress(OSError), (run.folder / ERRORS).open("a", encoding="utf-8", errors="backslashreplace") as file:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        file.write(f"{now} {kind}: {line}\n{traceback.format_exc()}\n")


def settle(held: Hold, before: str, begun: bool, error: BaseException) -> None:
    """Leave the run in the right state after an error. What cannot be written, on a full disk, is left as it is.

    A run that had ended keeps its state: a refusal changes nothing of it, and a report that cannot be made leaves the
    one before. Once units of it are missing it is cancelled, not failed.
    """
    if isinstance(error, LostError):
        return
    with suppress(LoupeError, OSError):
        if isinstance(error, KeyboardInterrupt):
            asked = isinstance(error, CancelRequest)
            _leave(held, before, "cancelled", f"{'cancelled' if asked else 'interrupted'}; finished work is kept")
            held.run.store.log("cancelled", "on request" if asked else "interrupted")
            return
        line = told(error)
        if before not in FINISHED and held.run.store.get("state") in FINISHED:
            # All was done but the seal; `resume` lays that on.
            held.run.store.log("failed", line)
            return
        state = "failed" if begun or before not in STOPPED else before
        _leave(held, before, state, line)
        if isinstance(error, LoupeError | OSError):
            held.run.store.log("failed", line)
        else:
            note_failure(held.run, "failed", line)


def told(error: BaseException) -> str:
    """An error in one line without places of this machine."""
    passing = storage_error(error) if isinstance(error, OSError) else None
    line = first_line(passing or error)
    return without_folders(line if passing or isinstance(error, LoupeError) else f"{type(error).__name__}: {line}")[
        :500
    ]


def _leave(held: Hold, before: str, state: str, message: str) -> None:
    run = held.run
    if before not in FINISHED:
        run.store.set(state=state, stage="", message=message, before="")
        return
    progress = run.progress()
    if progress.total and progress.done + progress.failed == progress.total:
        run.store.set(state=before, stage="", before="")
        # Going on has taken the seal off; what is there is what there was, unless somebody had changed it.
        if not held.changed:
            seal(run)
    else:
        run.store.set(state="cancelled", stage="", message=message, before="")
