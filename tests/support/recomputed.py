"""Printed numbers of a report, recomputed from its evidence bundle alone, by code that shares nothing with Loupe's.

    python -m tests.support.recomputed evidence.zip report.html 100 SEED

Of Loupe it takes the titles of methods and nothing else. It reads the tables of `report.html`, knows for the captions
and columns in `TABLES` how their numbers follow from `evidence.zip`, draws some and compares them with its own.
"""

from __future__ import annotations

import io
import json
import random
import re
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.support.printed_numbers import Printed, Tables, numbers_of

KEY = ["image", "text", "text_kind"]
# Of which an area is divided by the gain, the score of the whole image less that of the fully hidden one.
DIVIDED = ("deletion", "insertion", "faithfulness")
LEAST_GAIN, GRID, SHARE, SIDE = 0.5, 14, 0.2, 224
METRICS = {
    "Deletion": "deletion", "Insertion": "insertion", "Faithfulness": "faithfulness", "Correlation": "correlation",
    "Sens.": "sensitivity_n", "Infid.": "infidelity", "Drop": "relative_drop", "Rise": "confidence_increase",
    "Comp.": "comprehensiveness", "Suff.": "sufficiency", "Gini": "sparseness", "Entr.": "entropy",
    "Area": "effective_area",
}  # fmt: skip
CONTROLS = {"centre of annotated": "Centre (control)", "chance of annotated": "Chance (control)"}
DRAWN = ("Highest point inside", "Contrast")
RECIPES = {
    "cosine of the whole image with the label": "cosine",
    "softmax over the labels of the cosines, at the model's own scale": "softmax",
    "cosine of the whole image minus what the labels share (feature surgery of the class token)": "class_surgery",
    "the highest value of the label's map": "best_place",
    "the same score for all (chance)": "chance",
}


class Bundle:
    """The files of `evidence.zip` as tables."""

    def __init__(self, path: Path) -> None:
        self._zip = zipfile.ZipFile(path)
        names = self._zip.namelist()
        self.names = frozenset(names)
        self.rows = pd.concat([self.table(name) for name in names if name.startswith("results/")], ignore_index=True)
        self.dataset = self.json("dataset.json")
        self.manifest = self.json("manifest.json")
        self.images = {image["id"]: image for image in self.dataset["images"]}
        methods = self.rows[self.rows.kind.isin(["method", "control"])].copy()
        known = methods.deletion_curve.notna() & methods.faithfulness.notna()
        gain = pd.Series(np.nan, index=methods.index)
        gain[methods.deletion_curve.notna()] = [
            float(curve[0]) - float(curve[-1]) for curve in methods.deletion_curve.dropna()
        ]
        pairs = methods[known].assign(gain=gain[known]).drop_duplicates(KEY)
        if len(pairs):
            for name in DIVIDED:
                methods[name] = methods[name].astype(float).mask(gain < LEAST_GAIN * pairs.gain.median())
        self.maps = methods

    def json(self, name: str) -> Any:
        return json.loads(self._zip.read(name))

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(io.BytesIO(self._zip.read(name)))


Values = dict[tuple[str, str, str], float]


def metric_means(bundle: Bundle, titles: Mapping[str, str]) -> Values:
    """Of each map and metric the mean over images of each image's mean, the median, and the number of images."""
    found: Values = {}
    for method, part in bundle.maps.groupby("method"):
        for column, name in METRICS.items():
            each = part[name].astype(float).groupby(part.image).mean().dropna()
            if len(each):
                row = titles.get(str(method), str(method))
                # These two are printed in thousandths.
                scale = 1000 if column in ("Comp.", "Suff.") else 1
                found[row, column, "value"] = scale * each.mean()
                found[row, column, "median"] = scale * each.median()
                found[row, column, "n"] = len(each)
    return found


def cosines(bundle: Bundle, titles: Mapping[str, str]) -> Values:
    """The mean score of each text over images."""
    scores = bundle.rows[bundle.rows.kind == "score"]
    found: Values = {}
    for text, part in scores.groupby("text"):
        each = part.score.astype(float).groupby(part.image).mean()
        found[str(text), "Mean cosine", "value"] = each.mean()
        found[str(text), "Mean cosine", "n"] = len(each)
    return found


