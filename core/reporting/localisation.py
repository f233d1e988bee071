"""Maps against what people drew, where the data set keeps annotations and a text names what is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.truth import IGNORED, Truth, read_truth
from core.errors import InputError
from core.evaluation.localisation import MEASURES
from core.models.geometry import Preprocessing
from core.reporting.charts import method_title
from core.reporting.content import Column, Section, Table
from core.reporting.words import bounded, plural
from core.runs import Run
from core.statistics import Interval, mean_over_images, share_of_images
from core.statistics.intervals import SHARE, UNBOUNDED

TITLE = "Maps against what people drew"
# Longest side of the pictures that maps and regions are compared on.
SIDE = 224
SHOWN = {
    "pointing": "Highest point inside, high",
    "relevance_mass": "Mass inside, high",
    "overlap": "Overlap at its area, high",
    "contrast": "Contrast, high",
}
CENTRE, CHANCE = "centre", "chance"
CONTROLS = {CENTRE: "Centre (control)", CHANCE: "Chance (control)"}


def against_drawn(run: Run) -> Section:
    """Every method's maps of texts that name a drawn object, beside a blob in the centre and chance.

    Empty if the data set keeps no annotations or no explained text names an object drawn in its picture.
    """
    path = run.dataset.annotations
    if path is None:
        return Section(TITLE)
    try:
        truth = read_truth(path)
    except InputError as error:
        return Section(TITLE, sentences=(f"Not measured: {error}.",))
    found = pd.DataFrame(_measured(run, truth))
    if found.empty:
        return Section(TITLE)
    rows, counts = [], set()
    for method, part in found.groupby("method", sort=False):
        told = [_interval(name, part) for name in SHOWN]
        title = CONTROLS.get(str(method)) or method_title(str(method))
        rows.append((title, *(bounded(one.value, one.low, one.high) for one in told)))
        counts |= {one.n for one in told}
    rows.sort(key=lambda row: (row[0].endswith("(control)"), row[0]))
    pairs = len(found[["image", "text"]].drop_duplicates())
    pictures = f"n = {max(counts)}" if len(counts) == 1 else f"n = {min(counts)} to {max(counts)}"
    return Section(
        TITLE,
        sentences=(
            f"{plural(pairs, 'explained text')} of this audit {'names' if pairs == 1 else 'name'} an object that "
            f"somebody drew in the same picture (annotations {truth.annotations.sha256[:12]}). A map may be faithful "
            "and lie elsewhere: a model that goes by the water and not by the boat scores low here and is well "
            "explained. Mass counts positive values; overlap is that of as many highest pixels as the object has, so "
            "that no threshold is chosen; contrast is the mean inside less that outside.",
        ),
        tables=(
            Table(
                f"Mean with 95 % interval, {pictures} pictures",
                (Column("Map", share=28), *(Column(title, "number", 18) for title in SHOWN.values())),
                tuple(rows),
            ),
        ),
    )


def _interval(name: str, part: pd.DataFrame) -> Interval:
    values, images = part[name].to_numpy(float), part["image"].to_numpy()
    if name == "pointing":
        return share_of_images(values, images)
    return mean_over_images(values, images, within=UNBOUNDED if name == "contrast" else SHARE)


def _measured(run: Run, truth: Truth) -> Iterator[dict[str, Any]]:
    """One row a picture, text and method with every measure."""
    given = run.manifest.get("model", {}).get("preprocessing")
    preprocessing = Preprocessing.from_dict(given) if given else Preprocessing(224, 224, mode="squash")
    results = run.results()
    results = results[(results.kind == "method") & (results.status == "ok") & results["map"].notna()]
    pictures = {picture.id: picture for picture in run.dataset.pictures}
    for (image, text), part in results.groupby(["image", "text"], sort=True):
        picture = pictures.get(str(image))
        label = str(text).casefold()
        if picture is None or label not in (truth.labels(picture) or ()):
            continue
        longest = max(picture.width, picture.height)
        size = (max(1, picture.width * SIDE // longest), max(1, picture.height * SIDE // longest))
        mask = truth.mask(picture, [label], size)
        if mask is None or not (mask == 1).any():
            continue
        geometry = preprocessing.geometry(picture.width, picture.height)
        for method, values in _maps(part.drop_duplicates("method")):
            over = geometry.on_original(values, *size)
            over[mask == IGNORED] = np.nan
            told = {name: MEASURES[name](over, mask == 1) for name in SHOWN}
            if all(value is not None for value in told.values()):
                yield {"image": image, "text": text, "method": method, **told}


def _maps(rows: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.float64]]]:
    for row in rows.itertuples():
        yield str(row.method), np.asarray(row.map, dtype=np.float64).reshape(int(row.rows), int(row.columns))
    side = (np.arange(14) + 0.5) / 14 - 0.5
    yield CENTRE, np.exp(-((side[:, None] ** 2 + side[None, :] ** 2) / (2 * 0.25**2)))
    yield CHANCE, np.ones((14, 14))
