"""Rules on the methods themselves: a map must change with the weights and the text, and with nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from core.applications.sanity_record import EVERY, VARIANTS, SanityRecord, of_run
from core.evaluation.summary import Summary
from core.findings.finding import Finding, Number, Sample
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.parts import SAMPLES, again, known, sample_of, title_of
from core.findings.sanity_verdicts import TESTS, Verdict, verdicts
from core.findings.thresholds import Thresholds
from core.runs import Run

MOST_EVIDENCE = 8


def weights_matter(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Do the maps depend on what the model has learned?"""
    yield from _judged(
        run,
        thresholds,
        "model",
        impact=0.8,
        criterion="With all weights of the image tower drawn anew, and with those of the text tower, the mean rank "
        "correlation of a method's maps with the model's own is at most {0:g} and {1:g}.",
        good="maps depend on the model's weights",
        bad="maps hardly depend on the model's weights",
        cause="Hypothesis: the method shows the picture's own structure (edges, the middle), or what any network of "
        "this architecture does with it.",
        effect="These maps say nothing about what this model has learned.",
    )


def texts_matter(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Do the maps depend on the text?"""
    yield from _judged(
        run,
        thresholds,
        "text",
        impact=0.7,
        criterion="The mean rank correlation of a method's maps for a picture's own text and for texts of other "
        "pictures is at most {0:g}.",
        good="maps depend on the text",
        bad="maps hardly depend on the text",
        cause="Hypothesis: the method shows what stands out for any text, or the texts are too alike.",
        effect="These maps can't say where a text's content is, nor that it is there.",
    )


def seeds_agree(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Does a method that draws give like maps with other seeds?"""
    yield from _judged(
        run,
        thresholds,
        "seed",
        impact=0.5,
        criterion="The mean rank correlation between two seeds' maps is at least {0:g}.",
        good="maps hardly depend on the seed",
        bad="maps depend on the seed",
        cause="Hypothesis: too few samples for a score that changes this little.",
        effect="What these maps show is chance in good part.",
    )


def mirrors_agree(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Does the map of a mirrored picture show the mirrored places?"""
    yield from _judged(
        run,
        thresholds,
        "flip",
        impact=0.5,
        criterion="The mean rank correlation of a method's maps with those of the mirrored pictures, mirrored back, is "
        "at least {0:g}; of a method that draws, that share of two seeds' agreement.",
        good="maps follow a mirrored picture",
        bad="maps don't follow a mirrored picture",
        cause="Hypothesis: the method shows places of the grid instead of the picture's content, or is noisy.",
        effect="These maps can't be read as places of the picture.",
    )


def rewording_agrees(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Does a map stay when the text says the same in other words?"""
    yield from _judged(
        run,
        thresholds,
        "paraphrase",
        impact=0.4,
        criterion="The mean rank correlation of a method's maps with those for the text reworded is at least {0:g}.",
        good="maps hardly depend on how the text is worded",
        bad="maps depend on how the text is worded",
        cause="Hypothesis: the score itself depends on words without content; see the changes of the score.",
        effect="What these maps show is the wording in good part.",
    )


def _judged(
    run: Run,
    thresholds: Thresholds,
    check: str,
    *,
    impact: float,
    criterion: str,
    good: str,
    bad: str,
    cause: str,
    effect: str,
) -> Iterator[Finding]:
    record = of_run(run)
    if record is None:
        return
    every = [verdict for verdict in verdicts(run, thresholds, record) if verdict.test.check == check]
    tests = [test for test in TESTS if test.check == check]
    failed = [verdict for verdict in every if verdict.word == "fails"]
    names = list(dict.fromkeys(verdict.method for verdict in failed))
    decided = list(dict.fromkeys(verdict.method for verdict in every if verdict.word in ("passes", "fails")))
    common: dict[str, Any] = dict(
        id=f"sanity.{check}",
        rule=f"sanity.{check}",
        threshold="; ".join(thresholds.label(test.threshold) for test in tests),
        criterion=criterion.format(*(float(thresholds[test.threshold]) for test in tests))
        + " A method fails if its whole 95 % interval lies beyond.",
        evidence=_evidence(failed or every),
        reproduce=again(run),
    )
    others = _others(every, decided)
    if not decided:
        # Where no planned method draws there is nothing that seeds could change.
        if any(verdict.word in ("too few", "declared") for verdict in every):
            least = thresholds["sanity.least_images"]
            condition = f"No method was measured on at least {least} pictures. {others}".strip()
            yield cannot_conclude(title=f"Too few pictures to say whether {good}", condition=condition, **common)
        return
    if not failed:
        condition = f"{_listed(decided)} pass. {others}".strip()
        yield passed(title=f"{len(decided)} of {len(decided)} methods: {good}", condition=condition, **common)
        return
    n = min(verdict.measured.n for verdict in failed)
    made, word = grade(impact, len(names) / len(decided), n, thresholds)
    worst, best = _samples(record, _worst(failed))
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"{len(names)} of {len(decided)} methods: {bad}",
        condition=" ".join([*(f"{title_of(verdict.method)}: {verdict.reason}." for verdict in failed), others]).strip(),
        samples=worst,
        rule_of_samples=f"the pictures where {title_of(_worst(failed).method)}, which fails most clearly, does so most",
        counter=best,
        counter_note="the pictures where it does so least",
        cause=cause,
        effect=effect,
        recommendation=f"Leave {_listed(names)} out of conclusions; this report does.",
        **common,
    )


def _others(every: list[Verdict], decided: list[str]) -> str:
    """What is said of methods that aren't judged."""
    told = []
    declared = list(dict.fromkeys(verdict.method for verdict in every if verdict.word == "declared"))
    if declared:
        told.append(f"Declared to ignore the text, so not judged by texts: {_listed(declared)}.")
    few = {verdict.method: verdict.measured.n for verdict in every if verdict.word == "too few"}
    few = {method: n for method, n in few.items() if method not in decided}
    if few:
        each = ", ".join(f"{title_of(method)} (n = {n})" for method, n in few.items())
        told.append(f"Measured on too few pictures to be judged: {each}.")
    return " ".join(told)


def _worst(failed: list[Verdict]) -> Verdict:
    def beyond(verdict: Verdict) -> float:
        value = verdict.measured.value or 0.0
        return value if verdict.test.highest else -value

    return max(failed, key=beyond)


def _evidence(part: list[Verdict]) -> tuple[Number, ...]:
    """The measured numbers, those nearest to failing first."""
    measured = [verdict for verdict in part if verdict.measured.value is not None and verdict.word != "declared"]
    measured.sort(key=lambda verdict: (verdict.measured.value or 0.0) * (-1 if verdict.test.highest else 1))
    return tuple(
        Number(
            name=title_of(verdict.method)
            + (f", {VARIANTS[verdict.test.variant]}" if verdict.test.variant != EVERY else ""),
            value=verdict.measured.value,
            low=known(verdict.measured.low),
            high=known(verdict.measured.high),
            n=verdict.measured.n,
            unit="rank correlation",
        )
        for verdict in measured[:MOST_EVIDENCE]
    )


def _samples(record: SanityRecord, verdict: Verdict) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
    rows = record.of(verdict.method, verdict.test.check, verdict.test.variant)
    each = rows.groupby(["image", "image_name", "text"], sort=True, as_index=False)["value"].mean()
    each = each.sort_values("value", ascending=not verdict.test.highest, kind="stable")
    return _told(each.head(SAMPLES), verdict.method), _told(each.tail(SAMPLES).iloc[::-1], verdict.method)


def _told(rows: pd.DataFrame, method: str) -> tuple[Sample, ...]:
    return tuple(sample_of(row, (method,), f"rank correlation {row.value:+.2f}") for row in rows.itertuples())


def _listed(methods: list[str]) -> str:
    names = [title_of(method) for method in methods]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
