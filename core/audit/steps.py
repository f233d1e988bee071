"""The worker's notes on the steps of its run: which there are, how long each is expected to take, where each stands."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from core.applications.registry import application_info
from core.audit.cost import Estimate
from core.audit.timings import STEPS, remember, step_seconds, usual_seconds
from core.runs import Plan, Run
from core.runs.steps import FINDINGS, IMAGES, MODEL, REPORT, Step, StepState, written

# Seconds for one image forward where nothing was ever timed; only the widths of the bar follow from it, no time left.
GUESS = 0.02
# Seconds of loading where this machine has never taken the time.
LOADING = 10.0
EVERY = 1.0  # seconds between two notes of a running step
_COUNTED = re.compile(r"^(?P<what>[^:]+): (?:image )?(?P<done>\d+)(?: of |/)(?P<total>\d+)\b")
# What an application reads before its own work begins.
_BEFORE = frozenset({"embeddings", "reading images", "reference images"})


class Steps:
    """The steps of one worker's work on a run, noted in its record."""

    def __init__(self, run: Run, cost: Estimate, began: float, *, report: bool) -> None:
        self.run = run
        self.cost = cost
        self._noted = 0.0
        known = step_seconds(run.plan.model)
        applications = {part.name: application_info(part.name).title for part in run.plan.applications}
        forwards = {name: cost.by_method.get(name, 0.0) for name in applications}
        forwards[IMAGES] = max(cost.image_forwards - sum(forwards.values()), 1.0)
        ways = {MODEL: "Load the model", IMAGES: "Explain the images", **applications, FINDINGS: "Judge the findings"}
        if report:
            ways[REPORT] = "Render the report"
        steps = []
        for name, title in ways.items():
            weight = self.weight(name, forwards)
            # The weights of findings and report are seconds already.
            seconds = LOADING if name == MODEL else weight if name in (FINDINGS, REPORT) else weight * GUESS
            measured = name in known or name == MODEL
            if name in known:
                seconds = known[name] * weight
            elif name == IMAGES and cost.pass_seconds:
                seconds, measured = cost.pass_seconds * weight / max(cost.image_forwards, weight), True
            steps.append(Step(name, title, round(max(seconds, 0.1), 3), measured))
        self._weights = {step.name: self.weight(step.name, forwards) for step in steps}
        self._steps = {step.name: step for step in steps}
        self.end(MODEL, began=began)

    def weight(self, name: str, forwards: Mapping[str, float]) -> float:
        """What the time of a step is in proportion to: its forward passes; images where it needs none; of findings and
        report what they usually take.
        """
        plan = self.run.plan
        return forwards.get(name) or usual_seconds(name, plan) or float(max(len(plan.images), 1))

    def begin(self, name: str) -> None:
        """A step begins."""
        self._change(name, state="running", share=0.0, began=time.time(), seconds=0.0)

    def end(self, name: str, state: StepState = "done", began: float | None = None) -> None:
        """A step has ended; one that was done remembers its time for the next run of this model."""
        step = self._steps.get(name)
        if step is None:
            return
        began = began or step.began
        seconds = time.time() - began if began else 0.0
        self._change(name, state=state, share=1.0, began=began, seconds=seconds)
        if state == "done" and began and name not in (MODEL, IMAGES):
            record_steps(self.run.plan, {name: seconds / self._weights[name]})

    def telling(self, name: str, tell: Callable[[str], None]) -> Callable[[str], None]:
        """A `tell` that also notes how far the step is, from lines that count its images."""

        def told(line: str) -> None:
            tell(line)
            share = counted(line)
            if share is not None and time.monotonic() - self._noted > EVERY:
                self._noted = time.monotonic()
                self._change(name, share=max(share, self._steps[name].share))

        return told

    def _change(self, name: str, **values: object) -> None:
        if name in self._steps:
            self._steps[name] = replace(self._steps[name], **values)  # type: ignore[arg-type]
            self.run.store.set(steps=written(list(self._steps.values())))


def record_steps(plan: Plan, seconds: Mapping[str, float]) -> None:
    """Remember how long steps of this model took here, in proportion to their weights."""
    remember(STEPS, plan.model, {**step_seconds(plan.model), **seconds})


def counted(line: str) -> float | None:
    """The share of a step's own work that a line tells, such as "concepts: image 5 of 10"; None if it tells none."""
    found = _COUNTED.match(line)
    if found is None or found["what"].lower() in _BEFORE or not int(found["total"]):
        return None
    # The image that is named is in hand, or just done; a step that is not over is not whole.
    return min(int(found["done"]) / int(found["total"]), 0.98)
