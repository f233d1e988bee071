"""Rules on places shown by themselves: a mark that says the class, and what is found wherever one looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pandas as pd

from core.applications.reliance_record import CORNERS, EDGES, PLACES, RelianceRecord, of_run
from core.evaluation.summary import Summary
from core.evaluation.surroundings import alone_table, corner_table
from core.findings.finding import Finding, Sample
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.parts import NAMED, SAMPLES, again
from core.findings.thresholds import Thresholds
from core.findings.topics import more_told, number_of, shown
from core.runs import Run

WHERE = {**PLACES, "border": "ring", "corners": "corner, whichever,"}


def surroundings(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Do the corners of a class's pictures, each shown by itself, say the class?"""
    yield from _judged(
        run,
        thresholds,
        corner_table,
        id="reliance.surroundings",
        title="Scores of \u201c{0}\u201d rest on what is found all over its pictures",
        good="No class is shown to be told by any corner of its pictures",
        impact=0.7,
        cause="Hypothesis: a background, texture, light or way of rendering goes with this class.",
        effect="Another thing in the same surroundings may get the class, and the thing elsewhere may miss it.",
        recommendation="Score the same things before other backgrounds; a class that is a scene may rest on it by "
        "right.",
    )


def marks(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Does the outer ring or one corner of a class's pictures, shown by itself, say the class?"""
    yield from _judged(
        run,
        thresholds,
        partial(alone_table, places=EDGES),
        id="reliance.alone",
        title="The {1} alone says \u201c{0}\u201d",
        good="No ring and no corner alone is shown to say a class",
        impact=0.9,
        cause="Hypothesis: a mark, frame, date or watermark goes with this class; or its things reach so far.",
        effect="A picture with the mark may get the class whatever it shows, even where hiding the mark costs little.",
        recommendation="Look at this place in the pictures; crop or cover it and audit again.",
    )


def _judged(
    run: Run,
    thresholds: Thresholds,
    table_of: Callable[..., pd.DataFrame],
    *,
    id: str,
    title: str,
    good: str,
    impact: float,
    cause: str,
    effect: str,
    recommendation: str,
) -> Iterator[Finding]:
    record = of_run(run)
    if record is None:
        return
    least, enough = float(thresholds[f"{id}.least_share"]), int(thresholds["reliance.topics.least_pictures"])
    common: dict[str, Any] = dict(
        id=id,
        rule=id,
        threshold=thresholds.label(f"{id}.least_share"),
        criterion=f"Shown by itself, the place has at most {least:.0%} of what whole pictures add to the score of "
        "their class, itself and beyond the same place of other pictures.",
        reproduce=again(run),
    )
    table = table_of(record, least=least, enough=enough)
    if table.empty:
        yield cannot_conclude(
            title="What a place alone says of a class can't be said",
            condition=f"It takes classes that are the best of {enough} pictures and not of {enough} others.",
            **common,
        )
        return
    found = shown(table, least, thresholds)
    # Beyond other pictures isn't enough: a place that speaks against the class carries none of its score. Of each
    # class the place that says most.
    found = found[found["own"] > least].drop_duplicates("text")
    rows = (found if len(found) else table).head(NAMED)
    common["evidence"] = tuple(
        number_of(f"share that a {WHERE[row.place]} alone carries for \u201c{row.text}\u201d", row)
        for row in rows.itertuples()
    )
    first = rows.iloc[0]
    if found.empty:
        yield passed(
            title=good,
            condition=f"{len(table)} pairs of class and place were tested; the most, \u201c{first.text}\u201d: "
            f"{first.value:.0%} [{first.low:.0%}, {first.high:.0%}].",
            **common,
        )
        return
    own = _own(record, first)
    made, word = grade(impact, min(1.0, float((own["part"] > least).mean())), int(first.n), thresholds)
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title=title.format(first.text, WHERE[first.place]),
        condition=f"Alone, it has {first.own:.0%} of what the whole picture adds; the same place of other pictures "
        f"has {first.others:.0%}." + more_told(found),
        samples=_samples(own.sort_values("part", ascending=False)),
        rule_of_samples="most of the score in the place alone",
        counter=_samples(own.sort_values("part")),
        counter_note="least of the score in the place alone",
        cause=cause,
        effect=effect,
        recommendation=recommendation,
        **common,
    )


def _own(record: RelianceRecord, first: Any) -> pd.DataFrame:
    """The class's own pictures, and which part of the score the place alone has in each."""
    places = list(CORNERS) if first.place == "corners" else [first.place]
    rows = record.alone[record.alone["place"].isin(places) & (record.alone["text"] == first.text)]
    rows = rows[rows["best"].astype(bool) & (rows["total"] > 0)]
    means = rows.groupby(["image", "image_name", "text"], sort=False)[["shown", "total"]].mean().reset_index()
    return means.assign(part=means["shown"] / means["total"])


def _samples(rows: pd.DataFrame) -> tuple[Sample, ...]:
    return tuple(
        Sample(image=row.image, image_name=row.image_name, text=row.text, note=f"{row.part:.0%} in the place alone")
        for row in rows.head(SAMPLES).itertuples()
    )
