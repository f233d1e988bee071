"""How the end of a unit is recorded in its run, whoever computed it: rows, a try that failed, a machine that failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from core.audit.outcome import note_failure
from core.errors import LoupeError, first_line
from core.runs import Run, write_unit
from core.runs.queue import Unit
from core.storage import is_passing, without_folders


def record_rows(run: Run, unit: Unit, rows: Iterable[Mapping[str, Any]], seconds: float) -> None:
    """Store the rows of a unit and mark it done; `seconds` is how long they took."""
    _, sha256, count = write_unit(run.folder, unit.key, rows)
    run.store.finish(unit, sha256, count, seconds)


def record_failure(run: Run, unit: Unit, error: Exception) -> None:
    """Note a failed try in the run; the traceback is that of the error in hand.

    Raises `error` again where the disk failed and not the unit: no other one would fare better, and it costs no try.
    """
    if is_passing(error):
        with suppress(LoupeError, OSError):
            run.store.give_back(unit)
        raise error
    line = without_folders(f"{type(error).__name__}: {first_line(error)}")[:300]
    run.store.give_back(unit, line)
    note_failure(run, "unit failed", f"unit {unit.position}: {line}")
