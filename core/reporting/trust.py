"""The section on whether the explanations can be trusted, and the concept scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from core.content.assets import Assets
from core.content.charts import to_svg, trust_chart
from core.content.context import ReportContext
from core.content.curve_chart import curves_chart
from core.content.parts import Chart, Place, Section
from core.content.promises import draws_interval, promised
from core.content.tables import TableSpec
from core.content.words import bounded, measured, number, p_value
from core.evaluation.metrics import BY_NAME, MAIN
from core.evaluation.summary import Summary
from core.evaluation.tables import TrustRow, VersusRow
from core.findings import (
    Thresholds,
    above_by_kind,
    beats,
    failing_methods,
    methods_above_controls,
    not_drawn,
    standings,
    trusted_summary,
)
from core.findings.control_rules import TABLE as STANDINGS_TITLE
from core.languages import say
from core.methods import METHODS
from core.reporting.agreement import agreement_section
from core.reporting.curve_sentences import gain_sentences, points_sentences
from core.reporting.localisation import against_drawn
from core.reporting.measures import other_measures
from core.reporting.scores import scores
from core.reporting.tables import STANDINGS, CellsRow, by_title, cell_column, control_title, marked, wide
from core.rules import Context
from core.rules.parts import kind_words, names_by_kind, names_of, title_of
from core.runs import Run
from core.runs.rows import typed
from core.statistics.families import CONTROLS as CONTROL_TESTS
from core.statistics.intervals import FEWEST, METHOD

# What a statement on methods and controls rests on; every sentence names it.
MEASURE = "faithfulness (insertion minus deletion)"  # messages
# What the comparison of a method with one control shows.
BEATS, WORSE, NOT_SHOWN = "beats it", "worse", "not shown"  # messages


def trust(context: ReportContext) -> tuple[Section, ...]:
    """Controls, faithfulness and other measures, agreement, scores, statistics; an empty part is left out."""
    run, summary, assets = context.run, context.summary, context.assets
    parts = (
        _faithfulness(context),
        _versus(context),
        other_measures(context),
        against_drawn(run),
        agreement_section(context),
        scores(summary, assets),
        _statistics(run, summary),
    )
    return tuple(part for part in parts if not part.empty)


def _faithfulness(context: ReportContext) -> Section:
    run, summary, assets = context.run, context.summary, context.assets
    absent = not_drawn(context.judged)
    # A run without curves may have further metrics, such as that of a map alone.
    if not summary.trust["metric"].isin([metric.name for metric in MAIN]).any():
        return Section("Faithfulness and controls")
    best = summary.trust[summary.trust.metric == "faithfulness"]
    n = int(best.n.max()) if len(best) else 0
    rows_of_curves, drawn = run.results(), draws_interval(best)
    with_curves = rows_of_curves[rows_of_curves["deletion_curve"].notna()]["image"].nunique()
    charts = [
        _chart(
            assets,
            trust_chart(trusted_summary(context.judged)),
            promised(say("Faithfulness of each method and control, with 95 % interval"), drawn),
            say(
                "{what} over all texts of an image, n = {n} images. Grey squares are controls that do not depend on "
                "the model. Each kind of text is tested by itself.{absent}",
                what=promised(say("Mean faithfulness with 95 % interval"), drawn),
                n=n,
                absent=absent,
            ),
            "body",
        ),
        _chart(
            assets,
            curves_chart(rows_of_curves[~rows_of_curves["method"].isin(list(failing_methods(context.judged)))]),
            say("Mean deletion and insertion curves of each method and control"),
            say(
                "Mean score while cells are removed (left: lower is better) and shown (right: higher is better), n = "
                "{n} images; the methods with the widest gap between the two, and the controls. Intervals of all areas "
                "are in the table.{absent}",
                n=with_curves,
                absent=absent,
            ),
        ),
    ]
    failed = failing_methods(context.judged)
    spec, rows = main_table(summary, failed)
    sentences: tuple[str, ...] = (
        say(
            "Cells are removed from the image, or shown on an empty one, in the order of the map, and the score is "
            "recorded. A random ordering yields a faithfulness of 0. A method that is not better than the controls for "
            "a kind of text is not shown to reflect this model in its maps of such texts."
        ),
    )
    sentences += points_sentences(rows_of_curves)
    marked = [f"{title_of(name)}: {reason}." for name, reason in failed.items() if name in set(best.method)]
    results = above_controls(context.judged)
    if marked:
        told = say("Excluded from conclusions, because they fail a check. {methods}", methods=" ".join(marked))
        results += (told,)
    sentences += gain_sentences(summary)
    if summary.ceiling.n:
        got = summary.ceiling
        sentences += (
            say(
                "Correlation is that of the score and the part of the map over the cells visible in random coalitions, "
                "controlling for the number of visible cells. The best additive model explains this share of the "
                "score's variance over such coalitions, corrected for the number of cells fitted: {share}. A heat map "
                "with one value per cell is read as such a sum.",
                share=measured(got.value, got.low, got.high, got.n),
            ),
            *_same_draw(best.method[best.kind == "method"]),
        )
    return Section(
        "Faithfulness and controls",
        sentences=sentences,
        results=results,
        charts=tuple(charts),
        tables=(
            spec.table(
                say(
                    "Areas and correlation: mean with 95 % interval, and the median where a metric is divided by the "
                    "gain"
                ),
                rows,
            ),
        ),
    )


def above_controls(context: Context) -> tuple[str, ...]:
    """By which measure, and for which kinds of text, methods that fail no check are shown above every control."""
    every = standings(context)
    if not every:
        return ()
    few = names_by_kind((one.method, one.text_kind) for one in every if one.decision == "too few")
    least = context.thresholds["general.least_images"]
    none = say("none")
    rest = say(" Not tested, with fewer than {least} images: {few}.", least=least, few=few) if few != none else ""
    above = above_by_kind(context)
    if not above:
        return (say("No method was tested against the controls for any kind of text.") + rest,)
    shown = names_by_kind((one.method, one.text_kind) for one in every if one.decision == "holds")
    unshown = [kind_words(kind) for kind, methods in methods_above_controls(context).items() if not methods]
    each = say(" These are {methods}.", methods=shown) if shown != none else ""
    kinds = f" {say('and')} ".join(unshown)
    no = say(" For {kinds} it is not shown for any method.", kinds=kinds) if unshown and each else ""
    told = say("By {measure}, methods shown to beat every control: {above}.", measure=say(MEASURE), above=above)
    return (f"{told}{each}{no}{rest}",)


def main_table(summary: Summary, failed: Mapping[str, str]) -> tuple[TableSpec, list[CellsRow]]:
    """The main metrics, a method or control per row; n is in the heading where it is the same in every row."""
    main = summary.trust[summary.trust.metric.isin([metric.name for metric in MAIN])]
    same = {str(name): _same(part) for name, part in main.groupby("metric")}
    rows = []
    for (kind, name), part in main.groupby(["kind", "method"], sort=False):
        cells = {row.metric: _with_median(row, same[row.metric]) for row in typed(part, TrustRow)}
        control = kind != "method"
        rows.append(CellsRow(control_title(name) if control else marked(name, failed), cells, control))
    columns = [
        cell_column(one.name, f"{say(one.title)}, {say(one.direction)}{_in_head(same.get(one.name))}", help=one.help)
        for one in MAIN
    ]
    return wide("Map", 25, columns), sorted(rows, key=by_title)


def _same(frame: pd.DataFrame) -> int | None:
    """The number of images, if it is the same in every row."""
    counts = set(frame.n.astype(int))
    return counts.pop() if len(counts) == 1 else None


def _in_head(same: int | None) -> str:
    return "" if same is None else f", n = {same}"


def _with_median(row: TrustRow, same: int | None) -> str:
    """A cell of the main table: the mean, and the median where the metric has a long tail."""
    return _told(row, same) + (
        say(", median {value}", value=number(row.median, 2)) if BY_NAME[row.metric].divisor else ""
    )


def _everywhere(same: int | None) -> str:
    return say("; n varies and is given in each row") if same is None else say("; n = {n} images throughout", n=same)


def _told(row: TrustRow | VersusRow, same: int | None) -> str:
    if same is None:
        return measured(row.value, row.low, row.high, int(row.n))
    return bounded(row.value, row.low, row.high)


def against_control(row: VersusRow, thresholds: Thresholds) -> str:
    """What a row of `Summary.versus` shows: "beats it", "worse" or "not shown".

    The same test in both directions: among many methods, an interval that excludes 0 does not suffice.
    """
    below = not pd.isna(row.high) and row.high < 0 and row.p_adjusted < float(thresholds["general.significance"])
    return BEATS if beats(row, thresholds) else WORSE if below else NOT_SHOWN


def _difference(row: VersusRow, thresholds: Thresholds, same: int | None) -> str:
    p = p_value(row.p_adjusted)
    # A p too small to print has its sign of relation.
    related = f"p = {p}" if p[:1].isdigit() else f"p {p}"
    return f"{_told(row, same)}, {related}: {say(against_control(row, thresholds))}"


def _same_draw(names: Iterable[str]) -> tuple[str, ...]:
    """Which of the methods were fitted to the coalitions that the correlation is measured on."""
    fitted = [str(name) for name in names if name in METHODS and METHODS[name].additive]
    if not fitted:
        return ()
    names = names_of(fitted)
    if len(fitted) == 1:
        return (say("{names} is fitted to coalitions of the same draw, an advantage by this measure.", names=names),)
    return (say("{names} are fitted to coalitions of the same draw, an advantage by this measure.", names=names),)


def _versus(context: ReportContext) -> Section:
    summary, thresholds = context.summary, context.thresholds
    least, significance = (
        float(thresholds[name]) for name in ("trust.controls.least_difference", "general.significance")
    )
    spec, rows = versus_table(summary, thresholds, failing_methods(context.judged))
    title = say(
        "Faithfulness less that of the control, same images and texts: 95 % interval, p ({over})",
        over=CONTROL_TESTS.over,
    )
    tables = (spec.table(title + _everywhere(_same(summary.versus)), rows),) if rows else ()
    rule = say(
        "Each kind of text is tested by itself. A method beats a control if the whole interval of their difference "
        "(method less control) lies above {least:g} and the adjusted p is below {significance:g}; with few images this "
        "can fail although the difference is real.",
        least=least,
        significance=significance,
    )
    if each := standings(context.judged):
        note = say(
            "The control named for each kind of text is the one with the smallest difference: among the controls that "
            "the method is not shown to beat or, where it beats every control, among all. Numbers of images that would "
            "decide are for 90 % power in the adjusted test, if mean and spread stay the same."
        )
        title = say("{title}; n counts images", title=say(STANDINGS_TITLE))
        tables = (STANDINGS.table(title, each, note, "body"), *tables)
    return Section("Each method against each control", sentences=(rule,) if rows else (), tables=tables)


def versus_table(
    summary: Summary, thresholds: Thresholds, failed: Mapping[str, str]
) -> tuple[TableSpec, list[CellsRow]]:
    """The paired differences in faithfulness of each method from each control, a row per kind of text."""
    controls, same = list(dict.fromkeys(summary.versus.control)), _same(summary.versus)
    rows = [
        CellsRow(
            f"{marked(str(method), failed)}, {kind_words(str(kind))}",
            {row.control: _difference(row, thresholds, same) for row in typed(part, VersusRow)},
        )
        for (method, kind), part in summary.versus.groupby(["method", "text_kind"], sort=True)
    ]
    width = 75 // max(len(controls), 1)
    columns = [cell_column(name, say("Above {control}", control=title_of(name)), width) for name in controls]
    return wide("Method and texts", 25, columns), rows


def _statistics(run: Run, summary: Summary) -> Section:
    return Section(
        "Statistical methods",
        sentences=(
            say(
                "The unit of an interval or test is the image, unless another is named beside its n (texts, mosaics, "
                "groups of images). Values of one unit are averaged first: pairs, cells and pixels of one image are "
                "never counted as independent."
            ),
            say(METHOD, fewest=FEWEST),
            say(
                "Methods are compared with controls on the same images and texts. {tests}",
                tests=CONTROL_TESTS.sentence(summary.versus),
            ),
        ),
    )


def _chart(assets: Assets, chart: object, title: str, caption: str, place: Place = "annex") -> Chart:
    return Chart(assets.chart(to_svg(chart, title)), title, caption, place=place)
