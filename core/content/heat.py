"""Heat maps as images: colour maps, display scale, overlays over the original image, shaded words. No torch.

Raw values are never changed; `display` gives a copy for the eye, and every caption prints the raw range beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.models.geometry import Geometry, Preprocessing
from core.runs import Run

# "inferno" of S. van der Walt and N. Smith (CC0), every tenth of the scale: lightness rises evenly.
SEQUENTIAL = (
    "#000004",
    "#160b39",
    "#420a68",
    "#6a176e",
    "#932667",
    "#bc3754",
    "#dd513a",
    "#f37819",
    "#fca50a",
    "#f6d746",
    "#fcffa4",
)
# ColorBrewer "RdBu" turned round (Apache 2.0): blue below zero, near-white at zero, red above.
DIVERGING = (
    "#053061",
    "#2166ac",
    "#4393c3",
    "#92c5de",
    "#d1e5f0",
    "#f7f7f7",
    "#fddbc7",
    "#f4a582",
    "#d6604d",
    "#b2182b",
    "#67001f",
)
UNSEEN_GREY = 214
_HATCH = 8
_INK, _PAPER = "#000000", "#ffffff"  # one of the two has a contrast of 4.5 on any colour


@dataclass(frozen=True)
class Range:
    """The raw range of a map, in the method's unit. `constant` maps show nothing; `empty` ones have no finite value."""

    low: float
    high: float
    constant: bool
    empty: bool = False


@dataclass(frozen=True)
class Word:
    """One token with its raw value and the colours to print it in."""

    text: str
    value: float
    background: str
    foreground: str


def value_range(values: NDArray[Any]) -> Range:
    """The smallest and largest finite raw value."""
    finite = np.asarray(values, dtype=np.float64)[np.isfinite(values)]
    if finite.size == 0:
        return Range(0.0, 0.0, constant=True, empty=True)
    low, high = float(finite.min()), float(finite.max())
    return Range(low, high, constant=_is_constant(low, high))


def display(values: NDArray[Any], *, signed: bool = False) -> NDArray[np.float32]:
    """The map scaled for the eye, same shape: 0..1 by its minimum and maximum, or -1..1 by its largest magnitude
    if `signed`, so that 0 stays 0. A constant map gives zeros; a value that isn't finite gives 0.
    """
    raw = np.asarray(values, dtype=np.float64)
    found = value_range(raw)
    if found.constant:
        return np.zeros(raw.shape, dtype=np.float32)
    if signed:
        scaled = raw / max(abs(found.low), abs(found.high))
    else:
        scaled = (raw - found.low) / (found.high - found.low)
    return np.where(np.isfinite(raw), scaled, 0.0).astype(np.float32)


def colours(shown: NDArray[Any], *, signed: bool = False) -> NDArray[np.uint8]:
    """The colours (..., 3) of values that `display` gave."""
    return _table(signed)[_shades(shown, signed=signed)]


def _shades(shown: NDArray[Any], *, signed: bool) -> NDArray[np.uint8]:
    """Which of the 256 colours each value has."""
    share = (np.asarray(shown, dtype=np.float64) + 1) / 2 if signed else np.asarray(shown, dtype=np.float64)
    return np.clip(np.rint(share * 255), 0, 255).astype(np.uint8)


def overlay(
    image: Image.Image,
    values: NDArray[Any],
    geometry: Geometry,
    *,
    opacity: float = 0.55,
    signed: bool = False,
    smooth: bool = True,
    side: int | None = None,
) -> Image.Image:
    """The map (rows, columns) in colour over the original image, which is shown in grey beneath it.

    Places the model never saw are pale and hatched. With `side` the result's longer side has at most that many
    pixels; the image is made smaller before anything else, so that large photographs stay cheap.
    """
    small = fit(image, side)
    shown = display(values, signed=signed)
    placed = geometry.on_original(shown, small.width, small.height, smooth=smooth)
    seen = np.isfinite(placed)
    base = np.asarray(small.convert("L"), dtype=np.float32)
    # A value has one of 256 colours, which are mixed before they are looked up.
    tints = np.float32(opacity) * _table(signed).astype(np.float32)
    out = tints[_shades(np.where(seen, placed, 0.0), signed=signed)]
    out += (np.float32(1 - opacity) * base)[..., None]
    np.rint(out, out=out)
    painted = out.astype(np.uint8)
    if not seen.all():
        painted[~seen] = np.clip(np.rint(_unseen(base)), 0, 255).astype(np.uint8)[~seen][..., None]
    return Image.fromarray(painted, "RGB")


