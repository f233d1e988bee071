"""`python -m core describe`: what a model is, and what cannot run on it, before any image is audited."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from PIL import Image

from core.applications.registry import APPLICATIONS
from core.arguments import model_spec
from core.audit.cost import record_probe, wants_probe
from core.content.recognition import recognition_lines
from core.methods import METHODS
from core.run_commands import Answer

if TYPE_CHECKING:
    from core.models.model import Model

PROBE_SECONDS = 2.0


def describe(chosen: argparse.Namespace) -> Answer:
    """Load the model that the arguments name and describe it. Raises `ModelError` in one line if it cannot be used."""
    spec = model_spec(chosen)
    from core.models.loading import load_model

    began = time.monotonic()
    model = load_model(spec.name, spec.pretrained, weights=spec.weights, device=spec.device)
    data = description(model)
    start = time.monotonic() - began
    if chosen.speed and "embeddings" in model.capabilities and wants_probe(spec):
        record_probe(spec, *probed(model), start)
    lines = [f"{label}: {value}" for label, value in recognition_lines(data["model"])]
    lines += [f"{entry['title']}, {entry['side']} side, cannot run: {entry['reason']}" for entry in data["not_run"]]
    lines += [f"{entry['title']} cannot run: {entry['reason']}" for entry in data["applications_not_run"]]
    return {"text": "\n".join(lines), "data": data}, 0


def probed(model: Model, seconds: float = PROBE_SECONDS) -> tuple[int, float]:
    """Forward passes of images of noise, in the batches of an audit, in about so many seconds; and the exact time."""
    size = (model.preprocessing.height, model.preprocessing.width)
    noise = Image.effect_noise((size[1], size[0]), 64.0).convert("RGB")
    pixels, _ = model.preprocess([noise] * model.image_batch(size))
    # The first pass also chooses the form of the forward.
    model.bulk(pixels).sum().item()
    began, count, spent = time.monotonic(), 0, 0.0
    while spent < seconds:
        # The sum waits for a GPU.
        model.bulk(pixels).sum().item()
        count, spent = count + len(pixels), time.monotonic() - began
    return count, spent


def description(model: Model) -> dict[str, Any]:
    """The model as a manifest describes it, and each method's side and application that it cannot serve, with why."""
    not_run = []
    for info in METHODS.values():
        unfit = info.unfit(info.parse(), model.depths)
        for side, missing in info.reasons(model.capabilities).items():
            reason = missing or unfit.get(side)
            if reason is not None:
                not_run.append({"name": info.name, "title": info.title, "side": side, "reason": reason})
    cards = [application.card for application in APPLICATIONS.values()]
    lacking = [
        {"name": card.name, "title": card.title, "reason": reason}
        for card in cards
        if (reason := card.reason(model.capabilities)) is not None
    ]
    return {"model": model.describe(), "not_run": not_run, "applications_not_run": lacking}
