"""The section that sets the audited model beside others that explained the same images."""

from __future__ import annotations

import pandas as pd

from core.content.context import ReportContext
from core.content.parts import Section
from core.content.tables import TableSpec
from core.content.words import measured, number, plural, shorten
from core.evaluation.comparison import Comparison, load_comparisons
from core.findings.comparison_rules import VERDICTS, difference_of
from core.languages import say
from core.reporting.tables import MAPS_OF_MODELS, SCORES_OF_MODELS, faithfulness_of_models
from core.rules import Thresholds
from core.rules.parts import names_of, title_of

# Of a model in a heading, which may have two lines.
LONGEST_NAME = 60
# Methods that the body names; the annex has all.
MOST_NAMED = 6
# Of methods that are in one of the two tables of methods only.
_ONLY_ONE = (
    "Not in the table of maps, because no image and text has a map of both models with an order: {names}.",
    "Not in the table of faithfulness, because no image and text has a value of both models: {names}.",
)  # messages


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
        say("This report is about {own}; the other model is {other}.", own=one.own, other=one.other),
        say(
            "Both models explained the same {images} images; every comparison is paired by image and text. The other "
            "run is {run}.",
            images=one.images,
            run=one.other_run,
        ),
        say(
            "Agreement between the maps of two models does not make them correct; a difference shows that an "
            "explanation depends on the model, not only on the image."
        ),
    ]
    if one.only_one:
        for model in dict.fromkeys(model for _, model in one.only_one):
            alone = ", ".join(title_of(method) for method, where in one.only_one if where == model)
            sentences.append(say("Only on {model}, and not compared: {methods}.", model=model, methods=alone))
    sentences += _without(one)
    tables = tuple(spec.table(title, rows) for title, (spec, rows) in tables_of(one, thresholds).items() if len(rows))
    title = say("{own} beside {other}", own=shorten(one.own, LONGEST_NAME), other=shorten(one.other, LONGEST_NAME))
    return Section(title, sentences=tuple(sentences), results=_results(one, thresholds), tables=tables)


def _results(one: Comparison, thresholds: Thresholds) -> tuple[str, ...]:
    """What the comparison shows of each method's faithfulness, and what cannot be concluded from it."""
    least = int(thresholds["general.least_images"])
    head = say(
        "{own} (here) beside {other}, on {images} that both explained.",
        own=one.own,
        other=one.other,
        images=plural(one.images, "image"),
    )
    if one.trust.empty:
        none = say("No method has a faithfulness on both, so that nothing is concluded about it.")
        return (f"{head} {none}",)
    each = []
    for row in one.trust.sort_values("value", kind="stable").head(MOST_NAMED).itertuples():
        decided = difference_of(row, thresholds)
        verdict = (
            say(", fewer than the {least} images that a conclusion takes", least=least)
            if decided == "too few"
            else f": {say(VERDICTS[decided])}"
        )
        each.append(
            say(
                "{method} {own} here and {theirs} there, difference (here less there) {value}{verdict}",
                method=title_of(row.method),
                own=number(row.own, 2),
                theirs=number(row.theirs, 2),
                value=measured(row.value, row.low, row.high, int(row.n)),
                verdict=verdict,
            )
        )
    left = len(one.trust) - MOST_NAMED
    more = say("; {count} more methods are in the annex", count=left) if left > 0 else ""
    decisions = {difference_of(row, thresholds) for row in one.trust.itertuples()}
    open_ones = decisions & {"too few", "undecided"}
    if open_ones and decisions == open_ones:
        last = say(
            "It cannot be concluded that an explanation is better or worse on either model; nor does the comparison "
            "show which model is right more often."
        )
    elif open_ones:
        last = say(
            "For the methods without a verdict nothing can be concluded; nor does the comparison show which model is "
            "right more often."
        )
    else:
        last = say("The comparison does not show which model is right more often.")
    told = say("Faithfulness (insertion minus deletion): {methods}{more}.", methods="; ".join(each), more=more)
    return (f"{head} {told} {last}",)


def _without(one: Comparison) -> list[str]:
    """Which methods of both models are in one of the two tables of methods only, and why."""
    scored, drawn = set(one.trust.method), set(one.maps.method)
    parts = zip((scored - drawn, drawn - scored), _ONLY_ONE, strict=True)
    return [say(told, names=names_of(sorted(names))) for names, told in parts if names]


def tables_of(one: Comparison, thresholds: Thresholds) -> dict[str, tuple[TableSpec, pd.DataFrame]]:
    """The tables by title, each as its columns and its rows; one without rows was not measured."""
    return {
        say(
            "Agreement of the scores over the texts of each image that has at least three of a kind; captions are only "
            "those of the image"
        ): (SCORES_OF_MODELS, one.scores),
        say("Faithfulness of each method on the two models, with 95 % interval"): (
            faithfulness_of_models(thresholds),
            one.trust,
        ),
        say("Agreement of the two models' maps by the same method, least first"): (
            MAPS_OF_MODELS,
            one.maps.sort_values("value"),
        ),
    }
