"""Groups of images: the association with a list of words. All other measures are there already."""

from __future__ import annotations

from pathlib import Path

import torch

from core.applications.columns import column_values
from core.applications.subgroups.card import GroupsOptions
from core.applications.subgroups.record import GroupsRecord
from core.applications.work.subject import Subject, Tell
from core.errors import ScopeError


def work(subject: Subject, options: GroupsOptions, out: Path, tell: Tell) -> None:
    """Embed the words of the options, if there are any, and write the record.

    Raises `ScopeError` if no column of the metadata has two values.
    """
    columns = column_values(subject.images)
    if not columns:
        raise ScopeError("subgroups needs metadata: give a table with a column in which images have different values")
    rows: dict[str, list[dict[str, object]]] = {}
    with subject.model.meter.measuring() as spent:
        if options.words:
            rows = associations(subject, options, tell)
    about = {
        "options": options.model_dump(mode="json"),
        "model": subject.model.title,
        "images": len(subject.images),
        "columns": list(columns),
        "words": list(options.words),
        "against": list(options.against),
        "image_forwards": round(spent.image, 1),
    }
    GroupsRecord.write(out, about, GroupsRecord.frames(rows))


def associations(subject: Subject, options: GroupsOptions, tell: Tell) -> dict[str, list[dict[str, object]]]:
    """For each image the mean cosine with the words, and for each image and word their cosine, both less the mean
    cosine with the words that they are measured against, or with the classes, prompts or captions of the audit.
    """
    plan, model = subject.run.plan.texts, subject.model
    captions = [text for image in subject.images for text in image.captions[:1]]
    texts = list(dict.fromkeys(options.against or [*plan.classes, *plan.prompts] or captions))
    words = list(dict.fromkeys(options.words))
    templates = plan.templates if plan.classes else ("{}",)
    embeddings = subject.embeddings(subject.images, tell)
    with torch.no_grad():
        own = model.embed_texts(words, templates).double().cpu().numpy()
        rest = model.embed_texts(texts, templates).double().cpu().numpy() if texts else own[:0]
    values = embeddings @ own.T
    if len(rest):
        values = values - (embeddings @ rest.T).mean(axis=1, keepdims=True)
    return {
        "associations": [
            {"image": image.id, "image_name": image.name, "value": float(value)}
            for image, value in zip(subject.images, values.mean(axis=1), strict=True)
        ],
        "words": [
            {"image": image.id, "word": word, "value": float(value)}
            for image, row in zip(subject.images, values, strict=True)
            for word, value in zip(words, row, strict=True)
        ],
    }
