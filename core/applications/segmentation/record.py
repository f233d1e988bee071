"""Reads what open-vocabulary segmentation wrote, and sums it up with intervals over images. No torch."""

from __future__ import annotations

import colorsys
import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from core.applications.record import Record, plain_bytes
from core.applications.segmentation.multilabel import (
    RECIPES,
    left_out_means,
    mean_average_precision,
    ranking_precision,
)
from core.applications.segmentation.points import Points
from core.applications.segmentation.rows import AreaRow, MapRow, OverlapRow, RecognitionRow, TokenRow
from core.datasets.pillow import open_whole
from core.errors import RunError
from core.languages import say
from core.runs import Run
from core.statistics import Interval, interval_of_means, jackknife
from core.statistics.intervals import SHARE, Statistic, jackknife_of

# The least number of images with a label, and without it, from which on the interval of mean average precision covers
# it, and the same of images with a label for mean intersection over union: docs/statistics.md has the simulation.
FEWEST_RANKED, FEWEST_WITH_LABEL = 40, 2
# What `precision_table` has beside the recipes.
ONE_SCORE = "chance"
# How never-seen pixels are written in a mask, which is 16 bits deep.
UNSEEN_VALUE = 65535
GREY = (148, 155, 164)
# Okabe and Ito's colours, told apart with every common form of colour blindness; further ones walk round the circle.
_FIRST = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (138, 109, 0))


