"""Rules on what scores rest on in the picture: unrelated concepts, border and corners, background."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from core.applications.reliance_record import CORNERS, EDGES, PLACES, RelianceRecord, of_run
from core.evaluation.reliance import (
    EVERY,
    concept_table,
    dominance,
    leading,
    place_table,
    region_sums,
    topics_of,
)
from core.evaluation.statistics import adjusted
from core.evaluation.summary import Summary
from core.findings.finding import Finding, Number, Sample
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.parts import SAMPLES, again, known, sample_of
from core.findings.thresholds import Thresholds
from core.runs import Run

NAMED = 4
FEW_NAMES = "Too few names to say which concept a region shows"
BEYOND = "beyond the same shape hidden elsewhere"


def shown(table: pd.DataFrame, least: float, thresholds: Thresholds) -> pd.DataFrame:
    """The rows whose interval lies above `least` and whose p, adjusted over all rows (Holm), is significant."""
    p = adjusted(table["p"].astype(float)) if len(table) else pd.Series(dtype=float)
    above = table["low"].astype(float) > least
    return table.assign(p_adjusted=p)[above & (p < float(thresholds["general.significance"]))]


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
            f"\u201c{first.concept}\u201d for {_topic(first.topic)}, carries {first.value:.0%} "
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
        condition=f"For {_topic(first.topic)}, regions of the kind \u201c{first.concept}\u201d "
        f"cover {first.area:.0%} of the picture{attribution}; hidden, they take {first.fall:.0%} of what the "
        f"picture adds to the score, {first.value:.0%} {BEYOND}." + _more(found),
        evidence=tuple(_concept_number(row) for row in found.head(NAMED).itertuples()),
        samples=_samples(sums.sort_values("part", ascending=False), "part"),
        rule_of_samples="largest share of the score lost with the concept's regions",
        counter=_samples(sums.sort_values("part"), "part"),
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
            f"{_topic(first.topic)}) are led by the same unrelated concept.",
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
        title=f"Most pictures of {_topic(first.topic)} rest on \u201c{first.concept}\u201d",
        condition=f"In {first.value:.0%} of its pictures the part that carries most of the score is of this kind, "
        "which has nothing to do with it." + _more(found),
        evidence=numbers,
        samples=_samples(hit.sort_values("part", ascending=False), "part"),
        rule_of_samples="largest share of the score lost with the concept's regions",
        counter=_samples(rows.drop(hit.index).sort_values("part", ascending=False), "part"),
        counter_note="pictures that rest on something else",
        cause="Hypothesis: the class was learned by what goes with it; or the kind of region bears the wrong name.",
        effect="The class is recognised by its company, and missed without it.",
        recommendation="Collect pictures of the class without this concept and look at their scores.",
        **common,
    )


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
    """Does a score rest on what lies behind the foreground?"""
    yield from _place_rule(
        run,
        thresholds,
        ("background",),
        id="reliance.background",
        what="the background",
        cause="Hypothesis: a scene, surface or studio goes with this text; or what was taken for it is none.",
        recommendation="Score the same things before other backgrounds; a text on a scene may rest on it by right.",
    )


def _place_rule(
    run: Run, thresholds: Thresholds, names: Iterable[str], *, id: str, what: str, cause: str, recommendation: str
) -> Iterator[Finding]:
    record = of_run(run)
    if record is None:
        return
    names, least = tuple(names), float(thresholds[f"{id}.least_share"])
    enough = int(thresholds["reliance.topics.least_pictures"])
    table = place_table(record, names, least=least, enough=enough, **run.plan.resampling)
    common: dict[str, Any] = dict(
        id=id,
        rule=id,
        threshold=thresholds.label(f"{id}.least_share"),
        criterion=f"Hiding {what} takes at most {least:.0%} of what the picture adds to the score, {BEYOND}.",
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
    if found.empty:
        first = judged.iloc[0]
        yield passed(
            title=f"No score is shown to rest on {what}",
            condition=f"{len(judged)} pairs of topic and place were tested; the most, {PLACES[first.place]} for "
            f"{_topic(first.topic)}, takes {first.value:.0%} [{first.low:.0%}, {first.high:.0%}].",
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
    inside = "" if pd.isna(first.inside) else f" {first.inside:.0%} of the place is foreground."
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"Scores of {_topic(first.topic)} rest on the {PLACES[first.place]}",
        condition=f"Hidden, it takes {first.fall:.0%} of what the picture adds to the score, {first.value:.0%} "
        f"{BEYOND}; in {first.pictures:.0%} of the pictures it costs more than that." + inside + _more(found),
        evidence=tuple(_place_number(row) for row in found.head(NAMED).itertuples()),
        samples=_samples(rows.sort_values("part", ascending=False), "part"),
        rule_of_samples="largest share of the score lost with the place",
        counter=_samples(rows.sort_values("part"), "part"),
        counter_note="smallest share",
        cause=cause,
        effect="The score says that the place is there, not what the text speaks of.",
        recommendation=recommendation,
        **common,
    )


# -- parts -----------------------------------------------------------------------------------------------------------


def of_topic(rows: pd.DataFrame, topic: str) -> pd.DataFrame:
    """The rows whose text belongs to a topic."""
    if topic == EVERY:
        return rows
    return rows[[topic in topics_of(row.text, row.text_kind) for row in rows.itertuples()]]


def _topic(topic: str) -> str:
    return topic if topic == EVERY else f"\u201c{topic}\u201d"


def _more(found: pd.DataFrame) -> str:
    return f" {len(found) - 1} more of the same kind." if len(found) > 1 else ""


def _samples(rows: pd.DataFrame, column: str) -> tuple[Sample, ...]:
    first = rows.drop_duplicates("image").head(SAMPLES)
    return tuple(sample_of(row, (), f"{getattr(row, column):.0%} of the score") for row in first.itertuples())


def _number(name: str, row: Any) -> Number:
    return Number(name=name, value=row.value, low=known(row.low), high=known(row.high), n=int(row.n))


def _concept_number(row: Any) -> Number:
    return _number(
        f"share that \u201c{row.concept}\u201d carries for {_topic(row.topic)} (related {row.related:.2f})", row
    )


def _dominant_number(row: Any) -> Number:
    return _number(f"pictures of {_topic(row.topic)} led by \u201c{row.concept or 'none'}\u201d", row)


def _place_number(row: Any) -> Number:
    return _number(f"share that the {PLACES[row.place]} carries for {_topic(row.topic)}", row)


def surprises(record: RelianceRecord, run: Run, thresholds: Thresholds) -> pd.DataFrame:
    """The surprise list: unrelated concepts by topic, the largest excess first, with adjusted p and `shown`."""
    least, related = (float(thresholds[f"reliance.concept.{name}"]) for name in ("least_share", "most_related"))
    enough = int(thresholds["reliance.topics.least_pictures"])
    table = concept_table(record, least=least, most_related=related, enough=enough, **run.plan.resampling)
    table = table[table["surprise"] & table["low"].notna()]
    return table.assign(p_adjusted=adjusted(table["p"].astype(float)) if len(table) else pd.Series(dtype=float))
