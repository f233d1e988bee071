"""The profile of a class or prompt: which concepts its score relies on, whether or not a rule fires. No torch.

Every number is read off the regions that were hidden for the rules; the attribution beside it is the consensus of the
trusted methods' maps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.reliance.alikeness import alikeness
from core.applications.reliance.measures import EVERY, KEY, share_of
from core.applications.reliance.record import RelianceRecord
from core.applications.reliance.rows import RegionRow
from core.applications.reliance.surroundings import excess_table
from core.evaluation.agreement import common_grid, consensus, stored_grid
from core.evaluation.gains import LEAST_GAIN
from core.rules import Context
from core.rules.parts import SAMPLES
from core.runs.results import ResultRow
from core.runs.rows import typed
from core.statistics import FEWEST
from core.statistics.looks import Look

MAPS = ("image", "text", "text_kind", "kind", "status", "method", "map", "rows", "columns")
PAIR = ("image", "text", "text_kind")
RELATED, UNRELATED, UNKNOWN = "related", "unrelated", "not known"  # messages
COLUMNS = (
    "topic", "images", "concept", "relation", "value", "low", "high", "n", "fall", "area", "attribution", "mapped",
)  # fmt: skip


@dataclass(frozen=True)
class Example:
    """One image of a profile: `part` of the score's gain that is lost with the concept, beyond the control."""

    image: str
    name: str
    part: float


def consensus_shares(record: RelianceRecord, context: Context, methods: Mapping[str, Collection[str]]) -> pd.Series:
    """The share of the consensus map in each row of `record.regions`; NaN for captions, and where no method has a map.

    `methods` are those of each kind of text. Captions have no profile: see `profile_rows`.

    The consensus is the mean over methods of a map's ranks, from 0 to 1: what all of them rank first counts most, and a
    map without any preference gives each region its share of the area.
    """
    # The record may be of a few images of many, and of a few texts of each.
    about = record.regions.loc[record.regions["text_kind"] != "caption", list(PAIR)]
    rows = context.run.results_of("image", set(about["image"]), list(MAPS))
    rows = rows[(rows.kind == "method") & (rows.status == "ok") & rows["map"].notna()]
    wanted = pd.MultiIndex.from_tuples([(kind, name) for kind, of in methods.items() for name in of] or [("", "")])
    rows = rows[pd.MultiIndex.from_frame(rows[["text_kind", "method"]]).isin(wanted)]
    rows = rows[pd.MultiIndex.from_frame(rows[list(PAIR)]).isin(pd.MultiIndex.from_frame(about))]
    maps: dict[tuple[str, str | None, str | None], list[NDArray[np.float64]]] = {}
    for pair in typed(rows, ResultRow):
        grid = stored_grid(pair.map, pair.rows, pair.columns)
        if np.ptp(grid) > 0:
            maps.setdefault((pair.image, pair.text, pair.text_kind), []).append(grid)
    agreed = {key: consensus(grids)[0] for key, grids in maps.items()}
    shares = []
    for row in typed(record.regions, RegionRow):
        whole = agreed.get((row.image, row.text, row.text_kind))
        if whole is None or not whole.sum():
            shares.append(np.nan)
            continue
        shares.append(float((whole * common_grid(record.cells(row))).sum()) / float(whole.sum()))
    return pd.Series(shares, index=record.regions.index, dtype=float)


def profile_rows(record: RelianceRecord, shares: pd.Series) -> pd.DataFrame:
    """One row per image, text and concept, for classes and prompts: `fall`, `excess`, `area`, `attribution` summed."""
    regions = record.regions
    regions = regions.assign(attribution=shares, excess=regions["fall"] - regions["control"].fillna(0.0))
    regions = regions[regions["text_kind"] != "caption"]
    grouped = regions.groupby([*KEY, "concept"], sort=False)
    summed = grouped[["fall", "excess", "area"]].sum()
    summed["attribution"] = grouped["attribution"].sum(min_count=1)
    return summed.join(grouped[["total", "related", "kin"]].first()).reset_index()