@dataclass(frozen=True)
class SegmentationRecord(Record):
    """The tables of one segmentation and its folder, where the masks lie."""

    folder: Path
    maps: Annotated[pd.DataFrame, MapRow]
    areas: Annotated[pd.DataFrame, AreaRow]
    recognition: Annotated[pd.DataFrame, RecognitionRow]
    overlap: Annotated[pd.DataFrame, OverlapRow]
    tokens: Annotated[pd.DataFrame, TokenRow]

    NAME: ClassVar = "segmentation"
    TITLE: ClassVar = "segmentation"

    @classmethod
    def parts(cls, folder: Path, about: dict[str, Any], tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
        """The tables and the folder."""
        return {"folder": folder, "about": about, **tables}

    @classmethod
    def encoded(cls, frame: pd.DataFrame, schema: pa.Schema) -> bytes:
        """As `plain_bytes` does: these tables never had notes for pandas."""
        return plain_bytes(frame, schema)

    @property
    def labels(self) -> tuple[str, ...]:
        """The label set, in order; a mask's number k means the k-th."""
        return tuple(self.about["labels"])

    @property
    def colours(self) -> dict[str, tuple[int, int, int]]:
        """A colour for every label; the background, "", is grey."""
        return {**dict(zip(self.labels, palette(len(self.labels)), strict=True)), "": GREY}

    @cached_property
    def images(self) -> dict[str, str]:
        """The names of the images by id, sorted by name."""
        pairs = self.areas[["image", "image_name"]].drop_duplicates().sort_values("image_name")
        return dict(zip(pairs["image"], pairs["image_name"], strict=True))

    @cached_property
    def prompts(self) -> dict[str, dict[str, dict[str, Any]]]:
        """`points.json` as it is: by image and label, best label first."""
        return _json(self.folder / "points.json")

    def points(self, image: str) -> dict[str, Points]:
        """The prompt points of an image by label; empty where it has none."""
        return {label: Points.from_dict(values) for label, values in self.prompts.get(image, {}).items()}

    def cut(self, pixels: Image.Image, image: str, label: str) -> Image.Image | None:
        """The image under the mask that Segment Anything made of a label's points; None if it made none."""
        name = self.prompts[image][label].get("sam")
        if name is None:
            return None
        with open_whole(self.folder / name) as file:
            return paint(pixels, (np.asarray(file) > 0).astype(np.int32), [GREY, _FIRST[2]])

    def mask(self, image: str) -> NDArray[np.int32]:
        """The number of each pixel's label (height, width): 0 background, -1 never seen."""
        try:
            with open_whole(self.folder / "masks" / f"{image}.png") as file:
                values = np.asarray(file).astype(np.int32)
        except OSError as error:
            raise RunError(f"the mask of image {image} is missing or damaged: {error}") from error
        return np.where(values == UNSEEN_VALUE, -1, values)

    def painted(self, pixels: Image.Image, image: str, opacity: float = 0.6) -> Image.Image:
        """The image in grey under its labels' colours."""
        return paint(pixels, self.mask(image), [GREY, *palette(len(self.labels))], opacity)


of_run, load = SegmentationRecord.of_run, SegmentationRecord.load


def area_table(record: SegmentationRecord) -> pd.DataFrame:
    """Each label's mean share of the images with interval, largest first: label, value, low, high, n, won.

    `won` counts the images of which it covers the most; the background is the label "".
    """
    wide = record.areas.pivot(index="image", columns="label", values="share").dropna()
    first = wide.idxmax(axis=1)
    rows = []
    for label in wide.columns:
        values = wide[label].to_numpy()
        got = interval_of_means(values, within=SHARE)
        rows.append({"label": label, **vars(got), "won": int((first == label).sum())})
    frame = pd.DataFrame(rows, columns=["label", "value", "low", "high", "n", "won"])
    return frame.sort_values(["value", "label"], ascending=[False, True], ignore_index=True)


def covered_by_one(record: SegmentationRecord) -> list[str]:
    """The names of the images of which one label, or the background, covers all that the model saw, in order."""
    whole = record.areas[record.areas["pixels"] == record.areas["seen"]]
    whole = whole[whole["seen"] > 0]
    return sorted(set(whole["image_name"]))


def overlap_table(record: SegmentationRecord) -> pd.DataFrame:
    """The mean intersection over union of each kind of map with interval: map, value, low, high, n, labels.

    Intersections and unions are summed over images, divided for each label that occurs in the truth, and averaged
    over those labels. The interval is a jackknife's over images; there is none where a label occurs in fewer than
    `FEWEST_WITH_LABEL` of them.
    """
    rows = []
    for name, part in record.overlap.groupby("map", sort=False):
        images = sorted(part["image"].unique())
        tables = [
            part.pivot(index="image", columns="label", values=column).reindex(images).fillna(0).to_numpy(float)
            for column in ("intersection", "union", "true")
        ]
        got = jackknife(_overlap_of(tables), len(images), within=SHARE)
        occurs = (tables[2] > 0).sum(axis=0)
        got = got if (occurs[occurs > 0] >= FEWEST_WITH_LABEL).all() else replace(got, low=None, high=None)
        rows.append({"map": name, **vars(got), "labels": int((tables[2].sum(axis=0) > 0).sum())})
    return pd.DataFrame(rows, columns=["map", "value", "low", "high", "n", "labels"])


def mean_overlap(intersection: NDArray[Any], union: NDArray[Any], true: NDArray[Any]) -> float | None:
    """The mean over labels that occur in the truth of summed intersection over summed union, of `(images, labels)`."""
    occurs = true.sum(axis=0) > 0
    if not occurs.any():
        return None
    return float((intersection[:, occurs].sum(axis=0) / union[:, occurs].sum(axis=0)).mean())


def precision_table(record: SegmentationRecord) -> pd.DataFrame:
    """How well each recipe, and one score for all, recognises labels: recipe, metric, value, low, high, n, exact.

    `mean average precision` ranks images by label, as the paper does. Its interval is a jackknife's, corrected for the
    bias of average precision; there is none where a label has fewer than `FEWEST_RANKED` images with it or without it.
    `ranking precision` ranks labels by image. One score for all gives the share of true ones. Where each image has as
    many true labels as every other, this is the same for all images, `exact`, and has no interval.
    """
    known = record.recognition[record.recognition["truth"].notna()]
    rows: list[dict[str, Any]] = []
    if len(known):
        tables = {name: known.pivot(index="image", columns="label", values=name) for name in (*RECIPES, "truth")}
        truth = tables.pop("truth").to_numpy(bool)
        scores = {name: table.to_numpy(float) for name, table in tables.items()} | {ONE_SCORE: np.zeros(truth.shape)}
        ranked = truth.any(axis=0) & ~truth.all(axis=0)
        rarest = np.minimum(truth.sum(axis=0), (~truth).sum(axis=0))[ranked].min(initial=len(truth))
        enough = int(rarest) >= FEWEST_RANKED
        some = truth[truth.any(axis=1) & ~truth.all(axis=1)]
        for recipe, values in scores.items():
            # Of the labels that are ranked, and of all of those of an image.
            alike = [recipe == ONE_SCORE and _alike(part) for part in (truth[:, ranked], some)]
            value = mean_average_precision(values, truth)
            mean = (
                jackknife_of(value, left_out_means(values, truth), len(truth), within=SHARE, biased=True)
                if enough and value is not None
                else Interval(value, None, None, len(truth))
            )
            rows.append(_precision_row(recipe, "mean average precision", mean, alike[0]))
            each = ranking_precision(values, truth)
            each = each[np.isfinite(each)]
            got = interval_of_means(each, within=SHARE)
            rows.append(_precision_row(recipe, "ranking precision", got, alike[1]))
    return pd.DataFrame(rows, columns=["recipe", "metric", "value", "low", "high", "n", "exact"])


def _alike(truth: NDArray[np.bool_]) -> bool:
    """Whether every image has the same number of true labels, of `truth` (images, labels)."""
    return len(np.unique(truth.sum(axis=1))) == 1


def _precision_row(recipe: str, metric: str, got: Interval, exact: bool) -> dict[str, Any]:
    got = replace(got, low=None, high=None) if exact else got
    return {"recipe": recipe, "metric": metric, **vars(got), "exact": exact}


def empty_table(record: SegmentationRecord) -> dict[str, Interval]:
    """How much of the best label's map the empty text explains, `before` and `after` labels' common part is removed."""
    found = {}
    best = record.maps[record.maps["kind"] == "label"].drop_duplicates("image")
    for when in ("before", "after"):
        values = best[f"empty_{when}"].dropna().to_numpy(float)
        found[when] = interval_of_means(values, within=SHARE)
    return found


def _overlap_of(tables: list[NDArray[Any]]) -> Statistic:
    return lambda at: mean_overlap(*(table[at] for table in tables))


def palette(count: int) -> list[tuple[int, int, int]]:
    """`count` colours that are told apart as well as so many can be."""
    found = list(_FIRST[:count])
    for index in range(count - len(found)):
        # Steps of the golden ratio never land near an earlier hue for long.
        hue, lightness = (0.09 + index * 0.618034) % 1, (0.42, 0.62, 0.3)[index % 3]
        red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, 0.65))
        found.append((red, green, blue))
    return found


