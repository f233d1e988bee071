"""The types of a report's content. Plain values; the templates print them and compute nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.reporting.heat import Word

Cell = Literal["text", "number", "code"]
Row = tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """A name and what is known of it. `code` values are hashes or identifiers that may break anywhere."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True)
class Column:
    """A table's column: `share` of the width in percent, 0 for automatic."""

    title: str
    kind: Cell = "text"
    share: int = 0


@dataclass(frozen=True)
class Table:
    """A table with a caption that says what it shows. `more` says what was left out and where it is found."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    more: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart by asset name, with its printed caption and its alternate text."""

    asset: str
    alt: str
    caption: str
    width: str = "100%"


@dataclass(frozen=True)
class Heat:
    """One picture in a row: the original (`bar` empty) or a method's overlay with its colour bar and raw range."""

    asset: str
    alt: str
    title: str
    caption: str = ""
    bar: str = ""
    low: str = ""
    high: str = ""


@dataclass(frozen=True)
class Words:
    """A method's attribution of a text: shaded words, with the raw range."""

    title: str
    words: tuple[Word, ...]
    caption: str


@dataclass(frozen=True)
class HeatRow:
    """All heat maps of one picture and text."""

    text: str
    facts: str
    heats: tuple[Heat, ...]
    words: tuple[Words, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One picture with its rows, and why it is shown."""

    name: str
    why: str
    rows: tuple[HeatRow, ...]

    @property
    def widest(self) -> int:
        """The most pictures in one of its rows."""
        return max((len(row.heats) for row in self.rows), default=0)


@dataclass(frozen=True)
class Card:
    """A method's card as printed."""

    title: str
    paper: str
    status: str
    ran: bool
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Block:
    """One finding in full."""

    anchor: str
    id: str
    title: str
    severity: str
    status: str
    grade: str
    facts: tuple[Fact, ...]
    evidence: Table | None
    samples: tuple[Sample, ...]
    samples_rule: str
    counter: tuple[Sample, ...]
    counter_rule: str


@dataclass(frozen=True)
class Headline:
    """A finding on the summary page."""

    anchor: str
    title: str
    severity: str
    condition: str
    heat: Heat | None


@dataclass(frozen=True)
class Overview:
    """The one-page summary."""

    opinion: str
    reason: str
    counts: tuple[tuple[str, int], ...]
    severities: Chart | None
    headlines: tuple[Headline, ...]
    confidence: str
    limits: tuple[str, ...]
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Cover:
    """The first page. `warning` is empty for a complete run."""

    title: str
    subtitle: str
    warning: str
    facts: tuple[Fact, ...]
    control: tuple[Fact, ...]
    confidentiality: str


@dataclass(frozen=True)
class Section:
    """A titled list of facts, sentences, tables and charts, printed in this order."""

    title: str
    facts: tuple[Fact, ...] = ()
    sentences: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    heats: tuple[Heat, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to print."""
        return not (self.facts or self.sentences or self.charts or self.tables or self.heats)


@dataclass(frozen=True)
class Report:
    """Everything that is printed."""

    run: str
    title: str
    date: str
    created: str
    cover: Cover
    overview: Overview
    scope: tuple[Section, ...]
    subject: tuple[Section, ...]
    data: tuple[Section, ...]
    cards: tuple[Card, ...]
    absent: Table | None
    trust: tuple[Section, ...]
    applications: tuple[Section, ...]
    gallery: tuple[Sample, ...]
    gallery_rule: str
    register: Table | None
    findings: tuple[Block, ...]
    passed: Table | None
    undecided: Table | None
    limits: tuple[str, ...]
    annexes: tuple[Section, ...]
    glossary: tuple[tuple[str, str], ...]
