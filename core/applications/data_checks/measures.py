"""What is wrong with images and texts, from the record. No torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.applications.data_checks.issues import GREY
from core.applications.data_checks.record import DataRecord
from core.applications.image_measures import ImageMeasure
from core.content.words import percent
from core.languages import say
from core.runs import Run

# cleanvision's limits. Its scores are 1 - exp(-0.01 x deviation) for blur and a tenth of the entropy.
DARK, LIGHT, ASPECT, ENTROPY, BLUR, HISTOGRAM = 0.32, 0.95, 0.35, 3.0, 0.29, 0.18
SIZE_FACTOR = 3.0


def _blurred(rows: pd.DataFrame) -> Any:
    histogram = 1 - np.exp(-0.01 * rows["histogram"])
    score = 1 - np.exp(-0.01 * rows["edges"]) + histogram.where(histogram > HISTOGRAM, 0.0)
    return score < BLUR


def _odd_size(rows: pd.DataFrame) -> Any:
    low, high = np.percentile(rows["size"], [25, 75])
    reach = SIZE_FACTOR * (high - low)
    return (rows["size"] < low - reach) | (rows["size"] > high + reach)


def _grey(rows: pd.DataFrame) -> Any:
    grey = rows["colour"] < GREY
    # Among images that are mostly grey, a grey one is not odd.
    return grey & (grey.mean() < 0.5)


ISSUES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "dark": lambda rows: rows["light_99"] < DARK,
    "bright": lambda rows: rows["light_5"] > LIGHT,
    "blurred": _blurred,
    "low information": lambda rows: rows["entropy"] < ENTROPY,
    "odd size": _odd_size,
    "odd aspect ratio": lambda rows: rows["aspect"] < ASPECT,
    "grey among colour": _grey,
}  # messages: keys
_DEFINITIONS = {
    "dark": "99 % of the pixels are darker than {dark}",
    "bright": "95 % of the pixels are brighter than {light}",
    "blurred": "edges at 64 pixels have a score below {blur:g}",
    "low information": "the entropy of the colours is below {entropy:g} bits",
    "odd size": "more than {factor:g} interquartile ranges beyond the quartiles",
    "odd aspect ratio": "the shorter side is below {aspect} of the longer",
    "grey among colour": "the channels are equal, and in most images they are not",
}  # messages


def definition(issue: str) -> str:
    """What counts as an issue, with its limit, in the current language."""
    return say(
        _DEFINITIONS[issue],
        dark=percent(DARK),
        light=percent(LIGHT),
        blur=BLUR,
        entropy=ENTROPY,
        factor=SIZE_FACTOR,
        aspect=percent(ASPECT),
    )


@dataclass(frozen=True)
class Issue:
    """One kind of issue: its name in English, its definition, the images that have it, and their share of all."""

    name: str
    definition: str
    images: pd.DataFrame
    share: float

    @property
    def count(self) -> int:
        """The number of images."""
        return len(self.images)


def issues(record: DataRecord) -> list[Issue]:
    """Every kind of issue, with the images that have it, by name."""
    rows = record.images
    made = []
    for name, flag in ISSUES.items():
        images = rows[np.asarray(flag(rows), dtype=bool)].sort_values("image_name", kind="stable")
        made.append(Issue(name, definition(name), images, len(images) / max(len(rows), 1)))
    return made


def image_flags(run: Run) -> dict[str, tuple[str, ...]]:
    """The kinds of issue that each image has, by its id; images without one are missing."""
    record = run.once(DataRecord.of_run)
    flags: dict[str, tuple[str, ...]] = {}
    for issue in issues(record) if record is not None else ():
        for image in issue.images["image"]:
            flags[image] = (*flags.get(image, ()), issue.name)
    return flags


@dataclass(frozen=True)
class Copies:
    """A group of images that show the same: their ids and names in order, and the lowest correlation of a pair."""

    number: int
    images: tuple[str, ...]
    names: tuple[str, ...]
    correlation: float


def copy_groups(record: DataRecord) -> list[Copies]:
    """The groups of near-duplicates, the largest first."""
    groups = []
    for number, rows in record.copies.groupby("group", sort=True):
        named = dict(zip(rows["of"], rows["of_name"], strict=True))
        named |= dict(zip(rows["image"], rows["image_name"], strict=True))
        ordered = sorted(named.items(), key=lambda entry: (entry[1], entry[0]))
        ids, names = zip(*ordered, strict=True)
        groups.append(Copies(int(str(number)), ids, names, float(rows["correlation"].min())))
    return sorted(groups, key=lambda group: (-len(group.images), group.names))


def languages_of(record: DataRecord, *kinds: str) -> pd.DataFrame:
    """The texts of these kinds whose language is certain."""
    rows = record.texts
    return rows[rows["kind"].isin(kinds) & (rows["language"] != "")]


# The measured properties of the pixels: title, and the words by which metadata state them.
PROPERTIES = {
    "light": (
        "brightness",
        "bright brightness dark darkness dawn daylight daytime dim dusk exposure illumination light lighting lowlight "
        "luminance lux night nighttime overexposed twilight underexposed",
    ),
    "contrast": ("contrast", "contrast fog foggy haze hazy mist misty"),
    "sharpness": ("sharpness", "blur blurred blurry defocus defocused focus focused sharp sharpness unfocused unsharp"),
    "colour": (
        "colour",
        "color colored colorful colour coloured colourful grayscale greyscale monochrome saturated saturation sepia",
    ),
    "size": ("size", "height megapixel megapixels pixel pixels resolution size thumbnail width"),
}  # messages: first


def image_measures(run: Run) -> tuple[ImageMeasure, ...]:
    """Brightness, contrast, sharpness, colour and information of each image, by which groups are compared."""
    record = run.once(DataRecord.of_run)
    if record is None:
        return ()
    ids = record.images["image"]
    return tuple(
        ImageMeasure(
            f"data.{name}",
            say(title),
            "data",
            dict(zip(ids, record.images[name].astype(float), strict=True)),
            words=frozenset(words.split()),
        )
        for name, (title, words) in PROPERTIES.items()
    )
