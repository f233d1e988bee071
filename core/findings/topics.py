"""What rules on parts of pictures share: which rows hold, whose rows they are, how they are told. No torch."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

import pandas as pd

from core.evaluation.reliance import EVERY, topics_of
from core.findings.finding import Number, Sample
from core.findings.parts import SAMPLES, known, sample_of
from core.findings.thresholds import Thresholds
from core.statistics.families import TOPICS

BEYOND = "beyond the same shape hidden elsewhere"


def shown(table: pd.DataFrame, least: float, thresholds: Thresholds) -> pd.DataFrame:
    """The rows whose interval lies above `least` and whose p, adjusted over all rows (Holm), is significant."""
    p = TOPICS.adjusted(table)
    above = table["low"].astype(float) > least
    return table.assign(p_adjusted=p)[above & (p < float(thresholds["general.significance"]))]


def of_topic(rows: pd.DataFrame, topic: str) -> pd.DataFrame:
    """The rows whose text belongs to a topic."""
    if topic == EVERY:
        return rows
    return rows[[topic in topics_of(row.text, row.text_kind) for row in rows.itertuples()]]


def topic_told(topic: str) -> str:
    """A topic in quotes; every text without."""
    return topic if topic == EVERY else f"\u201c{topic}\u201d"


def more_told(found: Sized) -> str:
    """How many rows there are beside the first; nothing if it is alone."""
    return f" {len(found) - 1} more of the same kind." if len(found) > 1 else ""


def samples_of(rows: pd.DataFrame, column: str) -> tuple[Sample, ...]:
    """The first pictures of the rows, each with its share of the score."""
    first = rows.drop_duplicates("image").head(SAMPLES)
    return tuple(sample_of(row, (), f"{getattr(row, column):.0%} of the score") for row in first.itertuples())


def number_of(name: str, row: Any) -> Number:
    """A row's value with its interval."""
    return Number(name=name, value=row.value, low=known(row.low), high=known(row.high), n=int(row.n))
