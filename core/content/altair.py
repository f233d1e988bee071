"""Altair, imported without the grammars for international addresses, which take longer than all the rest.

Altair imports jsonschema, which imports `rfc3987_syntax` where another package has brought it; that one compiles 39
grammars (two seconds of the processor). No chart holds such an address.
"""

from __future__ import annotations

import sys

_GRAMMARS = "rfc3987_syntax"

_left_out = _GRAMMARS not in sys.modules
if _left_out:
    # None makes the import fail, and jsonschema does without it; whoever needs the package later still gets it.
    sys.modules[_GRAMMARS] = None  # type: ignore[assignment]
try:
    import altair as alt
finally:
    if _left_out:
        del sys.modules[_GRAMMARS]

__all__ = ["alt"]
