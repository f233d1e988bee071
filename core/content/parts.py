"""The types of a report's content. Plain values; the templates print them and compute nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.content.heat import Word
from core.glossary import Entry

Cell = Literal["text", "number", "code", "chip"]
Row = tuple[str, ...]
# Where the report prints a block: the body has what carries a conclusion, the annexes have everything else.
Place = Literal["body", "annex"]
# How many characters a line has across the page, in a table, beside the names of facts and in the column of these
# names, and how many lines in one place are many: a fact that has more stands below its name, and may be split between
# two pages. A row of a table is split only if it has twice as many, because a cell beside it may then be empty on one
# of the pages.
LINE, LINE_OF_FACT, LINE_OF_NAME, MANY_LINES = 115, 90, 24, 12
# A table of so few rows, each of so few lines, stands on one page.
FEW_ROWS, FEW_LINES = 7, 4
# A table of more columns is set smaller, with less room between them.
MOST_COLUMNS = 9


@dataclass(frozen=True)
class Fact:
    """A name and its value. `code` values are hashes or identifiers that may break anywhere.

    `signs`: the name is a role, and the sign-off has a line for the signature of its holder.
    """

    name: str
    value: str
    code: bool = False
    signs: bool = False

    @property
    def lines(self) -> int:
        """About how many lines it has in print."""
        return max(1, -(-len(self.value) // LINE_OF_FACT), -(-len(self.name) // LINE_OF_NAME))

    @property
    def tall(self) -> bool:
        """Whether it stands below its name, and may be split between two pages."""
        return len(self.value) > MANY_LINES * LINE_OF_FACT


@dataclass(frozen=True)
class Column:
    """A table's column: `share` of the width in percent, 0 for automatic. A "chip" is a severity on its colour."""

    title: str
    kind: Cell = "text"
    share: int = 0


@dataclass(frozen=True)
class Table:
    """A table with its caption. `more` states which rows were left out and where they are."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    more: str = ""
    place: Place = "annex"

    def tall(self, row: Row) -> bool:
        """Whether the row may be split between two pages."""
        return self._lines(row) > 2 * MANY_LINES

    @property
    def short(self) -> bool:
        """Whether all of it stands on one page."""
        return len(self.rows) <= FEW_ROWS and all(self._lines(row) <= FEW_LINES for row in self.rows)

    @property
    def dense(self) -> bool:
        """Whether it has so many columns that it is set smaller."""
        return len(self.columns) > MOST_COLUMNS

    def _lines(self, row: Row) -> float:
        """About how many lines the row has in print."""
        open_ones = sum(not column.share for column in self.columns)
        rest = (100 - sum(column.share for column in self.columns)) / max(open_ones, 1)
        wide = (LINE * max(column.share or rest, 1) / 100 for column in self.columns)
        return max(len(cell) / line for cell, line in zip(row, wide, strict=True))


@dataclass(frozen=True)
class Chart:
    """A chart by asset name, with its printed caption and its alternate text."""

    asset: str
    alt: str
    caption: str
    width: str = "100%"
    place: Place = "annex"


@dataclass(frozen=True)
class Heat:
    """One image in a row: the original (`bar` empty) or a method's overlay with its colour bar and raw range."""

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
    """All heat maps of one image and text."""

    text: str
    facts: str
    heats: tuple[Heat, ...]
    words: tuple[Words, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One image with its rows, and the reason why it was selected."""

    name: str
    why: str
    rows: tuple[HeatRow, ...]

    @property
    def widest(self) -> int:
        """The largest number of images in one of its rows."""
        return max((len(row.heats) for row in self.rows), default=0)


@dataclass(frozen=True)
class Card:
    """A method's card as printed."""

    title: str
    paper: str
    status: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Block:
    """One finding. The body prints `facts` and `samples`, the annex `details` and all that follows the samples.

    follow: owner, due date, response and status of the corrective action.
    """

    anchor: str
    id: str
    title: str
    severity: str
    status: str
    grade: str
    follow: tuple[str, str, str, str]
    facts: tuple[Fact, ...]
    details: tuple[Fact, ...]
    evidence: Table | None
    samples: tuple[Sample, ...]
    samples_rule: str
    counter: tuple[Sample, ...]
    counter_rule: str


@dataclass(frozen=True)
class Headline:
    """A finding on the summary page, and in the stakeholder edition with its effect and its recommendation."""

    anchor: str
    title: str
    severity: str
    condition: str
    heat: Heat | None
    effect: str = ""
    recommendation: str = ""


@dataclass(frozen=True)
class Overview:
    """The one-page summary. `scale` says what each opinion means."""

    opinion: str
    reason: str
    scale: str
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
class Link:
    """A reference to another place of the report: its words, and the anchor that they lead to."""

    text: str
    anchor: str


@dataclass(frozen=True)
class Section:
    """A titled list of sentences, facts, cards, charts, tables, heat maps and samples. An annex has a `letter`.

    terms: entries of a glossary.
    place: "body" where all of it belongs in the body; otherwise only its results and its blocks placed there do.
    results: what was measured, one sentence with its numbers for each conclusion.
    question: what a chapter answers. links: where the rest of it is. level: of its heading.
    """

    title: str
    facts: tuple[Fact, ...] = ()
    sentences: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    heats: tuple[Heat, ...] = ()
    letter: str = ""
    terms: tuple[Entry, ...] = ()
    cards: tuple[Card, ...] = ()
    samples: tuple[Sample, ...] = ()
    blocks: tuple[Block, ...] = ()
    place: Place = "annex"
    question: str = ""
    results: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    anchor: str = ""
    level: int = 2

    @property
    def empty(self) -> bool:
        """Whether there is nothing to print."""
        parts = (self.facts, self.sentences, self.charts, self.tables, self.heats, self.terms, self.cards, self.samples)
        return not any(parts) and not self.results and not self.blocks


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
    trust: tuple[Section, ...]
    applications: tuple[Section, ...]
    gallery: tuple[Sample, ...]
    gallery_rule: str
    register: Table | None
    reliability: Table | None
    findings: tuple[Block, ...]
    passed: Table | None
    undecided: Table | None
    limits: tuple[str, ...]
    assurance: tuple[Section, ...]
    requirements: tuple[Section, ...]
    annexes: tuple[Section, ...]
    findings_links: tuple[Link, ...] = ()
    open_questions: tuple[str, ...] = ()  # in the stakeholder edition, with the sentence on all of them
    open_sentence: str = ""
    fonts: str = ""  # which characters no font can draw, and what to install
