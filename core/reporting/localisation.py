"""Maps compared with annotated objects, where the dataset has annotations and a text names an annotated object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.truth import IGNORED, Truth, read_truth
from core.content.parts import Section
from core.content.words import bounded, exact, plural
from core.errors import InputError
from core.evaluation.localisation import MEASURES
from core.languages import say
from core.models.geometry import Preprocessing
from core.reporting.tables import DRAWN_TEXTS, CellsRow, DrawnText, by_title, cell_column, wide
from core.rules.parts import title_of
from core.runs import Run
from core.runs.results import ResultRow
from core.runs.rows import typed
from core.statistics import Interval, mean_over_images, share_of_images
from core.statistics.intervals import SHARE, UNBOUNDED

TITLE = "Maps compared with annotated objects"  # messages
# Longest side of the images that maps and regions are compared on.
SIDE = 224
MOST_TEXTS = 30
COLUMNS = {
    "pointing": "Highest point inside, higher is better",
    "relevance_mass": "Mass inside, higher is better",
    "overlap": "Overlap at equal area, higher is better",
    "contrast": "Contrast, higher is better",
}  # messages
CENTRE, CHANCE = "centre", "chance"
CONTROLS = {CENTRE: "Centre (control)", CHANCE: "Chance (control)"}  # messages
READING = (
    "A map may be faithful without marking the object: the map of a model that relies on the water rather than on the "
    "boat is correct, yet scores low here. Mass counts positive values; overlap is the intersection over union of the "
    "object and as many highest pixels as it has, so that no threshold is chosen; contrast is the mean inside minus "
    "the mean outside of the map scaled to 0 to 1 in each image. The chance control is a constant map: its contrast is "
    "exactly 0 in every image, and its other values follow from the sizes of the annotated objects."
)  # messages
# What a constant map gives in every image, whatever is annotated.
EXACT = {"contrast": 0.0}


def against_drawn(run: Run) -> Section:
    """The maps of every method for texts that name an annotated object, beside a centre Gaussian and chance.

    Empty if the dataset has no annotations or no explained text names an object annotated in its image.
    """
    path = run.dataset.annotations
    if path is None:
        return Section(TITLE)
    try:
        truth = read_truth(path)
    except InputError as error:
        return Section(TITLE, sentences=(say("Not measured: {error}.", error=error),))
    values = pd.DataFrame(_measured(run, truth))
    if values.empty:
        return Section(TITLE)
    rows, counts = [], set()
    for method, part in values.groupby("method", sort=False):
        intervals = {name: _interval(name, part, counted=method != CHANCE) for name in COLUMNS}
        title = say(CONTROLS[str(method)]) if method in CONTROLS else title_of(str(method))
        cells = {name: bounded(one.value, one.low, one.high) for name, one in intervals.items()}
        if method == CHANCE:
            cells |= {name: exact(value) for name, value in EXACT.items()}
        rows.append(CellsRow(title, cells, control=str(method) in CONTROLS))
        counts |= {one.n for one in intervals.values()}
    rows.sort(key=by_title)
    texts = list(_by_text(values))
    left = len(texts) - MOST_TEXTS
    pairs = len(values[["image", "text"]].drop_duplicates())
    caption = (
        say("Mean with 95 % interval, n = {n} images", n=max(counts))
        if len(counts) == 1
        else say("Mean with 95 % interval, n = {low} to {high} images", low=min(counts), high=max(counts))
    )
    return Section(
        TITLE,
        sentences=(f"{_named(pairs, truth.annotations.original[:12])} {say(READING)}",),
        tables=(
            wide("Map", 28, [cell_column(name, title, 18) for name, title in COLUMNS.items()]).table(caption, rows),
            DRAWN_TEXTS.table(
                say(
                    "By text: mean over the maps of all methods, with 95 % interval over the n images in which the "
                    "text is explained and its object is annotated"
                ),
                texts[:MOST_TEXTS],
                say("{count:,} more texts are not printed.", count=left) if left > 0 else "",
            ),
        ),
    )


def _named(pairs: int, annotations: str) -> str:
    """How many texts name an object that is annotated."""
    told = {"texts": plural(pairs, "explained text"), "sha256": annotations}
    if pairs == 1:
        return say(
            "{texts} of this audit names an object that is annotated in the same image (annotations {sha256}).", **told
        )
    return say(
        "{texts} of this audit name an object that is annotated in the same image (annotations {sha256}).", **told
    )


def _by_text(values: pd.DataFrame) -> Iterator[DrawnText]:
    """A row for each text that names an object, those with the most images first."""
    control = values["method"].isin(list(CONTROLS))
    methods, centre = values[~control], values[values["method"] == CENTRE]
    counts = methods.groupby("text")["image"].nunique()
    for text in sorted(counts.index, key=lambda text: (-counts[text], str(text))):
        own, beside = (part[part["text"] == text] for part in (methods, centre))
        yield DrawnText(
            str(text),
            int(counts[text]),
            **{name: _interval(name, own) for name in ("pointing", "overlap", "contrast")},
            centre=_interval("overlap", beside),
        )


def _interval(name: str, part: pd.DataFrame, counted: bool = True) -> Interval:
    """The mean over images. `counted`: whether the highest point lies inside or not, and not by a part of it."""
    values, images = part[name].to_numpy(float), part["image"].to_numpy()
    if name == "pointing" and counted:
        return share_of_images(values, images)
    return mean_over_images(values, images, within=UNBOUNDED if name == "contrast" else SHARE)


def _measured(run: Run, truth: Truth) -> Iterator[dict[str, Any]]:
    """One row an image, text and method with every measure."""
    given = run.manifest.get("model", {}).get("preprocessing")
    preprocessing = Preprocessing.from_dict(given) if given else Preprocessing(224, 224, mode="squash")
    results = run.results()
    results = results[(results.kind == "method") & (results.status == "ok") & results["map"].notna()]
    images = {entry.id: entry for entry in run.dataset.images}
    for (image, text), part in results.groupby(["image", "text"], sort=True):
        entry = images.get(str(image))
        label = str(text).casefold()
        if entry is None or label not in (truth.labels(entry) or ()):
            continue
        longest = max(entry.width, entry.height)
        size = (max(1, entry.width * SIDE // longest), max(1, entry.height * SIDE // longest))
        mask = truth.mask(entry, [label], size)
        if mask is None or not (mask == 1).any():
            continue
        geometry = preprocessing.geometry(entry.width, entry.height)
        for method, values in _maps(part.drop_duplicates("method")):
            over = geometry.on_original(values, *size)
            over[mask == IGNORED] = np.nan
            measures = {name: MEASURES[name](over, mask == 1) for name in COLUMNS}
            if all(value is not None for value in measures.values()):
                yield {"image": image, "text": text, "method": method, **measures}


def _maps(rows: pd.DataFrame) -> Iterator[tuple[str, NDArray[np.float64]]]:
    for row in typed(rows, ResultRow):
        yield str(row.method), np.asarray(row.map, dtype=np.float64).reshape(int(row.rows), int(row.columns))
    side = (np.arange(14) + 0.5) / 14 - 0.5
    yield CENTRE, np.exp(-((side[:, None] ** 2 + side[None, :] ** 2) / (2 * 0.25**2)))
    yield CHANCE, np.ones((14, 14))
