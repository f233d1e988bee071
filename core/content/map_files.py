"""A map as a file to take away: painted over its image as PNG or SVG, or its raw values as NPY, CSV or Parquet."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from core.characters import legible
from core.content.heat import DIVERGING, SEQUENTIAL, bar_ends, overlay, value_range
from core.models.geometry import Geometry

SIDE = 2048  # pixels of the longer side of a painted map, at most
_SVG_SIDE = 640
_BAR, _LINE = 12, 18
_FONT = "IBM Plex Sans, Noto Sans, sans-serif"
_INK = "#16202c"


@dataclass(frozen=True)
class DrawnMap:
    """A map (rows, columns) with what is needed to draw it; `title` and `about` are printed beside it.

    `pixels` opens the image: it is decoded only where the map is drawn.
    """

    values: NDArray[Any]
    pixels: Callable[[], Image.Image]
    geometry: Geometry
    signed: bool
    title: str
    about: str
    unit: str
    opacity: float = 0.55
    smooth: bool = True

    def painted(self, side: int) -> Image.Image:
        """The map in colour over its image."""
        return overlay(
            self.pixels(), self.values, self.geometry,
            opacity=self.opacity, signed=self.signed, smooth=self.smooth, side=side,
        )  # fmt: skip


def png(drawn: DrawnMap) -> bytes:
    """The painted map in the size of the image, with at most `SIDE` pixels on its longer side."""
    return encoded(drawn.painted(SIDE), "PNG")


def svg(drawn: DrawnMap) -> bytes:
    """The painted map with its title, its colour scale and the raw values at both ends of the scale, as text."""
    picture = drawn.painted(_SVG_SIDE)
    width, height = picture.size
    found = value_range(drawn.values)
    if found.constant:
        scale = _text(0, _LINE, "Constant map: uninformative.")
    else:
        low, high = bar_ends(found, signed=drawn.signed)
        stops = DIVERGING if drawn.signed else SEQUENTIAL
        ramp = "".join(
            f'<stop offset="{at / (len(stops) - 1):.4g}" stop-color="{colour}"/>' for at, colour in enumerate(stops)
        )
        scale = (
            f'<linearGradient id="scale">{ramp}</linearGradient>'
            f'<rect width="{width}" height="{_BAR}" fill="url(#scale)"/>'
            + _text(0, _BAR + 16, f"{low:.3g}")
            + _text(width, _BAR + 16, f"{high:.3g}", "end")
            + _text(width / 2, _BAR + 16, drawn.unit, "middle")
        )
    data = base64.b64encode(encoded(picture, "PNG")).decode()
    top = 2 * _LINE + 8
    whole = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top + height + _BAR + 2 * _LINE}" '
        f'font-family="{_FONT}" font-size="12" fill="{_INK}">'
        f"<title>{_words(drawn.title)}</title>"
        + _text(0, 14, drawn.title, weight="bold")
        + _text(0, 14 + _LINE, drawn.about)
        + f'<image y="{top}" width="{width}" height="{height}" href="data:image/png;base64,{data}"/>'
        f'<g transform="translate(0 {top + height + 6})">{scale}</g></svg>\n'
    )
    return whole.encode()


def npy(drawn: DrawnMap) -> bytes:
    """The raw values, float32 `(rows, columns)`, as `numpy.load` reads them."""
    stream = io.BytesIO()
    np.save(stream, np.asarray(drawn.values, dtype=np.float32), allow_pickle=False)
    return stream.getvalue()


def cells(drawn: DrawnMap) -> pd.DataFrame:
    """One row for each cell that the model saw: row, column, raw value, and its box on the image in pixels."""
    rows, columns = drawn.values.shape
    left, top, right, bottom = drawn.geometry.seen()
    found: list[dict[str, Any]] = []
    for row in range(rows):
        for column in range(columns):
            box = drawn.geometry.cell_box(row, column, rows, columns)
            x, x2 = max(box[0], left), min(box[2], right)
            y, y2 = max(box[1], top), min(box[3], bottom)
            if x < x2 and y < y2:
                value = float(drawn.values[row, column])
                found.append({"row": row, "column": column, "value": value, "x": x, "y": y, "x2": x2, "y2": y2})
    return pd.DataFrame(found, columns=["row", "column", "value", "x", "y", "x2", "y2"])


def file_name(*parts: str, ending: str) -> str:
    """A name for a file out of these parts: letters, digits, points and dashes alone, at most 100 characters."""
    stem = "-".join(clean for part in parts if (clean := re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-.")))
    return f"{stem[:100] or 'map'}.{ending}"


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of an image as a file of this kind, with Pillow's options for it."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _text(x: float, y: float, words: str, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-weight="{weight}">{_words(words)}</text>'


def _words(words: str) -> str:
    return escape(legible(words))
