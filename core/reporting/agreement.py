"""The section on how far methods agree with each other, and what bounds their agreement."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from core.content.charts import MOST_PRINTED, agreement_chart, to_svg
from core.content.context import ReportContext
from core.content.parts import Chart, Section
from core.content.words import measured, number, plural, share
from core.evaluation.method_pairs import REASONS
from core.evaluation.summary import Summary
from core.evaluation.tables import IncomparableRow
from core.findings import failing_methods, not_drawn, reliability_of, trusted_summary
from core.languages import say
from core.reporting.tables import pairs_of_methods
from core.rules.parts import title_of
from core.runs.rows import typed

MOST_PAIRS, MOST_NAMED = 15, 5


def agreement_section(context: ReportContext) -> Section:
    """Pairs of methods by their rank correlation, with what bounds it; empty where there are no pairs."""
    run, summary, assets = context.run, context.summary, context.assets
    trusted, failing = trusted_summary(context.judged), failing_methods(context.judged)
    if summary.agreement.empty:
        return Section("Agreement between methods", sentences=incomparable_sentences(summary))
    n = int(summary.agreement.n.max())
    title = say("Mean rank correlation of each pair of methods")
    charts: tuple[Chart, ...] = ()
    if len(trusted.agreement) > 1:
        many = len(set(trusted.agreement.a) | set(trusted.agreement.b)) > MOST_PRINTED
        tenths = say("; the numbers are tenths, so that 7 means {seven}", seven=0.7) if many else ""
        chart = Chart(
            assets.chart(to_svg(agreement_chart(trusted), title)),
            title,
            say(
                "Mean Spearman correlation of two methods' maps, n = {n} images. Methods that agree stand side by "
                "side; blue is \u22121, white 0, red 1{tenths}.{absent}",
                n=n,
                tenths=tenths,
                absent=not_drawn(context.judged),
            ),
            place="body",
        )
        charts = (chart,)
    ordered = summary.agreement.sort_values("value", kind="stable")
    shown = (
        ordered if len(ordered) <= 2 * MOST_PAIRS else pd.concat([ordered.head(MOST_PAIRS), ordered.tail(MOST_PAIRS)])
    )
    reliability = reliability_of(run, sorted({*summary.agreement.a, *summary.agreement.b}))
    title = say("Pairs of methods, least agreement first; the overlap is a mean over the same images")
    other = say(
        "Other images: the mean correlation of the two methods' maps of different images, over all their texts."
    )
    if len(shown) < len(ordered):
        title += say(
            "; the {most} least and the {most} most alike of {pairs} pairs", most=MOST_PAIRS, pairs=len(ordered)
        )
    return Section(
        "Agreement between methods",
        sentences=(
            say("Agreement does not establish correctness: methods can share a fault."),
            _bounded(summary, reliability),
            *incomparable_sentences(summary),
        ),
        results=(*_single(trusted), *_by_habit(trusted, not_drawn(context.judged))),
        charts=charts,
        tables=(pairs_of_methods(reliability, failing).table(title, shown, other),),
    )


def _single(summary: Summary) -> tuple[str, ...]:
    """The only pair of methods in a sentence: a chart of one number would be two cells."""
    if len(summary.agreement) != 1:
        return ()
    row = summary.agreement.iloc[0]
    value = measured(row.value, row.low, row.high, int(row.n))
    return (
        say(
            "The maps of {first} and {second} have a mean rank correlation of {value} images.",
            first=title_of(row.a),
            second=title_of(row.b),
            value=value,
        ),
    )


def incomparable_sentences(summary: Summary) -> tuple[str, ...]:
    """How many pairs of methods with maps have no correlation, which and why; none if every pair has one."""
    if summary.incomparable.empty:
        return ()
    each = []
    for reason, part in summary.incomparable.groupby("reason", sort=False):
        rows = typed(part.head(MOST_NAMED), IncomparableRow)
        names = "; ".join(say("{first} with {second}", first=title_of(row.a), second=title_of(row.b)) for row in rows)
        more = say("; and {count} more", count=len(part) - MOST_NAMED) if len(part) > MOST_NAMED else ""
        each.append(
            say(
                "{count} because {reason} ({names}{more})",
                count=len(part),
                reason=say(REASONS[str(reason)]),
                names=names,
                more=more,
            )
        )
    missing, known = len(summary.incomparable), len(summary.agreement)
    told = {"pairs": share(missing, missing + known), "reasons": "; ".join(each)}
    if missing == 1:
        return (say("{pairs} pairs of methods with maps has no correlation: {reasons}.", **told),)
    return (say("{pairs} pairs of methods with maps have no correlation: {reasons}.", **told),)


def _by_habit(summary: Summary, absent: str) -> tuple[str, ...]:
    """How many pairs agree no more than they do on images that have nothing to do with each other.

    `absent` states which methods `summary` leaves out.
    """
    known = summary.agreement[summary.agreement.chance_high.notna()]
    if known.empty:
        return ()
    habit = int((known.value.astype(float) <= known.chance_high.astype(float)).sum())
    return (
        say(
            "Two maps also correlate because both prefer the middle, or the same cells, whatever the image, and then "
            "maps of different images correlate too. {habit} (more: above the 95 % quantile of means over images "
            "paired at random, each pair of methods by itself).{few}{absent}",
            habit=_habit(habit, len(known)),
            few=_too_few(len(summary.agreement) - len(known)),
            absent=absent,
        ),
    )


def _too_few(pairs: int) -> str:
    """How many pairs of methods have too few images to be compared with other images."""
    told = plural(pairs, "pair of methods", "pairs of methods")
    return say(" {pairs} with fewer than three images not included.", pairs=told) if pairs else ""


def _habit(habit: int, pairs: int) -> str:
    """How many pairs of methods owe their agreement to habit."""
    if pairs == 1:
        if habit:
            return say("The only pair of methods is not shown to agree more on the same image than on different ones")
        return say("The only pair of methods agrees more on the same image than on different ones")
    if not habit:
        return say("Every pair of methods agrees more on the same image than on different ones")
    if habit == pairs:
        return say("No pair of methods is shown to agree more on the same image than on different ones")
    return say(
        "{pairs} pairs of methods are not shown to agree more on the same image than on different ones",
        pairs=share(habit, pairs),
    )


def _bounded(summary: Summary, reliability: Mapping[str, float]) -> str:
    """What the seed reliability of methods does to their agreement."""
    methods = sorted({*summary.agreement.a, *summary.agreement.b})
    random = [name for name in methods if reliability.get(name, 0.0) < 1.0]
    if not random:
        return say(
            "None of these methods draws random numbers, so their correlations are not limited by sampling noise."
        )
    known = ", ".join(f"{title_of(name)} {number(reliability[name], 2)}" for name in random if name in reliability)
    unknown = ", ".join(title_of(name) for name in random if name not in reliability)
    sentences = [
        say(
            "Sampling noise limits agreement: in expectation, two methods whose random draws are independent cannot "
            "correlate more than the square root of the product of their reliabilities ('Upper bound'), so a low "
            "correlation with a low bound does not show that the methods contradict each other. Methods that share "
            "their random coalitions share their noise too and can correlate more. The reliability of a method that "
            "draws random numbers is the mean rank correlation of its maps for two seeds; that of any other method is "
            "1."
        )
    ]
    if known:
        sentences.append(say("Measured by the sanity checks, at the settings stated there: {known}.", known=known))
    if unknown:
        sentences.append(say("Not measured, so that the bound is not known: {unknown}.", unknown=unknown))
    return " ".join(sentences)
