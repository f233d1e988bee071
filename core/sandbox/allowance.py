"""What one call may take, what it gives back, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["time", "memory", "size", "crash", "error"]


@dataclass(frozen=True)
class Allowance:
    """What one call may take.

    `seconds` of processor time, `wall` seconds by the clock, `memory` bytes of address space (Linux only), `answer`
    bytes that it may give back, `written` bytes that any file it writes may hold (0: it cannot write files).
    """

    seconds: float = 20.0
    wall: float = 60.0
    memory: int = 2_500_000_000
    answer: int = 256 * 2**20
    written: int = 0


@dataclass(frozen=True)
class Answer:
    """What a call gave back: a JSON value and bytes, with the processor seconds and the peak memory (bytes) it took."""

    value: Any
    data: bytes
    seconds: float
    memory: int


class Failure(Exception):
    """A call gave no answer. The text continues the file's name: "needs more than 20 s to be read; ...".

    `kind` says why: it ran out of time, memory or space for its answer (size), its process died (crash), or it raised
    an exception that nobody expected (error), whose type is `name`.
    """

    seconds: float = 0.0  # of processor time that it took
    memory: int = 0  # bytes at its peak

    def __init__(self, kind: Kind, text: str, name: str = "") -> None:
        super().__init__(text)
        self.kind = kind
        self.name = name


def failure(kind: Kind, allowance: Allowance, name: str = "") -> Failure:
    """The failure of a call that was given `allowance`, with the text that a person reads."""
    if kind == "time":
        text = f"needs more than {allowance.seconds:g} s of processor time to be read; save it in a simpler form"
    elif kind == "memory":
        text = f"needs more than {allowance.memory / 1e9:.2g} GB of memory to be read; save a smaller copy"
    elif kind == "size":
        text = f"unpacks to more than {allowance.answer / 2**20:.4g} MiB; save a smaller copy"
    elif kind == "crash":
        text = "cannot be read: the process that opened it died; save it again in another program"
    else:
        text = f"is damaged and cannot be read ({name}); export it again"
    return Failure(kind, text, name)
