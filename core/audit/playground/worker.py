"""The warm process: `python -m core.audit.playground.worker IDLE_SECONDS`, started by the desk.

It reads questions from its standard input, answers one after another on its standard output, and ends with the pipe or
once nothing was asked for so long. A second thread reads, so that a question that is given up is left at once, also in
the middle of a method.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections import deque
from types import FrameType
from typing import TYPE_CHECKING, Any

from core.audit.playground.desk import IDLE_CODE, LOG
from core.audit.playground.question import Question
from core.errors import LoupeError, first_line
from core.memory import keep_freed
from core.sandbox import frames
from core.storage import without_folders

if TYPE_CHECKING:
    from core.audit.playground.work import Bench

_STDIN = 0
_STOP = signal.SIGUSR1
# How long a question that is given up may go on until its method ends, and after how long a request to stop is raised
# again that some library has swallowed.
_PATIENCE_SECONDS, _AGAIN_SECONDS = 0.5, 3.0
_LONGEST = 300


class GivenUp(KeyboardInterrupt):
    """Nobody waits for this answer any more. Like an interrupt from the keyboard, no work can catch it as an error."""


class Torn(GivenUp):
    """The same in the middle of a method, which may not have put everything back: the model is loaded anew."""


class Inbox:
    """The questions that wait, in their order, and the one that is answered."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[dict[str, Any]] = deque()
        self._given_up: set[int] = set()
        self._closed = False
        self.current: int | None = None

    def put(self, message: dict[str, Any]) -> None:
        """Take a question in, or give one up."""
        with self._changed:
            if "cancel" in message:
                kept = [waiting for waiting in self._waiting if waiting["id"] != message["cancel"]]
                if len(kept) == len(self._waiting) and self.current == message["cancel"]:
                    self._given_up.add(message["cancel"])
                self._waiting = deque(kept)
            else:
                self._waiting.append(message)
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody asks any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def next(self, seconds: float) -> dict[str, Any] | None:
        """The next question; None if none came for so long, or none will."""
        with self._changed:
            self.current = None
            self._given_up.clear()
            self._changed.wait_for(lambda: self._waiting or self._closed, seconds)
            if not self._waiting:
                return None
            message = self._waiting.popleft()
            self.current = message["id"]
            return message

    def is_given_up(self) -> bool:
        """Whether nobody waits for the current answer."""
        return self.current is not None and self.current in self._given_up


class Mouth:
    """Where answers go. A message is written whole: a request to stop waits until it is."""

    def __init__(self, handle: int, inbox: Inbox) -> None:
        self._handle = handle
        self._inbox = inbox
        self.stoppable = False

    def tell(self, head: dict[str, Any], data: bytes = b"") -> None:
        """Write one message about the current question. Raises `GivenUp` if nobody waits for more."""
        stoppable, self.stoppable = self.stoppable, False
        frames.write(self._handle, frames.packed({"id": self._inbox.current, **head}, data))
        self.stoppable = stoppable
        if stoppable and self._inbox.is_given_up():
            raise GivenUp


def main(idle: float) -> int:
    """Answer until the pipe is closed or nothing was asked for `idle` seconds; the exit code."""
    handle = os.dup(1)
    # What a library prints must not become part of an answer.
    os.dup2(2, 1)
    inbox = Inbox()
    mouth = Mouth(handle, inbox)

    def stop(number: int, frame: FrameType | None) -> None:
        if mouth.stoppable and inbox.is_given_up():
            raise Torn

    signal.signal(_STOP, stop)
    threading.Thread(target=_listen, args=(inbox, threading.get_ident()), daemon=True).start()
    # Loaded while the question is on its way; whoever asks never loads torch.
    from core.audit.playground.work import Bench

    bench = Bench()
    while (message := inbox.next(idle)) is not None:
        try:
            error = _answered(bench, message, mouth)
        except GivenUp as given_up:
            mouth.stoppable = False
            if isinstance(given_up, Torn):
                bench.forget()
            continue
        mouth.tell({"kind": "end", "error": error[:_LONGEST]})
    return IDLE_CODE


def _answered(bench: Bench, message: dict[str, Any], mouth: Mouth) -> str:
    """Answer one question; one line for a person if that failed."""
    try:
        mouth.stoppable = True
        bench.answer(Question.read(message["question"]), message["methods"], _box(message["box"]), mouth.tell)
    except LoupeError as problem:
        return without_folders(first_line(problem))
    except Exception as problem:  # noqa: BLE001 - one question that fails must not end the process for the others
        traceback.print_exc()
        bench.forget()
        return memory_line(problem) or f"Loupe has a defect here ({type(problem).__name__}); {LOG} has the details"
    finally:
        mouth.stoppable = False
    return ""


def _listen(inbox: Inbox, main_thread: int) -> None:
    while True:
        try:
            message = frames.read(_STDIN)
        except ValueError:
            message = None
        if message is None:
            # Whoever asked is gone, and with it the reason for whatever is being computed.
            os._exit(IDLE_CODE)
        inbox.put(message[0])
        if inbox.is_given_up():
            _stop_soon(inbox, main_thread, inbox.current, _PATIENCE_SECONDS)


def _stop_soon(inbox: Inbox, main_thread: int, current: int | None, seconds: float) -> None:
    """Raise `Torn` in the work if it has not given the question up by itself by then."""

    def stop() -> None:
        if inbox.is_given_up() and inbox.current == current:
            signal.pthread_kill(main_thread, _STOP)
            _stop_soon(inbox, main_thread, current, _AGAIN_SECONDS)

    later = threading.Timer(seconds, stop)
    later.daemon = True
    later.start()


def _box(told: Any) -> tuple[int, int, int, int] | None:
    if told is None:
        return None
    left, top, right, bottom = (int(edge) for edge in told)
    return left, top, right, bottom


def memory_line(problem: BaseException) -> str:
    """What to tell a person of an error that means that memory ran out; empty for any other error."""
    told = f"{type(problem).__name__} {problem}".lower()
    if isinstance(problem, MemoryError) or "outofmemory" in told or "allocate memory" in told:
        return "this needs more memory than is free; choose a smaller model or fewer methods"
    return ""


if __name__ == "__main__":
    keep_freed()
    raise SystemExit(main(float(sys.argv[1])))
