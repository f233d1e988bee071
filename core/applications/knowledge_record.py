"""Reading the record of mutual knowledge. No torch.

`pictures.parquet` has one row a picture and way of finding parts, `concepts.parquet` one a visual concept of such a
row, `classes.parquet` one a class and concept, `knowledge.json` what determined the result.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import RunError
from core.runs import Run

Floats = NDArray[np.float64]

VERSION = 1
RECORD, PICTURES = "knowledge.json", "pictures.parquet"
CONCEPTS, CLASSES = "concepts.parquet", "classes.parquet"
POINTS = 21
# What a picture is measured by, with the direction that is better.
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


@dataclass(frozen=True)
class KnowledgeRecord:
    """The tables of one run, and what determined them."""

    pictures: pd.DataFrame
    concepts: pd.DataFrame
    classes: pd.DataFrame
    about: dict[str, Any]

    @cached_property
    def images(self) -> pd.DataFrame:
        """One row a picture, sorted by name: the measures, controls and proxies, means over the ways of finding parts;
        the classes as they are; with labels also `correct`, `correct_through` and `correct_without` (1, 0 or NaN).
        """
        frame = self.pictures.copy()
        for name, column in (("correct", "predicted"), ("correct_through", "through"), ("correct_without", "without")):
            known = frame["label"].notna()
            frame[name] = np.where(known, (frame[column] == frame["label"]).astype(float), np.nan)
        for name, column in (("kept_through", "through"), ("kept_without", "without")):
            frame[name] = (frame[column] == frame["predicted"]).astype(float)
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
        """Some pictures split by several seeds of k-means: image, seed, score, auc, shared; empty if not measured."""
        columns = ["image", "seed", "score", "auc", "shared"]
        return pd.DataFrame(self.about.get("seed_spread", []), columns=columns)

    @property
    def labelled(self) -> int:
        """How many pictures have a true class."""
        return int(self.images["correct"].notna().sum())

    def removal_curve(self, column: str = "curve") -> Floats:
        """The mean score after 0, 1, 2, ... removed concepts: curves padded with zeros to the longest, averaged over
        the ways of finding parts and then over pictures. `column` may be `control_curve`.
        """
        longest = max(len(curve) for curve in self.pictures[column])
        each = [
            np.mean([np.pad(np.asarray(curve, dtype=float), (0, longest - len(curve))) for curve in part], axis=0)
            for _, part in self.pictures.groupby("image", sort=True)[column]
        ]
        return np.mean(each, axis=0)

    def edit_curve(self, column: str) -> Floats:
        """The mean probability at `POINTS` even shares of edited concepts; curves of other lengths are interpolated."""
        share = np.linspace(0, 1, POINTS)
        each = [
            np.mean([_at(np.asarray(curve, dtype=float), share) for curve in part], axis=0)
            for _, part in self.pictures.groupby("image", sort=True)[column]
        ]
        return np.mean(each, axis=0)

    @property
    def class_balance(self) -> float:
        """Entropy of the zero-shot classes over that of an even spread: 1 = all alike, 0 = always the same class."""
        shares = self.images["predicted"].value_counts(normalize=True).to_numpy(float)
        return float(-(shares * np.log(shares)).sum() / np.log(len(self.about["classes"])))

    def comparable(self, other: KnowledgeRecord) -> list[str]:
        """What makes the two hard to compare, by name: pictures, classes, templates, bank or options; best empty."""
        differing = []
        if set(self.images["image"]) != set(other.images["image"]):
            differing.append("pictures")
        differing += [name for name in ("classes", "templates", "options") if self.about[name] != other.about[name]]
        if self.about["bank"]["digest"] != other.about["bank"]["digest"]:
            differing.append("descriptors")
        return differing


def load(folder: Path) -> KnowledgeRecord:
    """The record in `folder`. Raises `RunError` if a file is missing, damaged or of another version."""
    try:
        about = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        pictures, concepts, classes = (pd.read_parquet(folder / name) for name in (PICTURES, CONCEPTS, CLASSES))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RunError(f"{folder} holds no complete record of mutual knowledge ({error}); compute it again") from error
    if about.get("version") != VERSION:
        raise RunError(f"{folder} was written by another version of Loupe; compute mutual knowledge again")
    return KnowledgeRecord(pictures, concepts, classes, about)


def of_run(run: Run) -> KnowledgeRecord | None:
    """The record of a run, or None if mutual knowledge was not computed for it. Raises `RunError` if it is damaged."""
    folder = run.folder / "applications" / "knowledge"
    return load(folder) if folder.exists() else None


def shared_descriptors(record: KnowledgeRecord, most: int = 5) -> pd.DataFrame:
    """For each predicted class the descriptors most of its pictures share with it: class, descriptor, pictures, n.

    A picture counts once, whichever way its parts were found; the `most` commonest descriptors a class are kept.
    """
    predicted = record.images.set_index("image")["predicted"]
    counts = predicted.value_counts()
    hits = record.concepts[record.concepts["class_rank"] >= 0].drop_duplicates(["image", "descriptor"])
    hits = hits.assign(**{"class": hits["image"].map(predicted)})
    table = hits.groupby(["class", "descriptor"], sort=True).size().rename("pictures").reset_index()
    table = table.sort_values(["class", "pictures", "descriptor"], ascending=[True, False, True], kind="stable")
    table = table.groupby("class", sort=True).head(most).reset_index(drop=True)
    return table.assign(n=table["class"].map(counts).astype(int))


def _at(curve: Floats, share: Sequence[float] | Floats) -> Floats:
    return np.interp(share, np.linspace(0, 1, len(curve)), curve)
