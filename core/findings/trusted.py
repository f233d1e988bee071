"""The methods that headline figures and illustrations rest on, and their agreement. No torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from core.evaluation.agreement import stored_grid
from core.evaluation.method_pairs import method_agreement
from core.evaluation.summary import Summary
from core.findings.control_rules import methods_above_controls
from core.findings.method_checks import failing_methods
from core.languages import say
from core.rules import Context
from core.rules.parts import TEXT_KINDS, names_of
from core.statistics import spearman

MAPS = ("image", "image_name", "text", "text_kind", "kind", "status", "method", "map", "rows", "columns")


def trusted_methods(context: Context) -> tuple[str, ...]:
    """The planned methods that fail no check, in the plan's order.

    No headline figure, sample or illustration rests on any other; where another is shown, the text states that it
    fails.
    """
    failing = failing_methods(context)
    return tuple(name for name in context.summary.methods if name not in failing)


def consensus_methods(context: Context) -> dict[str, tuple[str, ...]]:
    """For each kind of text the methods whose maps a consensus is made of: those above every control for that kind,
    or, where no method is, all that fail no check.
    """
    above, every = methods_above_controls(context), trusted_methods(context)
    return {kind: above.get(kind) or every for kind in TEXT_KINDS}


def trusted_summary(context: Context) -> Summary:
    """The summary without the methods that fail a check: what headline figures and charts are made of."""
    summary, failing = context.summary, failing_methods(context)
    if not failing:
        return summary
    agreement, pair_agreement = trusted_agreement(context)
    return replace(
        summary,
        methods=trusted_methods(context),
        trust=summary.trust[~((summary.trust.kind == "method") & summary.trust.method.isin(list(failing)))],
        versus=summary.versus[~summary.versus.method.isin(list(failing))],
        agreement=agreement,
        pair_agreement=pair_agreement,
    )


def not_drawn(context: Context) -> str:
    """A sentence for captions: the methods that are absent because they fail a check; empty where none does."""
    names = [name for name in context.summary.methods if name in failing_methods(context)]
    return say(" Not included, because they fail a check: {names}.", names=names_of(names)) if names else ""


def trusted_agreement(context: Context) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`Summary.agreement` and `Summary.pair_agreement` of the trusted methods alone."""
    return context.once(_agreement)


def agreement_of_two(context: Context, a: str, b: str) -> pd.DataFrame:
    """`value`, the rank correlation of two methods' maps of each image and text, the lowest first."""
    rows = _maps(context)
    pairs = method_agreement(rows[rows.method.isin([a, b])], context.run.plan.seed).pairs
    return pairs.sort_values(["value", "image_name"])


def most_opposed(context: Context, image: str, text: str) -> tuple[str, ...]:
    """The two trusted methods whose maps of an image and text correlate least; none where fewer have maps."""
    rows = _maps(context)
    rows = rows[(rows.image == image) & (rows.text == text) & rows.method.isin(trusted_methods(context))]
    grids = {row.method: stored_grid(row.map, row.rows, row.columns) for row in rows.itertuples()}
    names = [name for name in grids if np.ptp(grids[name]) > 0]
    pairs = [(spearman(grids[a], grids[b]) or 0.0, a, b) for at, a in enumerate(names) for b in names[at + 1 :]]
    return min(pairs)[1:] if pairs else ()


def _agreement(context: Context) -> tuple[pd.DataFrame, pd.DataFrame]:
    summary, failing = context.summary, set(failing_methods(context))
    pairs, images = summary.agreement, summary.pair_agreement
    if failing & {*pairs.a, *pairs.b}:
        pairs = pairs[~pairs.a.isin(failing) & ~pairs.b.isin(failing)]
        rows = _maps(context)
        images = method_agreement(rows[~rows.method.isin(failing)], context.run.plan.seed).pairs
    return pairs, images


def _maps(context: Context) -> pd.DataFrame:
    rows = context.rows(MAPS)
    return rows[(rows.kind == "method") & (rows.status == "ok") & rows["map"].notna()]
