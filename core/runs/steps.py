"""The steps of a run over all its work, and what is left of them: images, applications, findings, report. No torch.

A worker notes them in `run.sqlite` before it begins. Shares of the bar never change afterwards, so that it only grows;
the time left follows what this run has taken so far.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

StepState = Literal["waiting", "running", "done", "failed", "left out"]
MODEL, IMAGES, FINDINGS, REPORT = "model", "images", "findings", "report"
MOST = 1_000
# Of a step that has taken longer than expected: what is still assumed to be left of it.
LEAST_LEFT = 0.1


@dataclass(frozen=True)
class Step:
    """One step. `expected` is in seconds; `measured` tells whether this machine has taken the step's time before."""

    name: str
    title: str
    expected: float
    measured: bool = False
    state: StepState = "waiting"
    share: float = 0.0
    began: float = 0.0
    seconds: float = 0.0

    @property
    def ended(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.state in ("done", "failed", "left out")

    def spent(self, now: float) -> float:
        """The seconds it has taken until `now`, in seconds since 1970."""
        return max(now - self.began, 0.0) if self.state == "running" and self.began else self.seconds


def written(steps: Sequence[Step]) -> str:
    """The steps as they are kept."""
    return json.dumps([asdict(step) for step in steps])


def read(text: str) -> tuple[Step, ...]:
    """The steps that were kept; none if there are none, or if a run from outside holds something else."""
    try:
        found = json.loads(text or "[]")
        return tuple(_step(entry) for entry in found[:MOST])
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
        return ()


def share_done(steps: Sequence[Step]) -> float:
    """The share of all work that is done, from 0 to 1, in expected time."""
    whole = sum(step.expected for step in steps)
    done = sum(step.expected * (1.0 if step.ended else step.share) for step in steps)
    return min(done / whole, 1.0) if whole else 0.0


def time_left(steps: Sequence[Step], now: float | None = None) -> float | None:
    """The seconds until all steps are done; None as long as this run has shown nothing of a machine never timed.

    A running step goes on as fast as so far. A step that this machine has never timed takes as much longer or shorter
    than expected as the steps of this run that have taken time so far.
    """
    now = time.time() if now is None else now
    pace = _pace(steps, now)
    left = 0.0
    for step in steps:
        if step.ended:
            continue
        if step.state == "running" and step.share > 0 and step.spent(now) > 0:
            left += step.spent(now) * (1 - step.share) / step.share
            continue
        if not step.measured and pace is None:
            return None
        expected = step.expected * (1.0 if step.measured or pace is None else pace)
        left += max(expected - step.spent(now), LEAST_LEFT * expected)
    return left


def _pace(steps: Sequence[Step], now: float) -> float | None:
    """The time taken over the time expected, of the steps whose time was not measured before."""
    timed = [step for step in steps if not step.measured and step.name != MODEL]
    expected = sum(step.expected * (1.0 if step.state == "done" else step.share) for step in timed)
    spent = sum(step.spent(now) for step in timed if step.state == "done" or step.share > 0)
    return spent / expected if expected > 0 and spent > 0 else None


def _step(entry: dict[str, Any]) -> Step:
    numbers = {name: float(entry[name]) for name in ("expected", "share", "began", "seconds")}
    if not all(math.isfinite(value) and value >= 0 for value in numbers.values()):
        raise ValueError("no amount of time")
    if entry["state"] not in get_args(StepState):
        raise ValueError("no state of a step")
    numbers["share"] = min(numbers["share"], 1.0)
    return Step(
        name=str(entry["name"]),
        title=str(entry["title"]),
        measured=bool(entry["measured"]),
        state=entry["state"],
        **numbers,
    )
