"""The annex on methods: the cards of those that ran, and the list of those that did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from core.content.context import ReportContext
from core.content.parts import Card, Fact, Section, Table
from core.content.words import amount, plural
from core.evaluation.summary import Summary
from core.findings import failing_methods
from core.languages import say
from core.methods import METHODS, Cost
from core.methods.capability import reason_told
from core.reporting.tables import IDLE
from core.rules.parts import title_of

# Why a side of a method did not run.
SIDE_NOT_RUN = {"image": "image side: {reason}", "text": "text side: {reason}"}  # messages
# What one method costs in forward-equivalents, for one and for several.
_COSTS = (
    (
        "{count} forward-equivalent of the image tower per image",
        "{count} forward-equivalents of the image tower per image",
    ),
    ("{count} forward-equivalent per image and text", "{count} forward-equivalents per image and text"),
    (
        "{count} forward-equivalent of the text tower per text",
        "{count} forward-equivalents of the text tower per text",
    ),
)  # messages


def methods(context: ReportContext) -> Section:
    """The methods of the run; empty if none was planned."""
    printed, idle = cards(context), absent(context)
    told = (
        say("One card per method run; methods that did not run are listed after them.")
        if idle
        else say("One card per method run.")
    )
    return Section("Methods", sentences=(told,) if printed else (), tables=(idle,) if idle else (), cards=printed)


def cards(context: ReportContext) -> tuple[Card, ...]:
    """One card for each planned method that was started on an image: what it is and which options were used."""
    run, summary = context.run, context.summary
    explained = summary.trust[summary.trust.kind == "method"].method.tolist()
    rows = run.results(["method", "kind", "status"])
    ran = Counter(rows[(rows.kind == "method") & (rows.status == "ok")].method)
    failed = Counter(rows[(rows.kind == "method") & (rows.status == "failed")].method)
    reasons = _not_run(summary)
    unsound = failing_methods(context.judged)
    depth = int(run.manifest.get("model", {}).get("image_depth") or 12)
    planned = {method.name: method.options for method in run.plan.methods}
    out = []
    for name in dict.fromkeys([*planned, *reasons]):
        if not ran.get(name) and not failed.get(name):
            continue
        info = METHODS[name]
        options = planned.get(name, {})
        used = info.parse(options).model_dump()
        cost = info.cost(options, depth)
        done = ran.get(name, 0)
        status = say("ran: {explanations}", explanations=plural(done, "explanation")) if done else say("did not run")
        if failed.get(name):
            status += say(", {count} failed", count=failed[name])
        facts = [
            Fact("Idea", say(info.idea)),
            Fact("Assumptions", say(info.assumes)),
            Fact("Known failure modes", say(info.fails)),
            Fact("Deviations from the reference implementation", say(info.differs)),
            Fact("Unit", say(info.unit) + (say("; sign kept") if info.signed else "")),
            Fact("Parameters", ", ".join(_parameters(used)) or say("none"), code=True),
            Fact(
                "Cost, checks",
                "; ".join(
                    (
                        _cost(cost),
                        say("deterministic")
                        if info.deterministic
                        else say("stochastic, seed {seed}", seed=str(run.plan.seed)),
                        say("tested against controls") if name in explained else say("not tested against controls"),
                    )
                ),
            ),
        ]
        if name in unsound:
            facts.append(Fact("Excluded from conclusions", say("fails a check: {reason}", reason=unsound[name])))
        if info.notice:
            facts.append(Fact("Notice", say(info.notice)))
        if name in reasons:
            facts.append(Fact("Side not run", "; ".join(reasons[name])))
        out.append(Card(title_of(name), info.paper, status, tuple(facts)))
    return tuple(out)


def _parameters(used: Mapping[str, Any]) -> Iterator[str]:
    for key, value in used.items():
        yield f"{key} = {say('not set') if value is None else value}"


def _cost(cost: Cost) -> str:
    """What a method costs, in forward-equivalents; parts without cost are left out."""
    counts = (cost.image, cost.pair, cost.text + cost.text_pair)
    each = [
        say(one if count == 1 else many, count=amount(count))
        for count, (one, many) in zip(counts, _COSTS, strict=True)
        if count
    ]
    if cost.pool:
        each.append(say("{count} masked images per image, shared by all texts", count=amount(cost.pool)))
    return "; ".join(each) or say("no forward pass")


def absent(context: ReportContext) -> Table | None:
    """Planned methods without an explanation, with the reason; None if there are none."""
    run, summary = context.run, context.summary
    rows = run.results(["method", "kind"])
    started = set(rows[rows.kind == "method"].method)
    reasons = _not_run(summary)
    planned = [method.name for method in run.plan.methods]
    idle = [name for name in dict.fromkeys([*planned, *reasons]) if name not in started]
    lines = tuple(
        (title_of(name), METHODS[name].paper, "; ".join(reasons.get(name, [say("no image was processed")])))
        for name in idle
    )
    return IDLE.table(say("Methods that did not run; no number includes them"), lines) if lines else None


def _not_run(summary: Summary) -> dict[str, list[str]]:
    """Why a side of a method was not run; applications, which have chapters of their own, are left out."""
    reasons: dict[str, list[str]] = {}
    for name, side, reason in summary.not_run:
        if name not in METHODS:
            continue
        reasons.setdefault(name, []).append(say(SIDE_NOT_RUN[side], reason=reason_told(reason)))
    return reasons
