"""The section that sets the audited model beside others that explained the same images."""

from __future__ import annotations

import pandas as pd

from core.content.context import ReportContext
from core.content.parts import Section
from core.content.tables import TableSpec
from core.content.words import measured, number, plural, shorten
from core.evaluation.comparison import Comparison, load_comparisons
from core.findings.comparison_rules import VERDICTS, difference_of
from core.reporting.tables import MAPS_OF_MODELS, SCORES_OF_MODELS, faithfulness_of_models
from core.rules import Thresholds
from core.rules.parts import names_of, title_of

LONGEST_NAME = 34
# Methods that the body names; the annex has all.
MOST_NAMED = 6


def comparisons(context: ReportContext) -> tuple[Section, ...]:
    """One section per compared run; empty if none was asked for."""
    run = context.run
    parts = [_section(one, context.thresholds) for one in load_comparisons(run)]
    problems = tuple(run.manifest.get("comparison_problems", ()))
    if problems:
        parts.append(Section("Comparisons that could not be made", sentences=problems))
    return tuple(parts)


def _section(one: Comparison, thresholds: Thresholds) -> Section:
    sentences = [
        f"This report is about {one.own}; the other model is {one.other}.",
        f"Both models explained the same {one.images} images; every comparison is paired by image and text. The "
        f"other run is {one.other_run}.",
        "Agreement between the maps of two models does not make them correct; a difference shows that an explanation "
        "depends on the model, not only on the image.",
    ]
    if one.only_one:
        for model in dict.fromkeys(model for _, model in one.only_one):
            alone = ", ".join(title_of(method) for method, where in one.only_one if where == model)
            sentences.append(f"Only on {model}, and not compared: {alone}.")
    sentences += _without(one)
    tables = tuple(spec.table(title, rows) for title, (spec, rows) in tables_of(one, thresholds).items() if len(rows))
    title = f"{shorten(one.own, LONGEST_NAME)} beside {shorten(one.other, LONGEST_NAME)}"
    return Section(title, sentences=tuple(sentences), results=_results(one, thresholds), tables=tables)


def _results(one: Comparison, thresholds: Thresholds) -> tuple[str, ...]:
    """What the comparison shows of each method's faithfulness, and what cannot be concluded from it."""
    least = int(thresholds["general.least_images"])
    head = f"{one.own} (here) beside {one.other}, on {plural(one.images, 'image')} that both explained."
    if one.trust.empty:
        return (f"{head} No method has a faithfulness on both, so that nothing is concluded about it.",)
    each = []
    for row in one.trust.sort_values("value", kind="stable").head(MOST_NAMED).itertuples():
        decided = difference_of(row, thresholds)
        few = f", fewer than the {least} images that a conclusion takes" if decided == "too few" else ""
        value = measured(row.value, row.low, row.high, int(row.n))
        each.append(
            f"{title_of(row.method)} {number(row.own, 2)} here and {number(row.theirs, 2)} there, difference (here "
            f"less there) {value}{'' if few else f': {VERDICTS[decided]}'}{few}"
        )
    more = f"; {len(one.trust) - MOST_NAMED} more methods are in the annex" if len(one.trust) > MOST_NAMED else ""
    decisions = {difference_of(row, thresholds) for row in one.trust.itertuples()}
    open_ones = decisions & {"too few", "undecided"}
    none = (
        " It cannot be concluded that an explanation is better or worse on either model"
        if decisions == open_ones
        else " For the methods without a verdict nothing can be concluded"
        if open_ones
        else ""
    )
    which = (
        "; nor does the comparison show which model is right more often."
        if none
        else (" The comparison does not show which model is right more often.")
    )
    return (f"{head} Faithfulness (insertion minus deletion): {'; '.join(each)}{more}.{none}{which}",)


def _without(one: Comparison) -> list[str]:
    """Which methods of both models are in one of the two tables of methods only, and why."""
    scored, drawn = set(one.trust.method), set(one.maps.method)
    parts = (
        (scored - drawn, "the table of maps", "no image and text has a map of both models with an order"),
        (drawn - scored, "the table of faithfulness", "no image and text has a value of both models"),
    )
    return [f"Not in {where}, because {why}: {names_of(sorted(names))}." for names, where, why in parts if names]


def tables_of(one: Comparison, thresholds: Thresholds) -> dict[str, tuple[TableSpec, pd.DataFrame]]:
    """The tables by title, each as its columns and its rows; one without rows was not measured."""
    return {
        "Agreement of the scores over the texts of each image that has at least three of a kind; captions are only "
        "those of the image": (SCORES_OF_MODELS, one.scores),
        "Faithfulness of each method on the two models, with 95 % interval": (
            faithfulness_of_models(thresholds),
            one.trust,
        ),
        "Agreement of the two models' maps by the same method, least first": (
            MAPS_OF_MODELS,
            one.maps.sort_values("value"),
        ),
    }
