"""The tables on information, for the report and the page. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.applications.information.measures import MEASURES
from core.applications.information.record import SIDES, InformationRecord, MapRow
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import amount, measured, number, part_of
from core.languages import say
from core.runs.rows import typed


def _where(row: Any) -> str:
    return say("{side}, β = {price:g}", side=say(SIDES[row.side]), price=row.price)


def _mean(name: str) -> Callable[[Any], str]:
    return lambda row: number(getattr(row, name), MEASURES[row.measure][1])


def _over_seeds(name: str, digits: int = 2) -> Callable[[Any], str]:
    def text(row: Any) -> str:
        value, low, high, n = (getattr(row, f"{name}{end}") for end in ("", "_low", "_high", "_n"))
        return measured(value, low, high, n, digits=digits)

    return text


OWN_AND_WRONG = TableSpec(
    ColumnSpec("Where", _where, share=17, help="side of the pair, and weight β of the information term"),
    ColumnSpec("Measure", lambda row: say(MEASURES[row.measure][0]), share=26),
    ColumnSpec("Own text", _mean("own"), "number", 10, help="mean for the own texts"),
    ColumnSpec("Wrong text", _mean("wrong"), "number", 10, help="mean for texts of other images"),
    ColumnSpec(
        "Own \u2212 wrong",
        lambda row: measured(row.value, row.low, row.high, row.n, digits=MEASURES[row.measure][1]),
        "number",
        26,
        help="mean of the paired differences, with 95 % interval over images",
    ),
    ColumnSpec(
        "Higher for own text",
        lambda row: part_of(row.share, row.n),
        "number",
        11,
        help="number or share of images",
    ),
)
SEEDS = TableSpec(
    ColumnSpec("Where", _where, share=22, help="side of the pair, and weight β of the information term"),
    ColumnSpec(
        "Spread of nats over seeds",
        _over_seeds("total", 4),
        "number",
        27,
        help="standard deviation of a pair's nats over seeds, relative to their mean",
    ),
    ColumnSpec("Maps of two seeds", _over_seeds("map"), "number", 25, help="rank correlation"),
    ColumnSpec("With the narrowing bottleneck", _over_seeds("nib"), "number", 26, help="rank correlation"),
)


@dataclass(frozen=True)
class TokenRow:
    """A token of an own text: mean nats over seeds and their spread for each weight β, and the narrowing's value."""

    token: str
    nats: tuple[tuple[float, float], ...]
    narrowing: float


def _nats(at: int) -> Callable[[TokenRow], str]:
    return lambda row: f"{amount(row.nats[at][0])} ± {amount(row.nats[at][1])}"


def tokens(prices: Sequence[float]) -> TableSpec:
    """The tokens of a text, with a column for each weight β."""
    return TableSpec(
        ColumnSpec("Token", "token", share=22),
        *(
            ColumnSpec(
                say("Nats at β = {price:g}", price=price),
                _nats(at),
                "number",
                help="mean ± standard deviation over seeds",
            )
            for at, price in enumerate(prices)
        ),
        ColumnSpec("Narrowing", lambda row: amount(row.narrowing), "number", 16, "value of the narrowing bottleneck"),
    )


def token_rows(record: InformationRecord, image: str) -> list[TokenRow]:
    """The tokens of an image's own text."""
    parts = (record.of(image, "text", price) for price in record.prices)
    own = [next(typed(part[part["kind"] == "own"], MapRow)) for part in parts]
    return [
        TokenRow(str(token), tuple((float(row.map[at]), float(row.spread[at])) for row in own), float(own[0].nib[at]))
        for at, token in enumerate(own[0].tokens)
    ]
