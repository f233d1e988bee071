"""Rules on concepts that carry scores although the texts don't speak of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from core.applications.reliance_record import RelianceRecord, of_run
from core.evaluation.reliance import (
    concept_table,
    dominance,
    leading,
    region_sums,
)
from core.evaluation.summary import Summary
from core.findings.finding import Finding, Number
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.parts import NAMED, again
from core.findings.thresholds import Thresholds
from core.findings.topics import BEYOND, more_told, number_of, of_topic, samples_of, shown, topic_told
from core.runs import Run
from core.statistics.families import CONCEPTS

FEW_NAMES = "Too few names to say which concept a region shows"


def too_few_names(record: RelianceRecord, thresholds: Thresholds) -> bool:
    """Whether regions were named from so few candidates that the nearest name says little."""
    return int(record.about["candidates"]) < int(thresholds["reliance.topics.least_candidates"])


def _names_told(record: RelianceRecord) -> str:
    return f"Regions were named from {record.about['candidates']} candidates; give more, as option `concepts`."


def concept_surprise(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Is there a concept that carries scores although it has nothing to do with their texts?"""
    record = of_run(run)
    if record is None:
        return
    least, related = (float(thresholds[f"reliance.concept.{name}"]) for name in ("least_share", "most_related"))
    enough = int(thresholds["reliance.topics.least_pictures"])
    table = surprises(record, run, thresholds)
    common: dict[str, Any] = dict(
        id="reliance.concept",
        rule="reliance.concept",
        threshold=thresholds.label("reliance.concept.least_share"),
        criterion=f"No concept that is unrelated to the text (its rank by nearness below {related:g}, and no word of "
        f"the text or kin of one in WordNet) carries more than {least:.0%} of what a picture adds to the score, "
        f"{BEYOND}.",
        reproduce=again(run),
    )
    if too_few_names(record, thresholds):
        yield cannot_conclude(title=FEW_NAMES, condition=_names_told(record), **common)
        return
    if table.empty:
        yield cannot_conclude(
            title="No unrelated concept is in enough pictures to be judged",
            condition=f"No unrelated concept names regions of {enough} pictures whose score rises.",
            **common,
        )
        return
    found = shown(table, least, thresholds)
    if found.empty:
        first = table.iloc[0]
        yield passed(
            title="No unrelated concept is shown to carry scores",
            condition=f"{len(table)} pairs of topic and unrelated concept were tested; the most, "
            f"\u201c{first.concept}\u201d for {topic_told(first.topic)}, carries {first.value:.0%} "
            f"[{first.low:.0%}, {first.high:.0%}].",
            evidence=tuple(_concept_number(row) for row in table.head(1).itertuples()),
            **common,
        )
        return
    first = found.iloc[0]
    sums = region_sums(record)
    sums = sums[(sums["concept"] == first.concept) & ~sums["kin"].astype(bool) & (sums["related"] < related)]
    sums = of_topic(sums, first.topic)
    sums = sums[sums["total"] > 0].assign(part=lambda rows: rows["excess"] / rows["total"])
    made, word = grade(0.8, float((sums["part"] > least).mean()), int(first.n), thresholds)
    attribution = "" if pd.isna(first["share"]) else f" and {first['share']:.0%} of the positive attribution"
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"Scores rest on \u201c{first.concept}\u201d, which their texts don't speak of",
        condition=f"For {topic_told(first.topic)}, regions of the kind \u201c{first.concept}\u201d "
        f"cover {first.area:.0%} of the picture{attribution}; hidden, they take {first.fall:.0%} of what the "
        f"picture adds to the score, {first.value:.0%} {BEYOND}." + more_told(found),
        evidence=tuple(_concept_number(row) for row in found.head(NAMED).itertuples()),
        samples=samples_of(sums.sort_values("part", ascending=False), "part"),
        rule_of_samples="largest share of the score lost with the concept's regions",
        counter=samples_of(sums.sort_values("part"), "part"),
        counter_note="smallest share",
        cause="Hypothesis: concept and text went together in training, so that one stands for the other; or the kind "
        "of region bears the wrong name.",
        effect="Pictures of the text without this concept may score too low, and others with it too high.",
        recommendation="Look at the regions; if the name is right, score pictures with and without the concept, and "
        "balance it in training.",
        **common,
    )


