"""Numbers and dates by locale: signs, percent, months; English as Python writes it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.content.words import amount, bounded, measured, moment, number, p_value, percent, share, size
from core.datasets.languages import name_of
from core.languages import Catalogue, Voice, day, localised, minute, number_format, speaking

MOMENT = datetime(2026, 11, 30, 19, 40, tzinfo=UTC)
GERMAN, FRENCH = Voice(Catalogue("de")), Voice(Catalogue("fr"))


def test_english_stays_as_python_writes_it() -> None:
    for text in ("1,234.5", "12 %", "12%", "0.5", ".5", "\u22120.31"):
        assert localised(text) == text
    assert day(MOMENT) == "2026-11-30" and minute(MOMENT) == "2026-11-30 19:40 UTC"


@pytest.mark.parametrize(
    ("text", "german"),
    [
        ("1,234.5", "1.234,5"), ("1,234,567", "1.234.567"), ("0.5", "0,5"), (".5", ",5"), ("12 %", "12\u202f%"),
        ("12%", "12\u202f%"), ("\u22120.31", "\u22120,31"), ("< 0.0001", "< 0,0001"), ("17", "17"),
    ],
)  # fmt: skip
def test_german_has_a_decimal_comma_and_a_narrow_space_before_percent(text: str, german: str) -> None:
    with speaking(GERMAN):
        assert localised(text) == german


def test_charts_write_percent_as_the_texts_do() -> None:
    assert (number_format()["percent"], number_format()["decimal"], percent(0.4)) == (" %", ".", "40 %")
    with speaking(GERMAN):
        assert (number_format()["percent"], number_format()["decimal"]) == ("\u202f%", ",")
        assert percent(0.4) == "40\u202f%"


def test_dates_are_written_out() -> None:
    with speaking(GERMAN):
        assert day(MOMENT) == "30. November 2026" and minute(MOMENT) == "30. November 2026, 19:40 UTC"
        assert moment("2026-01-15T09:41:00+00:00") == "15. Januar 2026, 09:41 UTC"
    with speaking(FRENCH):
        assert day(MOMENT) == "30 novembre 2026" and localised("1,234.5") == "1\u202f234,5"


def test_languages_are_named_in_the_language_of_the_report() -> None:
    assert [name_of(code) for code in ("en", "fr", "xx", "")] == ["English", "French", "xx", "unknown"]
    with speaking(GERMAN):
        assert [name_of(code) for code in ("en", "fr", "xx")] == ["Englisch", "Französisch", "xx"]


def test_every_way_to_print_a_number_follows() -> None:
    with speaking(GERMAN):
        assert number(1234.5678) == "1.235" and number(0.31234) == "0,312" and number(-0.5) == "\u22120,500"
        assert percent(0.123) == "12\u202f%" and p_value(0.0123) == "0,012" and p_value(1e-9) == "< 0,0001"
        assert amount(0.000123) == "0,000123" and size(1_500_000) == "1,5 MB"
        assert (
            "(25\u202f%)" in share(3, 12)
            and "0,31" in bounded(0.31, 0.24, 0.38)
            and "0,24" in measured(0.31, 0.24, 0.38, 24)
        )
