"""What the report and the page say about the sanity checks: a word for each method and check, and all numbers."""

from __future__ import annotations

import altair as alt
import pandas as pd

from core.applications.sanity_record import CASCADE, EVERY, MEASURES, VARIANTS, SanityRecord
from core.evaluation.sanity import sanity_table
from core.findings.sanity_verdicts import JUDGED, Verdict
from core.reporting.charts import ACCENT, MUTED, WIDTH, method_title, styled
from core.reporting.words import measured, number

TITLES = {
    "model": "Weights",
    "text": "Text",
    "seed": "Seed",
    "flip": "Mirror",
    "paraphrase": "Rewording",
}
# What is measured and not judged.
REPORTED = {
    "empty": "Empty text",
    "noise": "Spread on noise",
    "shift": "Shifted picture",
    "sensitivity": "Largest change",
    "paraphrase_score": "Score, reworded",
}
PASSES, FAILS = "passes", "FAILS"


def word_of(verdicts: tuple[Verdict, ...], method: str, check: str) -> str:
    """One word or two for a method and a check: passes, FAILS, too few pictures, ignores texts, not measured."""
    part = [verdict for verdict in verdicts if verdict.method == method and verdict.test.check == check]
    words = {verdict.word for verdict in part}
    if "fails" in words:
        return FAILS
    if "passes" in words:
        return PASSES
    if "too few" in words:
        return f"too few pictures (n = {max(verdict.measured.n for verdict in part)})"
    return "ignores texts, as declared" if "declared" in words else "not measured"


def told(verdicts: tuple[Verdict, ...], method: str, check: str) -> str:
    """The word with the mean rank correlation of each test behind it."""
    part = [verdict for verdict in verdicts if verdict.method == method and verdict.test.check == check]
    values = [number(verdict.measured.value, 2) for verdict in part if verdict.measured.value is not None]
    return " ".join([word_of(verdicts, method, check), "/".join(values)]).strip()


def overview(record: SanityRecord, verdicts: tuple[Verdict, ...]) -> pd.DataFrame:
    """One row a method: title, n (most pictures), and the word of each judged check."""
    return pd.DataFrame(
        [
            {
                "Method": method_title(method),
                **{TITLES[check]: word_of(verdicts, method, check) for check in JUDGED},
                "Pictures": int(record.about["methods"][method]["pictures"]),
            }
            for method in record.methods
        ],
        columns=["Method", *TITLES.values(), "Pictures"],
    )


def panel(record: SanityRecord, method: str) -> pd.DataFrame:
    """Every number of one method: what was measured, with which variant, and the mean with interval and n."""
    one = SanityRecord({**record.about, "methods": {method: record.about["methods"][method]}}, record.checks)
    table = sanity_table(one)
    # A single variant says the same as all of them together.
    several = table.groupby("check")["variant"].transform("size") > 1
    table = table[(table["variant"] != EVERY) | ~several | ~table["check"].isin(["model", "model_cosine"])]
    return pd.DataFrame(
        {
            "Measured": [MEASURES[check] for check in table["check"]],
            "Of": [variant_title(variant) for variant in table["variant"]],
            "Mean (95 % interval)": [
                measured(row.value, row.low, row.high, int(row.n), digits=3) for row in table.itertuples()
            ],
        }
    )


def variant_title(variant: str) -> str:
    """How a variant is named for people."""
    return "all together" if variant == EVERY else VARIANTS.get(variant, variant)


def cascade_chart(record: SanityRecord) -> alt.LayerChart:
    """Each method's mean rank correlation with its own map, from learned weights to a tower drawn anew."""
    rows = record.checks[(record.checks["check"] == "model") & record.checks["variant"].isin(CASCADE)]
    means = rows.groupby(["method", "variant"], sort=False)["value"].mean().reset_index()
    whole = set(means.loc[means["variant"] == CASCADE[0], "method"])
    means = means[means["method"].isin(whole)]
    start = pd.DataFrame({"method": sorted(whole), "variant": "learned", "value": 1.0})
    frame = pd.concat([start, means], ignore_index=True)
    titles = {"learned": "as learned", **{step: VARIANTS[step] for step in CASCADE}}
    frame = frame.assign(step=frame["variant"].map(titles), title=frame["method"].map(method_title))
    chart = (
        alt.Chart(frame)
        .mark_line(point=True, opacity=0.55, strokeWidth=1.2, color=ACCENT)
        .encode(
            x=alt.X("step:N", sort=list(titles.values()), title=None, axis=alt.Axis(labelAngle=0)),
            y=alt.Y("value:Q", title="mean rank correlation", scale=alt.Scale(domain=[-1, 1])),
            detail="title:N",
            tooltip=["title", "step", alt.Tooltip("value", format=".2f")],
        )
    )
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(y="zero:Q")
    return styled(alt.layer(zero, chart).properties(width=WIDTH - 60, height=200))
