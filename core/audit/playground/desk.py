"""Asking the warm process, from any thread of a process that never loads torch.

One process answers everybody, one question after another; it is started by the first question, ends by itself after
some idle minutes or with the process that asks, and is started again by the next question. A new question of the same
asker takes the place of the former one. What was answered is kept, so that only what is new is computed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.audit.death import killed
from core.audit.playground.question import Answer, Box, Map, Question, Region, Scores
from core.sandbox import frames
from core.settings import ROOT, workspace

IDLE_SECONDS = 600.0
LOG = "playground.log"
KEPT = 64  # answers
# Exit codes of the process that say that nothing went wrong.
IDLE_CODE = 0


@dataclass(eq=False)
class Request:
    """A question that was asked, with what is wanted of it; `answer` grows until it is `over`.

    `stage` says what is being done. `error` is one line for a person if it ended early; `superseded` is true if the
    asker has asked for something else since.
    """

    id: int
    asker: str
    question: Question
    methods: tuple[str, ...]
    box: Box | None
    answer: Answer
    stage: str = ""
    over: bool = False
    error: str = ""
    superseded: bool = False
    missing: tuple[str, ...] = ()
    changes: int = 0
    sent_again: bool = False

    def covers(self, question: Question, methods: Sequence[str], box: Box | None) -> bool:
        """Whether all that is wanted now has been asked for by this request."""
        return (
            question == self.question
            and set(methods) <= {*self.methods, *self.answer.maps}
            and (box is None or box == self.box or box in self.answer.regions)
        )


@dataclass
class _Process:
    child: subprocess.Popen[bytes]
    owner: int
    closed: bool = False
    write: threading.Lock = field(default_factory=threading.Lock)


class Desk:
    """One warm process and the questions put to it. Safe to use from several threads."""

    def __init__(self, idle: float = IDLE_SECONDS) -> None:
        self._idle = idle
        self._changed = threading.Condition()
        self._process: _Process | None = None
        self._last: dict[str, Request] = {}
        self._open: dict[int, Request] = {}
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._count = 0

    @property
    def pid(self) -> int | None:
        """The number of the process, or None if none runs."""
        process = self._process
        return process.child.pid if process is not None and process.child.poll() is None else None

    def ask(self, asker: str, question: Question, methods: Sequence[str], box: Box | None = None) -> Request:
        """The request for these maps and this box; what the asker had asked before is given up if it differs.

        The same question again returns the same request, also one that has ended with an error: `forget` makes it
        possible to try again. Raises `OSError` if the process cannot be started.
        """
        with self._changed:
            last = self._last.get(asker)
            if last is not None and not last.superseded and last.covers(question, methods, box):
                return last
            answer = self._answer(question)
            self._count += 1
            request = Request(self._count, asker, question, tuple(methods), box, answer)
            request.missing = tuple(name for name in methods if name not in answer.maps)
            self._last[asker] = request
            wanted = box is not None and box not in answer.regions
            request.over = answer.scores is not None and not request.missing and not wanted
            if not request.over:
                self._open[request.id] = request
                request.stage = "starting"
            if last is not None and not last.over:
                self._give_up(last)
        if request.over:
            return request
        try:
            self._send(request)
        except OSError:
            with self._changed:
                self._open.pop(request.id, None)
                self._last.pop(asker, None)
            raise
        return request

    def wait(self, request: Request, seen: int, seconds: float) -> int:
        """Wait until more is known than `seen` changes told, or the request is over; how many changes there are now."""
        with self._changed:
            self._changed.wait_for(lambda: request.over or request.changes > seen, seconds)
            return request.changes

    def cancel(self, asker: str) -> None:
        """Give up what the asker has asked for."""
        with self._changed:
            last = self._last.pop(asker, None)
            if last is not None and not last.over:
                self._give_up(last)

    def forget(self, asker: str) -> None:
        """Let the asker's next question be asked anew even if it is the same, and drop what could not be computed."""
        with self._changed:
            last = self._last.pop(asker, None)
            if last is not None:
                for name in [name for name, found in last.answer.maps.items() if found.problem]:
                    del last.answer.maps[name]

    def close(self) -> None:
        """End the process; open requests end with it."""
        process, self._process = self._process, None
        if process is not None and process.owner == os.getpid():
            process.closed = True
            process.child.kill()
            process.child.wait()

    # -- the process -------------------------------------------------------------------------------------------------

    def _answer(self, question: Question) -> Answer:
        found = self._answers.setdefault(question.key, Answer())
        self._answers.move_to_end(question.key)
        while len(self._answers) > KEPT:
            self._answers.popitem(last=False)
        return found

    def _give_up(self, request: Request) -> None:
        request.superseded = request.over = True
        self._open.pop(request.id, None)
        self._changed.notify_all()
        if self._process is not None:
            self._write(self._process, {"cancel": request.id})

    def _send(self, request: Request) -> None:
        wanted = request.box if request.box not in request.answer.regions else None
        told = {
            "id": request.id,
            "asker": request.asker,
            "question": request.question.told(),
            "methods": list(request.missing),
            "box": wanted,
        }
        process = self._started()
        if not self._write(process, told) and not self._write(self._started(process), told):
            raise OSError("the process that computes maps does not answer")

    def _write(self, process: _Process, head: dict[str, Any]) -> bool:
        try:
            with process.write:
                assert process.child.stdin is not None
                frames.write(process.child.stdin.fileno(), frames.packed(head))
        except OSError:
            return False
        return True

    def _started(self, broken: _Process | None = None) -> _Process:
        with self._changed:
            process = self._process
            usable = process is not None and process is not broken and process.owner == os.getpid()
            if process is not None and usable and process.child.poll() is None:
                return process
            workspace().mkdir(parents=True, exist_ok=True)
            with (workspace() / LOG).open("wb") as log:
                child = subprocess.Popen(
                    [sys.executable, "-m", "core.audit.playground.worker", f"{self._idle:g}"],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                    bufsize=0,
                    env={**os.environ, "PYTHONUNBUFFERED": "1"},
                )
            self._process = process = _Process(child, os.getpid())
        threading.Thread(target=self._read, args=(process,), daemon=True).start()
        return process

    def _read(self, process: _Process) -> None:
        """Take in what the process tells until it is gone."""
        assert process.child.stdout is not None
        try:
            while (message := frames.read(process.child.stdout.fileno())) is not None:
                with self._changed:
                    self._take(*message)
                    self._changed.notify_all()
        except (OSError, ValueError, KeyError, TypeError):
            process.child.kill()
        code = process.child.wait()
        for stream in (process.child.stdin, process.child.stdout):
            if stream is not None:
                stream.close()
        self._after(process, code)

    def _after(self, process: _Process, code: int) -> None:
        """Tell whoever waits that the process is gone, or ask again if it had ended by itself before it knew."""
        again = []
        with self._changed:
            if self._process is process:
                self._process = None
            for request in list(self._open.values()):
                if code == IDLE_CODE and not request.sent_again and not process.closed:
                    request.sent_again = True
                    again.append(request)
                    continue
                self._fail(request, _end(code))
        for request in again:
            try:
                self._send(request)
            except OSError as error:
                with self._changed:
                    self._fail(request, f"the process that computes maps cannot be started: {error.strerror}")

    def _fail(self, request: Request, line: str) -> None:
        request.error, request.over, request.stage = line, True, ""
        request.changes += 1
        self._open.pop(request.id, None)
        self._changed.notify_all()

    def _take(self, head: Any, data: bytes) -> None:
        request = self._open.get(head["id"])
        if request is None:
            return
        answer, kind = request.answer, head["kind"]
        if kind == "stage":
            request.stage = str(head["stage"])
        elif kind == "scores":
            answer.scores = Scores(**{name: _tuple(value) for name, value in head["scores"].items()})
        elif kind == "map":
            values = None
            if not head["problem"]:
                values = np.frombuffer(data, np.float32).reshape(head["shape"])
            answer.maps[head["method"]] = Map(values, float(head["seconds"]), str(head["problem"]))
        elif kind == "region" and request.box is not None:
            answer.regions[request.box] = Region(**{name: _tuple(value) for name, value in head["region"].items()})
        elif kind == "end":
            request.over, request.error, request.stage = True, str(head["error"]), ""
            self._open.pop(request.id, None)
        request.changes += 1


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _end(code: int) -> str:
    """Why the process is gone, in one line."""
    if code < 0:
        return f"the process that computes maps {killed(-code)}"
    return f"the process that computes maps ended with exit code {code}; {LOG} in the workspace says more"
