"""A font with a handful of glyphs, so that no test depends on the fonts of its machine."""

from __future__ import annotations

from pathlib import Path

from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen


def tiny_font(path: Path, characters: str, features: str = "", extra: tuple[str, ...] = ()) -> Path:
    """Write a font of the family Tiny with a box for each character; glyphs are named u and the number in hex.

    `features` are OpenType features, which may use the glyphs `extra` that no character has. Returns `path`.
    """
    names = {ord(character): f"u{ord(character):04X}" for character in dict.fromkeys(characters)}
    order = [".notdef", *names.values(), *extra]
    pen = TTGlyphPen(None)
    for place, point in enumerate(((0, 0), (0, 700), (500, 700), (500, 0))):
        (pen.lineTo if place else pen.moveTo)(point)
    pen.closePath()
    box = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(names)
    builder.setupGlyf(dict.fromkeys(order, box))
    builder.setupHorizontalMetrics({name: (600 + 10 * at, 0) for at, name in enumerate(order)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Tiny", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    if features:
        addOpenTypeFeaturesFromString(builder.font, features)
    builder.save(path)
    return path
