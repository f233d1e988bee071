"""The measures of single images that lie in the results: scores and the lead of the best class. No torch."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from core.applications.image_measures import ImageMeasure
from core.applications.subgroups.record import GroupsRecord
from core.content.words import shorten
from core.datasets import DatasetImage
from core.languages import say
from core.runs import Run

# Of the classes that captions name, so many of the most frequent are compared, and none with fewer images.
MOST_CLASSES, LEAST_IMAGES = 12, 16


def image_measures(run: Run) -> tuple[ImageMeasure, ...]:
    """The best score, its lead, the captions' score, the score of each class where captions name it, and words."""
    record = run.once(GroupsRecord.of_run)
    if record is None:
        return ()
    measures = [*class_measures(run), *caption_measures(run)]
    if len(record.associations):
        values = dict(zip(record.associations["image"], record.associations["value"].astype(float), strict=True))
        words = shorten(", ".join(record.about["words"]), 60)
        measures.append(ImageMeasure("groups.words", say("association with “{words}”", words=words), "model", values))
    return tuple(measures)


def class_measures(run: Run) -> list[ImageMeasure]:
    """The measures that rest on the scores of classes; none with fewer than two classes."""
    rows = run.results_of("kind", ["score"], ["image", "text", "text_kind", "status", "score"])
    rows = rows[(rows["text_kind"] == "class") & (rows["status"] == "ok")]
    if rows.empty or rows["text"].nunique() < 2:
        return []
    scores = rows.pivot_table(index="image", columns="text", values="score", aggfunc="first").dropna().astype(float)
    ordered = np.sort(scores.to_numpy(), axis=1)
    best, lead = (pd.Series(one, scores.index) for one in (ordered[:, -1], ordered[:, -1] - ordered[:, -2]))
    texts = dict(scores.idxmax(axis=1))
    measures = [
        ImageMeasure("groups.score", say("score of the best class"), "model", dict(best), texts=texts, better="higher"),
    ]
    title = say("lead of the best class over the second")
    measures.append(ImageMeasure("groups.lead", title, "model", dict(lead), texts=texts, better="higher"))
    named = naming(run.dataset.images, list(scores.columns))
    frequent = sorted(named.items(), key=lambda entry: (-len(entry[1]), entry[0]))[:MOST_CLASSES]
    for name, images in frequent:
        values = scores[name].reindex(images).dropna()
        if len(values) >= LEAST_IMAGES:
            title = say("score of “{name}” where captions name it", name=name)
            texts = dict.fromkeys(images, name)
            measures.append(
                ImageMeasure(f"groups.class.{name}", title, "model", dict(values), texts=texts, better="higher")
            )
    return measures


def caption_measures(run: Run) -> list[ImageMeasure]:
    """The mean score of each image's captions, where the audit explained them."""
    rows = run.results_of("text_kind", ["caption"], ["image", "text", "status", "score"])
    rows = rows[(rows["status"] == "ok") & rows["score"].notna()]
    if rows.empty:
        return []
    each = rows.drop_duplicates(["image", "text"])
    means = each.groupby("image")["score"].mean().astype(float)
    texts = dict(each.groupby("image")["text"].first())
    title = say("score of the image's captions")
    return [ImageMeasure("groups.captions", title, "model", dict(means), texts=texts, better="higher")]


def naming(images: tuple[DatasetImage, ...], classes: list[str]) -> dict[str, list[str]]:
    """For each class the images one of whose captions names it, in the singular or in the plural."""
    patterns = {name: re.compile(rf"\b{re.escape(name.lower())}(s|es)?\b") for name in classes}
    texts = {image.id: " ".join(image.captions).lower() for image in images}
    return {name: [image for image, text in texts.items() if wanted.search(text)] for name, wanted in patterns.items()}
