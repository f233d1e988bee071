"""Small changes of an image that leave its class as it is. No torch."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageEnhance, ImageFilter, ImageOps

# Of each side, what the crop removes at either end.
CROPPED = 0.08
# The radius of the blur, as a part of the longer side: about 1.5 pixels of 224.
BLUR = 1 / 150
DARKER, BRIGHTER = 0.6, 1.4


def _cropped(image: Image.Image) -> Image.Image:
    across, down = round(image.width * CROPPED), round(image.height * CROPPED)
    return image.crop((across, down, image.width - across, image.height - down))


def _blurred(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(image.size) * BLUR))


# In this order; an audit uses the first few.
DISTURBANCES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "cropped": _cropped,
    "blurred": _blurred,
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(DARKER),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(BRIGHTER),
}  # messages: keys
