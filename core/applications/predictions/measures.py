"""How many predictions are implausible, which ones and why, and what disturbances alone show. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.applications.predictions.record import PredictionRow, PredictionsRecord
from core.applications.predictions.score import without_captions
from core.content.words import percent
from core.languages import say
from core.runs.rows import typed
from core.statistics import Interval, interval_of_means, share_of_images

# Below the first two, and above the last, a signal of the score is named as a reason; they only choose words.
STABLE, NEAR, UNCLEAR = 0.75, 0.5, 0.5


def implausible_share(record: PredictionsRecord) -> Interval:
    """The share of images whose prediction is implausible, with Wilson's interval."""
    rows = record.predictions
    return share_of_images(rows["implausible"].to_numpy(dtype=float), rows["image"].to_numpy())


def share_without_captions(record: PredictionsRecord) -> Interval:
    """The share that would be implausible by the signals other than the caption, with Wilson's interval."""
    rows = record.predictions
    return share_of_images(without_captions(rows).astype(float), rows["image"].to_numpy())


def contradicted_share(record: PredictionsRecord) -> Interval:
    """Of the images whose captions name a class, the share where it is another one than the predicted class."""
    rows = record.predictions[record.predictions["relation"].isin(["named", "broader", "other"])]
    return share_of_images((rows["relation"] == "other").to_numpy(dtype=float), rows["image"].to_numpy())


def least_error(record: PredictionsRecord) -> Interval:
    """A lower bound of the mean error on images and their disturbed copies, for classes that exclude each other.

    Of an image and its copies at most the most frequent class can be right; the others are wrong whatever the image
    shows. No value without disturbances.
    """
    rows = record.predictions
    bounds = [
        1 - max(np.unique([row.predicted, *row.disturbed], return_counts=True)[1]) / (1 + len(row.disturbed))
        for row in typed(rows, PredictionRow)
        if len(row.disturbed)
    ]
    return interval_of_means(np.array(bounds, dtype=float), within=(0.0, 1.0))


def listed(record: PredictionsRecord) -> pd.DataFrame:
    """The images with an implausible prediction, the least plausible first, with the reasons."""
    rows = record.predictions[record.predictions["implausible"]]
    rows = rows.sort_values(["score", "image_name"], ascending=[False, True], kind="stable", ignore_index=True)
    return rows.assign(why=[reasons(row) for row in typed(rows, PredictionRow)])


def plausible(record: PredictionsRecord) -> pd.DataFrame:
    """The other images, the most plausible first."""
    rows = record.predictions[~record.predictions["implausible"]]
    return rows.sort_values(["score", "image_name"], kind="stable", ignore_index=True)


def reasons(row: PredictionRow) -> str:
    """Which signals of the score speak against the prediction of a row, in a few words; empty if none does.

    Only signals with a weight in the score are reasons: neither the lead over the second class nor the templates.
    """
    found = []
    if row.relation == "other":
        found.append(say("the caption names {classes}", classes=", ".join(row.caption_classes)))
    if row.entropy > UNCLEAR:
        found.append(say("unclear between classes: entropy {share} of its maximum", share=percent(row.entropy)))
    if row.disturbances == row.disturbances and row.disturbances < STABLE:
        changed = [name for name in row.disturbed if name != row.predicted]
        found.append(
            say(
                "changes to {classes} in {part} of {whole} changed copies",
                classes=", ".join(dict.fromkeys(changed)),
                part=len(changed),
                whole=len(row.disturbed),
            )
        )
    if row.neighbours < NEAR:
        found.append(say("probability of the class in the nearest images: {share}", share=percent(row.neighbours)))
    return "; ".join(found)


def signals_against(record: PredictionsRecord) -> str:
    """Of the implausible predictions that no caption contradicts, how many each signal of the score speaks against.

    Each of them is counted at least once: where no signal holds, the score is below one half. "none" without any.
    """
    rows = record.predictions[record.predictions["implausible"] & (record.predictions["relation"] != "other")]
    counted = {
        say("entropy of the class probabilities above {share} of its maximum", share=percent(UNCLEAR)): rows["entropy"]
        > UNCLEAR,
        say("class kept in fewer than {share} of the changed copies", share=percent(STABLE)): rows["disturbances"]
        < STABLE,
        say("mean probability of the class in the nearest images below {share}", share=percent(NEAR)): rows[
            "neighbours"
        ]
        < NEAR,
    }
    return "; ".join(f"{name}, {holds.sum()}" for name, holds in counted.items() if holds.any()) or say("none")


@dataclass(frozen=True)
class ClassRow:
    """The predictions of one class: how many, and how many of them are implausible."""

    name: str
    images: int
    share: Interval
    contradicted: int


def by_class(record: PredictionsRecord) -> list[ClassRow]:
    """One row for each class that was predicted, the most implausible predictions first."""
    rows = []
    for name, part in record.predictions.groupby("predicted", sort=True):
        share = share_of_images(part["implausible"].to_numpy(dtype=float), part["image"].to_numpy())
        rows.append(ClassRow(str(name), len(part), share, int((part["relation"] == "other").sum())))
    return sorted(rows, key=lambda row: (-(row.share.value or 0.0) * row.images, row.name))
