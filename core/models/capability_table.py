"""Which method runs on which kind of open_clip model, and the reason where it does not. No torch.

What each kind of tower offers was asked of a small random model of the kind (`benchmarks/capabilities.py` writes it
down); what each method needs is on its card. A new method is in the table at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.methods import METHODS, MethodInfo
from core.methods.info import Side

STORED = Path(__file__).with_name("capabilities.json")
# What the other side of a model offers at its best; a row of the table is about one side alone.
BESIDE: dict[Side, frozenset[str]] = {
    "image": frozenset({"text_layers", "text_attention", "text_words"}),
    "text": frozenset({"places", "image_layers", "image_attention", "gradients"}),
}


@dataclass(frozen=True)
class TowerKind:
    """One kind of tower. `capabilities` is what it offers methods; `names` are open_clip's models of this kind.

    refused: for each method whose card's needs are met but which cannot serve this kind all the same, the reason.
    """

    side: Side
    key: str
    title: str
    tower: str
    names: tuple[str, ...]
    capabilities: frozenset[str]
    droppable: bool
    refused: Mapping[str, str]

    def reason(self, info: MethodInfo) -> str | None:
        """Why the method does not run on this side of such a model; None if it does.

        Raises `KeyError` for a method that has nothing to say about this side.
        """
        missing = info.reasons(self.capabilities | BESIDE[self.side])[self.side]
        return missing or self.refused.get(info.name)


@cache
def tower_kinds(side: Side) -> tuple[TowerKind, ...]:
    """Every kind of image or text tower, as stored."""
    stored = json.loads(STORED.read_text())[side]
    return tuple(_kind(side, row) for row in stored)


def _kind(side: Side, row: Mapping[str, Any]) -> TowerKind:
    return TowerKind(
        side=side,
        key=row["key"],
        title=row["title"],
        tower=row["tower"],
        names=tuple(row["names"]),
        capabilities=frozenset(row["capabilities"]),
        droppable=bool(row["droppable"]),
        refused=dict(row["refused"]),
    )


def methods_of(side: Side) -> list[MethodInfo]:
    """The methods that explain this side, in the catalogue's order."""
    return [info for info in METHODS.values() if side in info.sides]


def reasons(side: Side) -> dict[str, dict[str, str | None]]:
    """For each kind of tower (by key) and each method (by name) None if it runs, otherwise why it does not."""
    return {kind.key: {info.name: kind.reason(info) for info in methods_of(side)} for kind in tower_kinds(side)}


def alike(side: Side) -> list[tuple[TowerKind, ...]]:
    """The kinds of tower in groups that the same methods run on, for the same reasons."""
    found = reasons(side)
    groups: dict[tuple[tuple[str, str | None], ...], list[TowerKind]] = {}
    for kind in tower_kinds(side):
        groups.setdefault(tuple(found[kind.key].items()), []).append(kind)
    return [tuple(group) for group in groups.values()]


def as_markdown() -> str:
    """`docs/capabilities.md`."""
    lines = [
        "# Which method runs on which model",
        "",
        "Generated from the code by `PYTHONPATH=. python benchmarks/capabilities.py`; a test fails when it is out of "
        "date.",
        "A small random model of each kind was asked which capabilities its towers offer; the requirements of a "
        "method are on its card.",
        "Kinds of tower on which the same methods run share a letter.",
    ]
    for side in ("image", "text"):
        lines += ["", f"## {side.capitalize()} side", "", *_kinds_table(side), "", *_methods_table(side)]
    return "\n".join(lines) + "\n"


def _letters(side: Side) -> dict[str, str]:
    return {kind.key: chr(ord("A") + number) for number, group in enumerate(alike(side)) for kind in group}


def _kinds_table(side: Side) -> list[str]:
    letters = _letters(side)
    head = ["kind of tower", "as", "open_clip's models", "group"] + (
        ["supports token dropping"] if side == "image" else []
    )
    rows = []
    for kind in tower_kinds(side):
        row = [kind.title, kind.tower, _some(kind.names), letters[kind.key]]
        rows.append(row + ([("yes" if kind.droppable else "no")] if side == "image" else []))
    return _table(head, rows)


def _methods_table(side: Side) -> list[str]:
    groups = alike(side)
    notes: list[str] = []
    rows = []
    for info in methods_of(side):
        row = [f"`{info.name}`"]
        for group in groups:
            reason = group[0].reason(info)
            if reason is not None and reason not in notes:
                notes.append(reason)
            row.append("runs" if reason is None else f"no ({notes.index(reason) + 1})")
        rows.append(row)
    head = ["method", *(chr(ord("A") + number) for number in range(len(groups)))]
    listed = [f"{number}. {note}" for number, note in enumerate(notes, start=1)]
    return [*_table(head, rows), *(["", "Reasons:", "", *listed] if listed else [])]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _some(names: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(f"`{name}`" for name in names[:shown]) + more if names else "none by name"
