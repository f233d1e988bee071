"""What this machine has timed of each model, in one JSON file of the workspace for each kind of time. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping

from core.models.listing import embedded_name
from core.runs import ModelSpec
from core.runs.manifest import write_json
from core.settings import workspace

Timings = dict[str, dict[str, float]]


def model_key(model: ModelSpec) -> str:
    """By what a model is known in the files: what it is loaded from, and the device that it runs on."""
    return f"{embedded_name(model.name) or model.name}|{model.pretrained or ''}|{model.weights or ''}|{model.device}"


def read_timings(name: str) -> Timings:
    """The times of every model in the file of this name; none before the first one was taken."""
    path = workspace() / name
    return json.loads(path.read_text()) if path.exists() else {}


def remember(name: str, model: ModelSpec, times: Mapping[str, float]) -> None:
    """Keep the times of a model in place of its earlier ones."""
    workspace().mkdir(parents=True, exist_ok=True)
    write_json(workspace() / name, {**read_timings(name), model_key(model): dict(times)})
