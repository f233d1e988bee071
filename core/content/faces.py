"""The product's own fonts, unpacked for programs that cannot read WOFF2 or take long to. No torch."""

from __future__ import annotations

from functools import cache
from io import BytesIO

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

from core.content.glyphs import FONTS


@cache
def unpacked(file: str) -> bytes:
    """A font of the product as TrueType, by the name of its WOFF2 file. Unpacked once a process: it takes a while.

    The same file gives the same bytes at any time: it keeps the date of its own changes.
    """
    font, out = TTFont(FONTS / file, recalcBBoxes=False, recalcTimestamp=False), BytesIO()
    font.flavor = None
    font.save(out)
    return out.getvalue()
