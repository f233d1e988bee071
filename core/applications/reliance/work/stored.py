"""The maps and word values that the audit has stored for an image and text, the most faithful methods first."""

from __future__ import annotations

import pandas as pd

from core.applications.reliance.work.texts import Pair
from core.applications.work.subject import Subject
from core.methods import METHODS

# Stored maps that rest on hidden parts of the image come first: they are the faithful ones.
PREFERRED = sorted(
    (name for name, info in METHODS.items() if info.removal_rank), key=lambda name: METHODS[name].removal_rank
)


def stored_rows(subject: Subject) -> pd.DataFrame:
    """The audit's own maps and word values, the ones that rest on hidden places first."""
    columns = [
        "image",
        "text",
        "text_kind",
        "kind",
        "method",
        "status",
        "map",
        "rows",
        "columns",
        "words",
        "word_values",
    ]
    rows = subject.run.results(columns)
    rows = rows[(rows["kind"] == "method") & (rows["status"] == "ok")]
    order = {name: at for at, name in enumerate(PREFERRED)}
    key = rows["method"].map(lambda name: (order.get(name, len(order)), name))
    return rows.assign(order=key).sort_values("order", kind="stable")


def of_pair(stored: pd.DataFrame, image: str, pair: Pair) -> pd.DataFrame:
    """The stored rows of one image and text."""
    return stored[(stored["image"] == image) & (stored["text"] == pair.text) & (stored["text_kind"] == pair.kind)]