def pairs_of_methods(bundle: Bundle, titles: Mapping[str, str]) -> Values:
    """The rank correlation of the maps of two methods, and the overlap of their best fifth of cells."""
    rows = bundle.rows[(bundle.rows.kind == "method") & (bundle.rows.status == "ok") & bundle.rows["map"].notna()]
    grids: dict[str, dict[tuple[str, ...], np.ndarray]] = {}
    for row in rows.itertuples():
        grid = np.asarray(row.map, float).reshape(int(row.rows), int(row.columns))
        # Enlarged by repetition to a common multiple, then averaged: the area-weighted map on the common grid.
        large = np.repeat(np.repeat(grid, GRID, axis=0), GRID, axis=1)
        even = large.reshape(GRID, int(row.rows), GRID, int(row.columns)).mean(axis=(1, 3))
        grids.setdefault(str(row.method), {})[tuple(getattr(row, name) for name in KEY)] = even.ravel()
    found: Values = {}
    for one, first in grids.items():
        for two, second in grids.items():
            both = sorted(set(first) & set(second))
            if one == two or not both:
                continue
            ranks = [pd.Series(first[key]).rank().corr(pd.Series(second[key]).rank()) for key in both]
            shared = [_shared(first[key], second[key]) for key in both]
            each = pd.DataFrame({"image": [key[0] for key in both], "rho": ranks, "shared": shared}).dropna()
            means = each.groupby("image").mean()
            row = f"{titles.get(one, one)} | {titles.get(two, two)}"
            found[row, "Rank correlation", "value"] = means.rho.mean()
            found[row, "Rank correlation", "n"] = len(means)
            found[row, "Overlap of best 20 %", "value"] = means.shared.mean()
    return found


def _shared(a: np.ndarray, b: np.ndarray) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    count = round(SHARE * len(a))
    best = [set(pd.Series(-grid).sort_values(kind="stable").index[:count]) for grid in (a, b)]
    return len(best[0] & best[1]) / len(best[0] | best[1])


def label_shares(bundle: Bundle, titles: Mapping[str, str]) -> Values:
    """The mean part of an image that each label covers."""
    areas = bundle.table("applications/segmentation/areas.parquet")
    found: Values = {}
    for label, part in areas.groupby("label"):
        found[str(label), "Mean share", "value"] = part.share.mean()
        found[str(label), "Mean share", "n"] = len(part)
    return found


def precision_of_labels(bundle: Bundle, titles: Mapping[str, str]) -> Values:
    """For each recipe the mean over labels of the average precision over images, by the labels of the bundle."""
    return _precision(bundle, "label", "Mean average precision")


def precision_of_images(bundle: Bundle, titles: Mapping[str, str]) -> Values:
    """For each recipe the mean over images of the average precision over labels."""
    return _precision(bundle, "image", "Ranking precision")


def _precision(bundle: Bundle, by: str, column: str) -> Values:
    told = bundle.table("applications/segmentation/recognition.parquet")
    told = told[told.truth.notna()].copy()
    told["truth"], told["chance"] = _labels(bundle, told), 0.0
    found: Values = {}
    for row, recipe in RECIPES.items():
        values = []
        for _, part in told.groupby(by):
            true = part.truth.astype(bool).to_numpy()
            scores = part[recipe].astype(float).to_numpy()
            if 0 < true.sum() < len(true):
                at_least = [(scores >= score) for score in scores[true]]
                values.append(np.mean([(kept & true).sum() / kept.sum() for kept in at_least]))
        if values:
            found[row, column, "value"] = float(np.mean(values))
            found[row, column, "n"] = told.image.nunique() if by == "label" else len(values)
    return found


def _labels(bundle: Bundle, rows: pd.DataFrame) -> list[bool]:
    """Whether each image has the label, by the annotations or the metadata in the bundle, not by the record."""
    about, images = bundle.json("applications/segmentation/about.json"), bundle.images.items()
    if "applications/segmentation/annotations.json" in bundle.names:
        drawn = _drawn(bundle.json("applications/segmentation/annotations.json"))
        names = {image: {label for label, _ in drawn.get(_base(told["name"]), [])} for image, told in images}
    elif about["labels_column"]:
        column = about["labels_column"]
        names = {image: {str(told["metadata"].get(column)).casefold()} for image, told in images}
    else:
        return rows.truth.astype(bool).tolist()
    return [str(row.label).casefold() in names[row.image] for row in rows.itertuples()]


def _base(name: str) -> str:
    return re.split(r"[\\/]", name)[-1].casefold()


