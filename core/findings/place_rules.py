"""Rules on places of the picture that carry scores: border, corners, background."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from core.applications.reliance_record import CORNERS, EDGES, PLACES, of_run
from core.evaluation.reliance import EVERY, place_table
from core.evaluation.summary import Summary
from core.evaluation.surroundings import corner_table
from core.findings.finding import Finding, Number
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.parts import NAMED, again
from core.findings.thresholds import Thresholds
from core.findings.topics import BEYOND, more_told, number_of, of_topic, samples_of, shown, topic_told
from core.runs import Run


def border_reliance(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Does a score rest on the outer ring or on a corner?"""
    yield from _place_rule(
        run,
        thresholds,
        EDGES,
        id="reliance.border",
        what="the border or a corner",
        cause="Hypothesis: a mark, frame, date or watermark in a fixed place goes with this text.",
        recommendation="Look at this place in the pictures; crop or cover it and audit again.",
    )


def background_reliance(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Does a class rest on what lies behind the foreground: is it lost without it, and told by the corners alone?

    Either alone isn't enough: what was taken for the background may hold the thing itself, but hardly in every corner.
    """
    yield from _place_rule(
        run,
        thresholds,
        ("background",),
        corners=True,
        id="reliance.background",
        what="the background",
        cause="Hypothesis: a scene, surface or studio goes with this text; or what was taken for it is none.",
        recommendation="Score the same things before other backgrounds; a text on a scene may rest on it by right.",
    )


def _place_rule(
    run: Run,
    thresholds: Thresholds,
    names: Iterable[str],
    *,
    id: str,
    what: str,
    cause: str,
    recommendation: str,
    corners: bool = False,
) -> Iterator[Finding]:
    record = of_run(run)
    if record is None:
        return
    names, least = tuple(names), float(thresholds[f"{id}.least_share"])
    enough = int(thresholds["reliance.topics.least_pictures"])
    table = place_table(record, names, least=least, enough=enough)
    least_alone = float(thresholds[f"{id}.least_alone"]) if corners else 0.0
    common: dict[str, Any] = dict(
        id=id,
        rule=id,
        threshold=thresholds.label(f"{id}.least_share"),
        criterion=f"Hiding {what} takes at most {least:.0%} of what the picture adds to the score, {BEYOND}"
        + (f", or its corners alone have at most {least_alone:.0%} of it." if corners else "."),
        reproduce=again(run),
    )
    least_n = table["topic"].eq(EVERY).map({True: int(thresholds["general.least_images"]), False: enough})
    judged = table[(table["n"] >= least_n) & table["low"].notna()].sort_values("value", ascending=False)
    if judged.empty:
        n = int(table["n"].max()) if len(table) else 0
        whole = thresholds["general.least_images"]
        why = f"Only {n} pictures carry this measure; a topic needs {enough}, every text together {whole}."
        if names == ("background",) and not record.about["foreground"]:
            why = "The model doesn't show its features at places, so that no foreground is known."
        yield cannot_conclude(title=f"Whether scores rest on {what} can't be said", condition=why, **common)
        return
    found = shown(judged, least, thresholds)
    if corners and len(found):
        alone = corner_table(record, least=least_alone, enough=enough)
        sure = shown(_confirmed(judged, alone), least, thresholds)
        sure = sure[(sure[["corner_low", "corner_own"]] > least_alone).all(axis=1)]
        if sure.empty:
            yield cannot_conclude(
                title=f"What was taken for {what} carries scores, and may hold the thing itself",
                condition=_unsure(found.iloc[0], alone),
                evidence=tuple(_place_number(row) for row in found.head(NAMED).itertuples()),
                **common,
            )
            return
        found = sure
    if found.empty:
        first = judged.iloc[0]
        yield passed(
            title=f"No score is shown to rest on {what}",
            condition=f"{len(judged)} pairs of topic and place were tested; the most, {PLACES[first.place]} for "
            f"{topic_told(first.topic)}, takes {first.value:.0%} [{first.low:.0%}, {first.high:.0%}].",
            evidence=tuple(_place_number(row) for row in judged.head(1).itertuples()),
            **common,
        )
        return
    first = found.iloc[0]
    rows = record.places[(record.places["place"] == first.place) & (record.places["total"] > 0)]
    rows = of_topic(rows, first.topic)
    rows = rows.assign(part=(rows["fall"] - rows["control"]) / rows["total"]).dropna(subset=["part"])
    made, word = grade(
        0.9 if first.place in ("border", *CORNERS) else 0.7, float(first.pictures), int(first.n), thresholds
    )
    also = f" The corners of its pictures alone have {first.corner_own:.0%} of it." if corners else ""
    inside = "" if pd.isna(first.inside) else f" {first.inside:.0%} of the place is foreground."
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"Scores of {topic_told(first.topic)} rest on the {PLACES[first.place]}",
        condition=f"Hidden, it takes {first.fall:.0%} of what the picture adds to the score, {first.value:.0%} "
        f"{BEYOND}; in {first.pictures:.0%} of the pictures it costs more than that."
        + also
        + inside
        + more_told(found),
        evidence=tuple(_place_number(row) for row in found.head(NAMED).itertuples()),
        samples=samples_of(rows.sort_values("part", ascending=False), "part"),
        rule_of_samples="largest share of the score lost with the place",
        counter=samples_of(rows.sort_values("part"), "part"),
        counter_note="smallest share",
        cause=cause,
        effect="The score says that the place is there, not what the text speaks of.",
        recommendation=recommendation,
        **common,
    )


def _confirmed(judged: pd.DataFrame, alone: pd.DataFrame) -> pd.DataFrame:
    """The rows whose topic is a class with a row of `corner_table`, as `corner_low` and `corner_own`.

    Both measures must hold, so that the larger p is that of both together (an intersection-union test).
    """
    told = alone.set_index("text")[["low", "own", "p"]].add_prefix("corner_")
    both = judged.join(told, on="topic", how="inner")
    return both.assign(p=both[["p", "corner_p"]].astype(float).max(axis=1))


def _unsure(row: Any, alone: pd.DataFrame) -> str:
    corner = alone[alone["text"] == row.topic]
    told = (
        f"its corners alone have {corner.iloc[0]['own']:.0%} of it, those of other pictures "
        f"{corner.iloc[0]['others']:.0%}"
        if len(corner)
        else "only of a class that is the best of enough pictures can be said what corners alone tell"
    )
    return (
        f"Hidden, it takes {row.fall:.0%} of what the picture adds to the score of {topic_told(row.topic)}, but {told}."
    )


def _place_number(row: Any) -> Number:
    return number_of(f"share that the {PLACES[row.place]} carries for {topic_told(row.topic)}", row)
