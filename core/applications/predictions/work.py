"""The best class of every image, and what speaks for and against it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.applications.predictions.card import PredictionsOptions
from core.applications.predictions.disturb import DISTURBANCES
from core.applications.predictions.record import PredictionsRecord
from core.applications.predictions.score import HALF, frame_of
from core.applications.predictions.signals import signals
from core.applications.work.subject import Subject, Tell
from core.concepts.mentions import ClassNames
from core.errors import ScopeError

BATCH = 32
FEWEST = 2
# Beside the templates of the plan; how a class is put into words should not decide which is the best.
TEMPLATES = (
    "a photo of a {}.",
    "a picture of a {}.",
    "a close-up photo of a {}.",
    "there is a {} in the image.",
    "a cropped photo of the {}.",
)


def work(subject: Subject, options: PredictionsOptions, out: Path, tell: Tell) -> None:
    """Embed every image and its disturbed copies; write the record.

    Raises `ScopeError` if the plan has neither two classes nor two prompts, or fewer than two images.
    """
    plan, model = subject.run.plan.texts, subject.model
    names = tuple(dict.fromkeys(plan.classes if len(plan.classes) >= FEWEST else plan.prompts))
    if len(names) < FEWEST or len(subject.images) < FEWEST:
        raise ScopeError("predictions needs at least two images and two classes or prompts; give a list of classes")
    templates = plan.templates if len(plan.classes) >= FEWEST else ("{}",)
    others = tuple(dict.fromkeys((*templates, *TEMPLATES))) if len(plan.classes) >= FEWEST else ()
    chosen = list(DISTURBANCES)[: options.disturbances]
    if "embeddings" not in model.capabilities:
        # A stored table holds neither other wordings nor changed images.
        others, chosen = (), []
    with model.meter.measuring() as spent, torch.no_grad():
        classes = model.embed_texts(names, templates).double().cpu().numpy()
        each = [model.embed_texts(names, template).double().cpu().numpy() for template in others]
        plain = subject.embeddings(subject.images, tell)
        copies = _copies(subject, chosen, tell)
    values = signals(plain, copies, classes, np.array(each), model.logit_scale, options.neighbours)
    frame = frame_of(values, ClassNames(names), subject.images)
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "images": len(frame),
        "classes": list(names),
        "kind": "classes" if names == tuple(dict.fromkeys(plan.classes)) else "prompts",
        "templates": list(others),
        "disturbances": chosen,
        "without_captions": int((frame["relation"] == "").sum()),
        "limit": HALF,
        "image_forwards": round(spent.image, 1),
        "text_forwards": round(spent.text, 1),
    }
    PredictionsRecord.write(out, about, {"predictions": frame})


def _copies(subject: Subject, chosen: list[str], tell: Tell) -> NDArray[np.float64]:
    """The embeddings of the disturbed copies of all images `(disturbances, images, embedding)`."""
    model, count = subject.model, len(subject.images)
    parts: list[list[NDArray[np.float64]]] = [[] for _ in chosen]
    for start in range(0, count if chosen else 0, BATCH):
        tell(f"predictions: {min(start + BATCH, count)} of {count} images")
        opened = [subject.open(image) for image in subject.images[start : start + BATCH]]
        for at, name in enumerate(chosen):
            pixels, _ = model.preprocess([DISTURBANCES[name](image) for image in opened])
            parts[at].append(model.embed_images(pixels).double().cpu().numpy())
    return np.array([np.concatenate(part) for part in parts])
