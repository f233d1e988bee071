"""Units computed on this machine: by this process, and by further ones that share the queue in `run.sqlite`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from core.audit.engines.members import Members
from core.audit.engines.record import record_failure, record_rows
from core.audit.hold import Hold, pause, wait_for_units
from core.audit.units import Bench, run_unit
from core.models.model import Meter
from core.runs import Run
from core.runs.queue import Unit

Tell = Callable[[str], None]
Shards = Sequence[tuple[str, ...]]
# How often the units of other processes are looked at, once none waits.
LOOK = 0.2


def compute_locally(
    held: Hold, bench: Bench, shards: Shards, tell: Tell, workers: int, threads: int
) -> tuple[bool, Meter]:
    """Compute units until all are finished (True) or the run is cancelled (False).

    The meter holds what the further processes have spent; what this one spends is counted by its model. One that ends
    before its time is not replaced: the others take its units.
    """
    waiting = sum(unit["state"] == "waiting" for unit in held.run.store.units())
    with Members(held.run, held.owner, min(workers, waiting) - 1, threads) as members:
        finished = _share(held, bench, shards, tell, members)
    return finished, members.spent


def compute_one(run: Run, bench: Bench, unit: Unit, shard: Sequence[str]) -> None:
    """Compute a unit that this process has claimed, and record it.

    Raises an error of the disk and whatever ends a process; then the unit is given back, and this costs no try.
    """
    began = time.monotonic()
    try:
        record_rows(run, unit, run_unit(bench, unit.key, shard), time.monotonic() - began)
    except (KeyboardInterrupt, SystemExit):
        run.store.give_back(unit)
        raise
    except Exception as error:  # noqa: BLE001
        record_failure(run, unit, error)


def told_progress(run: Run, tell: Tell) -> None:
    """Note and tell that images are being explained, and how many are done."""
    progress = run.store.progress()
    run.store.set(stage="explaining images")
    left = f", about {progress.seconds_left:.0f} s left" if progress.seconds_left else ""
    tell(f"{progress.images_done}/{progress.images_total} images{left}")


def _share(held: Hold, bench: Bench, shards: Shards, tell: Tell, members: Members) -> bool:
    run = held.run
    while True:
        if held.cancelled():
            return False
        for line in members.ended():
            run.store.log("worker ended", line)
            tell(line)
        unit = run.store.claim(held.owner)
        if unit is not None:
            compute_one(run, bench, unit, shards[unit.position])
            told_progress(run, tell)
        elif members.alive and run.store.elsewhere(held.owner) is not None:
            # However long it takes them: a lease that is renewed belongs to a process that works.
            pause(LOOK)
        elif not wait_for_units(held, tell):
            return True
