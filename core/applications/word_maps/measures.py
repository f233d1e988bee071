"""Maps of single words over a data set: how much pairs explain, what function words own, where the two ways agree."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.applications.word_maps.record import INTERACTION, REST, SHARED, MapRow, TextRow, WordMapsRecord, grid, of_run
from core.evaluation.agreement import common_grid
from core.runs import Run
from core.runs.rows import typed
from core.statistics import mean_over_images, spearman
from core.statistics.intervals import CORRELATION, SHARE, UNBOUNDED

MEASURES = {
    "r2": "Variance explained by cells and words, each alone",
    "r2_pairs": "The same with pairs of a cell and a word",
    "gain": "Additional share explained by pairs",
    "image_share": "Modalities: share of the variance by the image alone",
    "words_share": "Modalities: share by the words alone",
    "pair_share": "Modalities: share by image and words together",
    "function_interaction": "Function words: share of the interactions minus share of the words",
    "function_shared": "Function words: share of the shared map minus share of the words",
    "same": "Both procedures, same word: rank correlation of the maps",
    "other": "Both procedures, another word of the text (control)",
    "beyond": "Same word minus another word",
}  # messages

MODALITIES = ("image_share", "words_share", "pair_share")


def shares(record: WordMapsRecord) -> pd.DataFrame:
    """What each word owns of an image's map: columns `image`, `way`, `place`, `word`, `function`, `share`.

    The sum of absolute values of the word's map over that of all words; the map of no word is left out. NaN where all
    maps are 0.
    """
    rows = record.maps[record.maps["place"] != REST]
    mass = rows["map"].map(lambda values: float(np.abs(np.asarray(values, float)).sum()))
    whole = mass.groupby([rows["image"], rows["way"]]).transform("sum")
    kept = rows[["image", "way", "place", "word", "function"]]
    return kept.assign(share=mass / whole.where(whole > 0))


def each_image(record: WordMapsRecord) -> pd.DataFrame:
    """The `MEASURES` of every image, one row an image; NaN where one isn't defined.

    The rank correlations compare content words, on the cells of the interactions. Control: the shared map of the other
    content words of the same text, so an image needs two different ones.
    """
    owned = shares(record)
    rows = []
    for text in typed(record.texts, TextRow):
        told = {"image": text.image, "r2": text.r2, "r2_pairs": text.r2_pairs, "gain": text.r2_pairs - text.r2}
        # Records of before have none.
        told |= {name: getattr(text, name, np.nan) for name in MODALITIES}
        for way in (INTERACTION, SHARED):
            part = owned[(owned["image"] == text.image) & (owned["way"] == way)]
            functions = part["function"].astype(bool)
            known = functions.any() and not functions.all() and part["share"].notna().all()
            excess = part.loc[functions, "share"].sum() - functions.mean() if known else np.nan
            told[f"function_{way}"] = float(excess)
        rows.append(told | _agreements(record, str(text.image)))
    return pd.DataFrame(rows, columns=["image", *MEASURES]).astype(dict.fromkeys(MEASURES, float))


def each_of_run(run: Run) -> pd.DataFrame:
    """`each_image` of the record of a run, for `run.once`: several rules and the chapter need it."""
    record = run.once(of_run)
    assert record is not None
    return each_image(record)


def word_maps_table(record: WordMapsRecord, each: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row a measure: `measure`, `value` (mean over images), `low`, `high` (95 % interval over images), `n`.

    each: what `each_image` gives, where it is known already.
    """
    each = each_image(record) if each is None else each
    rows = []
    for name in MEASURES:
        within = CORRELATION if name in ("same", "other") else SHARE if name in MODALITIES else UNBOUNDED
        got = mean_over_images(each[name].to_numpy(), each["image"].to_numpy(), within=within)
        rows.append({"measure": name, **vars(got)})
    return pd.DataFrame(rows, columns=["measure", "value", "low", "high", "n"])


def _agreements(record: WordMapsRecord, image: str) -> dict[str, float]:
    first, second = (record.of(image, way) for way in (INTERACTION, SHARED))
    content = [row for row in typed(first, MapRow) if not row.function]
    divided = {row.place: row for row in typed(second, MapRow)}
    same: list[float] = []
    other: list[float] = []
    for row in content:
        values = grid(row)
        for against in content:
            if against.place != row.place and against.word.lower() == row.word.lower():
                continue
            found = spearman(values, common_grid(grid(divided[against.place]), values.shape))
            if found is not None:
                (same if against.place == row.place else other).append(found)
    means = {"same": np.mean(same) if same else np.nan, "other": np.mean(other) if other else np.nan}
    return {name: float(value) for name, value in means.items()} | {"beyond": float(means["same"] - means["other"])}
