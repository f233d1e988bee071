"""What a record of reliance says over pictures: shares with intervals, tests against a threshold, topics. No torch.

A share is a ratio of means over pictures, so that a picture whose score hardly rises can't blow it up. A test asks
whether `amount - least x total` has a mean above 0, which is the same question without the division.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom

from core.applications.reliance_record import RelianceRecord
from core.concepts.english import content_words
from core.statistics import Interval, above_zero_p, ratio_of_means, wilson

EVERY = "every text"
KEY = ["image", "image_name", "text", "text_kind"]


@dataclass(frozen=True)
class Share:
    """A ratio of means with its 95 % interval over `n` pictures, and the one-sided p that it exceeds a threshold."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    p: float | None

    @property
    def interval(self) -> Interval:
        """Without the test."""
        return Interval(self.value, self.low, self.high, self.n)


def share_of(amount: NDArray[Any], total: NDArray[Any], images: NDArray[Any], least: float) -> Share:
    """mean(amount) / mean(total) over pictures, and whether it is above `least`.

    Pairs without an amount or whose total isn't above 0 are left out; several of one picture are averaged first.
    """
    frame = pd.DataFrame({"amount": amount, "total": total, "image": images}).astype({"amount": float, "total": float})
    frame = frame[np.isfinite(frame.amount) & (frame.total > 0)]
    means = frame.groupby("image")[["amount", "total"]].mean()
    a, t = means["amount"].to_numpy(), means["total"].to_numpy()
    got = ratio_of_means(a, t)
    return Share(got.value, got.low, got.high, got.n, above_zero_p(a - least * t))


def topics_of(text: str, kind: str) -> list[str]:
    """What a text is about, to group pictures by: a class or prompt itself, the content words of a caption."""
    return content_words(text) if kind == "caption" else [text]


def by_topic(frame: pd.DataFrame, least: int) -> Iterator[tuple[str, pd.DataFrame]]:
    """All rows, then those of each topic that at least `least` pictures have, the most frequent first."""
    yield EVERY, frame
    pairs = frame[["text", "text_kind"]].drop_duplicates()
    topics: dict[str, list[tuple[str, str]]] = {}
    for row in pairs.itertuples():
        for topic in topics_of(row.text, row.text_kind):
            topics.setdefault(topic, []).append((row.text, row.text_kind))
    keys = pd.MultiIndex.from_frame(frame[["text", "text_kind"]])
    found = [(topic, frame[keys.isin(texts)]) for topic, texts in topics.items()]
    kept = [(topic, part, part["image"].nunique()) for topic, part in found if part["image"].nunique() >= least]
    for topic, part, _ in sorted(kept, key=lambda entry: (-entry[2], entry[0])):
        yield topic, part


def unrelated(record: RelianceRecord, most_related: float) -> pd.Series:
    """For each row of `regions` whether its concept has nothing to do with its text."""
    return ~record.regions["kin"].astype(bool) & (record.regions["related"] < most_related)


# -- concepts ------------------------------------------------------------------------------------------------------


def region_sums(record: RelianceRecord) -> pd.DataFrame:
    """One row a picture, text and concept: the concept's regions taken together.

    `fall`, `excess` (fall minus control), `share` (of attribution) and `area` are summed; `related` and `kin` are the
    concept's.
    """
    regions = record.regions.assign(excess=record.regions["fall"] - record.regions["control"].fillna(0.0))
    grouped = regions.groupby([*KEY, "concept"], sort=False)
    summed = grouped[["fall", "excess", "area"]].sum()
    summed["share"] = grouped["share"].sum(min_count=1)
    return summed.join(grouped[["total", "related", "kin"]].first()).reset_index()


