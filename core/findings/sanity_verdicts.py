"""Which methods fail a sanity check, and why. No torch.

A method that fails is no ground for a conclusion: the report's overview, its choice of maps and its tables ask here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from core.applications.sanity_record import EVERY, SanityRecord, of_run
from core.evaluation.sanity import mean
from core.findings.thresholds import Thresholds, load_thresholds, run_thresholds
from core.runs import Run
from core.statistics import Interval

Word = Literal["passes", "fails", "declared", "too few", "not measured"]


@dataclass(frozen=True)
class Test:
    """One judged number: a check, its variant, the threshold, and on which side of it a map must stay."""

    check: str
    variant: str
    threshold: str
    highest: bool
    needs_text: bool
    failure: str

    def failed(self, measured: Interval, thresholds: Thresholds, share: float = 1.0) -> bool:
        """Whether a mean is shown to be on the wrong side of `share` of the threshold: its whole interval lies there.

        A handful of pictures is measured; a mean alone would fail sound but noisy methods by chance.
        """
        limit = share * float(thresholds[self.threshold])
        nearest = measured.low if self.highest else measured.high
        return nearest is not None and (nearest > limit if self.highest else nearest < limit)


# A method fails a check if it fails one of its tests.
TESTS: tuple[Test, ...] = (
    Test(
        "model",
        "image_tower",
        "sanity.model.most_correlation",
        True,
        False,
        "its maps hardly change when the image tower's weights are drawn anew",
    ),
    Test(
        "model",
        "text_tower",
        "sanity.model.most_correlation_text",
        True,
        True,
        "its maps hardly change when the text tower's weights are drawn anew",
    ),
    Test("text", EVERY, "sanity.text.most_correlation", True, True, "its maps hardly depend on the text"),
    Test("seed", EVERY, "sanity.seed.least_correlation", False, False, "its maps differ from seed to seed"),
    Test("flip", EVERY, "sanity.flip.least_correlation", False, False, "its maps don't follow a mirrored picture"),
    Test(
        "paraphrase",
        EVERY,
        "sanity.paraphrase.least_correlation",
        False,
        False,
        "its maps change when the text is only reworded",
    ),
)
JUDGED = tuple(dict.fromkeys(test.check for test in TESTS))


@dataclass(frozen=True)
class Verdict:
    """How one method fares in one test. "declared": its card says that it ignores the text, so it isn't judged."""

    method: str
    test: Test
    word: Word
    measured: Interval

    @property
    def reason(self) -> str:
        """Why the method fails, with the number."""
        value = 0.0 if self.measured.value is None else self.measured.value
        return f"{self.test.failure} (rank correlation {value:.2f}, n = {self.measured.n})"


def verdicts(run: Run, thresholds: Thresholds, record: SanityRecord | None = None) -> tuple[Verdict, ...]:
    """Every test of every method that was measured, in the order of the plan; none if the checks weren't run.

    `record` is the run's, where it has been read already.
    """
    known = of_run(run) if record is None else record
    if known is None:
        return ()
    return tuple(_verdicts(known, thresholds))


def _verdicts(record: SanityRecord, thresholds: Thresholds) -> Iterator[Verdict]:
    for method in record.methods:
        measured = {test: mean(record, method, test.check, test.variant) for test in TESTS}
        limit = reliability(next(got for test, got in measured.items() if test.check == "seed"))
        for test, got in measured.items():
            share = limit if test.check == "flip" else 1.0
            yield Verdict(method, test, _word(record, method, test, got, thresholds, share), got)


def reliability(seeds: Interval) -> float:
    """How far a method's maps agree with themselves: between two seeds if it draws, otherwise 1.

    Two maps that each carry noise can't agree better than that (Spearman, 1904), so that what a mirrored picture's map
    must reach is a share of it.
    """
    return 1.0 if seeds.value is None else min(max(seeds.value, 0.0), 1.0)


def _word(record: SanityRecord, method: str, test: Test, got: Interval, thresholds: Thresholds, share: float) -> Word:
    if test.needs_text and record.text_free(method):
        return "declared"
    if got.value is None:
        return "not measured"
    if got.n < int(thresholds["sanity.least_images"]) or got.low is None:
        return "too few"
    return "fails" if test.failed(got, thresholds, share) else "passes"


def failed_methods(run: Run, thresholds: Thresholds | None = None) -> dict[str, str]:
    """The methods of the run that fail a sanity check, each with the reason; empty if the checks weren't run.

    Judged by the thresholds kept with the run unless others are given.
    """
    found: dict[str, list[str]] = {}
    for verdict in verdicts(run, thresholds or load_thresholds(run_thresholds(run))):
        if verdict.word == "fails":
            found.setdefault(verdict.method, []).append(verdict.reason)
    return {method: "; ".join(reasons) for method, reasons in found.items()}
