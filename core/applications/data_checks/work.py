"""Images and texts of a run: measured on the pixels, and compared by the model's embeddings."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from core.applications.data_checks.card import DataOptions
from core.applications.data_checks.copies import FINE, Pair, coarse, copies, joined
from core.applications.data_checks.issues import measured_image, reduced
from core.applications.data_checks.kinds import LIMIT, SIGNALS, kinds, signal_z
from core.applications.data_checks.record import DataRecord
from core.applications.work.subject import BATCH, Subject, Tell, comparable
from core.characters import folded
from core.datasets import load_dataset
from core.datasets.languages import languages
from core.errors import InputError
from core.statistics.classifier_test import classifier_test

STEP = 50
KINDS_OF_TEXT = ("caption", "prompt", "class")
# The folder of a run that holds the reference images.
REFERENCE = "reference"


def work(subject: Subject, options: DataOptions, out: Path, tell: Tell) -> None:
    """Measure every image and every text; write the record."""
    images, rows, grids, fine = subject.images, [], [], []
    for at, image in enumerate(images):
        if at % STEP == 0:
            tell(f"images and texts: {at} of {len(images)} images")
        pixels = subject.open(image)
        rows.append({"image": image.id, "image_name": image.name, **measured_image(pixels)})
        grids.append(coarse(pixels))
        fine.append(reduced(pixels, FINE))
    measured = pd.DataFrame(rows)
    place = {image.name: at for at, image in enumerate(images)}
    near = [
        (place[entry.name], place[entry.of])
        for entry in subject.run.dataset.duplicates
        if entry.kind == "near" and entry.name in place and entry.of in place
    ]
    with subject.model.meter.measuring() as spent:
        embeddings = comparable(subject.embeddings(images, tell))
        drift = compared_with(subject, options.reference, embeddings, tell)
    pairs = copies(np.stack(grids), fine, embeddings, near)
    copied = copy_rows(measured, pairs)
    texts = text_rows(
        subject,
        dict(zip(copied["image"], copied["group"], strict=True))
        | dict(zip(copied["of"], copied["group"], strict=True)),
    )
    about = {
        "options": options.model_dump(mode="json"),
        "model": subject.model.title,
        "images": len(images),
        "texts": len(texts),
        "context_length": subject.model.text.context or None,
        "drift": drift,
        "image_forwards": round(spent.image, 1),
    }
    DataRecord.write(
        out,
        about,
        {
            "images": measured,
            "copies": copied,
            "kinds": kind_rows(measured, embeddings),
            "texts": texts,
        },
    )


def compared_with(
    subject: Subject, reference: str | None, embeddings: NDArray[np.float64], tell: Tell
) -> dict[str, Any] | None:
    """The classifier two-sample test of the images against the reference images; None without any.

    Raises `InputError` if the run does not hold them.
    """
    if reference is None:
        return None
    if not re.fullmatch(r"[0-9a-f]{16}", reference):
        raise InputError("reference: give the images with --reference-images")
    dataset = load_dataset(subject.run.folder / REFERENCE / reference)
    parts = []
    for start in range(0, len(dataset.images), BATCH):
        tell(f"reference images: {start} of {len(dataset.images)}")
        pixels, _ = subject.model.preprocess([dataset.open(image) for image in dataset.images[start : start + BATCH]])
        with torch.no_grad():
            parts.append(subject.model.embed_images(pixels).double().cpu().numpy())
    test = classifier_test(embeddings, np.concatenate(parts), subject.run.plan.seed)
    return {"reference": reference, **vars(test)}


def copy_rows(measured: pd.DataFrame, pairs: list[Pair]) -> pd.DataFrame:
    """The pairs with the number of the group that they belong to."""
    groups = joined((pair.first, pair.second) for pair in pairs)
    number = {at: index for index, group in enumerate(groups) for at in group}
    ids, names = measured["image"].tolist(), measured["image_name"].tolist()
    return DataRecord.frame(
        "copies",
        [
            {
                "image": ids[pair.second],
                "image_name": names[pair.second],
                "group": number[pair.first],
                "of": ids[pair.first],
                "of_name": names[pair.first],
                "correlation": pair.correlation,
            }
            for pair in pairs
        ],
    )


def kind_rows(measured: pd.DataFrame, embeddings: np.ndarray) -> pd.DataFrame:
    """The images of another kind, group by group."""
    looks = {name: measured[name].to_numpy(float) for name in SIGNALS}
    rows = []
    for number, kind in enumerate(kinds(looks, embeddings, LIMIT)):
        z = signal_z(kind.signal, looks[kind.signal])
        for at in kind.members:
            entry = measured.iloc[at]
            rows.append(
                {
                    "image": entry["image"],
                    "image_name": entry["image_name"],
                    "group": number,
                    "signal": kind.signal,
                    "z": float(z[at]),
                }
            )
    return DataRecord.frame("kinds", rows)


def text_rows(subject: Subject, copied: dict[str, int]) -> pd.DataFrame:
    """Every caption, prompt and class once, with its language and the number of its images.

    Images of one group of copies (`copied`, the number of the group) count as one: they may well share a caption.
    """
    plan = subject.run.plan.texts
    having: dict[str, set[str | int]] = {}
    first: dict[str, str] = {}
    for image in subject.images:
        for caption in image.captions:
            having.setdefault(folded(caption), set()).add(copied.get(image.id, image.id))
            first.setdefault(folded(caption), caption)
    texts = [(first[key], "caption", len(images)) for key, images in having.items()]
    texts += [(text, "prompt", 0) for text in plan.prompts] + [(text, "class", 0) for text in plan.classes]
    known = languages([text for text, _, _ in texts])
    read = {kind: cut_texts(subject, [text for text, one, _ in texts if one == kind], kind) for kind in KINDS_OF_TEXT}
    return DataRecord.frame(
        "texts",
        [
            {
                "text": text,
                "kind": kind,
                "images": count,
                "language": one.code,
                "certain": one.certain,
                "unread": text in read[kind] if subject.model.text.context else None,
                "same": read[kind].get(text, 0) if subject.model.text.context else None,
            }
            for (text, kind, count), one in zip(texts, known, strict=True)
        ],
    )


def cut_texts(subject: Subject, texts: list[str], kind: str) -> dict[str, int]:
    """The texts whose end the model does not read, each with the number of others that it cannot tell from it.

    A class is read inside each template; it is cut if one of them is.
    """
    plan = subject.run.plan.texts
    templates = plan.templates if kind == "class" and plan.templates else ("{}",)
    cut = subject.model.unread(texts, templates)
    if not cut:
        return {}
    tokens = {text: tuple(subject.model.text.full([templates[0].format(text)])[0].tolist()) for text in texts}
    counts = Counter(tokens.values())
    return {text: counts[tokens[text]] - 1 for text in cut}