def _drawn(coco: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    """The labels and outlines of each image of a file in COCO's form, with the sizes that it gives."""
    images = {each["id"]: each for each in coco["images"]}
    labels = {each["id"]: str(each["name"]).casefold() for each in coco["categories"]}
    found: dict[str, list[tuple[str, Any]]] = {}
    for each in coco["annotations"]:
        image = images[each["image_id"]]
        outline = (image["width"], image["height"], each["segmentation"])
        found.setdefault(_base(image["file_name"]), []).append((labels[each["category_id"]], outline))
    return found


def drawn_objects(bundle: Bundle, titles: Mapping[str, str]) -> Values:
    """Maps against annotated rectangles: whether the highest point lies inside, and the difference of the means."""
    drawn = _drawn(bundle.json("annotations.json"))
    prepared = bundle.manifest["model"]["preprocessing"]
    rows = bundle.rows[(bundle.rows.kind == "method") & (bundle.rows.status == "ok") & bundle.rows["map"].notna()]
    each = []
    for row in _with_controls(rows.drop_duplicates(["image", "text", "method"])):
        told = bundle.images[row.image]
        objects = [part for label, part in drawn.get(_base(told["name"]), []) if label == str(row.text).casefold()]
        if not objects:
            continue
        longest = max(told["width"], told["height"])
        size = max(1, told["width"] * SIDE // longest), max(1, told["height"] * SIDE // longest)
        inside = np.zeros((size[1], size[0]), bool)
        for width, height, polygons in objects:
            for polygon in polygons:
                across, down = np.array(polygon[::2]) * size[0] / width, np.array(polygon[1::2]) * size[1] / height
                # As Pillow draws a rectangle: every pixel from the rounded first to the rounded last, both included.
                x, y = (np.clip(np.round([part.min(), part.max()]).astype(int), 0, None) for part in (across, down))
                inside[y[0] : y[1] + 1, x[0] : x[1] + 1] = True
        over = _over(np.asarray(row.map, float).reshape(int(row.rows), int(row.columns)), told, size, prepared)
        seen = np.isfinite(over)
        if not inside[seen].any():
            continue
        kept, within = over[seen], inside[seen]
        pointing = within[kept >= kept.max()].mean()
        scaled = (kept - kept.min()) / (np.ptp(kept) or 1.0)
        contrast = scaled[within].mean() - scaled[~within].mean()
        each.append((row.image, row.method, pointing, contrast))
    found: Values = {}
    frame = pd.DataFrame(each, columns=["image", "method", "pointing", "contrast"])
    for method, part in frame.groupby("method"):
        means = part.groupby("image")[["pointing", "contrast"]].mean()
        row = CONTROLS.get(str(method)) or titles.get(str(method), str(method))
        found[row, "Highest point inside", "value"] = means.pointing.mean()
        found[row, "Contrast", "value"] = means.contrast.mean()
    return found


def _with_controls(rows: pd.DataFrame) -> Iterator[Any]:
    """The rows, and for each image and text a hill in the middle and a constant map."""
    yield from rows.itertuples()
    side = (np.arange(GRID) + 0.5) / GRID - 0.5
    hill = np.exp(-(side[:, None] ** 2 + side[None, :] ** 2) / 0.125)
    for name, grid in (("centre of annotated", hill), ("chance of annotated", np.ones((GRID, GRID)))):
        pairs = rows.drop_duplicates(["image", "text"])
        yield from pairs.assign(method=name, map=[grid] * len(pairs), rows=GRID, columns=GRID).itertuples()


def _over(grid: np.ndarray, told: Mapping[str, Any], size: tuple[int, int], prepared: Mapping[str, Any]) -> np.ndarray:
    """A map over the image at `size` (width, height), linear between the centres of its cells; NaN where not seen.

    For inputs that are squashed, or whose shortest side is resized before the middle is cut out.
    """
    wanted = prepared["width"], prepared["height"]
    image = told["width"], told["height"]
    if prepared["mode"] == "squash":
        resized = wanted
    else:
        edge = prepared["resized"] or wanted[0]
        resized = (
            (edge, int(edge * image[1] / image[0])) if image[0] <= image[1] else (int(edge * image[0] / image[1]), edge)
        )
    axes = []
    for at in (1, 0):
        middle = (np.arange(size[at]) + 0.5) / size[at] * resized[at]
        cut = round((resized[at] - wanted[at]) / 2) if resized[at] >= wanted[at] else -((wanted[at] - resized[at]) // 2)
        cells = grid.shape[1 - at]
        place = (middle - cut) / wanted[at] * cells
        weights = np.zeros((size[at], cells))
        centre = np.clip(place - 0.5, 0, cells - 1)
        lower = np.floor(centre).astype(int)
        upper = np.minimum(lower + 1, cells - 1)
        np.add.at(weights, (np.arange(size[at]), lower), 1 - (centre - lower))
        np.add.at(weights, (np.arange(size[at]), upper), centre - lower)
        weights[(place < 0) | (place >= cells)] = np.nan
        axes.append(weights)
    with np.errstate(invalid="ignore"):
        return np.asarray((axes[0] @ grid @ axes[1].T).astype(np.float32), float)


# By the beginning of a caption: how its numbers follow from the bundle, and the columns that name a row.
TABLES: dict[str, tuple[Callable[[Bundle, Mapping[str, str]], Values], int, tuple[str, ...]]] = {
    "Areas and correlation": (metric_means, 1, tuple(METRICS)),
    "Means over images": (metric_means, 1, tuple(METRICS)),
    "Mean cosine of each text": (cosines, 1, ("Mean cosine",)),
    "Pairs of methods": (pairs_of_methods, 2, ("Rank correlation", "Overlap of best 20 %")),
    "Labels by mean share": (label_shares, 1, ("Mean share",)),
    "Mean average precision of each recipe": (precision_of_labels, 1, ("Mean average precision",)),
    "Ranking precision of each recipe": (precision_of_images, 1, ("Ranking precision",)),
    "Mean with 95 % interval": (drawn_objects, 1, tuple(DRAWN)),
}


def printed(html: Path) -> Iterator[Printed]:
    """Every number of the known tables of a report: the value of each cell, its median and its n."""
    parser = Tables()
    parser.feed(html.read_text(encoding="utf-8"))
    for caption, rows in dict(parser.found).items():
        known = next((name for name in TABLES if caption.startswith(name)), None)
        if known is None or not rows:
            continue
        _, count, columns = TABLES[known]
        head, *body = rows
        for row in body:
            name = " | ".join(row[:count])
            for column, cell in zip(head[count:], row[count:], strict=True):
                short = re.sub(r" ?[\u2191\u2193]$|, (higher|lower) is better.*|, n = .*", "", column)
                if short not in columns:
                    continue
                for part, text in numbers_of(cell):
                    yield Printed(known, name, short, part, text)


def recomputed(
    bundle: Path, html: Path, titles: Mapping[str, str], count: int, seed: int
) -> list[tuple[Printed, float | None]]:
    """`count` of the known printed numbers, drawn at random so that every table has its share, each with what it
    should be; None where the bundle does not give it.
    """
    values: dict[str, Values] = {}
    opened = Bundle(bundle)
    by_table: dict[str, list[Printed]] = {}
    for one in dict.fromkeys(printed(html)):
        by_table.setdefault(one.caption, []).append(one)
    draw = random.Random(seed)
    for listed in by_table.values():
        draw.shuffle(listed)
    chosen: list[Printed] = []
    while len(chosen) < count and any(by_table.values()):
        chosen += [listed.pop() for listed in by_table.values() if listed]
    chosen = chosen[:count]
    for caption in {one.caption for one in chosen}:
        values[caption] = TABLES[caption][0](opened, titles)
    return [(one, values[one.caption].get((one.row, one.column, one.part))) for one in chosen]


if __name__ == "__main__":
    from core.methods import METHODS

    names = {name: info.title for name, info in METHODS.items()}
    controls = {"random": "Random map", "centre": "Centre Gaussian", "edge": "Edge map"}
    names |= {name: f"{title} (control)" for name, title in controls.items()}
    got = recomputed(Path(sys.argv[1]), Path(sys.argv[2]), names, int(sys.argv[3]), int(sys.argv[4]))
    wrong = [(one, value) for one, value in got if value is None or not one.agrees(value)]
    print(pd.Series([one.caption for one, _ in got]).value_counts().to_string())
    print(f"{len(got) - len(wrong)} of {len(got)} printed numbers are what the bundle gives")
    for one, value in wrong:
        print(f"{one.caption} / {one.row} / {one.column} / {one.part}: printed {one.text}, recomputed {value}")
