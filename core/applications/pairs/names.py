"""The captions of a run that name a class of its plan. No torch."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from core.applications.pairs.record import CaptionRow, PairsRecord
from core.concepts.mentions import ClassNames
from core.runs.rows import typed


def named_classes(captions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """The table `names` of the record from its table `captions`; empty where there are no classes."""
    if not classes:
        return PairsRecord.frame("names")
    names = ClassNames(tuple(dict.fromkeys(classes)))
    rows = [
        {
            "image": row.image,
            "image_name": row.image_name,
            "caption": row.caption,
            "classes": [names.names[at] for at in sorted(names.mentions(row.caption).named)],
        }
        for row in typed(captions, CaptionRow)
    ]
    return PairsRecord.frame("names", rows)
