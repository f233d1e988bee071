"""Which methods pass, fail or leave open a sanity check, and why. No torch.

A method that fails supports no conclusion: the overview of the report, its choice of maps and its tables ask here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from core.applications.sanity.measures import mean
from core.applications.sanity.record import EVERY, FIRST_REWORDING, SanityRecord, of_run
from core.content.words import bounded, plural
from core.languages import say
from core.methods import METHODS
from core.rules import Context
from core.rules.decision import decision
from core.rules.thresholds import Thresholds
from core.runs import Run
from core.statistics import Interval

Outcome = Literal["passes", "fails", "undecided", "declared", "too few", "not measured"]
_OUTCOMES: dict[str, Outcome] = {"holds": "passes", "fails": "fails", "undecided": "undecided", "too few": "too few"}


@dataclass(frozen=True)
class Criterion:
    """One judged number: a check, its variant, the threshold, and on which side of it a map must stay."""

    check: str
    variant: str
    threshold: str
    at_most: bool
    needs_text: bool
    failure: str


# A method fails a check if it fails one of its criteria, and passes if it passes all that apply to it.
CRITERIA: tuple[Criterion, ...] = (
    Criterion(
        "model",
        "image_tower",
        "sanity.model.most_correlation",
        True,
        False,
        "its maps hardly change when the weights of the image tower are re-initialised",
    ),
    Criterion(
        "model",
        "text_tower",
        "sanity.model.most_correlation_text",
        True,
        True,
        "its maps hardly change when the weights of the text tower are re-initialised",
    ),
    Criterion("text", EVERY, "sanity.text.most_correlation", True, True, "its maps hardly depend on the text"),
    Criterion("seed", EVERY, "sanity.seed.least_correlation", False, False, "its maps differ between seeds"),
    Criterion("flip", EVERY, "sanity.flip.least_correlation", False, False, "its maps do not follow a mirrored image"),
    Criterion(
        "paraphrase",
        FIRST_REWORDING,
        "sanity.paraphrase.least_correlation",
        False,
        False,
        "its maps change when “a photo of” is added to the text or exchanged in it",
    ),
)
JUDGED = tuple(dict.fromkeys(criterion.check for criterion in CRITERIA))


@dataclass(frozen=True)
class Verdict:
    """The outcome of one criterion for one method, with the measured mean and the limit it was compared with.

    "declared": the card of the method states that it ignores the text, so that it is not judged by texts.
    settings: options in which the check differs from the audit, as printed; empty where it does not.
    """

    method: str
    criterion: Criterion
    outcome: Outcome
    measured: Interval
    limit: float
    settings: str = ""

    @property
    def reason(self) -> str:
        """Why the method fails: the number, and the settings it was checked at where they differ from the audit's."""
        estimate = bounded(self.measured.value, self.measured.low, self.measured.high)
        checked = say("; checked at {settings}", settings=self.settings) if self.settings else ""
        return say(
            "{failure} (rank correlation {estimate}, n = {n}{checked})",
            failure=say(self.criterion.failure),
            estimate=estimate,
            n=self.measured.n,
            checked=checked,
        )


def verdicts(run: Run, thresholds: Thresholds, record: SanityRecord | None = None) -> tuple[Verdict, ...]:
    """Every criterion for every method that was measured, in the order of the plan; none if no checks were run.

    `record` is the run's, where it has been read already.
    """
    known = of_run(run) if record is None else record
    return () if known is None else tuple(_verdicts(known, thresholds, other_settings(run, known)))


def verdicts_of(context: Context) -> tuple[Verdict, ...]:
    """The verdicts of a run that is being judged or reported on."""
    return verdicts(context.run, context.thresholds, context.record(of_run))


def other_settings(run: Run, record: SanityRecord) -> dict[str, str]:
    """By method: the options with which it was checked where they differ from those of the audit, as printed."""
    planned = {part.name: part.options for part in run.plan.methods}
    different = {}
    for method in record.methods:
        if method not in METHODS:
            continue
        info = METHODS[method]
        used = info.parse(record.about["methods"][method]["options"]).model_dump()
        audit = info.parse(planned.get(method, {})).model_dump()
        each = [
            say("{name} = {value} (audit: {planned})", name=name, value=value, planned=audit[name])
            for name, value in used.items()
            if value != audit[name]
        ]
        if each:
            different[method] = ", ".join(each)
    return different


def _verdicts(record: SanityRecord, thresholds: Thresholds, settings: dict[str, str]) -> Iterator[Verdict]:
    for method in record.methods:
        measured = {criterion: mean(record, method, criterion.check, criterion.variant) for criterion in CRITERIA}
        seeds = reliability(next(estimate for criterion, estimate in measured.items() if criterion.check == "seed"))
        for criterion, estimate in measured.items():
            limit = float(thresholds[criterion.threshold]) * (seeds if criterion.check == "flip" else 1.0)
            outcome = _outcome(record, method, criterion, estimate, thresholds, limit)
            yield Verdict(method, criterion, outcome, estimate, limit, settings.get(method, ""))


def reliability(seeds: Interval) -> float:
    """How far a method's maps agree with themselves: between two seeds if it is stochastic, otherwise 1.

    Two maps that each carry noise cannot agree better than that (Spearman, 1904), so that what a mirrored image's map
    must reach is a share of it.
    """
    return 1.0 if seeds.value is None else min(max(seeds.value, 0.0), 1.0)


def _outcome(
    record: SanityRecord, method: str, criterion: Criterion, estimate: Interval, thresholds: Thresholds, limit: float
) -> Outcome:
    if criterion.needs_text and record.text_free(method):
        return "declared"
    if estimate.value is None:
        return "not measured"
    least = int(thresholds["sanity.least_images"])
    return _OUTCOMES[decision(estimate, limit, at_most=criterion.at_most, least_n=least)]


class Checks:
    """What the report asks of the sanity checks."""

    def failed(self, run: Run, thresholds: Thresholds) -> dict[str, str]:
        """The methods of the run that fail a sanity check, each with the reason; empty if the checks were not run."""
        reasons: dict[str, list[str]] = {}
        for verdict in verdicts(run, thresholds):
            if verdict.outcome == "fails":
                reasons.setdefault(verdict.method, []).append(verdict.reason)
        return {method: "; ".join(lines) for method, lines in reasons.items()}

    def limits(self, run: Run) -> str:
        """What the checks do not show; empty if they were not run."""
        record = of_run(run)
        if record is None:
            return ""
        return say(
            "The sanity checks rest on {images} at most; they do not show that a map marks the right regions. Not "
            "tested: planted cues.",
            images=plural(record.about["images"], "image"),
        )

    def reliability(self, run: Run) -> dict[str, float]:
        """The mean rank correlation of maps of two seeds, cut at 0, of each method whose seeds were checked."""
        record = of_run(run)
        if record is None:
            return {}
        seeds = {method: mean(record, method, "seed") for method in record.methods}
        return {method: reliability(one) for method, one in seeds.items() if one.value is not None}
