"""What the body shows of chapters and of the heat maps, and what the annexes hold."""

from __future__ import annotations

import pytest

from core.content.parts import Chart, Column, Fact, Heat, Place, Sample, Section, Table
from core.reporting.abridged import FIRST, SAMPLES, WHOLE, Chapter, divided, parted
from core.reporting.letters import LETTERS

LETTER = LETTERS["chapters"]


def table(rows: int, more: str = "", place: Place = "annex") -> Table:
    return Table("Values", (Column("Name"),), tuple((f"row {at}",) for at in range(rows)), more, place)


def chart(place: Place) -> Chart:
    return Chart(f"{place}.svg", "A chart", "A chart.", place=place)


def whole() -> Chapter:
    """A chapter with a block of every kind."""
    first = Section(
        "Measured",
        facts=(Fact("Images", "9"),),
        sentences=("How it was done.",),
        charts=(chart("body"), chart("annex")),
        tables=(table(3), table(2, place="body")),
        results=("It is 0.5.",),
    )
    images = Section("Images", heats=(Heat("a.jpg", "An image", "Image"),))
    return Chapter("Scores", (first, images, Section("Nothing")), "What is it?", ("Passed.",))


def test_the_body_has_question_results_and_the_blocks_placed_there_and_the_annex_has_the_rest() -> None:
    (body,), annex = divided([whole()])
    (lead,) = body
    assert (lead.title, lead.question, lead.results) == ("Scores", "What is it?", ("Passed.", "It is 0.5."))
    assert lead.charts == (chart("body"),) and lead.tables == (table(2, place="body"),)
    assert not lead.sentences and not lead.facts and not lead.heats
    (link,) = lead.links
    assert link.text == f"Annex {LETTER}.1: method and settings, 1 chart, 1 table, 1 image"
    head, first, images = annex
    assert (head.title, head.letter, head.anchor) == ("Scores", f"{LETTER}.1", link.anchor)
    assert first.charts == (chart("annex"),) and first.tables == (table(3),) and not first.results
    assert (first.level, images.level, len(images.heats)) == (3, 3, 1)


def test_every_block_is_printed_exactly_once() -> None:
    bodies, annex = divided([whole()])
    sections = [*bodies[0], *annex]
    charts = [one.asset for section in sections for one in section.charts]
    assert sorted(charts) == ["annex.svg", "body.svg"]
    assert sum(len(section.tables) for section in sections) == 2 and sum(len(one.heats) for one in sections) == 1


@pytest.mark.parametrize("rows", [0, 1, FIRST, WHOLE])
def test_a_short_table_is_printed_whole_in_the_body(rows: int) -> None:
    section = Section("Scores", tables=(table(rows),), place="body")
    assert divided([Chapter("Data", (section,))]) == ([(section,)], ())


@pytest.mark.parametrize("place", ["body", "annex"])
def test_a_long_table_is_cut_in_the_body_and_stands_whole_in_the_annex(place: Place) -> None:
    long = table(WHOLE + 1, more="3 more are in evidence.zip.", place="body")
    ((section, *_),), annex = divided([Chapter("Data", (Section("Scores", tables=(long,), place=place),))])
    assert section.tables[0].rows == long.rows[:FIRST]
    note = f"The first {FIRST} rows; {WHOLE + 1} are in annex {LETTER}.1."
    assert section.tables[0].more == f"{note} 3 more are in evidence.zip."
    assert annex[-1].tables == (long,) and section.links[0].anchor == annex[0].anchor


def test_a_chapter_whose_first_section_has_its_title_has_one_heading_in_the_annex() -> None:
    section = Section("Scores", sentences=("How.",), tables=(table(2),))
    (body,), annex = divided([Chapter("Scores", (section,))])
    assert [(one.title, one.letter) for one in annex] == [("Scores", f"{LETTER}.1")]
    assert body[0].tables == () and body[0].links
    assert divided([Chapter("Scores", ())]) == ([()], ())


def samples(*reasons: str) -> list[Sample]:
    return [Sample(f"image {at}", why, ()) for at, why in enumerate(reasons)]


def test_the_chapter_has_the_first_image_of_each_part_of_the_rule() -> None:
    images = samples("low", "low", "high", "high", "random", "random")
    here, others, rule = parted(images, "Six are shown.")
    assert [sample.name for sample in here] == ["image 0", "image 2", "image 4"]
    assert [sample.name for sample in others] == ["image 1", "image 3", "image 5"]
    told = "The first image by each part of this rule is shown here, the others are in annex"
    assert rule == f"Six are shown. {told} {LETTERS['maps']}."


def test_images_without_a_reason_of_their_own_come_in_their_order_and_few_are_all_shown() -> None:
    here, others, rule = parted(samples(*[""] * (SAMPLES + 2)), "All are shown.")
    assert [sample.name for sample in here] == [f"image {at}" for at in range(SAMPLES)] and len(others) == 2
    assert f"The first {SAMPLES} are shown here" in rule
    few = samples(*[""] * SAMPLES)
    assert parted(few, "All are shown.") == (tuple(few), (), "All are shown.")