def paint(
    image: Image.Image, mask: NDArray[Any], colours: list[tuple[int, int, int]], opacity: float = 0.6
) -> Image.Image:
    """The image in grey with each mask number's colour over it; never-seen pixels (-1) stay grey and pale."""
    sized = Image.fromarray(mask.astype(np.int32)).resize(image.size, Image.Resampling.NEAREST)
    numbers = np.asarray(sized)
    grey = np.asarray(image.convert("L"), np.float32)[..., None].repeat(3, axis=2)
    over = np.asarray(colours, np.float32)[np.maximum(numbers, 0)]
    out = np.where((numbers >= 0)[..., None], (1 - opacity) * grey + opacity * over, 0.35 * grey + 0.65 * 214)
    return Image.fromarray(np.clip(np.round(out), 0, 255).astype(np.uint8), "RGB")


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is missing or damaged: {error}") from error


def label_use(run: Run) -> str:
    """For what labels were used in the run's segmentation; empty if there were none."""
    record = SegmentationRecord.of_run(run)
    if record is None:
        return ""
    masks, column = record.about["truth"], record.about["labels_column"]
    if masks:
        return say("the accuracy of segmentation and of recognised labels (annotations {masks})", masks=masks)
    return say("the accuracy of recognised labels (metadata column {column})", column=column) if column else ""
