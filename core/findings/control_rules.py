"""The rule that a method's maps must order cells better than maps that ignore the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pandas as pd

from core.evaluation.gains import rows_above_floor
from core.evaluation.tables import VersusRow
from core.findings.method_checks import failing_methods
from core.languages import say
from core.rules import Context, Outcome, Rule, Sample, Thresholds, Wording
from core.rules.decision import Decision, Decisions
from core.rules.parts import SAMPLES, kind_words, known, names_by_kind, names_of, sample_of, title_of
from core.rules.power import Against, power_of
from core.rules.quantity import of_metric
from core.runs.rows import typed
from core.statistics.families import CONTROLS as CONTROL_TESTS

LEAST, SIGNIFICANCE = "trust.controls.least_difference", "general.significance"
KEY = ["image", "image_name", "text", "text_kind"]
ABOVE = of_metric("faithfulness", "{method}: {metric} less that of the control “{control}”, for {texts}", CONTROL_TESTS)


def beats(row: VersusRow, thresholds: Thresholds) -> bool:
    """Whether a row of `Summary.versus` shows a method above a control: rules and report judge by this one test."""
    low = known(row.low)  # too few images have no interval
    return low is not None and low > float(thresholds[LEAST]) and _significant(row, thresholds)


def loses(row: VersusRow, thresholds: Thresholds) -> bool:
    """Whether a row of `Summary.versus` shows that a method is not above a control: the same test the other way."""
    high = known(row.high)
    return high is not None and high < float(thresholds[LEAST]) and _significant(row, thresholds)


def _significant(row: VersusRow, thresholds: Thresholds) -> bool:
    return bool(row.p_adjusted < float(thresholds[SIGNIFICANCE]))


class Standing(NamedTuple):
    """A method against the control that decides its result for one kind of text: the one it is least above, or shown
    not to be above.

    `decision` is of all its controls; `needed` the number of images that would decide, None where that is decided,
    cannot be stated or has no interval to start from. A method without a single test has the kind "".
    """

    method: str
    text_kind: str
    control: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    p_adjusted: float | None
    decision: Decision
    needed: int | None


def standings(context: Context) -> tuple[Standing, ...]:
    """How each trusted method stands against the controls for each kind of text, in the plan's order; none without
    deletion and insertion.
    """
    return context.once(_standings)


def methods_above_controls(context: Context) -> dict[str, tuple[str, ...]]:
    """For each kind of text with enough images, the trusted methods that are shown above every control by it.

    A method is trusted for a kind of text: what is shown for classes says nothing about its maps of captions.
    """
    tested = [one for one in standings(context) if one.decision != "too few"]
    return {
        kind: tuple(one.method for one in tested if one.text_kind == kind and one.decision == "holds")
        for kind in sorted({one.text_kind for one in tested})
    }


def above_by_kind(context: Context) -> str:
    """How many of the methods tested are shown above every control: `0 of 2 for captions, 2 of 2 for classes`."""
    every = standings(context)
    tested = {kind: sum(one.text_kind == kind and one.decision != "too few" for one in every) for kind in _kinds(every)}
    above = methods_above_controls(context)
    return ", ".join(
        say("{part} of {whole} for {kinds}", part=len(above[kind]), whole=tested[kind], kinds=kind_words(kind))
        for kind in above
    )


def _standings(context: Context) -> tuple[Standing, ...]:
    summary, thresholds = context.summary, context.thresholds
    if not context.run.plan.trust.curves:
        return ()
    unavailable = {name for name, side, _ in summary.not_run if side == "image"}
    failing_checks = failing_methods(context)
    tests = int(summary.versus.p.notna().sum())
    found: list[Standing] = []
    for name in summary.methods:
        rows = summary.versus[summary.versus.method == name]
        if name in failing_checks or (rows.empty and name in unavailable):
            continue
        if rows.empty:
            found.append(Standing(name, "", "", None, None, None, 0, None, "too few", None))
        found += [
            _standing(name, str(kind), part, thresholds, tests) for kind, part in rows.groupby("text_kind", sort=True)
        ]
    return tuple(found)


def _standing(method: str, kind: str, rows: pd.DataFrame, thresholds: Thresholds, tests: int) -> Standing:
    decided = _decision(rows, thresholds)
    each = list(typed(rows, VersusRow))
    if decided == "fails":
        each = [row for row in each if loses(row, thresholds)]
    elif decided == "undecided":
        each = [row for row in each if not beats(row, thresholds)]
    row = min(each, key=lambda one: float(one.value))
    needed = None
    if decided == "undecided":
        least, significance = float(thresholds[LEAST]), float(thresholds[SIGNIFICANCE])
        # Whichever way it would be decided, by the same test, adjusted for all of its family.
        against = Against(least, at_most=row.value > least, tests=tests)
        power = power_of(row, against, significance)
        needed = power.needed if power is not None else None
    return Standing(
        method, kind, row.control, known(row.value), known(row.low), known(row.high), int(rows.n.min()),
        known(row.p_adjusted), decided, needed,
    )  # fmt: skip


def _kinds(every: Sequence[Standing]) -> list[str]:
    return sorted({one.text_kind for one in every})


def _of_all_kinds(every: Sequence[Standing]) -> dict[str, Decision]:
    """What is decided of each method over the kinds of text with enough images: it holds where it does for each."""
    order: tuple[Decision, ...] = ("fails", "undecided", "holds")
    found: dict[str, Decision] = {}
    for name in dict.fromkeys(one.method for one in every):
        decided = {one.decision for one in every if one.method == name} - {"too few"}
        found[name] = next((one for one in order if one in decided), "too few")
    return found


def _named(every: Sequence[Standing], decided: Decision) -> str:
    """The methods of which this is decided, and for which texts."""
    return names_by_kind((one.method, one.text_kind) for one in every if one.decision == decided)


def _measure(context: Context) -> Iterator[Outcome]:
    every = standings(context)
    if not every:
        return
    summary, failing_checks = context.summary, failing_methods(context)
    decisions = Decisions(_of_all_kinds(every))
    lost = [one for one in every if one.decision == "fails"]
    values = decisions.values | {
        "each": above_by_kind(context),
        "holds": _named(every, "holds"),
        "fails": _named(every, "fails"),
        "open": _named(every, "undecided"),
        "few": _named(every, "too few"),
        "excluded": names_of([name for name in summary.methods if name in failing_checks]),
    }
    part = lost or [one for one in every if one.decision == "undecided"] or every
    outcome = Outcome(
        decisions.status,
        n=max(one.n for one in every),
        wording="" if decisions.tested else "few",
        values=values,
        evidence=tuple(
            ABOVE.of(one, method=title_of(one.method), control=one.control, texts=kind_words(one.text_kind))
            for one in part
            if one.control
        ),
    )
    yield _below(context, outcome, lost) if lost else outcome


def _below(context: Context, outcome: Outcome, lost: list[Standing]) -> Outcome:
    """With the method that is furthest below a control: its images, and the largest share of them below."""
    worst, least = min(lost, key=lambda one: one.value or 0.0), float(context.thresholds[LEAST])
    differences = _differences(context, worst)
    return Outcome(
        "finding",
        n=outcome.n,
        likelihood=max(_concerned(_differences(context, one), least) for one in lost),
        values={
            **outcome.values,
            "worst": title_of(worst.method),
            "control": worst.control,
            "texts": kind_words(worst.text_kind),
        },
        evidence=outcome.evidence,
        samples=_samples(differences[differences.difference <= least], worst.method),
        counter=_samples(differences[differences.difference > least].iloc[::-1], worst.method),
    )


def _concerned(differences: pd.DataFrame, least: float) -> float:
    """The share of images whose mean difference is not above the limit."""
    of_images = differences.groupby("image").difference.mean()
    return float((of_images <= least).mean()) if len(of_images) else 1.0


def _decision(rows: pd.DataFrame, thresholds: Thresholds) -> Decision:
    if int(rows.n.min()) < int(thresholds["general.least_images"]) or rows.low.isna().any():
        return "too few"
    if any(loses(row, thresholds) for row in typed(rows, VersusRow)):
        return "fails"
    return "holds" if all(beats(row, thresholds) for row in typed(rows, VersusRow)) else "undecided"


def _differences(context: Context, one: Standing) -> pd.DataFrame:
    """`difference` in faithfulness from the control per image and text of the kind, the lowest first."""
    rows = rows_above_floor(context.run, (*KEY, "kind", "method", "faithfulness"))
    rows = rows[rows.text_kind == one.text_kind]
    own = rows[(rows.kind == "method") & (rows.method == one.method)][[*KEY, "faithfulness"]]
    other = rows[(rows.kind == "control") & (rows.method == one.control)][[*KEY, "faithfulness"]]
    both = own.merge(other, on=KEY, suffixes=("", "_control")).dropna()
    both["difference"] = both.faithfulness - both.faithfulness_control
    return both.sort_values(["difference", "image_name"])


def _samples(rows: pd.DataFrame, method: str) -> tuple[Sample, ...]:
    return tuple(
        sample_of(row, (method,), say("difference in faithfulness {value:+.2f}", value=row.difference))
        for row in rows.head(SAMPLES).itertuples()
    )


# The title of the table of `standings`, which conditions name.
TABLE = "Each method against the control that decides its result"  # messages
DETAILS = f"Differences, adjusted p and the images that would decide: table \u201c{TABLE}\u201d."
REST = "Fewer than {least_images} images: {few}. Excluded, because they fail a check: {excluded}."
CONTROLS_BEATEN = Rule(
    id="trust.controls",
    subject="explanations",
    question="Are each method's maps more faithful than maps that ignore the model?",
    thresholds=(LEAST, SIGNIFICANCE, "general.least_images"),
    criterion="For each kind of text by itself (captions, classes, prompts), a method's faithfulness (insertion minus "
    "deletion) exceeds every control map's by more than {least_difference:g}: the whole 95 % interval of the "
    "difference lies above it, and the p, adjusted over methods, controls and kinds of text, is below "
    "{significance:g}. A method fails if, for one kind, a difference is shown to lie below it by the same test.",
    wordings={
        "passed": Wording(
            "Methods that beat every control map by faithfulness: {each}",
            "Shown to order the cells better than random, centre and edge maps do: {holds}. " + REST,
        ),
        "finding": Wording(
            "Methods that beat every control map by faithfulness: {each}; worse than one: {failing} of {tested}",
            "Worse than a control map: {fails}. " + DETAILS + " Shown to be above every control: {holds}. " + REST,
        ),
        "cannot_conclude": Wording(
            "Inconclusive: methods that beat every control map by faithfulness: {each}",
            "Shown to be above every control: {holds}. Not shown: {open}. " + DETAILS + " " + REST,
        ),
        "few": Wording(
            "Too few images to compare methods with control maps", "Fewer than {least_images} images: {few}."
        ),
    },
    measure=_measure,
    cause="Hypothesis: the method reads features that the score does not use here, or its map is too coarse.",
    effect="For texts of the kind named, heat maps of the methods that fail are not evidence of what the model used, "
    "and those of undecided methods are not shown to be.",
    recommendation="Do not base a conclusion on a method's maps of a kind of text for which it is not shown to beat "
    "every control.",
    samples="the images on which {worst} falls furthest below the control map ({control}) for {texts}",
    counter="the images on which it is furthest above the same control map for {texts}",
)