def concept_dominates(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Do most pictures of one class rest on the same unrelated concept?"""
    record = of_run(run)
    if record is None:
        return
    least = float(thresholds["reliance.dominant.least_share"])
    related = float(thresholds["reliance.concept.most_related"])
    enough = int(thresholds["reliance.topics.least_pictures"])
    table = dominance(record, least=least, most_related=related, enough=enough)
    common: dict[str, Any] = dict(
        id="reliance.dominant",
        rule="reliance.dominant",
        threshold=thresholds.label("reliance.dominant.least_share"),
        criterion=f"In no class, prompt or word of captions do more than {least:.0%} of the pictures rest most on the "
        "same unrelated concept.",
        reproduce=again(run),
    )
    if too_few_names(record, thresholds):
        yield cannot_conclude(title=FEW_NAMES, condition=_names_told(record), **common)
        return
    if table.empty:
        yield cannot_conclude(
            title="No class has enough pictures to say what dominates it",
            condition=f"No class, prompt or word has {enough} pictures whose score rests on a region.",
            **common,
        )
        return
    found = shown(table, least, thresholds).sort_values("value", ascending=False)
    first = (table.sort_values("value", ascending=False) if found.empty else found).iloc[0]
    numbers = tuple(_dominant_number(row) for row in (table if found.empty else found).head(NAMED).itertuples())
    if found.empty:
        yield passed(
            title="No class is shown to rest on one unrelated concept",
            condition=f"{len(table)} topics were tested; at most {first.value:.0%} of the pictures of one ("
            f"{topic_told(first.topic)}) are led by the same unrelated concept.",
            evidence=numbers,
            **common,
        )
        return
    rows = of_topic(leading(record, related), first.topic).assign(part=lambda rows: rows["excess"] / rows["total"])
    hit = rows[(rows["concept"] == first.concept) & rows["surprise"]]
    made, word = grade(0.9, float(first.value), int(first.n), thresholds)
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"Most pictures of {topic_told(first.topic)} rest on \u201c{first.concept}\u201d",
        condition=f"In {first.value:.0%} of its pictures the part that carries most of the score is of this kind, "
        "which has nothing to do with it." + more_told(found),
        evidence=numbers,
        samples=samples_of(hit.sort_values("part", ascending=False), "part"),
        rule_of_samples="largest share of the score lost with the concept's regions",
        counter=samples_of(rows.drop(hit.index).sort_values("part", ascending=False), "part"),
        counter_note="pictures that rest on something else",
        cause="Hypothesis: the class was learned by what goes with it; or the kind of region bears the wrong name.",
        effect="The class is recognised by its company, and missed without it.",
        recommendation="Collect pictures of the class without this concept and look at their scores.",
        **common,
    )


# -- parts -----------------------------------------------------------------------------------------------------------


def _concept_number(row: Any) -> Number:
    return number_of(
        f"share that \u201c{row.concept}\u201d carries for {topic_told(row.topic)} (related {row.related:.2f})", row
    )


def _dominant_number(row: Any) -> Number:
    return number_of(f"pictures of {topic_told(row.topic)} led by \u201c{row.concept or 'none'}\u201d", row)


def surprises(record: RelianceRecord, run: Run, thresholds: Thresholds) -> pd.DataFrame:
    """The surprise list: unrelated concepts by topic, the largest excess first, with adjusted p and `shown`."""
    least, related = (float(thresholds[f"reliance.concept.{name}"]) for name in ("least_share", "most_related"))
    enough = int(thresholds["reliance.topics.least_pictures"])
    table = concept_table(record, least=least, most_related=related, enough=enough)
    table = table[table["surprise"] & table["low"].notna()]
    return table.assign(p_adjusted=CONCEPTS.adjusted(table))
