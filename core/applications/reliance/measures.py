"""Measures of a record of reliance over images: shares with intervals, tests against a threshold, topics. No torch.

A share is a ratio of means over images, so that an image whose score hardly rises cannot inflate it. A test asks
whether `amount - least x total` has a mean above 0, which is the same question without the division.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.reliance.record import RelianceRecord
from core.concepts.english import content_words
from core.languages import say
from core.statistics import Interval
from core.statistics.intervals import means_of_images
from core.statistics.looks import Look, above_zero_at, ratio_at, share_at

EVERY = "all texts together"  # messages
KEY = ["image", "image_name", "text", "text_kind"]


@dataclass(frozen=True)
class Share:
    """A ratio of means with its 95 % interval over `n` images, and the one-sided p that it exceeds a threshold."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    p: float | None

    @property
    def interval(self) -> Interval:
        """Without the test."""
        return Interval(self.value, self.low, self.high, self.n)


def share_of(
    amount: NDArray[Any], total: NDArray[Any], images: NDArray[Any], least: float, look: Look = "only"
) -> Share:
    """mean(amount) / mean(total) over images, and whether it is above `least`.

    Pairs without an amount or whose total is not above 0 are left out; several of one image are averaged first. `look`
    is that of the record, which a measure that may have stopped early needs.
    """
    amount, total = np.asarray(amount, dtype=float), np.asarray(total, dtype=float)
    known = np.isfinite(amount) & (total > 0)
    a, t = means_of_images(np.asarray(images)[known], amount[known], total[known])
    ratio = ratio_at(look, a, t)
    return Share(ratio.value, ratio.low, ratio.high, ratio.n, above_zero_at(look, a - least * t))


def _mean(values: NDArray[np.float64]) -> float:
    """The mean of the values that are there; NaN without any."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def pairs_left_out(rows: pd.DataFrame, counts: str) -> str:
    """What n counts in a table by class or topic, and how many image-text pairs of `rows` are left out, in a sentence.

    A share of a score's gain is not defined for a pair whose score the image does not raise.
    """
    pairs = rows.drop_duplicates(["image", "text"])
    lost = int((~(pairs["total"] > 0)).sum())
    if not lost:
        return say(
            "{counts}. No image-text pair is left out, because the image raises the score in each.", counts=counts
        )
    return say(
        "{counts}, without the pairs whose score the image does not raise above that of the fully hidden image "
        "({lost:,} of the {pairs:,} image-text pairs of this table), so that n can be lower than the number of images "
        "of a class.",
        counts=counts,
        lost=lost,
        pairs=len(pairs),
    )


def topics_of(text: str, kind: str) -> list[str]:
    """The topics of a text, to group images by: a class or prompt itself, the content words of a caption."""
    return content_words(text) if kind == "caption" else [text]


def pooled() -> str:
    """What a row of a table by topic is made of, in a sentence."""
    return say(
        "A row pools the class or prompt of that name and all captions that contain it as a word; several texts of one "
        "image are averaged first."
    )


def topic_title(topic: str) -> str:
    """How a topic of a table is printed: a text as it is, all of them in the language of the report."""
    return say(topic) if topic == EVERY else topic


def by_topic(frame: pd.DataFrame, least: int) -> Iterator[tuple[str, pd.DataFrame]]:
    """All rows, then those of each topic that at least `least` images have, the most frequent first."""
    for topic, rows in topic_rows(frame, least):
        yield topic, frame if topic == EVERY else frame.iloc[rows]


def topic_rows(frame: pd.DataFrame, least: int) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Likewise, as positions of rows."""
    yield EVERY, np.arange(len(frame))
    pairs, named = pd.MultiIndex.from_frame(frame[["text", "text_kind"]]).factorize()
    topics: dict[str, list[int]] = {}
    for pair, (text, kind) in enumerate(named):
        for topic in topics_of(text, kind):
            topics.setdefault(topic, []).append(pair)
    order = np.argsort(pairs, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(pairs, minlength=len(named)))[:-1])
    images = pd.factorize(frame["image"])[0]
    rows = {topic: np.sort(np.concatenate([rows_of[pair] for pair in own])) for topic, own in topics.items()}
    counts = {topic: len(np.unique(images[own])) for topic, own in rows.items()}
    for topic in sorted(rows, key=lambda name: (-counts[name], name)):
        if counts[topic] >= least:
            yield topic, rows[topic]


# -- concepts ------------------------------------------------------------------------------------------------------


def region_sums(record: RelianceRecord) -> pd.DataFrame:
    """One row per image, text and concept: the concept's regions taken together.

    `fall`, `excess` (fall minus control), `share` (of attribution) and `area` are summed; `related` and `kin` are the
    concept's.
    """
    regions = record.regions.assign(excess=record.regions["fall"] - record.regions["control"].fillna(0.0))
    grouped = regions.groupby([*KEY, "concept"], sort=False)
    summed = grouped[["fall", "excess", "area"]].sum()
    summed["share"] = grouped["share"].sum(min_count=1)
    return summed.join(grouped[["total", "related", "kin"]].first()).reset_index()


