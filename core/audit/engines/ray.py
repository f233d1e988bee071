"""Units computed by actors on a Ray cluster; the queue, the results and the run's record stay with this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from core.audit.engines import Engine
from core.audit.engines.actor import Computed, UnitActor, job_of
from core.audit.engines.cluster import cluster, node_environment
from core.audit.engines.local import Shards, Tell, told_progress
from core.audit.engines.record import record_failure, record_rows
from core.audit.hold import Hold, wait_for_units
from core.audit.units import Bench
from core.errors import LoupeError, RunError, first_line
from core.models.model import Meter
from core.runs.lease import Holder
from core.runs.queue import Unit

# Units handed to one actor at a time: one that it computes, and one so that it need not wait for the next.
AHEAD = 2
# Actors lost one after the other, without a unit finished or failed in between, after which the cluster is given up.
MOST_LOST = 10
LOOK_SECONDS = 0.5
# After so many looks without any actor, the cluster is said to have no room.
PATIENT_LOOKS = 40
LOST = "the process on the cluster that computed it was lost"


def compute_on_ray(
    held: Hold, bench: Bench, shards: Shards, tell: Tell, engine: Engine, threads: int
) -> tuple[bool, Meter]:
    """Compute units on a cluster until all are finished (True) or the run is cancelled (False).

    The meter holds what the actors have spent. Raises `RunError` if no cluster answers, if its nodes would compute
    other rows, or if it loses one actor after the other.
    """
    waiting = sum(unit["state"] == "waiting" for unit in held.run.store.units())
    if not waiting:
        return not held.cancelled(), Meter()
    with cluster(engine, threads) as ray:
        crew = Crew(ray, held, bench, shards, tell, threads)
        try:
            finished = crew.work(min(engine.workers, waiting))
        finally:
            crew.stop()
    return finished, crew.spent


@dataclass(eq=False)
class Slot:
    """An actor, what tells its process once it is ready, and the units that it was handed, in order."""

    actor: Any
    loading: Any
    owner: str = ""
    units: deque[tuple[Unit, Any]] = field(default_factory=deque)

    @property
    def ready(self) -> bool:
        """Whether it has loaded the model."""
        return bool(self.owner)

    @property
    def next(self) -> Any:
        """What it will give next; None if it has nothing to do."""
        if not self.ready:
            return self.loading
        return self.units[0][1] if self.units else None


class Crew:
    """The actors of a run. One that is lost is replaced; those that the cluster has no room for start when it has."""

    def __init__(self, ray: Any, held: Hold, bench: Bench, shards: Shards, tell: Tell, threads: int) -> None:
        self.spent = Meter()
        self._ray, self._held, self._bench, self._shards, self._tell = ray, held, bench, shards, tell
        self._run, self._store = held.run, held.run.store
        gpus = 1 if bench.model.device.type == "cuda" else 0
        self._kind = ray.remote(
            num_cpus=threads, num_gpus=gpus, max_restarts=0, runtime_env={"env_vars": node_environment(threads)}
        )(UnitActor)
        self._job = ray.put(job_of(bench, threads))
        self._slots: list[Slot] = []
        self._lost = self._looks = 0

    def work(self, count: int) -> bool:
        """Hand out units until all are finished (True) or the run is cancelled (False)."""
        self._slots = [self._slot() for _ in range(count)]
        while not self._held.cancelled():
            if not self._hand_out() and not any(slot.units for slot in self._slots):
                if wait_for_units(self._held, self._tell):
                    continue
                return True
            asked = {slot.next: slot for slot in self._slots if slot.next is not None}
            answered, _ = self._ray.wait(list(asked), num_returns=1, timeout=LOOK_SECONDS)
            for reference in answered:
                self._take(asked[reference], reference)
            self._looks += 1
            if self._looks == PATIENT_LOOKS and not any(slot.ready for slot in self._slots):
                self._tell("waiting for the cluster: it has not started any process yet")
        return False

    def stop(self) -> None:
        """End the actors, and return the units that they had."""
        for slot in self._slots:
            for unit, _ in slot.units:
                with suppress(LoupeError, OSError):
                    self._store.give_back(unit)
            # A cluster that is gone has ended them.
            with suppress(self._ray.exceptions.RayError):
                self._ray.kill(slot.actor)

    def _slot(self) -> Slot:
        actor = self._kind.remote()
        return Slot(actor, actor.prepare.remote(self._job))

    def _hand_out(self) -> bool:
        """Give units to the actors that can take more; False if none waits any more."""
        for slot in self._free():
            unit = self._store.claim(self._held.owner)
            if unit is None:
                return False
            shard = self._shards[unit.position]
            slot.units.append((unit, slot.actor.compute.remote(unit.key, shard, self._images(shard))))
        return True

    def _free(self) -> Iterator[Slot]:
        """Actors that can be handed a unit: first those without any."""
        for most in range(1, AHEAD + 1):
            yield from (slot for slot in self._slots if slot.ready and len(slot.units) < most)

    def _images(self, shard: tuple[str, ...]) -> dict[str, bytes]:
        dataset = self._run.dataset
        wanted = set(shard)
        return {entry.id: dataset.path(entry).read_bytes() for entry in dataset.images if entry.id in wanted}

    def _take(self, slot: Slot, reference: Any) -> None:
        """Record what an actor has given, or that it was lost."""
        exceptions = self._ray.exceptions
        try:
            given = self._ray.get(reference)
        except exceptions.RayActorError as error:
            self._replace(slot, first_line(error))
        except exceptions.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            if not slot.ready:
                line = first_line(cause)
                raise RunError(line if isinstance(cause, LoupeError) else f"an actor cannot start: {line}") from error
            self._lost = 0
            record_failure(self._run, slot.units[0][0], cause)
            slot.units.popleft()
        else:
            self._lost = 0
            if slot.ready:
                self._record(slot.units[0][0], given)
                slot.units.popleft()
            else:
                slot.owner = given

    def _record(self, unit: Unit, given: Computed) -> None:
        try:
            record_rows(self._run, unit, given.rows, given.seconds)
        except Exception as error:  # noqa: BLE001
            record_failure(self._run, unit, error)
        self.spent.image += given.image_forwards
        self.spent.text += given.text_forwards
        told_progress(self._run, self._tell)

    def _replace(self, slot: Slot, line: str) -> None:
        title = Holder(slot.owner, 0.0).title if slot.ready else "a process that was to start"
        self._store.log("worker ended", f"the cluster lost {title}: {line}")
        for place, (unit, _) in enumerate(slot.units):
            # It computed the first; the others were waiting for it.
            self._store.give_back(unit, LOST if place == 0 else None)
        slot.units.clear()
        self._slots.remove(slot)
        self._lost += 1
        if self._lost >= MOST_LOST:
            raise RunError(f"the cluster lost {self._lost} processes one after the other: {line[:200]}")
        self._slots.append(self._slot())
