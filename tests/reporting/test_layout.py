"""How the pages of a report are laid out: where rows, names and headings may be broken."""

from __future__ import annotations

import re
import subprocess

import pytest
from weasyprint import HTML

from core.content.assets import Asset
from core.content.heat import Range, bar_ends
from core.content.parts import Column, Fact, HeatRow, Sample, Table
from core.reporting.html import SIZES, TEMPLATES, _environment, bar_width

THIRDS = (Column("Check", share=30), Column("Result", share=36), Column("Criterion", share=34))
LONG = " ".join(f"word{at}" for at in range(300))


def page_of(body: str, **values: object) -> str:
    """The HTML of a part of a report with its style sheet, in the fonts of this machine."""
    source = "{% from 'sections/macros.html.j2' import table, facts, heat, sample with context %}" + body
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


def test_a_command_in_a_sentence_is_a_block_and_the_sentence_keeps_its_mark() -> None:
    told = "Estimate it (python -m core spot-check RUN --sheet <s>); then decide."
    printed = _environment().from_string("{{ it | joints }}").render(it=told, standalone=True)
    assert printed == (
        'Estimate it;<span class="code command">python -m core spot-check RUN --sheet &lt;s&gt;</span>then decide.'
    )
    assert "command" not in _environment().from_string("{{ it | joints }}").render(it="(python -m)", standalone=True)


def test_markup_in_a_long_name_is_text() -> None:
    printed = _environment().from_string("{{ it | joints }}").render(it="<b>a_name_of_a_file</b>", standalone=True)
    assert "<b>" not in printed and "&lt;b&gt;a_<wbr>name" in printed


def test_what_is_said_of_colour_bars_follows_from_their_ends() -> None:
    gallery = " ".join((TEMPLATES / "sections" / "gallery.html.j2").read_text(encoding="utf-8").split())
    assert bar_ends(Range(-0.0336, 0.0179, False), signed=True) == (-0.0336, 0.0336)
    assert re.search("symmetric around 0 .* ends at the largest absolute value", gallery)
    assert bar_ends(Range(0.00154, 0.0436, False)) == (0.00154, 0.0436)
    assert "ends at the lowest and the highest raw value" in gallery


def test_a_name_is_not_broken_by_the_note_beside_it() -> None:
    note = "the caption names tower; hardly ahead of tower; changes to tower in 2 of 2 copies; predicted by few " * 2
    it = Sample("bayterek.jpg", note, (HeatRow("", "no map", ()),))
    html = page_of("{{ sample(it) }}", it=it)
    assert "bayterek.jpg" in pages_of(html)[0]
    beside = html.replace("span { display: block; color: #5b6878; font-size: 8pt", "span { padding-left: 3mm")
    assert beside != html and "bayterek.jpg" not in pages_of(beside)[0]


def test_a_long_fact_stands_below_its_name_and_leaves_no_cell_empty() -> None:
    html = page_of("<p style='height: 150mm'>Before.</p>{{ facts(it) }}", it=(Fact("A name", LONG), Fact("b", "c")))
    assert html.count('colspan="2"') == 2
    first, second = pages_of(html)
    assert "A name" in first and "word0" in first and "word299" in second
    # A short one stands beside its name.
    assert "colspan" not in page_of("{{ facts(it) }}", it=(Fact("A name", "short"),))


def left_ends(html: str) -> dict[str, float]:
    """Where each word of a page begins, in mm from its left edge."""
    made = HTML(string=html).write_pdf()
    read = subprocess.run(["pdftotext", "-bbox", "-", "-"], input=made, capture_output=True, check=True).stdout
    words = re.findall(r'<word xMin="([\d.]+)"[^>]*>([^<]*)</word>', read.decode())
    return {word: float(left) * 25.4 / 72 for left, word in words}


def test_a_long_fact_at_the_head_of_a_table_leaves_the_columns_as_wide_as_elsewhere() -> None:
    facts = (Fact("A name", LONG), Fact("b", "value"))
    html = page_of("{{ facts(it) }}", it=facts)
    assert left_ends(html)["value"] == pytest.approx(18 + 43, abs=0.2)
    # The first row would set the widths of a table that names none.
    assert left_ends(re.sub("<colgroup>.*?</colgroup>", "", html))["value"] > 18 + 60


def test_facts_with_long_names_may_be_split_between_rows_and_leave_no_single_row() -> None:
    assert Fact("x" * 100, "short").lines == 5 and Fact("short", "x" * 100).lines == 2
    name = "Inconclusive: too few images to compare own and wrong texts (text side)"
    html = page_of(
        "<p style='height: 195mm'>Before.</p>{{ facts(it) }}",
        it=tuple(Fact(name, f"value{at}") for at in range(5)),
    )
    first, second = pages_of(html)
    assert "value1" in first and "value2" not in first and "value4" in second
    # One that is taken for short would leave its page empty.
    assert "value0" not in pages_of(html.replace('class="facts"', 'class="facts short"'))[0]


def test_names_of_classes_are_whole_at_the_heads_of_many_columns() -> None:
    classes = ("bird", "castle", "farm animal", "fish", "flower", "landscape", "temple", "tower", "windmill", "zebra")
    columns = (Column("Label", share=12), *(Column(name, "number") for name in classes))
    table = Table("A caption", columns, (("bird", *"0123456789"),))
    assert table.dense and not Table("A caption", columns[:9], ()).dense
    html = page_of("{{ table(it) }}", it=table)
    assert "landscape" in left_ends(html)
    assert "landscape" not in left_ends(html.replace(" dense", ""))


def test_a_small_table_stands_on_one_page() -> None:
    rows = tuple((f"row{at}", "short", "short") for at in range(6))
    table = Table("A caption", THIRDS, rows)
    assert table.short and not Table("t", THIRDS, rows * 2).short and not Table("t", THIRDS, (("a", LONG, ""),)).short
    html = page_of("<p style='height: 205mm'>Before.</p>{{ table(it) }}", it=table)
    first, second = pages_of(html)
    assert "row0" not in first and "A caption" in second and "row5" in second
    first, second = pages_of(html.replace("data short", "data"))
    assert "row0" in first and "row5" in second


def test_the_running_head_is_that_of_the_part_that_a_page_begins_with() -> None:
    html = page_of(
        "<section><h1 data-title='First'>1</h1><p style='height: 260mm'>a</p><p style='height: 60mm'>b</p></section>"
        "<section><h1 data-title='Second'>2</h1><p>c</p></section>"
    )
    pages = pages_of(html)
    assert pages[-1].startswith("First") and "c" in pages[-1]
    assert pages_of(html.replace("string(part, start)", "string(part)"))[-1].startswith("Second")


def test_a_colour_bar_is_as_wide_as_the_image_above_it() -> None:
    assert bar_width(Asset(b"", "image/jpeg", (300, 200)), 6) == 100
    assert bar_width(Asset(b"", "image/jpeg", (200, 300)), 6) == round(100 * 20 / 26.4)
    assert bar_width(Asset(b"", "image/jpeg", (20, 300)), 6) == 50 and bar_width(Asset(b"", "x"), 6) == 100
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    for each, (width, height) in SIZES.items():
        assert f".of-{each} figure.heat {{ width: {width}mm;" in style
        assert f".of-{each} figure.heat > svg {{ max-height: {height:g}mm; }}" in style
