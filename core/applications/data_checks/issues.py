"""What can be measured of one image without a model: cleanvision's scores, and its colours and texture. No torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageStat

Floats = NDArray[np.float64]
# Larger images are reduced to this side first; at 64 pixels blurring is read, as cleanvision does.
SIDE, BLUR_SIDE, TEXTURE_SIDE = 512, 64, 160
# Two neighbouring pixels that differ by less are part of an even area, in units of the full range.
EVEN = 1.5 / 255
# Channels that differ by less on average are equal but for rounding.
GREY = 1.0 / 255
LUMINANCE = (0.299, 0.587, 0.114)


def measured_image(image: Image.Image) -> dict[str, float]:
    """The values of one RGB image that `core.applications.data_checks.record` describes."""
    width, height = image.size
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    pixels = np.asarray(small, dtype=np.float64)
    brightness = np.sqrt(pixels**2 @ (0.241, 0.691, 0.068)) / 255
    dark, light = np.percentile(brightness, [99, 5])
    return {
        "light_99": float(dark),
        "light_5": float(light),
        "light": float(brightness.mean()),
        "contrast": float(brightness.std()),
        "aspect": min(width / height, height / width),
        "size": float(np.sqrt(width) * np.sqrt(height)),
        "entropy": float(small.entropy()),
        **_sharpness(image, small),
        **_texture(image),
    }


def _sharpness(image: Image.Image, small: Image.Image) -> dict[str, float]:
    """Cleanvision's deviation of edges and of the histogram at 64 pixels; and the share of fine detail at 512.

    `sharpness` is the logarithm of the variance of the Laplacian relative to that of the luminance, so that it depends
    little on contrast.
    """
    ratio = max(image.size) / BLUR_SIDE
    reduced = image
    if ratio > 1:
        reduced = image.resize((max(int(image.width // ratio), 1), max(int(image.height // ratio), 1)))
    grey = reduced.convert("L")
    edges = float(np.sqrt(ImageStat.Stat(grey.filter(ImageFilter.FIND_EDGES)).var[0]))
    light = np.asarray(small.convert("L"), dtype=np.float64) / 255
    inner = light[1:-1, 1:-1]
    laplacian = light[:-2, 1:-1] + light[2:, 1:-1] + light[1:-1, :-2] + light[1:-1, 2:] - 4 * inner
    sharp = float(np.log((laplacian.var() + 1e-7) / (light.var() + 1e-4)))
    return {"edges": edges, "histogram": float(np.std(grey.histogram())), "sharpness": sharp}


def _texture(image: Image.Image) -> dict[str, float]:
    """Colour, number of colours, even area and the slope of the spectrum: by these a photograph differs from a scan."""
    small = image.copy()
    small.thumbnail((TEXTURE_SIDE, TEXTURE_SIDE), Image.Resampling.BOX)
    whole = np.asarray(small)
    pixels = whole.astype(np.float64) / 255
    light = pixels @ LUMINANCE
    colour = float((pixels.max(axis=2) - pixels.min(axis=2)).mean())
    steps = np.concatenate([np.abs(np.diff(light, axis=axis)).ravel() for axis in (0, 1)])
    colours = len(np.unique((whole // 16).reshape(-1, 3), axis=0))
    even = float((steps < EVEN).mean()) if len(steps) else 1.0
    return {"colour": colour, "colours": float(np.log(colours)), "even": even, "slope": _slope(light)}


def _slope(light: Floats) -> float:
    """The slope of log power over log frequency, from 0.02 to 0.4 cycles per pixel; 0 where there is no variation."""
    window = np.outer(*(np.hanning(side) for side in light.shape))
    power = np.abs(np.fft.fft2((light - light.mean()) * window)) ** 2
    rows, columns = (np.fft.fftfreq(side) for side in light.shape)
    radius = np.hypot(rows[:, None], columns[None])
    ends = np.geomspace(0.02, 0.4, 9)
    bands = [power[(radius >= low) & (radius < high)] for low, high in pairwise(ends)]
    known = [(low, band.mean()) for low, band in zip(ends, bands, strict=False) if band.size]
    if len(known) < 3 or light.std() < 1e-6:
        return 0.0
    lows, means = (np.log(np.array(part) + 1e-9) for part in zip(*known, strict=True))
    return float(np.polyfit(lows, means, 1)[0])


def reduced(image: Image.Image, side: int) -> NDArray[Any]:
    """The luminance `(rows, columns)` of an image whose longer side is reduced to `side` pixels, 0 to 1."""
    ratio = side / max(image.size)
    size = tuple(max(1, round(length * ratio)) for length in image.size)
    return np.asarray(image.convert("L").resize(size, Image.Resampling.BOX), dtype=np.float32) / 255  # type: ignore[arg-type]