def concept_table(record: RelianceRecord, *, least: float, most_related: float, enough: int) -> pd.DataFrame:
    """Every topic and concept that at least `enough` images have together, the largest excess first.

    Columns `topic`, `concept`, `surprise` (none of its rows is related), `related`; `fall` (share of the score's gain
    that is lost with the concept's regions), `value`, `low`, `high`, `n`, `p` (the same beyond the control's), `share`
    of attribution and `area`.
    """
    sums = region_sums(record)
    sums["surprise"] = ~sums["kin"].astype(bool) & (sums["related"] < most_related)
    names = ("excess", "total", "fall", "share", "area", "related")
    values = {name: pd.to_numeric(sums[name]).to_numpy(dtype=float) for name in names}
    images = pd.factorize(sums["image"], sort=True)[0]
    kinds, named = pd.MultiIndex.from_frame(sums[["concept", "surprise"]]).factorize(sort=True)
    rows = []
    for topic, of_topic in topic_rows(sums, enough):
        for kind in np.unique(kinds[of_topic]):
            group = of_topic[kinds[of_topic] == kind]
            excess, total = values["excess"][group], values["total"][group]
            share = share_of(excess, total, images[group], least, record.look)
            if share.n < enough:
                continue
            raised = group[total > 0]
            fall, gain, attributed, area, related = means_of_images(
                images[raised], *(values[name][raised] for name in ("fall", "total", "share", "area", "related"))
            )
            concept, surprise = named[kind]
            rows.append(
                {
                    "topic": topic,
                    "concept": concept,
                    "surprise": bool(surprise),
                    "related": _mean(related),
                    "fall": _mean(fall) / _mean(gain),
                    "share": _mean(attributed),
                    "area": _mean(area),
                    **vars(share),
                }
            )
    columns = ["topic", "concept", "surprise", "related", "fall", "share", "area", "value", "low", "high", "n", "p"]
    return pd.DataFrame(rows, columns=columns).sort_values("value", ascending=False, kind="stable", ignore_index=True)


def leading(record: RelianceRecord, most_related: float) -> pd.DataFrame:
    """For each image and text the concept that carries most of the score beyond its control.

    Columns of the pair, `concept`, `surprise`, `excess` and `total`; pairs without a gain or without any excess are
    left out, and so are those whose leading concept has no name that stands (`related` is NaN): whether it is related
    to the text is not known.
    """
    sums = region_sums(record)
    sums = sums[(sums["total"] > 0) & (sums["excess"] > 0)]
    first = sums.loc[sums.groupby(KEY, sort=False)["excess"].idxmax()]
    first = first[first["related"].notna()]
    surprise = ~first["kin"].astype(bool) & (first["related"] < most_related)
    return first.assign(surprise=surprise)[[*KEY, "concept", "surprise", "excess", "total"]].reset_index(drop=True)


def dominance(record: RelianceRecord, *, least: float, most_related: float, enough: int) -> pd.DataFrame:
    """For each topic the unrelated concept that leads in most of its images.

    Columns `topic`, `concept`, `value` (share of the topic's images), `low`, `high`, `n`, `p` (share above `least`).
    The interval is Wilson's, p is exact (binomial).
    """
    rows: list[dict[str, Any]] = []
    for topic, part in by_topic(leading(record, most_related), enough):
        if topic == EVERY:
            continue
        n = part["image"].nunique()
        odd = part[part["surprise"]]
        counted = odd.groupby("concept")["image"].nunique().sort_values(ascending=False, kind="stable")
        concept, hits = (str(counted.index[0]), int(counted.iloc[0])) if len(counted) else ("", 0)
        led = part["image"].drop_duplicates().isin(odd[odd["concept"] == concept]["image"]).to_numpy(float)
        low, high, p = share_at(record.look, led, least)
        rows.append({"topic": topic, "concept": concept, "value": hits / n, "low": low, "high": high, "n": n, "p": p})
    return pd.DataFrame(rows, columns=["topic", "concept", "value", "low", "high", "n", "p"])


# -- fixed regions -------------------------------------------------------------------------------------------------


def region_table(record: RelianceRecord, names: Iterable[str], *, least: float, enough: int) -> pd.DataFrame:
    """Every topic and fixed region: the share of the score's gain that is lost with the region beyond its control.

    Columns `topic`, `place`, `fall`, `value`, `low`, `high`, `n`, `p`, `images` (share of the images where hiding
    the region costs more than the control) and `inside` (share of the region in the foreground); all by image.
    """
    rows = []
    places = record.places.assign(excess=record.places["fall"] - record.places["control"])
    measured = ("excess", "total", "fall", "inside")
    values = {name: pd.to_numeric(places[name]).to_numpy(dtype=float) for name in measured}
    images, place = pd.factorize(places["image"], sort=True)[0], places["place"].to_numpy()
    usable = (values["total"] > 0) & ~np.isnan(values["excess"])
    of_place = {name: usable & (place == name) for name in names}
    for topic, of_topic in topic_rows(places, enough):
        for name, wanted in of_place.items():
            group = of_topic[wanted[of_topic]]
            excess, total = values["excess"][group], values["total"][group]
            share = share_of(excess, total, images[group], least, record.look)
            if not share.n:
                continue
            fall, gain, beyond, inside = means_of_images(
                images[group], values["fall"][group], total, excess, values["inside"][group]
            )
            rows.append(
                {
                    "topic": topic,
                    "place": name,
                    "fall": _mean(fall) / _mean(gain),
                    "images": float((beyond > 0).mean()),
                    "inside": _mean(inside),
                    **vars(share),
                }
            )
    columns = ["topic", "place", "fall", "value", "low", "high", "n", "p", "images", "inside"]
    return pd.DataFrame(rows, columns=columns)
