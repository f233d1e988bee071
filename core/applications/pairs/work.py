"""Captions and images: every caption is compared with every image of the audit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from core.applications.pairs.card import FEWEST, PairsOptions
from core.applications.pairs.fit import caption_fit, fit_rows
from core.applications.pairs.names import named_classes
from core.applications.pairs.record import PairsRecord
from core.applications.work.subject import Subject, Tell
from core.errors import ScopeError


def work(subject: Subject, options: PairsOptions, out: Path, tell: Tell) -> None:
    """Embed every image that has captions and its first captions; write the record.

    Raises `ScopeError` if fewer than `FEWEST` images have captions that differ.
    """
    model = subject.model
    images = [image for image in subject.images if image.captions]
    rows = [(at, text) for at, image in enumerate(images) for text in image.captions[: options.captions]]
    texts = [text for _, text in rows]
    owner = np.array([at for at, _ in rows], dtype=np.int64)
    if len(images) < FEWEST or len(set(texts)) < FEWEST:
        raise ScopeError(f"pairs needs at least {FEWEST} images with captions that differ; give a table with captions")
    with model.meter.measuring() as spent, torch.no_grad():
        embeddings = subject.embeddings(images, tell)
        captions = model.embed_texts(texts).double().cpu().numpy()
    try:
        fit = caption_fit(embeddings, captions, owner, texts, subject.run.plan.seed)
    except ValueError as error:
        raise ScopeError(f"pairs needs captions that differ from image to image: {error}") from error
    frame = fit_rows(fit, owner, texts, [(image.id, image.name) for image in images])
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "images": len(images),
        "without_captions": len(subject.images) - len(images),
        "captions": len(texts),
        "unrelated": fit.unrelated,
        "classes": len(subject.run.plan.texts.classes),
        "image_forwards": round(spent.image, 1),
    }
    PairsRecord.write(out, about, {"captions": frame, "names": named_classes(frame, subject.run.plan.texts.classes)})
