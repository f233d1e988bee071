"""The section on whether the explanations can be trusted, and the concept scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from core.evaluation.summary import METRICS, Summary
from core.findings import Thresholds, beats, failed_methods, load_thresholds, run_thresholds
from core.reporting.assets import Assets
from core.reporting.charts import (
    agreement_chart,
    curves_chart,
    method_title,
    scores_chart,
    shorten,
    to_svg,
    trust_chart,
)
from core.reporting.content import Chart, Column, Section, Table
from core.reporting.localisation import against_drawn
from core.reporting.measures import other_measures
from core.reporting.words import bounded, measured, number, share
from core.runs import Run
from core.statistics.families import CONTROLS as CONTROL_TESTS
from core.statistics.intervals import METHOD

MOST_TEXTS = 60
MOST_PAIRS = 15


def trust(run: Run, summary: Summary, assets: Assets) -> tuple[Section, ...]:
    """Controls, faithfulness and other measures, agreement, scores, statistics; an empty part is left out."""
    parts = (
        _faithfulness(run, summary, assets),
        _versus(run, summary),
        other_measures(summary),
        against_drawn(run),
        _agreement(summary, assets),
        _scores(summary, assets),
        _statistics(run, summary),
    )
    return tuple(part for part in parts if not part.empty)


def _faithfulness(run: Run, summary: Summary, assets: Assets) -> Section:
    if summary.trust.empty:
        return Section("Faithfulness and controls")
    best = summary.trust[summary.trust.metric == "faithfulness"]
    n = int(best.n.max()) if len(best) else 0
    charts = [
        _chart(
            assets,
            trust_chart(summary),
            "Faithfulness of each method and control with its 95 % interval",
            f"Mean faithfulness with 95 % interval, n = {n} pictures. Grey squares are controls that know nothing "
            "of the model.",
        ),
        _chart(
            assets,
            curves_chart(run.results()),
            "Mean deletion and insertion curves of each method and control",
            "Mean score while cells are removed (left: lower is better) and shown (right: higher is better), n = "
            f"{n} pictures; the methods with the widest gap between the two, and the controls. Intervals of all areas "
            "are in the table.",
        ),
    ]
    rows = []
    main = summary.trust[summary.trust.metric.isin(list(METRICS))]
    same, failed = _same(main), failed_methods(run)
    for (kind, name), part in main.groupby(["kind", "method"], sort=False):
        by = {row.metric: _told(row, same) for row in part.itertuples()}
        rows.append(
            (
                (_marked(name, failed) if kind == "method" else f"{method_title(name)} (control)"),
                *(by.get(metric, "not measured") for metric in METRICS),
            )
        )
    rows.sort(key=lambda row: (row[0].endswith("(control)"), row[0]))
    columns = (
        Column("Map", share=25),
        *(Column(f"{name.capitalize()}, {better}", "number") for name, better in METRICS.items()),
    )
    sentences: tuple[str, ...] = (
        "Cells are removed from the picture, or shown on an empty one, in the order of the map, and the score is "
        "watched. An order "
        "by chance gives a faithfulness of 0. A method that does not beat the controls says nothing about this model.",
    )
    marked = [f"{method_title(name)}: {reason}." for name, reason in failed.items() if name in set(best.method)]
    if marked:
        sentences += (f"Left out of conclusions, because they fail a sanity check. {' '.join(marked)}",)
    if summary.ceiling.n:
        got = summary.ceiling
        sentences += (
            "Correlation is that of the score and the part of the map that random coalitions of cells leave in view, "
            "how many they leave taken out. Of the score's variance over these coalitions any sum over cells explains "
            f"{measured(got.value, got.low, got.high, got.n)}: that is the ceiling for every heat map here. "
            "RISE and LIME are fitted to coalitions of the same draw, which favours them by this measure.",
        )
    return Section(
        "Faithfulness and controls",
        sentences=sentences,
        charts=tuple(charts),
        tables=(Table(f"Areas and correlation with 95 % interval{_everywhere(same)}", columns, tuple(rows)),),
    )


def _marked(method: str, failed: Mapping[str, str]) -> str:
    """The method's title, and that it fails a sanity check where it does."""
    return method_title(method) + (" (fails a sanity check)" if method in failed else "")


def _same(frame: pd.DataFrame) -> int | None:
    """The number of pictures, if it is the same in every row."""
    counts = set(frame.n.astype(int))
    return counts.pop() if len(counts) == 1 else None


def _everywhere(same: int | None) -> str:
    return "; n differs and stands with each" if same is None else f"; n = {same} pictures everywhere"


def _told(row: Any, same: int | None) -> str:
    if same is None:
        return measured(row.value, row.low, row.high, int(row.n))
    return bounded(row.value, row.low, row.high)


def against_control(row: Any, thresholds: Thresholds) -> str:
    """What a row of `Summary.versus` shows: "beats it", "worse" or "not shown".

    The same test in both directions: among many methods, an interval that excludes 0 does not suffice.
    """
    below = row.high is not None and row.high < 0 and row.p_adjusted < float(thresholds["general.significance"])
    return "beats it" if beats(row, thresholds) else "worse" if below else "not shown"


def _difference(row: Any, thresholds: Thresholds, same: int | None) -> str:
    p = "n/a" if row.p_adjusted != row.p_adjusted else number(row.p_adjusted, 3)
    return f"{_told(row, same)}, p {p}: {against_control(row, thresholds)}"


