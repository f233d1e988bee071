"""`python -m core estimate`: what an audit would cost, before it is begun."""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.arguments import audit_request
from core.audit.cost import CONTROLS, Estimate, estimate, has_speed, record_probe, texts_of
from core.content.words import duration, plural
from core.datasets import Dataset
from core.describing import probed
from core.request import begin, read_inputs
from core.run_commands import Answer
from core.runs import Plan

MB = 1e6
HOUR = 3600.0
# Parts of the audit that are named, by their share of the image forward passes.
NAMED = 12
ASSUMPTIONS = (
    "Forward passes are an upper bound: methods that share masked images pay for them once, and an analysis that stops "
    "early costs less.",
    "The time is that of reading the inputs, loading the model, the forward passes of the image tower, judging and "
    "rendering the report. The last two are those of the model's earlier audits on this machine, or usual ones.",
    "Memory is the largest that this process has used to load the model and to embed one batch of images; a worker "
    "needs at least as much.",
    "The disk holds the images as they are kept, and besides them one row for each pair with each method and control, "
    "and one for each score.",
)


def estimated(chosen: argparse.Namespace) -> Answer:
    """Read everything that the audit of these arguments would read, and say what it would cost. Nothing is kept.

    Where the model was never timed on this machine, it is timed for two seconds, as `describe --speed` does.

    Raises `InputError` in one line for what cannot be used.
    """
    # An audit loads the libraries, reads the inputs and loads the model as well before its first pass.
    began = time.monotonic()
    from core.models.loading import load_model

    with TemporaryDirectory(prefix="loupe-estimate-") as place:
        chosen.out = Path(place) / "run"
        request = audit_request(chosen)
        inputs = read_inputs(request)
        spec = request.model
        model = load_model(spec.name, spec.pretrained, weights=spec.weights, device=spec.device)
        run = begin(request, inputs)
        model = model.bound(run.dataset, run.plan.images)
        start = time.monotonic() - began
        if "embeddings" in model.capabilities and not has_speed(spec):
            record_probe(spec, *probed(model), start)
        cost = estimate(run.plan, run.dataset, tuple(model.capabilities))
        data = figures(cost, run.plan, run.dataset, model.device.type)
        data["disk_images_mb"] = round(_bytes_of(run.folder / "dataset") / MB, 1)
    return {"text": "\n".join(lines(data)), "data": data}, 0


def figures(cost: Estimate, plan: Plan, dataset: Dataset, device: str) -> dict[str, Any]:
    """The cost as numbers: passes in whole images, seconds, megabytes of 10^6 bytes, hours of a GPU.

    `seconds` is None where this machine has not timed the model, `gpu_hours` where the model does not run on one.
    """
    chosen = set(plan.images)
    images = [image for image in dataset.images if image.id in chosen]
    pairs = sum(texts_of(plan, len(image.captions)) for image in images)
    # Of the classes only the best are explained, but all have a score.
    unexplained = len(plan.texts.classes) - min(plan.texts.top_classes, len(plan.texts.classes))
    scores = pairs + unexplained * len(images)
    parts = sorted(cost.by_method.items(), key=lambda part: -part[1])
    return {
        "images": len(images),
        "image_text_pairs": pairs,
        "rows": pairs * (len(plan.methods) + (CONTROLS if plan.trust.curves else 0)) + scores,
        "image_forwards": round(cost.image_forwards),
        "text_forwards": round(cost.text_forwards),
        "by_part": {name: round(count, 1) for name, count in parts if count},
        "drawn": dict(cost.measured),
        "seconds": None if cost.seconds is None else round(cost.seconds, 1),
        "timed_by": cost.timed,
        "device": device,
        "gpu_hours": None if cost.pass_seconds is None or device != "cuda" else round(cost.pass_seconds / HOUR, 3),
        "memory_mb": round(_peak_bytes() / MB),
        "assumptions": list(ASSUMPTIONS),
    }


def lines(data: dict[str, Any]) -> list[str]:
    """The cost as lines for a person."""
    told = [
        f"{plural(data['images'], 'image')}, {plural(data['image_text_pairs'], 'pair')} of image and text, "
        f"{plural(data['rows'], 'row')}",
        f"forward passes: at most {data['image_forwards']:,} of the image tower, {data['text_forwards']:,} of the text "
        "tower",
    ]
    told += [f"  {name}: {count:,.0f}" for name, count in list(data["by_part"].items())[:NAMED]]
    told += [f"{name} measures {plural(count, 'image')}, drawn at random" for name, count in data["drawn"].items()]
    seconds, source = data["seconds"], {"run": "an earlier audit", "probe": "two seconds of forward passes"}
    if seconds is None:
        told.append("time: not known, because no model is run")
    else:
        told.append(
            f"time: about {duration(seconds)} on this machine ({data['device']}), by {source[data['timed_by']]}"
        )
    if data["gpu_hours"] is not None:
        told.append(f"GPU: {data['gpu_hours']:.2f} hours")
    told.append(f"memory: at least {data['memory_mb']:,} MB; images on disk: {data['disk_images_mb']:,.1f} MB")
    return told + data["assumptions"]


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
