"""Sheets that a person edited: the rows and their numbers, and a reason in one line for whatever is no sheet."""

from __future__ import annotations

import codecs
from dataclasses import asdict

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.datasets.sheets import rows_of
from core.errors import Refused
from core.settings import LIMITS

COLUMNS = ["id", "mark"]


def read(data: bytes) -> list[tuple[int, dict[str, str]]]:
    rows, _ = rows_of(data, COLUMNS, asdict(LIMITS))
    return [(int(number), dict(cells)) for number, cells in rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_rows_are_read_with_any_delimiter_and_any_end_of_line(delimiter: str, end: str) -> None:
    lines = [["mark", "id", "a, b"], ["right", "1", ""], ["wrong", "2", ""]]
    text = end.join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    assert read(text.encode()) == [(2, {"id": "1", "mark": "right"}), (3, {"id": "2", "mark": "wrong"})]


@pytest.mark.parametrize(
    "data",
    [b"", b" \n", b"\x0b,", b",,\n,,", "\u2028".encode(), codecs.BOM_UTF8, codecs.BOM_UTF16_LE, b"\xff\xfe\n\x00"],
)
def test_a_sheet_without_a_filled_cell_is_empty(data: bytes) -> None:
    with pytest.raises(Refused, match="is empty; export the sheet again"):
        read(data)


@given(st.binary(max_size=60))
@example(b"\x0b,")
@example(b"\x1c\n")
def test_bytes_are_rows_or_are_refused(data: bytes) -> None:
    try:
        rows = read(data)
    except Refused:
        return
    assert all(number > 1 and list(cells) == COLUMNS for number, cells in rows)


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6), max_size=4))
def test_any_text_before_and_in_the_header_is_rows_or_is_refused(lines: list[str]) -> None:
    try:
        read("\n".join([*lines, "id,mark", "1,right"]).encode())
    except Refused as refused:
        assert "\n" not in str(refused)
