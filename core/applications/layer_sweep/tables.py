"""The tables on the sweep over layers, for the report and the page. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.applications.layer_sweep.measures import highlighted
from core.applications.layer_sweep.record import SIDES, BlockRow, LayerSweepRecord
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import amount, bounded
from core.languages import say
from core.runs.rows import typed


def block_title(block: int, default: bool, *, head: bool = False) -> str:
    """A block as tables name it; with a capital letter at the `head` of a column or a map."""
    if head:
        return say("Block {block} (default)", block=block) if default else say("Block {block}", block=block)
    return say("block {block} (default)", block=block) if default else say("block {block}", block=block)


def _where(row: Any) -> str:
    return f"{say(SIDES[row.side])}, {block_title(row.block, row.default)}"


def _mean(name: str, digits: int = 3) -> Callable[[Any], str]:
    def text(row: Any) -> str:
        value, low, high, n = (getattr(row, f"{name}{end}") for end in ("", "_low", "_high", "_n"))
        return bounded(value, low, high, digits=digits) if n else say("not measured")

    return text


WHERE = ColumnSpec("Where", _where, share=20, help="side of the pair, and block before the bottleneck, from 0")
N = ColumnSpec("n", lambda row: f"{row.gain_n}", "number", 6, help="images", value="gain_n")
DROPS = TableSpec(
    WHERE,
    ColumnSpec(
        "Nats retained", _mean("nats", 0), "number", 20, help="in the whole state; not comparable across blocks"
    ),
    ColumnSpec(
        "Drop, map", _mean("drop"), "number", 18, help="fall of the cosine when only what the map highlights is left"
    ),
    ColumnSpec("Drop, random", _mean("random_drop"), "number", 18, help="the same values in random positions"),
    ColumnSpec(
        "Random less map",
        _mean("gain"),
        "number",
        18,
        help="mean of the paired differences; above 0, the map is better",
    ),
    N,
)
INCREASES = TableSpec(
    WHERE,
    ColumnSpec("Cosine that passes", _mean("cosine"), "number", 20, help="through the bottleneck"),
    ColumnSpec("Increase, map", _mean("increase", 2), "number", 18, help="share of images whose cosine rises"),
    ColumnSpec(
        "Increase, random", _mean("random_increase", 2), "number", 18, help="the same values in random positions"
    ),
    ColumnSpec("Map less random", _mean("more", 2), "number", 18, help="mean of the paired differences"),
    N,
)


@dataclass(frozen=True)
class WordRow:
    """A word of a text: its nats at each block, and whether the map of that block keeps it."""

    word: str
    nats: tuple[float, ...]
    stays: tuple[bool, ...]


def _nats(at: int) -> Callable[[WordRow], str]:
    def text(row: WordRow) -> str:
        nats = amount(row.nats[at])
        return say("{nats} (kept)", nats=nats) if row.stays[at] else nats

    return text


def words(blocks: Sequence[int], default: int) -> TableSpec:
    """The words of a text, with a column for each block."""
    return TableSpec(
        ColumnSpec("Word", "word", share=28),
        *(
            ColumnSpec(block_title(block, block == default, head=True), _nats(at), "number", help="nats per word")
            for at, block in enumerate(blocks)
        ),
    )


def word_rows(record: LayerSweepRecord, image: str) -> list[WordRow]:
    """The words of an image's text; none where its tokenizer is not known."""
    rows = list(typed(record.of(image, "text"), BlockRow))
    stays = [highlighted(row.map) for row in rows if len(row.map)]
    return [
        WordRow(str(word), tuple(float(row.map[at]) for row in rows), tuple(bool(one[at]) for one in stays))
        for at, word in enumerate(rows[0].words if rows else ())
    ]
