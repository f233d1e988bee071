"""The predicted classes against the labels of a metadata column, where the dataset has one. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from core.applications.predictions.record import PredictionRow, PredictionsRecord
from core.datasets.annotations import column_labels, labels_column
from core.languages import say
from core.runs import Run
from core.runs.rows import typed
from core.statistics import Interval
from core.statistics.shares import share_of_images

# A single image is no pattern.
LEAST_CONFUSED = 2


@dataclass(frozen=True)
class Labelled:
    """The images whose label is one of the candidate classes.

    column: the metadata column of the labels.
    rows: image, image_name, predicted, label (as text) and right (whether the predicted class is among its labels).
    others: images of the record without a label, or with labels that are no candidates.
    """

    column: str
    rows: pd.DataFrame
    others: int

    @property
    def accuracy(self) -> Interval:
        """The share of these images whose predicted class is right, with Wilson's interval."""
        return share_of_images(self.rows["right"].to_numpy(float), self.rows["image"].to_numpy())


def labelled(run: Run, record: PredictionsRecord) -> Labelled | None:
    """The predictions of labelled images; None where no image has a label among the candidates.

    Upper and lower case do not count. An image with several labels is right where one of them is predicted.
    """
    column = labels_column(run.dataset)
    if column is None:
        return None
    candidates = {str(name).casefold() for name in record.about["classes"]}
    images = {image.id: image for image in run.dataset.images}
    rows = []
    for row in typed(record.predictions, PredictionRow):
        labels = column_labels(images[row.image], column, candidates) if row.image in images else None
        if labels and labels & candidates:
            right = row.predicted.casefold() in labels
            rows.append((row.image, row.image_name, row.predicted, ", ".join(sorted(labels)), right))
    frame = pd.DataFrame(rows, columns=["image", "image_name", "predicted", "label", "right"])
    return Labelled(column, frame, len(record.predictions) - len(frame)) if rows else None


@dataclass(frozen=True)
class LabelRow:
    """The images with one label: how many there are, and how many predictions agree."""

    name: str
    images: int
    right: int
    share: Interval


def by_label(known: Labelled) -> list[LabelRow]:
    """One row for each label, the least often agreed with first; an image with several labels counts for each set."""
    found = [
        LabelRow(
            str(name),
            len(part),
            int(part["right"].sum()),
            share_of_images(part["right"].to_numpy(float), part["image"].to_numpy()),
        )
        for name, part in known.rows.groupby("label", sort=True)
    ]
    return sorted(found, key=lambda row: row.right / row.images)


@dataclass(frozen=True)
class Confusion:
    """The images with one label for which one other class is predicted, and how many have the label."""

    label: str
    predicted: str
    images: int
    of: int


def confusions(known: Labelled) -> list[Confusion]:
    """Each label with each wrong class that is predicted for it, the most images first."""
    sizes = known.rows["label"].value_counts()
    counted = known.rows[~known.rows["right"]].groupby(["label", "predicted"]).size()
    found = [Confusion(label, predicted, int(n), int(sizes[label])) for (label, predicted), n in counted.items()]
    return sorted(found, key=lambda row: (-row.images, -row.images / row.of, row.label, row.predicted))


def wrong_first(known: Labelled) -> pd.DataFrame:
    """The wrong predictions: the label with the least agreement first, in it the most frequent error first.

    The rows of a label that only one image has come last: a single image is no pattern.
    """
    labels = sorted(by_label(known), key=lambda row: row.images < LEAST_CONFUSED)
    place = {row.name: at for at, row in enumerate(labels)}
    often = {(row.label, row.predicted): -row.images for row in confusions(known)}
    wrong = known.rows[~known.rows["right"]]
    keys = [
        (place[row.label], often[row.label, row.predicted], row.predicted, row.image_name) for row in wrong.itertuples()
    ]
    return wrong.iloc[sorted(range(len(keys)), key=keys.__getitem__)]


def largest_confusions(known: Labelled, most: int = 4) -> str:
    """The errors of at least two images, such as "temple predicted as castle, 5 of 8"; "none" without any."""
    found = [row for row in confusions(known) if row.images >= LEAST_CONFUSED]
    named = [
        say(
            "{label} predicted as {predicted}, {images} of {of}",
            label=row.label,
            predicted=row.predicted,
            images=row.images,
            of=row.of,
        )
        for row in found[:most]
    ]
    more = [say("and {count} more that occur at least twice", count=len(found) - most)] if len(found) > most else []
    return "; ".join([*named, *more]) or say("none")


def least_right(known: Labelled) -> str:
    """The label that the fewest of its predictions agree with, and how many; "none" where all predictions agree."""
    first = next((row for row in by_label(known) if row.images >= LEAST_CONFUSED), None)
    if first is None or first.right == first.images:
        return say("none")
    return say("{label}, {right} of {images} right", label=first.name, right=first.right, images=first.images)


def absorbing(known: Labelled) -> str:
    """The class that is predicted wrongly most often, and in how many of all wrong predictions; "none" below two."""
    counted = known.rows.loc[~known.rows["right"], "predicted"].value_counts().sort_index(kind="stable")
    if counted.empty or counted.max() < LEAST_CONFUSED:
        return say("none")
    return f"{counted.idxmax()}, {say('{part} of {whole}', part=counted.max(), whole=counted.sum())}"


def labels_of(run: Run) -> Labelled | None:
    """`labelled` of the run's record; None without one. Read through `once`, a judgement works it out a single time."""
    record = run.once(PredictionsRecord.of_run)
    return labelled(run, record) if record is not None else None


def label_use(run: Run) -> str:
    """For what labels were used in the run's predictions; empty if there were none."""
    known = run.once(labels_of)
    if known is None:
        return ""
    return say("the accuracy and the errors of the predicted classes (metadata column {column})", column=known.column)