def profile_table(rows: pd.DataFrame, *, most_related: float, look: Look = "only") -> pd.DataFrame:
    """The profile of every class and prompt, and of all of them together: its concepts by the share of the score lost.

    `value`, `low`, `high`, `n`: the share of what the image adds to the score that is lost with the concept's regions,
    beyond the same shapes hidden elsewhere, over the `n` images that show the concept and whose score the image raises;
    no interval below eight, and no share where the mean gain is below `least_gain`. `images` counts those of the topic,
    `fall` is the share without the control, `attribution` the mean share of the consensus map inside the regions (over
    `mapped` images), `area` that of the image.
    """
    found: list[dict[str, Any]] = []
    raised, floor = rows[rows["total"] > 0], least_gain(rows)
    topics = [EVERY, *sorted(raised["text"].unique(), key=lambda text: (-_count(raised, text), text))]
    for topic in topics:
        part = raised if topic == EVERY else raised[raised["text"] == topic]
        for concept, group in part.groupby("concept", sort=True):
            share = share_of(
                group["excess"].to_numpy(), group["total"].to_numpy(), group["image"].to_numpy(), 0.0, look
            )
            means = group.groupby("image")[["fall", "total", "area", "attribution"]].mean()
            small = float(means["total"].mean()) < floor
            found.append(
                {
                    "topic": topic,
                    "images": part["image"].nunique(),
                    "concept": concept,
                    "relation": "" if topic == EVERY else relation(group, most_related),
                    "value": None if small else share.value,
                    "low": None if small else share.low,
                    "high": None if small else share.high,
                    "n": share.n,
                    "fall": np.nan if small else float(means["fall"].mean() / means["total"].mean()),
                    "area": float(means["area"].mean()),
                    "attribution": float(means["attribution"].mean()),
                    "mapped": int(means["attribution"].notna().sum()),
                }
            )
    table = pd.DataFrame(found, columns=list(COLUMNS)).astype({"value": float, "low": float, "high": float})
    order = table["topic"].map({topic: at for at, topic in enumerate(topics)})
    # A ratio of one or two images may be any number: it does not lead a profile.
    table = table.assign(order=order, measured=table["n"] >= FEWEST)
    table = table.sort_values(["order", "measured", "value"], ascending=[True, False, False], kind="stable")
    return table[list(COLUMNS)].reset_index(drop=True)


def least_gain(rows: pd.DataFrame) -> float:
    """The mean gain below which a share of it is not determined, from rows with the columns image, text and `total`:
    that part of the median gain of the pairs whose score the image raises at which areas have no value either.
    """
    pairs = rows.drop_duplicates(["image", "text"])["total"]
    return LEAST_GAIN * float(pairs[pairs > 0].median())


def relation(group: pd.DataFrame, most_related: float) -> str:
    """Whether the concept of these rows is related to their text: by WordNet or by its rank of nearness."""
    if group["related"].isna().all():
        return UNKNOWN
    return RELATED if group["kin"].astype(bool).any() or (group["related"] >= most_related).any() else UNRELATED


def examples(
    rows: pd.DataFrame, topic: str, concept: str, limit: float, most: int = SAMPLES
) -> tuple[list[Example], list[Example]]:
    """The images of a topic that lose more than `limit` with a concept, and those that show it and lose no more.

    An image's part is its loss beyond the control over the mean gain of all of them, so that their mean is the share of
    the profile and an image that hardly raises the score has no extreme part. The most extreme of each come first.
    """
    part = rows[(rows["total"] > 0) & (rows["concept"] == concept)]
    if topic != EVERY:
        part = part[part["text"] == topic]
    means = part.groupby(["image", "image_name"], sort=False)[["excess", "total"]].mean()
    parts = (means["excess"] / means["total"].mean()).sort_values(ascending=False, kind="stable")
    every = [Example(str(image), str(name), float(value)) for (image, name), value in parts.items()]
    above = [each for each in every if each.part > limit]
    return above[:most], [each for each in reversed(every) if each.part <= limit][:most]


def without_image(record: RelianceRecord, texts: Sequence[str], rows: pd.DataFrame) -> list[str]:
    """The classes and prompts that no image has among its measured texts, so that they have no profile."""
    known = set(rows.loc[rows["total"] > 0, "text"])
    return [text for text in texts if text not in known]


def _count(rows: pd.DataFrame, text: str) -> int:
    return int(rows.loc[rows["text"] == text, "image"].nunique())


def surroundings_profile(record: RelianceRecord) -> pd.DataFrame:
    """What the border and the corners of each class's images carry alone, however natural that is.

    One row per class and region (`border`, `corners`: their mean), most images first: `n` images that have the class as
    their best and raise its score, `own` the share of the whole image's gain, `value`, `low`, `high` that share beyond
    the region of other images (no interval below eight images of each; no share where the mean gain is below
    `least_gain`), `alike_value`, `alike_low`, `alike_high`.
    """
    table = excess_table(record, ("border", "corners"), least=0.0).rename(columns={"text": "topic"})
    floor = least_gain(record.alone[record.alone["best"].astype(bool)])
    table.loc[table["gain"] < floor, ["own", "value", "low", "high"]] = np.nan
    alike = [alikeness(record, str(row.place), set(row.images)) for row in table.itertuples()]
    for end in ("value", "low", "high"):
        table[f"alike_{end}"] = [getattr(one, end) for one in alike]
    columns = ["topic", "place", "n", "own", "value", "low", "high", "alike_value", "alike_low", "alike_high"]
    table = table[columns].astype(dict.fromkeys(("own", "value", "low", "high"), float))
    return table.sort_values(["n", "topic", "place"], ascending=[False, True, True], kind="stable", ignore_index=True)
