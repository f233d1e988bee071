"""The results of two audits beside each other: verdicts of rules, forward passes, and concepts whose name stands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from core.applications.reliance.profile import Example, examples, profile_rows, profile_table
from core.applications.reliance.standing import name_checks, standing
from core.findings import Finding, Sample, load_findings
from core.rules import Context
from core.runs import Run

METHODS = "methods and measures of maps"
CONCEPT_RULES = ("reliance.concept", "reliance.dominant", "reliance.forbidden", "reliance.expected")
SHOWN = 12


def verdicts(findings: Mapping[str, Sequence[Finding]]) -> str:
    """A table of all rules that concern the model, the images, the texts or the run."""
    head = ["rule", *(f"{name}: {what}" for name in findings for what in ("verdict", "estimate", "n"))]
    told = [one for found in findings.values() for one in found if one.subject != "explanations"]
    rules = list(dict.fromkeys(one.rule for one in told))
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for rule in rules:
        cells = [f"`{rule}`"]
        for found in findings.values():
            own = [one for one in found if one.rule == rule]
            reported = [one for one in own if one.status == "finding"] or own
            cells.append("; ".join(sorted({one.status for one in reported})) or "not run")
            cells.append("; ".join(dict.fromkeys(estimate(one) for one in reported)))
            cells.append("; ".join(dict.fromkeys(f"{one.n} {one.unit}" for one in reported)))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def estimate(finding: Finding) -> str:
    """The first figure of a finding's evidence, with its interval."""
    first = next((one for one in finding.evidence if one.value is not None), None)
    if first is None:
        return "none"
    interval = "" if first.low is None or first.high is None else f" [{first.low:.2f}, {first.high:.2f}]"
    return f"{first.name}: {first.value:.2f}{interval}".replace("|", "/")


def passes(runs: Mapping[str, Run]) -> str:
    """A table of the forward passes of each application, and of the methods, in each run."""
    names = list(dict.fromkeys(name for run in runs.values() for name in run.manifest["applications"]))
    head = ["part", *(f"{name}: {tower}" for name in runs for tower in ("images", "texts"))]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for part in (METHODS, *names, "whole audit"):
        cells = [part]
        for run in runs.values():
            every = run.manifest["applications"]
            for tower in ("image_forwards", "text_forwards"):
                whole, own = run.manifest["cost"][tower], {name: entry[tower] for name, entry in every.items()}
                value = {METHODS: whole - sum(own.values()), "whole audit": whole} | own
                cells.append(f"{value[part]:,.0f}" if part in value else "")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def concepts(run: Run) -> str:
    """Every finding on concepts, and every row of a profile whose name stands, each with images that show it."""
    context = Context(run)
    record = standing(context)
    if record is None:
        return "no record of concepts"
    found = [one for one in load_findings(run) if one.status == "finding" and one.rule in CONCEPT_RULES]
    lines = [f"- finding `{one.rule}`: {one.title}; {_names(one.samples)}" for one in found]
    checks = name_checks(record, context.thresholds)
    names = set(checks.loc[checks["stands"], "name"])
    rows = profile_rows(record, pd.Series(np.nan, index=record.regions.index))
    limits = {name: float(context.thresholds[f"reliance.concept.{name}"]) for name in ("most_related", "least_share")}
    table = profile_table(rows, most_related=limits["most_related"], look=record.look)
    for row in table[table["concept"].isin(names)].itertuples():
        with_it, beside = examples(rows, row.topic, row.concept, limits["least_share"])
        ends = "no interval" if math.isnan(row.low) else f"[{row.low:.0%}, {row.high:.0%}]"
        lines.append(
            f"- {row.topic}, {row.concept}: {row.value:.0%} {ends}, n = {row.n}; loses more: {_names(with_it)}; "
            f"no more: {_names(beside)}"
        )
    stand = f"{int(checks['stands'].sum())} of {len(checks)} names stand"
    for row in checks[checks["stands"]].itertuples():
        part = record.regions[record.regions["kind"] == row.kind]
        images = list(part["image_name"].drop_duplicates())[:SHOWN]
        lines.append(f"- name {row.name} ({row.area:.2f} [{row.low:.2f}, {row.high:.2f}]): {', '.join(images)}")
    return "\n".join([f"{len(found)} findings on concepts, {stand}", *lines])


def _names(images: Sequence[Sample | Example]) -> str:
    return ", ".join(one.image_name if isinstance(one, Sample) else one.name for one in images) or "none"
