"""Rules on the methods themselves: a map must change with the weights and the text, and with nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from core.applications.sanity.record import EVERY, VARIANTS, CheckRow, SanityRecord, of_run
from core.applications.sanity.verdicts import CRITERIA, Verdict, verdicts_of
from core.content.words import bounded
from core.languages import say
from core.rules import Context, Measure, Number, Outcome, Rule, Sample, Wording
from core.rules.decision import Decision, Decisions
from core.rules.parts import SAMPLES, names_of, sample_of, title_of
from core.rules.power import Against, power_of
from core.rules.quantity import RANK_CORRELATION
from core.runs.rows import typed

MOST_EVIDENCE = 8
_DECISIONS: dict[str, Decision] = {"passes": "holds", "fails": "fails", "undecided": "undecided", "too few": "too few"}


def _measured(check: str) -> Measure:
    def measure(context: Context) -> Iterator[Outcome]:
        record = context.record(of_run)
        every = [verdict for verdict in verdicts_of(context) if verdict.criterion.check == check]
        # Where no planned method is stochastic there is nothing that seeds could change.
        if record is None or all(verdict.outcome == "not measured" for verdict in every):
            return
        yield _outcome(record, every, float(context.thresholds["general.significance"]))

    return measure


def _outcome(record: SanityRecord, every: list[Verdict], significance: float) -> Outcome:
    decisions = Decisions(_decisions(every))
    by = {name: [verdict for verdict in every if verdict.outcome == name] for name in ("fails", "undecided")}
    tested = set(decisions.tested)
    values = decisions.values | {
        "failures": "; ".join(f"{title_of(verdict.method)}: {verdict.reason}" for verdict in by["fails"]),
        "open": "; ".join(
            _stated(verdict, significance) for verdict in by["undecided"] if verdict.method not in _names(by["fails"])
        )
        or say("none"),
        "declared": names_of(_names([verdict for verdict in every if verdict.outcome == "declared"])),
        "other": names_of(_names([verdict for verdict in every if verdict.settings and verdict.method in tested])),
    }
    n = max((verdict.measured.n for verdict in every), default=0)
    evidence = _evidence(by["fails"] or by["undecided"] or every)
    if not tested:
        return Outcome("cannot_conclude", n=n, wording="few", values=values, evidence=evidence)
    if not by["fails"]:
        return Outcome(decisions.status, n=n, values=values, evidence=evidence)
    worst = max(by["fails"], key=_distance)
    rows = _rows(record, worst)
    beyond = rows["value"] > worst.limit if worst.criterion.at_most else rows["value"] < worst.limit
    return Outcome(
        "finding",
        n=n,
        likelihood=max(_concerned(record, verdict) for verdict in by["fails"]),
        values=values | {"worst": title_of(worst.method)},
        evidence=evidence,
        samples=_samples(rows[beyond], worst.method),
        counter=_samples(rows[~beyond].iloc[::-1], worst.method),
    )


def _concerned(record: SanityRecord, verdict: Verdict) -> float:
    """The share of images whose mean lies beyond the limit."""
    images = _rows(record, verdict).groupby("image")["value"].mean()
    return float((images > verdict.limit if verdict.criterion.at_most else images < verdict.limit).mean())


def _decisions(every: list[Verdict]) -> dict[str, Decision]:
    """By method: it fails if one criterion fails, and holds if all that apply to it hold."""
    order: tuple[Decision, ...] = ("fails", "undecided", "too few", "holds")
    of: dict[str, Decision] = {}
    for verdict in every:
        one = _DECISIONS.get(verdict.outcome)
        if one is not None:
            of[verdict.method] = min(of.get(verdict.method, one), one, key=order.index)
    return of


def _names(part: list[Verdict]) -> list[str]:
    return list(dict.fromkeys(verdict.method for verdict in part))


def _stated(verdict: Verdict, significance: float) -> str:
    """The numbers of an undecided check, and about how many images would decide it."""
    estimate = bounded(verdict.measured.value, verdict.measured.low, verdict.measured.high)
    power = power_of(verdict.measured, Against(verdict.limit, verdict.criterion.at_most), significance)
    decided = (
        say("; about {needed:,} images would decide", needed=power.needed) if power is not None and power.needed else ""
    )
    return say(
        "{title} ({estimate}, limit {limit:.2g}, n = {n}{decided})",
        title=_title(verdict),
        estimate=estimate,
        limit=verdict.limit,
        n=verdict.measured.n,
        decided=decided,
    )


def _title(verdict: Verdict) -> str:
    variant = verdict.criterion.variant
    return title_of(verdict.method) + (f", {say(VARIANTS[variant])}" if variant != EVERY else "")


def _distance(verdict: Verdict) -> float:
    """How far the mean lies beyond the limit."""
    difference = (verdict.measured.value or 0.0) - verdict.limit
    return difference if verdict.criterion.at_most else -difference


def _evidence(part: list[Verdict]) -> tuple[Number, ...]:
    """The measured numbers, those nearest to failing first."""
    measured = [one for one in part if one.measured.value is not None and one.outcome != "declared"]
    return tuple(
        RANK_CORRELATION.of(verdict.measured, title=_title(verdict))
        for verdict in sorted(measured, key=_distance, reverse=True)[:MOST_EVIDENCE]
    )


def _rows(record: SanityRecord, verdict: Verdict) -> pd.DataFrame:
    """The mean of each image and text, those furthest beyond the limit first."""
    rows = record.of(verdict.method, verdict.criterion.check, verdict.criterion.variant)
    each = rows.groupby(["image", "image_name", "text"], sort=True, as_index=False)["value"].mean()
    return each.sort_values("value", ascending=not verdict.criterion.at_most, kind="stable")


def _samples(rows: pd.DataFrame, method: str) -> tuple[Sample, ...]:
    return tuple(
        sample_of(row, (method,), say("rank correlation {value:+.2f}", value=row.value))
        for row in typed(rows.head(SAMPLES), CheckRow)
    )


def _rule(check: str, claim: str, criterion: str, *, question: str, cause: str, effect: str) -> Rule:
    """The card of one check; `claim` completes "n of m methods …"."""
    needs_text = any(one.needs_text for one in CRITERIA if one.check == check)
    rest = (
        " Checked at other settings than those of the audit, so that the outcome is about the method at those "
        "settings: {other}. Fewer than {least_images} images: {few}."
        + (" Not judged by texts, because declared to ignore them: {declared}." if needs_text else "")
    )
    return Rule(
        id=f"sanity.{check}",
        subject="explanations",
        question=question,
        criterion=criterion + " The whole 95 % interval must lie within this limit; a method fails if it lies beyond.",
        thresholds=(*(one.threshold for one in CRITERIA if one.check == check), "sanity.least_images"),
        wordings={
            "passed": Wording(f"{{passing}} of {{tested}} methods {claim}", "Shown for {holds}." + rest),
            "finding": Wording(
                f"{{passing}} of {{tested}} methods {claim}; undecided: {{undecided}}; failing: {{failing}}",
                "{failures}. Undecided: {open}." + rest,
            ),
            "cannot_conclude": Wording(
                f"Inconclusive: {{passing}} of {{tested}} methods {claim}; {{undecided}} undecided",
                "Shown for {holds}. Undecided: {open}. Numbers of images that would decide are for 90 % power, if mean "
                "and spread stay the same." + rest,
            ),
            "few": Wording(f"Too few images to test whether methods {claim}", rest.strip()),
        },
        measure=_measured(check),
        cause=cause,
        effect=effect,
        recommendation="Exclude from conclusions, as this report does: {fails}. For a method that was checked at other "
        "settings than those of the audit, repeat the checks with the effort \u201cplanned\u201d first.",
        samples="the images on which {worst}, which fails most clearly, lies furthest beyond the limit",
        counter="the images on which it lies within the limit",
    )


RULES = (
    _rule(
        "model",
        "give maps that depend on the weights of both towers",
        "With all image-tower weights re-initialised at random, and with those of the text tower, the mean rank "
        "correlation of a method's maps with the model's own is at most {most_correlation:g} and "
        "{most_correlation_text:g}.",
        question="Do the maps depend on what the image tower and the text tower have learned?",
        cause="Hypothesis: the method shows the structure of the image itself (edges, the centre), or what any network "
        "of this architecture computes from it.",
        effect="These maps carry no information about what the tower named above has learned.",
    ),
    _rule(
        "text",
        "give maps that depend on the text",
        "The mean rank correlation of a method's maps for an image's own text and for texts of other images is at most "
        "{most_correlation:g}.",
        question="Do the maps depend on the text?",
        cause="Hypothesis: the method shows what is salient for any text, or the texts are too similar.",
        effect="These maps show neither where the content of a text is nor that it is present.",
    ),
    _rule(
        "seed",
        "give stable maps across seeds",
        "The mean rank correlation between the maps of two seeds is at least {least_correlation:g}.",
        question="Does a stochastic method give similar maps with other seeds?",
        cause="Hypothesis: too few samples for a score that changes this little.",
        effect="These maps are largely determined by sampling noise.",
    ),
    _rule(
        "flip",
        "follow a mirrored image",
        "The mean rank correlation of a method's maps with those of the mirrored images, mirrored back, is at least "
        "{least_correlation:g}; of a stochastic method, that share of the agreement between two seeds.",
        question="Does the map of a mirrored image mark the mirrored regions?",
        cause="Hypothesis: the method marks positions of the grid instead of the image's content, or is noisy.",
        effect="These maps cannot be read as regions of the image.",
    ),
    _rule(
        "paraphrase",
        "give stable maps when the text is reworded",
        "The mean rank correlation of a method's maps with those for the text with \u201ca photo of\u201d before it "
        "(where it stands there already: another phrase of the same meaning in its place) is at least "
        "{least_correlation:g}.",
        question="Does a map remain the same when the text has the same meaning in other words?",
        cause="Hypothesis: the score itself depends on words without content; see the changes of the score.",
        effect="These maps largely reflect the wording.",
    ),
)
