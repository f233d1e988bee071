"""What the application `knowledge` measured, read from its folder. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.record import Record
from core.errors import RunError
from core.runs.rows import (
    Flag,
    ImageId,
    ImageName,
    ListsOfNumbers,
    Number,
    Numbers,
    OptionalText,
    Row,
    Text,
    Whole,
    Wholes,
)

Floats = NDArray[np.float64]

VERSION = 1
POINTS = 21
# What an image is measured by, with the direction that is better.
MEASURES = {
    "score": "higher",
    "auc": "higher",
    "shared": "higher",
    "jaccard": "higher",
    "overlap": "higher",
    "deletion": "lower",
    "insertion": "higher",
}
CONTROLS = {
    "score": "control_score",
    "auc": "control_auc",
    "shared": "control_shared",
    "deletion": "control_deletion",
    "insertion": "control_insertion",
}
PROXIES = ("margin", "confidence", "template_agrees")


class PartitionRow(Row):
    """One row per image and partition method."""

    variant: Annotated[Text, "method that found the parts: kmeans or pca"]
    whole: Annotated[
        Flag, "whether foreground and background could not be separated, so that parts cover the whole image"
    ]
    rows: Annotated[Whole, "rows of `parts`"]
    columns: Annotated[Whole, "columns of `parts`"]
    parts: Annotated[Wholes, "part of each patch, row by row; -1 where it belongs to none"]
    ellipses: Annotated[ListsOfNumbers, "ellipse of each part: centre, half axes, angle"]
    predicted: Annotated[Text, "zero-shot class"]
    assigned: Annotated[Text, "class whose descriptors are compared"]
    label: Annotated[OptionalText, "true class, where it was given"]
    shared: Annotated[Whole, "descriptors that the visual concepts and the class share"]
    visual: Annotated[Whole, "descriptors of the visual concepts"]
    textual: Annotated[Whole, "descriptors of the class"]
    expected_shared: Annotated[Number, "shared descriptors expected of a random choice"]
    score: Annotated[Number, "mutual knowledge"]
    jaccard: Annotated[Number, "shared descriptors over those of either"]
    overlap: Annotated[Number, "shared descriptors over the smaller set"]
    auc: Annotated[Number, "area under `curve`"]
    curve: Annotated[Numbers, "mutual knowledge after 0, 1, 2, ... removed concepts"]
    control_shared: Annotated[Number, "shared descriptors of the control"]
    control_score: Annotated[Number, "mutual knowledge of the control"]
    control_auc: Annotated[Number, "area under `control_curve`"]
    control_curve: Annotated[Numbers, "the control's curve"]
    deletion: Annotated[Number, "area under `deletion_curve`; lower is better"]
    insertion: Annotated[Number, "area under `insertion_curve`; higher is better"]
    deletion_curve: Annotated[Numbers, "probability of the class while its concepts are removed"]
    insertion_curve: Annotated[Numbers, "probability of the class while its concepts are added"]
    control_deletion: Annotated[Number, "area under `control_deletion_curve`"]
    control_insertion: Annotated[Number, "area under `control_insertion_curve`"]
    control_deletion_curve: Annotated[Numbers, "the same for the control"]
    control_insertion_curve: Annotated[Numbers, "the same for the control"]
    without: Annotated[Text, "class predicted once all shared concepts are removed"]
    through: Annotated[Text, "class predicted from the shared concepts alone"]
    margin: Annotated[Number, "cosine of the predicted class less that of the next"]
    confidence: Annotated[Number, "softmax probability of the predicted class"]
    template_agrees: Annotated[Flag, "whether another template predicts the same class"]
    fallback: Annotated[Flag, "whether the best descriptors of the parts had none in common with those of the image"]
    image: ImageId
    image_name: ImageName


class ConceptRow(Row):
    """One row per image, partition method and visual concept."""

    image: ImageId
    variant: Annotated[Text, "method that found the parts"]
    rank: Annotated[Whole, "rank of the descriptor in the image, from 0"]
    descriptor: Annotated[Text, "the descriptor"]
    relevance: Annotated[Number, "its relevance: 2.5 times its cosine with the whole image"]
    parts: Annotated[Wholes, "parts that it describes"]
    class_rank: Annotated[Whole, "its rank among those of the class; -1 if it is not among them"]


class DescriptorRow(Row):
    """One row per class and descriptor."""

    class_: Annotated[Text, "the class"]
    rank: Annotated[Whole, "rank of the descriptor, from 0"]
    descriptor: Annotated[Text, "the descriptor"]
    cosine: Annotated[Number, "cosine of class and descriptor"]


@dataclass(frozen=True)
class KnowledgeRecord(Record):
    """The tables of one run, and what determined them."""

    partitions: Annotated[pd.DataFrame, PartitionRow]
    concepts: Annotated[pd.DataFrame, ConceptRow]
    classes: Annotated[pd.DataFrame, DescriptorRow]

    NAME: ClassVar = "knowledge"
    TITLE: ClassVar = "mutual knowledge"
    ABOUT: ClassVar = "knowledge.json"

    @classmethod
    def parts(cls, folder: Path, about: dict[str, Any], tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
        """The tables. Raises `RunError` if another version wrote them."""
        if about.get("version") != VERSION:
            raise RunError(f"{folder} was written by another version of Loupe; compute mutual knowledge again")
        return super().parts(folder, about, tables)

    @cached_property
    def images(self) -> pd.DataFrame:
        """One row an image, sorted by name: the measures, controls and proxies, means over the ways of finding parts;
        the classes as they are; with labels also `correct`, `correct_through` and `correct_without` (1, 0 or NaN).
        """
        frame = self.partitions.copy()
        labelled = frame["label"].notna()
        for name, source in (("correct", "predicted"), ("correct_through", "through"), ("correct_without", "without")):
            frame[name] = np.where(labelled, (frame[source] == frame["label"]).astype(float), np.nan)
        for name, source in (("kept_through", "through"), ("kept_without", "without")):
            frame[name] = (frame[source] == frame["predicted"]).astype(float)
        numbers = [
            *MEASURES,
            *CONTROLS.values(),
            *PROXIES,
            *("expected_shared", "visual", "textual", "correct", "correct_through", "correct_without"),
            *("kept_through", "kept_without"),
        ]
        frame[numbers] = frame[numbers].astype(float)
        by = frame.groupby(["image_name", "image"], sort=True)
        return by[numbers].mean().join(by[["predicted", "assigned", "label"]].first()).reset_index()

    @property
    def seed_spread(self) -> pd.DataFrame:
        """Some images split by several seeds of k-means: image, seed, score, auc, shared; empty if not measured."""
        columns = ["image", "seed", "score", "auc", "shared"]
        return pd.DataFrame(self.about.get("seed_spread", []), columns=columns)

    @property
    def sign_spread(self) -> pd.DataFrame:
        """Some images split by principal components with several choices of their signs: image, flips (bit i: component
        i is turned against the rule), score, auc, shared; empty if not measured.
        """
        columns = ["image", "flips", "score", "auc", "shared"]
        return pd.DataFrame(self.about.get("flips_spread", []), columns=columns)

    @property
    def sign_agreement(self) -> Floats:
        """Of each group the mean adjusted Rand index between parts with signs by rule and with other signs."""
        return np.array([group["sign_agreement"] for group in self.about["groups"] if "sign_agreement" in group])

    @property
    def labelled(self) -> int:
        """How many images have a true class."""
        return int(self.images["correct"].notna().sum())

    def removal_curve(self, column: str = "curve") -> Floats:
        """The mean score after 0, 1, 2, ... removed concepts: curves padded with zeros to the longest, averaged over
        the ways of finding parts and then over images. `column` may be `control_curve`.
        """
        curves = list(self.partitions[column])
        lengths = np.array([len(curve) for curve in curves])
        padded = np.zeros((len(curves), lengths.max()))
        padded[np.arange(lengths.max()) < lengths[:, None]] = np.concatenate(curves)
        each = pd.DataFrame(padded).groupby(self.partitions["image"].to_numpy(), sort=True).mean()
        return each.to_numpy().mean(axis=0)

    def edit_curve(self, column: str) -> Floats:
        """The mean probability at `POINTS` even shares of edited concepts; curves of other lengths are interpolated."""
        share = np.linspace(0, 1, POINTS)
        each = [
            np.mean([_at(np.asarray(curve, dtype=float), share) for curve in part], axis=0)
            for _, part in self.partitions.groupby("image", sort=True)[column]
        ]
        return np.mean(each, axis=0)

    @property
    def class_balance(self) -> float:
        """Entropy of the zero-shot classes over that of an even spread: 1 = all alike, 0 = always the same class."""
        shares = self.images["predicted"].value_counts(normalize=True).to_numpy(float)
        return float(-(shares * np.log(shares)).sum() / np.log(len(self.about["classes"])))

    def comparable(self, other: KnowledgeRecord) -> list[str]:
        """What makes the two hard to compare, by name: images, classes, templates, bank or options; best empty."""
        differing = []
        if set(self.images["image"]) != set(other.images["image"]):
            differing.append("images")
        differing += [name for name in ("classes", "templates", "options") if self.about[name] != other.about[name]]
        if self.about["bank"]["digest"] != other.about["bank"]["digest"]:
            differing.append("descriptors")
        return differing


of_run, load = KnowledgeRecord.of_run, KnowledgeRecord.load


def shared_descriptors(record: KnowledgeRecord, most: int = 5) -> pd.DataFrame:
    """For each predicted class the descriptors most of its images share with it: class, descriptor, images, n.

    An image counts once, whichever way its parts were found; the `most` commonest descriptors a class are kept.
    """
    predicted = record.images.set_index("image")["predicted"]
    counts = predicted.value_counts()
    hits = record.concepts[record.concepts["class_rank"] >= 0].drop_duplicates(["image", "descriptor"])
    hits = hits.assign(**{"class": hits["image"].map(predicted)})
    table = hits.groupby(["class", "descriptor"], sort=True).size().rename("images").reset_index()
    table = table.sort_values(["class", "images", "descriptor"], ascending=[True, False, True], kind="stable")
    table = table.groupby("class", sort=True).head(most).reset_index(drop=True)
    return table.assign(n=table["class"].map(counts).astype(int))


def _at(curve: Floats, share: Sequence[float] | Floats) -> Floats:
    return np.interp(share, np.linspace(0, 1, len(curve)), curve)
