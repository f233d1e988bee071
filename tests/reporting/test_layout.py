"""How the pages of a report are laid out: where rows, names and headings may be broken."""

from __future__ import annotations

import re
import subprocess

import pytest
from weasyprint import HTML

from core.content.heat import Range, bar_ends
from core.content.parts import Column, Fact, Table
from core.reporting.html import TEMPLATES, _environment

THIRDS = (Column("Check", share=30), Column("Result", share=36), Column("Criterion", share=34))
LONG = " ".join(f"word{at}" for at in range(300))


def page_of(body: str, **values: object) -> str:
    """The HTML of a part of a report with its style sheet, in the fonts of this machine."""
    source = "{% from 'sections/macros.html.j2' import table, facts, heat with context %}" + body
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    return f"<style>{style}</style>" + _environment().from_string(source).render({"standalone": False, **values})


def pages_of(html: str) -> list[str]:
    made = HTML(string=html).write_pdf()
    read = subprocess.run(["pdftotext", "-layout", "-", "-"], input=made, capture_output=True, check=True).stdout
    return [" ".join(page.split()) for page in read.decode().split("\f")[:-1]]


def test_only_a_row_with_a_long_text_may_be_split() -> None:
    rows = (("a", "short", "short"), ("b", LONG, "short"), ("c", "x" * 400, "y"))
    assert [Table("t", THIRDS, rows).tall(row) for row in rows] == [False, True, False]
    # The same text is not tall in a column across the page.
    assert not Table("t", (Column("n", share=10), Column("Text")), ()).tall(("1", "x" * 1000))
    assert Fact("a", "x" * 1200).tall and not Fact("a", "x" * 900).tall


@pytest.mark.parametrize("split", [True, False])
def test_a_heading_stands_on_the_page_of_its_table(split: bool) -> None:
    table = Table("A caption", THIRDS, (("first", "short", "short"), ("second", LONG, "short")))
    html = page_of("<p style='height: 120mm'>Before.</p><h2>A heading</h2>{{ table(it) }}", it=table)
    first, *_ = pages_of(html if split else html.replace('class="tall"', ""))
    # A row that can't be split takes all that belongs to it to the next page.
    assert ("A heading" in first) == split and ("word0" in first) == split


def test_a_table_of_one_row_does_not_hold_what_follows() -> None:
    table = Table("A caption", THIRDS, (("only", "short", "short"),))
    html = page_of("<p style='height: 150mm'>Before.</p>{{ table(it) }}<p style='height: 90mm'>After.</p>", it=table)
    first, second = pages_of(html)
    assert "only" in first and "After" in second


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("windmill_khokhlovka.jpg", ["windmill_", "khokhlovka.jpg"]),
        ("folder/some-picture.jpeg", ["folder/", "some-", "picture.jpeg"]),
        ("longname1234.jpg", ["longname1234.", "jpg"]),
        ("general.least_images", ["general.", "least_", "images"]),
        ("short_a.jpg", ["short_a.jpg"]),
        ("0.123456789012", ["0.123456789012"]),
    ],
)
def test_a_name_breaks_at_its_joints_only(name: str, parts: list[str]) -> None:
    for standalone, mark in ((True, "<wbr>"), (False, "\u200b")):
        printed = _environment().from_string("{{ it | joints }}").render(it=name, standalone=standalone)
        assert printed.split(mark) == parts


def test_a_name_in_a_narrow_place_is_not_broken_inside_a_word() -> None:
    html = page_of("<div style='width: 32mm'><strong style='overflow-wrap: anywhere'>{{ it | joints }}</strong></div>",
                   it="windmill_khokhlovka.jpg")  # fmt: skip
    assert "windmill_ khokhlovka.jpg" in pages_of(html)[0]
    assert "windmill_ khokhlovka.jpg" not in pages_of(html.replace("\u200b", ""))[0]


def test_markup_in_a_long_name_is_text() -> None:
    printed = _environment().from_string("{{ it | joints }}").render(it="<b>a_name_of_a_file</b>", standalone=True)
    assert "<b>" not in printed and "&lt;b&gt;a_<wbr>name" in printed


def test_what_is_said_of_colour_bars_follows_from_their_ends() -> None:
    gallery = " ".join((TEMPLATES / "sections" / "gallery.html.j2").read_text(encoding="utf-8").split())
    assert bar_ends(Range(-0.0336, 0.0179, False), signed=True) == (-0.0336, 0.0336)
    assert re.search("symmetric around 0 .* ends at the largest absolute value", gallery)
    assert bar_ends(Range(0.00154, 0.0436, False)) == (0.00154, 0.0436)
    assert "ends at the lowest and the highest raw value" in gallery
