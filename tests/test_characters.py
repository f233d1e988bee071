"""Texts of strangers: what is taken out of them, wherever they come from."""

from __future__ import annotations

import json
import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.characters import brief, legible, legible_values, line_of, printable

ANY = st.text(st.characters(codec=None, categories=None), max_size=60)
BAD = ("\x00", "\x0b", "\x0c", "\x1b", "\x85", "\x9f", "\u2028", "\u2029", "\u202e", "\u2066", "\u061c", "\ufeff",
       "\ud800", "\udfff", "\ufffe", "\uffff", "\ufdd0", "\U0001fffe", "\U0010ffff")  # fmt: skip


@pytest.mark.parametrize("mark", BAD)
def test_each_kind_becomes_a_blank(mark: str) -> None:
    assert printable(f"{mark}Quarterly{mark}audit{mark}") == "Quarterly audit"
    assert legible(f"a{mark}b\n\tc") == "a b\n\tc"


@given(ANY)
def test_what_is_left_fits_json_xml_and_one_line(text: str) -> None:
    for told in (printable(text), legible(text)):
        assert json.loads(json.dumps(told, ensure_ascii=False).encode()) == told
        escaped = told.replace("&", "&amp;").replace("<", "&lt;")
        ElementTree.fromstring(f"<a>{escaped}</a>".encode())
    assert len(printable(text).splitlines()) <= 1
    assert printable(printable(text)) == printable(text)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in printable(text))


def test_the_check_sees_what_xml_cannot_hold() -> None:
    with pytest.raises(ElementTree.ParseError):
        ElementTree.fromstring(b"<a>\x0b</a>")
    with pytest.raises(UnicodeEncodeError):
        "\ud800".encode()


def test_letters_of_every_script_stay() -> None:
    for text in ("Grüße, 日本語", "हिन्दी", "👩‍🔬 family", "\u05e9\u05dc\u05d5\u05dd", "naïve \u00ad soft"):
        assert printable(text) == text.strip()


def test_values_and_lists_are_cleaned_through_and_through() -> None:
    assert legible_values({"a\x0b": ["b\ud800", {"c": 1, "d": None}]}) == {"a ": ["b ", {"c": 1, "d": None}]}
    assert line_of(("a\nb", 3, ["c\x00d"])) == ("a b", 3, ["c d"])


def test_a_message_is_cut_before_it_is_searched() -> None:
    assert brief("x" * 10**7) == "x" * 199 + "…"
    assert brief("a\nb", 80) == "a b"
