"""What the report and the page show of the sanity checks: the outcome of each method and check, and all numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from core.applications.sanity.measures import sanity_table
from core.applications.sanity.record import CASCADE, EVERY, MEASURES, VARIANTS, SanityRecord
from core.applications.sanity.verdicts import JUDGED, Verdict
from core.content.altair import alt
from core.content.charts import DASHES, MUTED, PALETTE, WIDTH, styled
from core.content.tables import ColumnSpec, TableSpec
from core.content.words import bounded, measured, number
from core.languages import say
from core.rules.parts import title_of
from core.statistics import Interval

TITLES = {
    "model": "Weights",
    "text": "Text",
    "seed": "Seed",
    "flip": "Mirror",
    "paraphrase": "Rewording",
}  # messages
# What is measured and not judged.
REPORTED = {
    "empty": "Empty text",
    "noise": "Spread on noise",
    "shift": "Shifted image",
    "sensitivity": "Largest change",
    "paraphrase_score": "Score, reworded",
}  # messages
PASSES, FAILS, UNDECIDED = "passes", "FAILS", "undecided"  # messages


def outcome_of(verdicts: tuple[Verdict, ...], method: str, check: str) -> str:
    """The outcome of a check: passes, FAILS, undecided, too few images, ignores texts or not measured."""
    part = [verdict for verdict in verdicts if verdict.method == method and verdict.criterion.check == check]
    outcomes = {verdict.outcome for verdict in part}
    for outcome, title in (("fails", FAILS), ("undecided", UNDECIDED)):
        if outcome in outcomes:
            return say(title)
    if "too few" in outcomes:
        return say("too few images (n = {n})", n=max(verdict.measured.n for verdict in part))
    if "passes" in outcomes:
        return say(PASSES)
    return say("ignores texts, as declared" if "declared" in outcomes else "not measured")


def cell(verdicts: tuple[Verdict, ...], method: str, check: str) -> str:
    """The outcome with the mean rank correlation of each criterion behind it."""
    part = [verdict for verdict in verdicts if verdict.method == method and verdict.criterion.check == check]
    values = [number(verdict.measured.value, 2) for verdict in part if verdict.measured.value is not None]
    return " ".join([outcome_of(verdicts, method, check), "/".join(values)]).strip()


SETTINGS = TableSpec(
    ColumnSpec("Method", lambda row: title_of(row[0]), share=22), ColumnSpec("Options", lambda row: row[1])
)
PROBLEMS = TableSpec(
    ColumnSpec("Method", lambda row: title_of(row[0]), share=22),
    ColumnSpec("Image", lambda row: row[1], share=22),
    ColumnSpec("State", lambda row: row[2], share=14),
    ColumnSpec("Reason", lambda row: row[3]),
)
PANEL = TableSpec(
    ColumnSpec("Measured", lambda row: say(MEASURES[row.check])),
    ColumnSpec("Variant", lambda row: variant_title(row.variant)),
    ColumnSpec(
        "Mean",
        lambda row: measured(row.value, row.low, row.high, int(row.n), digits=3),
        "number",
        help="with 95 % interval over images",
    ),
)


def outcomes(record: SanityRecord, verdicts: tuple[Verdict, ...]) -> TableSpec:
    """The outcome of each judged check; its rows are the methods by name."""
    return TableSpec(
        ColumnSpec("Method", title_of, share=25),
        *(
            ColumnSpec(TITLES[check], _outcome(verdicts, check), help="the outcome, then the mean rank correlation")
            for check in JUDGED
        ),
        ColumnSpec("n", lambda method: record.about["methods"][method]["images"], "number", 6, "images"),
    )


def _outcome(verdicts: tuple[Verdict, ...], check: str) -> Callable[[str], str]:
    return lambda method: cell(verdicts, method, check)


@dataclass(frozen=True)
class ReportedRow:
    """What was measured of a method and is not judged, by check; a check that was not measured is absent."""

    method: str
    values: Mapping[str, Interval]


def _reported(check: str) -> Callable[[ReportedRow], str]:
    def text(row: ReportedRow) -> str:
        mean = row.values.get(check)
        return say("not measured") if mean is None else bounded(mean.value, mean.low, mean.high)

    return text


REPORTED_MEANS = TableSpec(
    ColumnSpec("Method", lambda row: title_of(row.method), share=22),
    *(ColumnSpec(title, _reported(check), "number") for check, title in REPORTED.items()),
    ColumnSpec("n", lambda row: max(mean.n for mean in row.values.values()), "number", 6),
)


def reported_rows(record: SanityRecord) -> list[ReportedRow]:
    """The means of what is measured and not judged, of each method with any."""
    frame = sanity_table(record)
    frame = frame[(frame["variant"] == EVERY) & frame["check"].isin(list(REPORTED))]
    rows = []
    for method in record.methods:
        part = frame[frame["method"] == method]
        values = {row.check: Interval(row.value, row.low, row.high, int(row.n)) for row in part.itertuples()}
        rows += [ReportedRow(method, values)] if values else []
    return rows


def panel(record: SanityRecord, method: str) -> pd.DataFrame:
    """Every number of one method, the rows of `PANEL`: check, variant, and the mean with interval and n."""
    one = SanityRecord({**record.about, "methods": {method: record.about["methods"][method]}}, record.checks)
    table = sanity_table(one)
    # A single variant equals all of them together.
    several = table.groupby("check")["variant"].transform("size") > 1
    return table[(table["variant"] != EVERY) | ~several | ~table["check"].isin(["model", "model_cosine"])]


def image_values(record: SanityRecord, method: str) -> tuple[TableSpec, pd.DataFrame]:
    """Every value of one method, a row per image, and the columns that show them."""
    rows = record.checks[record.checks["method"] == method]
    key = list(zip(rows["check"], rows["variant"], strict=True))
    wide = rows.assign(key=key).pivot_table(index="image_name", columns="key", values="value", sort=False)
    names = {key: f"value_{at}" for at, key in enumerate(wide.columns)}
    columns = (
        ColumnSpec(
            f"{(TITLES | REPORTED).get(check, MEASURES[check])} ({variant_title(variant)})",
            name,
            "number",
            help=MEASURES[check],
            value=name,
        )
        for (check, variant), name in names.items()
    )
    return TableSpec(ColumnSpec("Image", "image_name"), *columns), wide.rename(columns=names).round(3).reset_index()


def variant_title(variant: str) -> str:
    """How a variant is named for people."""
    return say("all together" if variant == EVERY else VARIANTS.get(variant, variant))


def cascade_chart(record: SanityRecord) -> alt.LayerChart:
    """Each method's mean rank correlation with its own map, from learned weights to a re-initialised tower."""
    rows = record.checks[(record.checks["check"] == "model") & record.checks["variant"].isin(CASCADE)]
    means = rows.groupby(["method", "variant"], sort=False)["value"].mean().reset_index()
    whole = set(means.loc[means["variant"] == CASCADE[0], "method"])
    means = means[means["method"].isin(whole)]
    start = pd.DataFrame({"method": sorted(whole), "variant": "learned", "value": 1.0})
    frame = pd.concat([start, means], ignore_index=True)
    titles = {"learned": say("as learned"), **{step: say(VARIANTS[step]) for step in CASCADE}}
    frame = frame.assign(step=frame["variant"].map(titles), title=frame["method"].map(title_of))
    names = sorted(frame["title"].unique())
    # Eight colours, and for more methods the same ones dashed and dotted.
    tones = [PALETTE[at % len(PALETTE)] for at in range(len(names))]
    dashes = [DASHES[at // len(PALETTE) % len(DASHES)] for at in range(len(names))]
    chart = (
        alt.Chart(frame)
        .mark_line(point={"size": 18}, strokeWidth=1.3)
        .encode(
            x=alt.X("step:N", sort=list(titles.values()), title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("value:Q", title=say("mean rank correlation"), scale=alt.Scale(domain=[-1, 1])),
            color=alt.Color(
                "title:N",
                sort=names,
                scale=alt.Scale(domain=names, range=tones),
                legend=alt.Legend(title=None, orient="bottom", columns=4, symbolType="stroke", symbolLimit=0),
            ),
            strokeDash=alt.StrokeDash("title:N", scale=alt.Scale(domain=names, range=dashes), legend=None),
            tooltip=["title", "step", alt.Tooltip("value", format=".2f")],
        )
    )
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(y="zero:Q")
    return styled(alt.layer(zero, chart).properties(width=WIDTH - 60, height=200))