def concept_table(record: RelianceRecord, *, least: float, most_related: float, enough: int) -> pd.DataFrame:
    """Every topic and concept that at least `enough` pictures have together, the largest excess first.

    Columns `topic`, `concept`, `surprise` (none of its rows is related), `related`; `fall` (share of the score's gain
    that is lost with the concept's regions), `value`, `low`, `high`, `n`, `p` (the same beyond the control's), `share`
    of attribution and `area`.
    """
    sums = region_sums(record)
    sums["surprise"] = ~sums["kin"].astype(bool) & (sums["related"] < most_related)
    rows = []
    for topic, part in by_topic(sums, enough):
        for (concept, surprise), group in part.groupby(["concept", "surprise"], sort=True):
            got = share_of(
                group["excess"].to_numpy(),
                group["total"].to_numpy(),
                group["image"].to_numpy(),
                least,
            )
            if got.n < enough:
                continue
            risen = group[group["total"] > 0]
            rows.append(
                {
                    "topic": topic,
                    "concept": concept,
                    "surprise": bool(surprise),
                    "related": float(group["related"].mean()),
                    "fall": float(risen["fall"].mean() / risen["total"].mean()),
                    "share": float(group["share"].mean()),
                    "area": float(group["area"].mean()),
                    **vars(got),
                }
            )
    columns = ["topic", "concept", "surprise", "related", "fall", "share", "area", "value", "low", "high", "n", "p"]
    return pd.DataFrame(rows, columns=columns).sort_values("value", ascending=False, kind="stable", ignore_index=True)


def leading(record: RelianceRecord, most_related: float) -> pd.DataFrame:
    """For each picture and text the concept that most of the score rests on beyond its control.

    Columns of the pair, `concept`, `surprise`, `excess` and `total`; pairs without a gain or without any excess are
    left out.
    """
    sums = region_sums(record)
    sums = sums[(sums["total"] > 0) & (sums["excess"] > 0)]
    first = sums.loc[sums.groupby(KEY, sort=False)["excess"].idxmax()]
    surprise = ~first["kin"].astype(bool) & (first["related"] < most_related)
    return first.assign(surprise=surprise)[[*KEY, "concept", "surprise", "excess", "total"]].reset_index(drop=True)


def dominance(record: RelianceRecord, *, least: float, most_related: float, enough: int) -> pd.DataFrame:
    """For each topic the unrelated concept that leads in most of its pictures.

    Columns `topic`, `concept`, `value` (share of the topic's pictures), `low`, `high`, `n`, `p` (share above `least`).
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
        low, high = wilson(hits, n)
        rows.append(
            {"topic": topic, "concept": concept, "value": hits / n, "low": low, "high": high, "n": n}
            | {"p": float(binom.sf(hits - 1, n, least))}
        )
    return pd.DataFrame(rows, columns=["topic", "concept", "value", "low", "high", "n", "p"])


# -- places --------------------------------------------------------------------------------------------------------


def place_table(record: RelianceRecord, names: Iterable[str], *, least: float, enough: int) -> pd.DataFrame:
    """Every topic and place: the share of the score's gain that is lost with the place beyond its control.

    Columns `topic`, `place`, `fall`, `value`, `low`, `high`, `n`, `p`, `pictures` (share of the pictures where hiding
    the place costs more than the control) and `inside` (how much of the place is foreground).
    """
    rows = []
    places = record.places.assign(excess=record.places["fall"] - record.places["control"])
    for topic, part in by_topic(places, enough):
        for name in names:
            group = part[(part["place"] == name) & (part["total"] > 0) & part["excess"].notna()]
            got = share_of(
                group["excess"].to_numpy(),
                group["total"].to_numpy(),
                group["image"].to_numpy(),
                least,
            )
            if not got.n:
                continue
            rows.append(
                {
                    "topic": topic,
                    "place": name,
                    "fall": float(group["fall"].mean() / group["total"].mean()),
                    "pictures": float((group["excess"] > 0).mean()),
                    "inside": float(pd.to_numeric(group["inside"]).mean()),
                    **vars(got),
                }
            )
    columns = ["topic", "place", "fall", "value", "low", "high", "n", "p", "pictures", "inside"]
    return pd.DataFrame(rows, columns=columns)
