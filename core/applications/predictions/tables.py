"""The tables on predictions and on the spot check, for the report and the page. No torch."""

from __future__ import annotations

import pandas as pd

from core.applications.predictions.labels import Labelled
from core.applications.predictions.strata import BANDS
from core.applications.spot_check import OTHERS
from core.content.parts import Table
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import bounded, number, percent, shorten
from core.glossary import definition
from core.languages import say


def stratum_title(name: str) -> str:
    """How a stratum of the spot check is called: its plausibility, and the class or that several are merged."""
    band, _, kind = name.partition(": ")
    if band not in BANDS.values():
        return name
    return f"{say(band)}: {say(OTHERS) if kind == OTHERS else kind}"


def ends(low: str, high: str) -> str:
    """Both ends of a range, once where they are printed alike."""
    return low if low == high else say("{low} to {high}", low=low, high=high)


LISTED = TableSpec(
    ColumnSpec("Image", "image_name", share=18),
    ColumnSpec("Predicted", "predicted", share=11),
    ColumnSpec(
        "Implausibility",
        lambda row: number(row.score, 2),
        "number",
        13,
        definition("Implausibility"),
    ),
    ColumnSpec(
        "Reasons",
        "why",
        share=41,
        help=f"Entropy. {definition('Entropy of the classes')} Changed copies. {definition('Changed copy')}",
    ),
    ColumnSpec("Caption", lambda row: shorten(row.caption, 70)),
)
CLASSES = TableSpec(
    ColumnSpec("Predicted class", "name"),
    ColumnSpec("Images", "images", "number", 12, value="images"),
    ColumnSpec(
        "Implausible, 95 % interval",
        lambda row: bounded(row.share.value, row.share.low, row.share.high),
        "number",
        35,
    ),
    ColumnSpec("Caption names another class", "contradicted", "number", 20, value="contradicted"),
)
BY_LABEL = TableSpec(
    ColumnSpec("Label", "name"),
    ColumnSpec("Images", "images", "number", 14, value="images"),
    ColumnSpec("Prediction agrees", "right", "number", 20, value="right"),
    ColumnSpec(
        "Share, 95 % interval",
        lambda row: bounded(row.share.value, row.share.low, row.share.high),
        "number",
        34,
    ),
)
WRONG = TableSpec(
    ColumnSpec("Image", "image_name"),
    ColumnSpec("Label", "label", share=20),
    ColumnSpec("Predicted", "predicted", share=20),
    ColumnSpec("Probability", lambda row: percent(row.probability), "number", 12, help="Softmax at the model's scale"),
    ColumnSpec("Implausible", lambda row: say("yes" if row.implausible else "no"), share=12),
)
CONFUSIONS = TableSpec(
    ColumnSpec("Label", "label"),
    ColumnSpec("Predicted instead", "predicted"),
    ColumnSpec("Images", "images", "number", 14, value="images"),
    ColumnSpec("Images with the label", "of", "number", 24, value="of"),
)
STRATA = TableSpec(
    ColumnSpec("Stratum", lambda row: stratum_title(row.name)),
    ColumnSpec("Images", "size", "number", 12, value="size"),
    ColumnSpec("Drawn", "drawn", "number", 12, value="drawn"),
    ColumnSpec("Probability", lambda row: number(row.drawn / row.size, 2), "number", 16),
)
JUDGES = TableSpec(
    ColumnSpec("Judge", "name"),
    ColumnSpec("Right", "right", "number", 10, value="right"),
    ColumnSpec("Wrong", "wrong", "number", 10, value="wrong"),
    ColumnSpec("Unsure", "unsure", "number", 10, value="unsure"),
    ColumnSpec(
        "Accuracy",
        lambda row: ends(*(percent(end.value) for end in (row.accuracy.least, row.accuracy.most))),
        "number",
        18,
    ),
    ColumnSpec(
        "With sampling error",
        lambda row: say(
            "[{low}, {high}]", low=number(row.accuracy.least.low, 2), high=number(row.accuracy.most.high, 2)
        ),
        "number",
        20,
    ),
)
AGREEMENT = TableSpec(
    ColumnSpec("Judges", lambda row: f"{row.first}, {row.second}"),
    ColumnSpec("Images in common", lambda row: row.kappa.n, "number", 18),
    ColumnSpec("The same verdict", "same", "number", 18),
    ColumnSpec(
        "Cohen's kappa, 95 % interval",
        lambda row: bounded(row.kappa.value, row.kappa.low, row.kappa.high),
        "number",
        32,
    ),
)


def matrix(known: Labelled) -> Table:
    """How often each class is predicted for each label: labels as rows, predicted classes as columns."""
    counted = pd.crosstab(known.rows["label"], known.rows["predicted"])
    ordered = [*(name for name in counted.index if name in counted), *counted.columns.difference(counted.index)]
    spec = TableSpec(
        ColumnSpec("Label", 0, share=12),
        *(ColumnSpec(name, at, "number") for at, name in enumerate(ordered, start=1)),
    )
    rows = [(label, *(int(row[name]) or "" for name in ordered)) for label, row in counted.iterrows()]
    return spec.table(say("Images by label (rows) and predicted class (columns)"), rows)
