"""Declared concepts as hypotheses: the share of a score that each carries, with a test and its power. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.declared import EVERY_TEXT, Declaration, declarations
from core.applications.reliance.families import DECLARED
from core.applications.reliance.measures import EVERY, KEY, share_of
from core.applications.reliance.record import PLACES_PART, REGIONS, RelianceRecord
from core.applications.reliance.standing import standing
from core.applications.reliance.verdicts import verdict_of
from core.characters import folded
from core.rules import Context
from core.rules.power import Against, power_of
from core.statistics.looks import above_zero_at

PLACES = {folded(title): place for place, title in REGIONS.items()}
COLUMNS = (
    "topic", "concept", "expectation", "images", "value", "low", "high", "n", "p", "p_adjusted", "verdict", "smallest",
)  # fmt: skip


@dataclass(frozen=True)
class Least:
    """What share of the names a concept must be nearer than: to a region, and to its whole image."""

    rank: float
    whole: float


def least_of(context: Context) -> Least:
    """The shares that the thresholds give."""
    return Least(*(float(context.thresholds[f"reliance.declared.least_{name}"]) for name in ("rank", "whole")))


def declared_table(context: Context) -> pd.DataFrame | None:
    """One row per declared concept, in the order of the plan; None if nothing was declared or measured.

    `images` counts those of the topic, `n` those in which a region shows the concept and whose score the image raises.
    `value`, `low`, `high`: the share of what the image adds to the score that is lost with these regions, beyond the
    same shapes hidden elsewhere. `p` is one-sided: for a forbidden concept that the share is not above the limit, for
    an expected one that it is not below. `smallest`: the share that would have been shown to be on the wrong side of
    the limit with 90 % power, given the images' spread. `verdict` as of a rule.
    """
    record = standing(context)
    found = () if record is None else declarations(record.about["options"].get("declared", ()))
    if record is None or not found:
        return None
    limit, least = float(context.thresholds["reliance.declared.least_share"]), least_of(context)
    rows: list[dict[str, Any]] = []
    for each in found:
        amounts = image_amounts(record, each, least)
        excess, total, images = (amounts[name].to_numpy() for name in ("excess", "total", "image"))
        look = (record.measured(PLACES_PART) if folded(each.concept) in PLACES else record).look
        share = share_of(excess, total, images, limit, look)
        slack = amounts["excess"] - limit * amounts["total"]
        p = share.p if each.forbidden else above_zero_at(look, -slack.to_numpy(float))
        rows.append(
            {"topic": topic_of(each), "concept": each.concept, "expectation": each.expectation}
            | {"images": int(_rows_of(record.regions, each)["image"].nunique())}
            | {"value": share.value, "low": share.low, "high": share.high, "n": share.n, "p": p}
        )
    table = pd.DataFrame(rows).astype(dict.fromkeys(("value", "low", "high", "p"), float))
    # Without an interval nothing is decided, so that nothing is tested.
    table.loc[table["low"].isna(), "p"] = np.nan
    table["p_adjusted"] = DECLARED.adjusted(table)
    significance = float(context.thresholds["general.significance"])
    table["verdict"] = [_verdict(row, limit, significance) for row in table.itertuples()]
    tests = int(table["p"].notna().sum())
    powers = [power_of(row, against(row, limit, tests), significance) for row in table.itertuples()]
    table["smallest"] = [np.nan if power is None else power.detectable for power in powers]
    return table[list(COLUMNS)]


def against(row: Any, limit: float, tests: int) -> Against:
    """What the share of a declared concept is compared with."""
    return Against(limit, at_most=row.expectation == "forbidden", tests=max(tests, 1), percent=True)


def topic_of(each: Declaration) -> str:
    """The topic of a declaration, as other tables name it."""
    return EVERY if each.text == EVERY_TEXT else each.text


def image_amounts(record: RelianceRecord, each: Declaration, least: Least) -> pd.DataFrame:
    """One row per image that shows the concept and whose score it raises: `excess` and `total`, means over its texts.

    A region shows the concept if its name stands and is the concept, or if the concept's own text is nearer than the
    least share of the names both to the region and to its image; a caption of the image that names it counts as well
    for the latter. The name of a fixed region, with or without an article, stands for that region: `background`.
    """
    place = PLACES.get(folded(each.concept).removeprefix("the "))
    if place is not None:
        rows = record.places[record.places["place"] == place]
    else:
        rows = record.regions[shown(record, each.concept, least)]
    rows = _rows_of(rows, each)
    rows = rows.assign(excess=rows["fall"] - rows["control"].fillna(0.0))
    sums = rows.groupby(KEY, sort=False).agg(excess=("excess", "sum"), total=("total", "first")).reset_index()
    sums = sums[sums["total"] > 0]
    means = sums.groupby(["image", "image_name"], sort=False).agg(
        excess=("excess", "mean"), total=("total", "mean"), text=("text", "first")
    )
    return means.reset_index()


def shown(record: RelianceRecord, concept: str, least: Least) -> NDArray[np.bool_]:
    """Which rows of `record.regions` show a declared concept. `record` is one of `standing`."""
    named = record.regions["concept"].map(lambda name: folded(str(name)) == folded(concept)).to_numpy(bool)
    table = record.declared[record.declared["concept"] == concept]
    direct = table[(table["rank"] >= least.rank) & (table["whole"] >= least.whole)]
    keys = pd.MultiIndex.from_frame(record.regions[["image", "region"]])
    return np.asarray(named | keys.isin(pd.MultiIndex.from_frame(direct[["image", "region"]])), dtype=bool)


def _rows_of(rows: pd.DataFrame, each: Declaration) -> pd.DataFrame:
    if each.text == EVERY_TEXT:
        return rows
    wanted = folded(each.text)
    return rows[
        (rows["text_kind"] != "caption") & rows["text"].map(lambda text: folded(str(text)) == wanted).astype(bool)
    ]


def _verdict(row: Any, limit: float, significance: float) -> str:
    if np.isnan(row.low):
        return "cannot_conclude"
    if row.expectation == "forbidden":
        return verdict_of(row.low, row.high, row.p_adjusted, limit, significance)
    return verdict_of(-row.high, -row.low, row.p_adjusted, -limit, significance)
