"""Which class each image is given by the scores of a run, and which values deserve a mark of their own. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pandas as pd

# What has no colour of its own shares one.
OTHERS = "others"  # messages
# More colours than these can hardly be told apart; with a shape to each, twice as many groups can.
MOST_COLOURS, MOST_GROUPS = 7, 14


def best_classes(scores: pd.DataFrame) -> dict[str, str]:
    """The class with the highest score of each image, by the image's id; empty where no class was scored.

    scores: rows of `core.evaluation.tables.ScoreRow`.
    """
    rows = scores[scores["text_kind"] == "class"]
    best = rows.sort_values(["score", "text"], ascending=[False, True], kind="stable").drop_duplicates("image")
    return dict(zip(best["image"], best["text"], strict=True))


def frequent(values: Iterable[str], most: int = MOST_GROUPS) -> list[str]:
    """The values by frequency, then by name: all where there are no more than `most`, otherwise one fewer."""
    counts = Counter(values)
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    return ordered if len(ordered) <= most else ordered[: most - 1]
