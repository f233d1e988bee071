"""Which methods fail the checks that applications make of them, and what these checks leave open. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from core.applications.application import MethodChecks
from core.applications.registry import APPLICATIONS
from core.content.words import percent
from core.evaluation.completeness import COLUMNS, residuals, unexplained
from core.languages import say
from core.methods import METHODS
from core.rules.context import Context
from core.rules.decision import decision
from core.rules.thresholds import Thresholds, thresholds_of
from core.runs import Run


def failed_methods(run: Run, thresholds: Thresholds | None = None) -> dict[str, str]:
    """The methods of the run that fail a sanity check or completeness, each with the reasons; empty if none does.

    Judged by the thresholds kept with the run unless others are given.
    """
    judged_by = thresholds or thresholds_of(run)
    reasons: dict[str, list[str]] = {}
    for checks in _method_checks():
        for method, reason in checks.failed(run, judged_by).items():
            reasons.setdefault(method, []).append(reason)
    for method, reason in _incomplete(run, judged_by).items():
        reasons.setdefault(method, []).append(reason)
    return {method: "; ".join(lines) for method, lines in reasons.items()}


def failing_methods(context: Context) -> dict[str, str]:
    """The methods of a run that is being judged or reported on that fail a check, each with the reasons."""
    return context.once(_failing)


def _failing(context: Context) -> dict[str, str]:
    return failed_methods(context.run, context.thresholds)


def _incomplete(run: Run, thresholds: Thresholds) -> dict[str, str]:
    """The methods whose parts are shown not to add up to what they should."""
    most, least_n = float(thresholds["sums.rest.most"]), int(thresholds["general.least_images"])
    reasons = {}
    # Not of the snapshot, which would read every map for these few rows.
    rows = run.results_with("details", list(COLUMNS))
    for method, part in residuals(rows).groupby("method", sort=True):
        rest = unexplained(part)
        if decision(rest, most, at_most=True, least_n=least_n) == "fails":
            share = percent(rest.value)
            reasons[str(method)] = say(
                "its map leaves {share} of the difference of scores unexplained (n = {n})", share=share, n=rest.n
            )
    return reasons


def limits_of_checks(run: Run) -> tuple[str, ...]:
    """What the checks of this run do not show, a sentence or two for each application that made some."""
    return tuple(sentence for checks in _method_checks() if (sentence := checks.limits(run)))


def reliability_of(run: Run, methods: Iterable[str]) -> dict[str, float]:
    """How far maps of each of these methods agree with themselves, from 0 to 1; without those of which it is not known.

    A method that draws no random numbers gives the same map again, so that its reliability is 1.
    """
    values = {name: 1.0 for name in methods if name in METHODS and METHODS[name].deterministic}
    for checks in _method_checks():
        known = checks.reliability(run)
        values |= {name: known[name] for name in methods if name in known}
    return values


def _method_checks() -> Iterator[MethodChecks]:
    for application in APPLICATIONS.values():
        if application.method_checks is not None:
            yield application.method_checks()
