"""Every limit has its row in the documentation, with the value that holds."""

from __future__ import annotations

import dataclasses
import re

from core.settings import LIMITS, ROOT, Limits, ModelLimits

UNITS = {"MiB": 2**20, "GiB": 2**30, "GB": 10**9}


def rows() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (ROOT / "docs" / "limits.md").read_text().splitlines():
        if match := re.match(r"\| `(\w+)` \| ([^|]*) \|", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def value(cell: str) -> float:
    match = re.match(r"([\d,.]*\d)\s*(\w*)", cell)
    assert match, cell
    return float(match[1].replace(",", "")) * UNITS.get(match[2], 1)


def wrong(limits: Limits) -> list[str]:
    there = rows()
    return [
        name
        for name, known in dataclasses.asdict(limits).items()
        if name not in there or any(value(cell) != known for cell in there[name])
    ]


def test_every_limit_is_documented_with_its_value() -> None:
    assert wrong(LIMITS) == []
    known = {field.name for kind in (Limits, ModelLimits) for field in dataclasses.fields(kind)}
    assert set(rows()) <= known


def test_the_check_sees_another_value() -> None:
    assert wrong(Limits(scans=7, captions=8)) == ["scans", "captions"]
