"""What this machine has timed of each model, in one JSON file of the workspace for each kind of time. No torch."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping

from core.models.listing import embedded_name
from core.runs import ModelSpec, Plan
from core.runs.manifest import write_json
from core.runs.steps import FINDINGS, REPORT
from core.settings import workspace

Timings = dict[str, dict[str, float]]
STEPS = "step_times.json"
# Seconds of judging the findings and of rendering the report: in any case, and for each image, method and application.
# What this machine takes is remembered as a factor of these.
JUDGING, RENDERING = (2.0, 0.02, 0.0, 0.1), (10.0, 0.02, 0.5, 0.8)


def model_key(model: ModelSpec) -> str:
    """By what a model is known in the files: what it is loaded from, and the device that it runs on."""
    return f"{embedded_name(model.name) or model.name}|{model.pretrained or ''}|{model.weights or ''}|{model.device}"


def step_seconds(model: ModelSpec) -> dict[str, float]:
    """What steps of this model took here before, by the name of the step: seconds for each forward pass or image of an
    application, a factor of what is expected of findings and report.
    """
    return {name: float(seconds) for name, seconds in read_timings(STEPS).get(model_key(model), {}).items()}


def usual_seconds(name: str, plan: Plan) -> float | None:
    """What judging or rendering takes where this machine was never timed; None for any other step."""
    each = {FINDINGS: JUDGING, REPORT: RENDERING}.get(name)
    counts = (1, len(plan.images), len(plan.methods), len(plan.applications))
    return None if each is None else sum(map(operator.mul, each, counts))


def ending_seconds(plan: Plan) -> float:
    """What judging and rendering will take on this machine."""
    known = step_seconds(plan.model)
    return sum(known.get(name, 1.0) * (usual_seconds(name, plan) or 0.0) for name in (FINDINGS, REPORT))


def read_timings(name: str) -> Timings:
    """The times of every model in the file of this name; none before the first one was taken."""
    path = workspace() / name
    return json.loads(path.read_text()) if path.exists() else {}


def remember(name: str, model: ModelSpec, times: Mapping[str, float]) -> None:
    """Keep the times of a model in place of its earlier ones."""
    workspace().mkdir(parents=True, exist_ok=True)
    write_json(workspace() / name, {**read_timings(name), model_key(model): dict(times)})
