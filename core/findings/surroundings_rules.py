"""The rule on what is found wherever one looks: corners shown by themselves that carry a class's score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from core.applications.reliance_record import of_run
from core.evaluation.summary import Summary
from core.evaluation.surroundings import corner_table
from core.findings.finding import Finding, Number, Sample
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.parts import SAMPLES, again, known
from core.findings.reliance_rules import NAMED, shown
from core.findings.thresholds import Thresholds
from core.runs import Run


def surroundings(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Do the corners of a class's pictures, each shown by itself, say the class?"""
    record = of_run(run)
    if record is None:
        return
    least = float(thresholds["reliance.surroundings.least_share"])
    enough = int(thresholds["reliance.topics.least_pictures"])
    common: dict[str, Any] = dict(
        id="reliance.surroundings",
        rule="reliance.surroundings",
        threshold=thresholds.label("reliance.surroundings.least_share"),
        criterion="A corner of a picture, shown by itself, has at most "
        f"{least:.0%} of what whole pictures add to the score of their class, beyond a corner of other pictures.",
        reproduce=again(run),
    )
    table = corner_table(record, least=least, enough=enough, **run.plan.resampling)
    if table.empty:
        yield cannot_conclude(
            title="Whether scores rest on what is everywhere in a picture can't be said",
            condition=f"It takes classes that are the best of {enough} pictures and not of {enough} others.",
            **common,
        )
        return
    found = shown(table, least, thresholds)
    rows = (found if len(found) else table).head(NAMED)
    common["evidence"] = tuple(
        Number(
            name=f"share that a corner alone carries for \u201c{row.text}\u201d", value=row.value, low=known(row.low),
            high=known(row.high), n=int(row.n),
        )
        for row in rows.itertuples()
    )  # fmt: skip
    first = rows.iloc[0]
    if found.empty:
        yield passed(
            title="No class is shown to be told by a corner of its pictures",
            condition=f"{len(table)} classes were tested; the most, \u201c{first.text}\u201d: {first.value:.0%} "
            f"[{first.low:.0%}, {first.high:.0%}].",
            **common,
        )
        return
    own = record.alone[(record.alone["text"] == first.text) & record.alone["best"].astype(bool)]
    own = own[own["total"] > 0].assign(part=lambda each: each["corners"] / each["total"])
    made, word = grade(0.7, min(1.0, float((own["part"] > least).mean())), int(first.n), thresholds)
    more = f" {len(found) - 1} more of the same kind." if len(found) > 1 else ""
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"Scores of \u201c{first.text}\u201d rest on what is found all over its pictures",
        condition=f"A corner alone, which the thing seldom is in, has {first.own:.0%} of what the whole picture adds; "
        f"the corners of other pictures have {first.others:.0%}." + more,
        samples=_samples(own.sort_values("part", ascending=False)),
        rule_of_samples="most of the score in the corners",
        counter=_samples(own.sort_values("part")),
        counter_note="least of the score in the corners",
        cause="Hypothesis: a background, texture, light or way of rendering goes with this class.",
        effect="Another thing in the same surroundings may get the class, and the thing elsewhere may miss it.",
        recommendation="Score the same things before other backgrounds; a class that is a scene may rest on it by "
        "right.",
        **common,
    )


def _samples(rows: pd.DataFrame) -> tuple[Sample, ...]:
    return tuple(
        Sample(image=row.image, image_name=row.image_name, text=row.text, note=f"{row.part:.0%} in a corner alone")
        for row in rows.head(SAMPLES).itertuples()
    )
