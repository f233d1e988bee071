"""The terms of Loupe, each with its definition, as `terms.toml` has them. No torch."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from core.settings import ROOT

FILE = ROOT / "core" / "terms.toml"


@dataclass(frozen=True)
class Entry:
    """One term, its definition in full sentences, the terms to read beside it, and its short forms in headings."""

    term: str
    definition: str
    see: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()


ENTRIES = tuple(
    Entry(row["term"], row["definition"], tuple(row.get("see", ())), tuple(row.get("headings", ())))
    for row in tomllib.loads(FILE.read_text(encoding="utf-8"))["entry"]
)
