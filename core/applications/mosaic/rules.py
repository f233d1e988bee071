"""The rule on mosaics: a map of a text must lie on the image that the text belongs to."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from core.applications.mosaic.measures import halved, mosaic_table, share_in_tile
from core.applications.mosaic.record import MapRow, MosaicRecord, of_run
from core.content.words import bounded
from core.languages import say
from core.rules import Context, Outcome, Rule, Sample, Wording
from core.rules.decision import Decisions, decision
from core.rules.parts import SAMPLES, known, title_of
from core.rules.quantity import Quantity
from core.runs.rows import typed
from core.statistics import Interval

LEAST = "mosaic.share.least_above"
SHARE_IN_TILE = Quantity("{method}: share in the correct tile")


def shares_in_tiles(context: Context) -> Iterator[Outcome]:
    """For each method, the share of its maps that lies in the correct tile, against a map that ignores the text."""
    record = context.record(of_run)
    if record is None:
        return
    table = mosaic_table(record)
    limit = record.chance + float(context.thresholds[LEAST])
    least_n = int(context.thresholds["mosaic.share.least_mosaics"])
    significance = float(context.thresholds["general.significance"])
    decisions = {}
    for row in table.itertuples():
        estimate = Interval(row.share, known(row.share_low), known(row.share_high), int(row.n))
        decided = decision(estimate, limit, at_most=False, least_n=least_n)
        # Several methods are compared with chance: above it counts with the adjusted p-value only.
        decisions[row.method] = "undecided" if decided == "holds" and row.p >= significance else decided
    judged = Decisions(decisions)
    failing = judged.names("fails")
    part = table[table["method"].isin(failing or list(decisions))].sort_values("share", kind="stable")
    each = _texts(record, str(part["method"].iloc[0])) if failing else None
    concerned = [_texts(record, name).groupby("mosaic")["share"].mean() < limit for name in failing]
    yield Outcome(
        judged.status if judged.tested else "cannot_conclude",
        wording="" if judged.tested else "few",
        n=int(part["n"].max()) if len(part) else 0,
        likelihood=max((float(below.mean()) for below in concerned), default=0.0),
        values=judged.values
        | {"chance": record.chance, "highest": _highest(part), "n": int(part["n"].max()) if len(part) else 0},
        evidence=tuple(
            SHARE_IN_TILE.at(row.share, int(row.n), row.share_low, row.share_high, method=title_of(row.method))
            for row in part.itertuples()
        ),
        samples=() if each is None else _samples(each[each["share"] < limit], str(part["method"].iloc[0])),
        counter=() if each is None else _samples(each[each["share"] >= limit].iloc[::-1], str(part["method"].iloc[0])),
    )


def _highest(table: pd.DataFrame) -> str:
    """How often the highest cell of each method's maps lies in the correct tile, with its interval."""
    return "; ".join(
        f"{title_of(row.method)} {bounded(row.pointing, row.pointing_low, row.pointing_high)}"
        for row in table.itertuples()
    )


def _texts(record: MosaicRecord, method: str) -> pd.DataFrame:
    """One method's maps with the share of each in the tile of its text, the smallest first."""
    rows = record.maps[record.maps["method"] == method]
    shares = [share_in_tile(halved(record.grid(row)), row.tile, record.tiles)["share"] for row in typed(rows, MapRow)]
    return rows.assign(share=pd.Series(shares, index=rows.index, dtype=float)).sort_values("share", kind="stable")


def _samples(rows: pd.DataFrame, method: str) -> tuple[Sample, ...]:
    return tuple(
        Sample(
            image=row.image,
            image_name=row.image_name,
            text=row.text,
            methods=(method,),
            note=say("{share:.2f} of the map lies on it in mosaic {number}", share=row.share, number=row.mosaic + 1),
        )
        for row in rows.drop_duplicates("image").head(SAMPLES).itertuples()
    )


_HIGHEST = (
    "Measured on {n} mosaics; a verdict needs at least {least_mosaics}, because with fewer there is no interval. A "
    "larger share does not mean that a map finds the image. Its highest cell lies in the correct tile in this share of "
    "the cases (a random map: {chance:.2f}): {highest}."
)
SHARE = Rule(
    id="mosaic.share",
    subject="explanations",
    question="In a mosaic of several images, does the map of a text lie on the image that the text belongs to?",
    criterion="The share of a map's positive values in the correct tile exceeds that of a map that ignores the text "
    "by at least {least_above:g}: the whole 95 % interval lies above, and the p-value against such a map, adjusted "
    "over methods, is below {significance:g}.",
    measure=shares_in_tiles,
    unit="mosaics",
    thresholds=(LEAST, "mosaic.share.least_mosaics", "general.significance"),
    wordings={
        "finding": Wording(
            "Methods with no more of the map on the correct tile of a mosaic than chance gives: {failing} of {tested}",
            "A map that ignores the text has {chance:.2f} of its values in the correct tile. The whole interval lies "
            "less than {least_above:g} above this for: {fails}. Shown to lie above: {holds}. " + _HIGHEST,
        ),
        "passed": Wording(
            "Every tested method ({tested}) puts more of its map on the correct tile of a mosaic than chance would",
            "The share in the correct tile is shown to exceed {chance:.2f}, that of a map that ignores the text, by "
            "at least {least_above:g} for: {holds}. " + _HIGHEST,
        ),
        "cannot_conclude": Wording(
            "Inconclusive: whether methods put more of the map on the correct tile than chance would; undecided: "
            "{undecided} of {tested}",
            "The interval reaches the criterion, or chance cannot be excluded, for: {open}. Shown to lie above: "
            "{holds}. " + _HIGHEST,
        ),
        "few": Wording(
            "Inconclusive: too few mosaics", "At least {least_mosaics} mosaics are needed for a verdict on a method."
        ),
    },
    cause="Hypothesis: the map shows what is salient for any text, or its cells are too coarse for a mosaic.",
    effect="The maps of these methods cannot be used to locate the content of a text.",
    recommendation="Where a map should locate something, use methods that give the correct tile more than its share.",
    samples="smallest share of the map of the method with the smallest mean, below the criterion",
    counter="largest share of the map of the same method, within the criterion",
)
RULES = (SHARE,)
