"""How much work an audit puts into its sampling methods, by name. The report prints the options that result."""

from __future__ import annotations

from typing import Any

EFFORTS: dict[str, dict[str, dict[str, Any]]] = {
    "quick": {"rise": {"masks": 96}, "m2ib": {"samples": 4}},
    "standard": {"rise": {"masks": 256}, "m2ib": {"samples": 5}},
    "thorough": {},
}
"""quick and standard lower the defaults; thorough keeps them."""


def effort_options(effort: str, method: str) -> dict[str, Any]:
    """The options that an effort sets for a method; empty where it keeps the defaults."""
    return dict(EFFORTS[effort].get(method, {}))