def _versus(run: Run, summary: Summary) -> Section:
    thresholds = load_thresholds(run_thresholds(run))
    least, significance = (
        float(thresholds[name]) for name in ("trust.controls.least_difference", "general.significance")
    )
    controls = list(dict.fromkeys(summary.versus.control))
    same = _same(summary.versus)
    failed = failed_methods(run, thresholds)
    rows = []
    for method, part in summary.versus.groupby("method", sort=True):
        by = {row.control: row for row in part.itertuples()}
        cells = tuple(_difference(by[name], thresholds, same) if name in by else "not measured" for name in controls)
        rows.append((_marked(str(method), failed), *cells))
    columns = (
        Column("Method", share=25),
        *(Column(f"Above {method_title(name)}", "number", 75 // len(controls)) for name in controls),
    )
    tables = (
        (
            Table(
                f"Difference of faithfulness on the same pictures and texts: 95 % interval, p ({CONTROL_TESTS.over})"
                + _everywhere(same),
                columns,
                tuple(rows),
            ),
        )
        if rows
        else ()
    )
    rule = (
        f"A method beats a control if the whole interval of their difference lies above {least:g} and the adjusted p "
        f"is below {significance:g}; with few pictures that can fail although the difference is real."
    )
    return Section("Each method against each control", sentences=(rule,) if rows else (), tables=tables)


def _agreement(summary: Summary, assets: Assets) -> Section:
    if summary.agreement.empty:
        return Section("Agreement between methods")
    n = int(summary.agreement.n.max())
    chart = _chart(
        assets,
        agreement_chart(summary),
        "Mean rank correlation of each pair of methods",
        f"Mean Spearman correlation of two methods' maps, n = {n} pictures. Methods that agree stand side by "
        "side; blue is \u22121, white 0, red 1.",
    )
    ordered = summary.agreement.sort_values("value", kind="stable")
    shown = (
        ordered if len(ordered) <= 2 * MOST_PAIRS else pd.concat([ordered.head(MOST_PAIRS), ordered.tail(MOST_PAIRS)])
    )
    rows = tuple(
        (
            method_title(row.a),
            method_title(row.b),
            measured(row.value, row.low, row.high, int(row.n)),
            number(row.overlap, 2),
            number(row.chance, 2),
        )
        for row in shown.itertuples()
    )
    columns = (
        Column("Method", share=25),
        Column("Method", share=25),
        Column("Rank correlation", "number", 26),
        Column("Overlap of best 20 %", "number", 12),
        Column("Other pictures", "number", 12),
    )
    return Section(
        "Agreement between methods",
        sentences=(
            "Agreement is no proof of truth: methods can share a fault. Disagreement shows that at least one of "
            "two maps does not answer the question.",
            *_by_habit(summary),
        ),
        charts=(chart,),
        tables=(
            Table(
                "Pairs of methods, least agreement first; the overlap is a mean over the same pictures"
                + (
                    ""
                    if len(shown) == len(ordered)
                    else f"; the {MOST_PAIRS} least and the {MOST_PAIRS} most alike of {len(ordered)} pairs"
                ),
                columns,
                rows,
            ),
        ),
    )


def _by_habit(summary: Summary) -> tuple[str, ...]:
    """How many pairs agree no more than they do about pictures that have nothing to do with each other."""
    known = summary.agreement[summary.agreement.chance_high.notna()]
    if known.empty:
        return ()
    habit = int((known.value.astype(float) <= known.chance_high.astype(float)).sum())
    return (
        "Two maps also correlate because both prefer the middle, or the same cells, whatever is shown: 'Other "
        "pictures' is the mean correlation of the two methods' maps of different pictures. "
        f"{share(habit, len(known))} pairs agree about the same picture no more than that (95 % quantile of means of "
        "pictures paired at random).",
    )


def _scores(summary: Summary, assets: Assets) -> Section:
    if summary.texts.empty:
        return Section("Scores of the texts")
    chart = _chart(
        assets,
        scores_chart(summary),
        "Cosine of every picture with each text",
        "Cosine of every picture (ticks) and mean (dot) for the texts with the most pictures; n is in the table. "
        "An absent concept still has a score and a map: read the two together.",
    )
    shown = summary.texts.sort_values("value", ascending=False).head(MOST_TEXTS)
    rows = tuple(
        (shorten(row.text, 90), row.text_kind, measured(row.value, row.low, row.high, int(row.n), digits=3))
        for row in shown.itertuples()
    )
    more = f"{len(summary.texts) - MOST_TEXTS} more are in evidence.zip." if len(summary.texts) > MOST_TEXTS else ""
    columns = (Column("Text", share=54), Column("Kind", share=12), Column("Mean cosine", "number"))
    return Section(
        "Scores of the texts", charts=(chart,), tables=(Table("Mean cosine with 95 % interval", columns, rows, more),)
    )


def _statistics(run: Run, summary: Summary) -> Section:
    return Section(
        "How the statistics were done",
        sentences=(
            "The unit of every interval and test is the image, never the text, pair or pixel: values of one image "
            "are averaged first.",
            METHOD,
            "Methods are compared with controls on the same images and texts. "
            f"{CONTROL_TESTS.sentence(summary.versus)}",
        ),
    )


def _chart(assets: Assets, chart: object, title: str, caption: str) -> Chart:
    return Chart(assets.chart(to_svg(chart, title)), title, caption)
