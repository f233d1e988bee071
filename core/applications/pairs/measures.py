"""How many captions do not fit their image, which ones, and how often caption and image find each other. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.applications.pairs.card import BORDER
from core.applications.pairs.record import PairsRecord
from core.languages import say
from core.statistics import Interval, share_of_images

# A caption is listed where more than this share of unrelated pairs fit as well as it does.
SUSPECT = 0.10


def mismatch(record: PairsRecord) -> Interval:
    """The estimated share of images whose caption fits no better than one of another image, with its interval.

    By definition unrelated pairs lie beyond `BORDER` in two of three cases, pairs that belong together seldom: so one
    and a half times the share of captions beyond it is the estimate (Storey, 2002). Over images; never above 1.
    """
    rows = record.captions
    beyond = (rows["unrelated_share"] > BORDER).to_numpy(dtype=float)
    share = share_of_images(beyond, rows["image"].to_numpy())
    value, low, high = (
        None if part is None else min(part / (1 - BORDER), 1.0) for part in (share.value, share.low, share.high)
    )
    return Interval(value, low, high, share.n)


def suspects(record: PairsRecord) -> pd.DataFrame:
    """The captions that fit no better than more than `SUSPECT` of unrelated pairs, the worst first."""
    rows = record.captions
    return rows[rows["unrelated_share"] > SUSPECT].sort_values(
        ["unrelated_share", "image_name"], ascending=[False, True], kind="stable", ignore_index=True
    )


def naming_share(record: PairsRecord) -> Interval:
    """The share of images whose caption names a class of the plan; no value where the plan has no classes."""
    rows = record.names
    return share_of_images(rows["classes"].map(len).gt(0).to_numpy(dtype=float), rows["image"].to_numpy())


@dataclass(frozen=True)
class NamedClass:
    """A class, and how many images have a caption that names it."""

    name: str
    images: int
    share: Interval


def named_classes(record: PairsRecord) -> list[NamedClass]:
    """The classes that captions name, the most frequent first."""
    rows = record.names
    images = rows["image"].to_numpy()
    names = sorted({name for classes in rows["classes"] for name in classes})
    found = []
    for name in names:
        has = np.array([name in classes for classes in rows["classes"]], dtype=float)
        share = share_of_images(has, images)
        found.append(NamedClass(name, int(pd.Series(has).groupby(images).max().sum()), share))
    return sorted(found, key=lambda row: (-row.images, row.name))


@dataclass(frozen=True)
class Retrieval:
    """How often the right one ranks first, with its interval over images, and how often it would by chance."""

    title: str
    first: Interval
    median_rank: float
    chance: float


def retrieval(record: PairsRecord) -> tuple[Retrieval, Retrieval]:
    """Images by their caption, and captions by their image."""
    rows = record.captions
    images = rows["image"].to_numpy()
    parts = (
        (say("Image by its caption"), "image_rank", rows["image"].nunique()),
        (say("Caption by its image"), "caption_rank", len(rows)),
    )
    by_image, by_caption = (
        Retrieval(
            title,
            share_of_images((rows[column] == 1).to_numpy(dtype=float), images),
            float(rows[column].median()),
            1 / number,
        )
        for title, column, number in parts
    )
    return by_image, by_caption