def geometry_of(run: Run, width: int, height: int) -> Geometry:
    """The way from the grid of a run's model to an image of this size."""
    return geometry_by(run.manifest.get("model", {}).get("preprocessing"), width, height)


def geometry_by(given: dict[str, Any] | None, width: int, height: int) -> Geometry:
    """The way from a grid to an image of this size, by a recorded preprocessing."""
    # Without a recorded preprocessing the whole image was squashed into the input, as far as is known.
    preprocessing = Preprocessing.from_dict(given) if given else Preprocessing(224, 224, mode="squash")
    return preprocessing.geometry(width, height)


def fit(image: Image.Image, side: int | None) -> Image.Image:
    """The image as RGB, made smaller (never larger) so that its longer side has at most `side` pixels."""
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    if side is None or max(rgb.size) <= side:
        return rgb
    scale = side / max(rgb.size)
    size = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
    return rgb.resize(size, Image.Resampling.LANCZOS)


def colour_bar(width: int = 240, height: int = 10, *, signed: bool = False) -> Image.Image:
    """The colour scale from its lowest value (left) to its highest."""
    ramp = np.linspace(-1 if signed else 0, 1, width)
    return Image.fromarray(np.tile(colours(ramp, signed=signed), (height, 1, 1)), "RGB")


def bar_ends(found: Range, *, signed: bool = False) -> tuple[float, float]:
    """The raw values at the two ends of the colour bar."""
    if not signed:
        return found.low, found.high
    largest = max(abs(found.low), abs(found.high))
    return -largest, largest


def shade_words(tokens: Sequence[str], values: Sequence[float], *, signed: bool = False) -> tuple[Word, ...]:
    """The tokens of a text with the colours of their attribution: paper white for none, full colour for the most.

    Values are scaled by the largest magnitude (not by the minimum), so that a word without attribution stays white.
    Raises `ValueError` if there are not as many values as tokens.
    """
    raw = np.asarray(values, dtype=np.float64)
    largest = float(np.abs(raw[np.isfinite(raw)]).max(initial=0.0))
    words = []
    for token, value in zip(tokens, raw.tolist(), strict=True):
        share = value / largest if largest > 0 and np.isfinite(value) else 0.0
        tint = (33, 102, 172) if signed and share < 0 else (214, 96, 77)
        mixed = tuple(round(255 + (part - 255) * min(abs(share), 1.0) * (signed or share > 0)) for part in tint)
        words.append(Word(token, value, "#{:02x}{:02x}{:02x}".format(*mixed), _readable(mixed)))
    return tuple(words)


def _readable(colour: tuple[int, ...]) -> str:
    # Whichever of dark and light print has the higher WCAG contrast on this colour.
    def luminance(rgb: tuple[int, ...]) -> float:
        parts = [part / 255 for part in rgb]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    behind, ink = luminance(colour), luminance(_rgb(_INK))
    return _INK if (behind + 0.05) / (ink + 0.05) >= 1.05 / (behind + 0.05) else _PAPER


def _unseen(base: NDArray[np.float32]) -> NDArray[np.float32]:
    pale = 0.25 * base + 0.75 * UNSEEN_GREY
    rows, columns = base.shape
    stripe = (np.arange(rows)[:, None] + np.arange(columns)[None, :]) % _HATCH < 2
    return np.where(stripe, pale - 46, pale).astype(np.float32)


def _is_constant(low: float, high: float) -> bool:
    # Rounding noise of float32 is no signal.
    return high - low <= 1e-7 * max(abs(low), abs(high), 1e-30)


def _rgb(stop: str) -> tuple[int, int, int]:
    return int(stop[1:3], 16), int(stop[3:5], 16), int(stop[5:7], 16)


@cache
def _table(signed: bool) -> NDArray[np.uint8]:
    stops = np.array([_rgb(stop) for stop in (DIVERGING if signed else SEQUENTIAL)], dtype=np.float64)
    at = np.linspace(0, 1, len(stops))
    where = np.linspace(0, 1, 256)
    table = np.stack([np.interp(where, at, stops[:, part]) for part in range(3)], axis=1)
    return np.round(table).astype(np.uint8)
