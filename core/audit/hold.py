"""Holding a run while it is worked on: one worker at a time, its lease renewed until it lets go. No torch.

A second thread looks for a request to stop twice a second and raises it in the work itself, wherever that is: no
method, application or renderer has to ask, and none can forget to.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from core.errors import DamagedError, LoupeError, RunError
from core.processes import this_owner
from core.runs import Run
from core.runs.lease import LEASE_SECONDS, Holder
from core.runs.leftovers import sweep_run
from core.runs.opened import check_changeable
from core.runs.rebuild import mend

Tell = Callable[[str], None]
POLL = 1.0
# How long a worker that was just started waits for whoever started it to hand the run over.
HAND_OVER_SECONDS = 20.0
# How often a request to stop is looked for, and after how long one is raised again that some library has swallowed.
LOOK_SECONDS, AGAIN_SECONDS = 0.5, 3.0
_STOP = signal.SIGUSR1


class CancelRequest(KeyboardInterrupt):
    """Somebody asked the work to stop. Like an interrupt from the keyboard, it is no error that work could catch."""


class LostError(RunError):
    """Another worker took the run over, because this one had not renewed its lease; the run is no longer ours."""


class Hold:
    """This process's hold on a run. `check` raises `LostError` once another one has it."""

    def __init__(self, run: Run, owner: str, leader: str = "") -> None:
        self.run = run
        self.owner = owner
        # Who holds the run itself: this process, or the one whose units it shares.
        self.leader = leader or owner
        self.mine = True
        # Whether something under the seal was not what was sealed, when the seal was taken off.
        self.changed = False
        self.stoppable = False

    @contextmanager
    def stopping(self) -> Iterator[None]:
        """Within, a request to stop raises `CancelRequest`. Only the main thread of a process can be stopped so."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            if self.stoppable:
                raise CancelRequest

        before = signal.signal(_STOP, stop)
        ended = threading.Event()
        look = threading.Thread(target=self._look, args=(ended,), daemon=True)
        self.stoppable = True
        look.start()
        try:
            yield
        finally:
            self.stoppable = False
            ended.set()
            look.join()
            signal.signal(_STOP, before)

    def _look(self, ended: threading.Event) -> None:
        wait = LOOK_SECONDS
        while not ended.wait(wait):
            wait = LOOK_SECONDS
            # A disk that is full for a moment costs a look, not the thread.
            with suppress(LoupeError, OSError):
                if self.stoppable and self._asked():
                    # To the thread itself: it may wait for a child process.
                    signal.pthread_kill(threading.main_thread().ident or 0, _STOP)
                    wait = AGAIN_SECONDS

    def _asked(self) -> bool:
        """Whether the work is to stop: on request, or because the process that it is done for is gone."""
        store = self.run.store
        if store.get("state") == "cancelling":
            return True
        holder = None if self.leader == self.owner else store.holder()
        return self.leader != self.owner and (holder is None or holder.owner != self.leader)

    def check(self) -> None:
        """Go on only while the run is ours."""
        if self.run.store.get("worker") != self.leader:
            self.mine = False
            raise LostError(
                f"another worker took over {self.run.handle} while this one was not running; this one has stopped"
            )

    def cancelled(self) -> bool:
        """Whether somebody asked the work to stop. Raises `LostError` if the run is no longer ours."""
        self.check()
        return self.run.store.get("state") == "cancelling"


@contextmanager
def hold(run: Run, tell: Tell = lambda line: None, *, handed: bool = False) -> Iterator[Hold]:
    """Take the run, mend its record if that is damaged, remove what the dead left, and renew the lease until the end.

    `handed`: whoever started this process holds the run for it and hands it over. Raises `RunError`, naming the
    holder and how long its lease lasts, if another worker has the run.
    """
    check_changeable(run)
    owner = this_owner()
    mended = mend(run)
    run.store.create()
    _take(run, owner, HAND_OVER_SECONDS if handed else 0.0)
    if mended:
        tell(mended)
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(run, owner, owner, stop), daemon=True)
    beat.start()
    try:
        sweep_run(run)
        yield Hold(run, owner)
    finally:
        stop.set()
        beat.join()
        # A disk that is full must not hide what went wrong; the lease ends by itself.
        with suppress(LoupeError, OSError):
            run.store.leave(owner)


@contextmanager
def membership(run: Run, leader: str) -> Iterator[Hold]:
    """Share the units of a run that `leader` holds, and renew the leases of those in hand until the end.

    Raises `LostError` if `leader` does not hold the run.
    """
    held = Hold(run, this_owner(), leader)
    held.check()
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(run, held.owner, leader, stop), daemon=True)
    beat.start()
    try:
        yield held
    finally:
        stop.set()
        beat.join()


def check_free(run: Run) -> None:
    """Refuse a run that another worker holds before anything is loaded for it, and one that was opened from a bundle.

    Raises `RunError`. A damaged record says nothing of that; `hold` mends it.
    """
    check_changeable(run)
    with suppress(DamagedError):
        other = run.store.holder()
        if other is not None and other.owner != this_owner():
            raise _held(run, other)


def wait_for_units(hold: Hold, tell: Tell) -> bool:
    """Wait until no unit is leased to another worker; True if there was one. Raises `RunError` if one never ends."""
    store = hold.run.store
    waited = 0.0
    while (other := store.elsewhere(hold.owner)) is not None and not hold.cancelled():
        line = f"a unit is still held by {other.title}; its lease ends in {other.seconds:.0f} s"
        if not waited:
            tell(line)
            store.set(stage="waiting for a unit of another worker")
        if waited > 2 * LEASE_SECONDS:
            raise RunError(f"{hold.run.handle} is unfinished: {line}; run `python -m core resume` again then")
        pause(min(POLL, other.seconds + 0.1))
        waited += POLL
    return waited > 0


def pause(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def _take(run: Run, owner: str, patience: float) -> None:
    store, waited = run.store, 0.0
    while not store.take(owner):
        if waited >= patience:
            other = store.holder()
            if other is None:
                continue
            raise _held(run, other)
        pause(POLL / 5)
        waited += POLL / 5


def _held(run: Run, other: Holder) -> RunError:
    return RunError(
        f"another worker, {other.title}, holds {run.handle}; its lease ends in {other.seconds:.0f} s unless it is "
        "still running: wait for it, or stop it with `python -m core cancel`"
    )


def _beat(run: Run, owner: str, leader: str, stop: threading.Event) -> None:
    while not stop.wait(LEASE_SECONDS / 6):
        # A disk that is full for a moment costs a beat, not the thread.
        with suppress(LoupeError, OSError):
            run.store.beat(owner, leader)
