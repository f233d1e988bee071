"""What the body prints of each chapter and of the heat maps, and what is left to the annexes.

The rule is one for all chapters. The body has the question of a chapter, its results, and the blocks that it places in
the body because they carry a conclusion; sections that are placed there are printed whole. Long tables are cut.
Everything else, and every table that was cut, is in the annex, to which the body links.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from core.content.parts import Link, Sample, Section, Table
from core.content.words import plural
from core.languages import say
from core.reporting.letters import LETTERS

# A table of at most so many rows is printed whole in the body; of a longer one the first rows are.
WHOLE, FIRST = 14, 8
SAMPLES = 4
RULE = (
    "Each chapter states its question, its results and the table or chart that shows them. Methods, settings, further "
    "tables and images are in annex {letter}."
)  # messages


@dataclass(frozen=True)
class Chapter:
    """A chapter as it was written: all its sections. Without a title its sections stand under their own."""

    title: str
    sections: tuple[Section, ...]
    question: str = ""
    results: tuple[str, ...] = ()


def divided(chapters: Iterable[Chapter]) -> tuple[list[tuple[Section, ...]], tuple[Section, ...]]:
    """The sections of each chapter in the body, and those of the annex, numbered after its letter."""
    bodies: list[tuple[Section, ...]] = []
    rest: list[Section] = []
    number = 0
    for chapter in chapters:
        sections = tuple(section for section in chapter.sections if not section.empty)
        others = tuple(other for section in sections if not (other := _rest(section)).empty)
        links: tuple[Link, ...] = ()
        if others:
            number += 1
            letter = f"{LETTERS['chapters']}.{number}"
            anchor = f"annex-{letter.replace('.', '-').lower()}"
            links = (Link(say("Annex {letter}: {contents}", letter=letter, contents=_contents(others)), anchor),)
            rest += _annex(chapter.title, letter, anchor, others)
        bodies.append(_body(chapter, sections, links))
    return bodies, tuple(rest)


def _body(chapter: Chapter, sections: Sequence[Section], links: tuple[Link, ...]) -> tuple[Section, ...]:
    """What the body has of a chapter: one section of results and blocks, and the sections that it has whole."""
    if not sections and not chapter.results:
        return ()
    parts = [section for section in sections if section.place != "body"]
    lead = Section(
        chapter.title,
        anchor=links[0].anchor.replace("annex", "chapter") if links else "",
        question=chapter.question,
        results=(*chapter.results, *(result for section in parts for result in section.results)),
        charts=tuple(chart for section in parts for chart in section.charts if chart.place == "body"),
        tables=tuple(_cut(table, links) for section in parts for table in section.tables if table.place == "body"),
        links=links,
    )
    whole = tuple(
        replace(section, tables=tuple(_cut(table, links) for table in section.tables))
        for section in sections
        if section.place == "body"
    )
    if not parts and whole:
        return (*whole[:-1], replace(whole[-1], links=links))
    return (lead, *whole)


def _rest(section: Section) -> Section:
    """What the annex has of a section."""
    if section.place == "body":
        return Section(section.title, tables=tuple(table for table in section.tables if _long(table)))
    return replace(
        section,
        results=(),
        charts=tuple(chart for chart in section.charts if chart.place != "body"),
        tables=tuple(table for table in section.tables if table.place != "body" or _long(table)),
    )


def _annex(title: str, letter: str, anchor: str, sections: Sequence[Section]) -> list[Section]:
    """The sections of a chapter in the annex under a heading with its letter, unless the first one has its title."""
    first, *others = sections
    same = say(first.title) == say(title)
    heads = [replace(first, letter=letter, anchor=anchor)] if same else [Section(title, letter=letter, anchor=anchor)]
    return [*heads, *(replace(section, level=3) for section in (others if same else sections))]


def _contents(sections: Sequence[Section]) -> str:
    """What the annex has of a chapter, in words."""
    charts, tables, images = (
        sum(len(getattr(section, name)) for section in sections) for name in ("charts", "tables", "heats")
    )
    counts = ((charts, plural(charts, "chart")), (tables, plural(tables, "table")), (images, plural(images, "image")))
    each = [told for count, told in counts if count]
    if any(section.blocks for section in sections):
        each.insert(0, say("criteria, evidence and counter-evidence"))
    if any(section.sentences or section.facts for section in sections):
        each.insert(0, say("method and settings"))
    return ", ".join(each) or say("details")


def _long(table: Table) -> bool:
    return len(table.rows) > WHOLE


def _cut(table: Table, links: tuple[Link, ...]) -> Table:
    if not _long(table):
        return table
    letter = links[0].anchor.removeprefix("annex-").upper().replace("-", ".")
    note = say(
        "The first {first} rows; {count} are in annex {letter}.", first=FIRST, count=len(table.rows), letter=letter
    )
    return replace(table, rows=table.rows[:FIRST], more=f"{note} {table.more}".strip())


def parted(samples: Sequence[Sample], rule: str) -> tuple[tuple[Sample, ...], tuple[Sample, ...], str]:
    """The samples of the chapter, those of the annex, and the rule of choice, which then names the annex.

    The chapter has the first sample of each part of the rule, and the first ones where the rule has one part only.
    """
    if len(samples) <= SAMPLES:
        return tuple(samples), (), rule
    firsts = list({sample.why: at for at, sample in reversed(list(enumerate(samples)))}.values())
    chosen = sorted(firsts)[:SAMPLES] if len(firsts) > 1 else list(range(SAMPLES))
    here = tuple(samples[at] for at in chosen)
    others = tuple(sample for at, sample in enumerate(samples) if at not in chosen)
    letter = LETTERS["maps"]
    which = (
        say("The first image by each part of this rule is shown here, the others are in annex {letter}.", letter=letter)
        if len(firsts) > 1
        else say("The first {count} are shown here, the others are in annex {letter}.", count=SAMPLES, letter=letter)
    )
    return here, others, f"{rule} {which}"
