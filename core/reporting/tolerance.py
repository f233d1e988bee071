"""Whether a value that is computed again is the one that is stored, but for rounding."""

from __future__ import annotations

import math
from typing import Any

# Another machine may add in another order. A share is told to two digits, a p-value to three.
RELATIVE, ABSOLUTE = 1e-5, 1e-7


def is_close(a: float, b: float) -> bool:
    """Whether two numbers differ by no more than rounding."""
    return math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def is_alike(a: Any, b: Any) -> bool:
    """Whether two values of JSON are equal, their fractions but for rounding; two that are no number are equal."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(is_alike(a[name], b[name]) for name in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(is_alike(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return is_close(a, b) or (a != a and b != b)
    return type(a) is type(b) and bool(a == b)
