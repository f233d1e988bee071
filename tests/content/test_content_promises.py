"""No title, heading or caption promises an interval where none is printed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.content.promises import draws_interval, prints_interval, promised
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import bounded
from core.languages import speaking, voice_of


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("Seeds, means with 95 % interval over images", "Seeds, means"),
        ("Faithfulness by regions, cosine, with 95 % interval", "Faithfulness by regions, cosine"),
        ("Own text and others, paired, 95 % interval over images", "Own text and others, paired"),
        ("Words, with 95 % interval over images or texts", "Words"),
        ("Difference: 95 % interval, p (adjusted)", "Difference: p (adjusted)"),
        ("Value [95 % interval], n", "Value, n"),
        ("Cosine: mean and interval, n = 6.", "Cosine: mean, n = 6."),
        ("Areas: mean with 95 % interval, and the median", "Areas: mean, and the median"),
        ("The whole interval decides", "The whole interval decides"),
    ],
)
def test_a_promise_is_kept_or_not_made(text: str, without: str) -> None:
    assert promised(text, True) == text and promised(text, False) == without


@pytest.mark.parametrize(
    ("text", "whole", "without"),
    [
        ("Mean, 95 % interval", "Mittelwert, 95-%-Konfidenzintervall", "Mittelwert"),
        ("Value [95 % interval], n", "Wert [95-%-Konfidenzintervall], n", "Wert, n"),
    ],
)
def test_a_promise_is_translated_before_it_is_taken_back(text: str, whole: str, without: str) -> None:
    with speaking(voice_of("de")):
        assert promised(text, True) == whole and promised(text, False) == without
        spec = TableSpec(ColumnSpec("Text", 0), ColumnSpec(text, lambda row: bounded(*row[1:])))
        alone, known = spec.table("", [("b", 0.2, None, None)]), spec.table("", [("a", 0.2, 0.1, 0.3)])
    assert alone.columns[1].title == without and known.columns[1].title == whole
    assert alone.rows == (("b", "0,20"),) and alone.more.startswith("Kein Wert hat")


def test_a_table_promises_what_its_cells_have() -> None:
    spec = TableSpec(
        ColumnSpec("Text", 0),
        ColumnSpec("Cosine, 95 % interval", lambda row: bounded(*row[1:])),
    )
    known, unknown = ("a", 0.2, 0.1, 0.3), ("b", 0.2, None, None)
    caption = "Mean cosine with 95 % interval"
    for rows, kept in (([known], True), ([known, unknown], True), ([unknown], False)):
        table = spec.table(caption, rows)
        assert (table.caption == caption) == kept == ("interval" in table.columns[1].title), rows


def test_an_interval_that_no_row_has_is_missed_once() -> None:
    spec = TableSpec(ColumnSpec("Text", 0), ColumnSpec("Cosine", lambda row: bounded(*row[1:])))
    known, unknown = ("a", 0.2, 0.1, 0.3), ("b", 0.2, None, None)
    alone, both = spec.table("Cosines", [unknown], "Two more."), spec.table("Cosines", [known, unknown])
    assert alone.rows == (("b", "0.20"),) and alone.more == "No value has an interval: n is too small. Two more."
    assert both.rows[1] == ("b", "0.20 [no interval]") and both.more == ""


def test_signs_and_limits_are_intervals_and_notes_are_none() -> None:
    assert prints_interval(["0.1 [< 0.0001, 0.2]"]) and prints_interval(["\u22120.1 [\u22120.3, 0.2], n = 4"])
    assert not prints_interval(["0.1 [no interval]", "[pairs.captions.most = 5]", "see [1]"])


def test_a_chart_draws_the_intervals_that_are_known() -> None:
    frame = pd.DataFrame({"value": [1.0, 2.0], "low": [np.nan, 0.5]})
    assert draws_interval(frame) and not draws_interval(frame.head(1)) and not draws_interval(frame[["value"]])
    assert draws_interval(frame.rename(columns={"low": "faithfulness_low"}))
