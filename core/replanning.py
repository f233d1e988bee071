"""The plan of an earlier run as the start of a new one, also where it names what no longer exists. No torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.applications.registry import APPLICATIONS
from core.characters import brief
from core.errors import InputError, LoupeError, Refused, RunError, first_line
from core.methods import METHODS
from core.runs import Plan, Run, load_plan
from core.runs.plan import parse_plan
from core.sandbox import read_file
from core.settings import LIMITS


@dataclass(frozen=True)
class EarlierPlan:
    """A plan without the parts that no longer exist, and a line about each of these."""

    plan: Plan
    lacks: tuple[str, ...] = ()


def earlier_plan(run: Run) -> EarlierPlan:
    """The plan of a run as far as this version can repeat it.

    Methods, analyses and options that this version does not have are left out, with one line each. Raises `RunError`
    if the plan is damaged, or if nothing of it is left.
    """
    try:
        plan = load_plan(run.folder / "plan.json")
        lacks: list[str] = []
    except RunError as error:
        plan, lacks = _without_unknown_methods(run, error)
    applications = []
    for part in plan.applications:
        known = {name: application.card for name, application in APPLICATIONS.items()}.get(part.name)
        if known is None:
            lacks.append(f"The analysis {brief(part.name, 60)} no longer exists and was left out.")
            continue
        options, lost = _known_options(part.options, known.options, known.parse)
        lacks += [f"{known.title}: {line}" for line in lost]
        applications.append(part.model_copy(update={"options": options}))
    if not (plan.methods or applications):
        raise RunError("no method and no analysis of this audit exists in this version; plan a new audit")
    return EarlierPlan(plan.model_copy(update={"applications": tuple(applications)}), tuple(lacks))


def _without_unknown_methods(run: Run, error: RunError) -> tuple[Plan, list[str]]:
    """The plan without the methods and options of methods that are unknown; raises `error` if that is not what it has.

    Such a plan cannot be read as it is: a method that is not known cannot be run either.
    """
    try:
        content = json.loads(read_file(run.folder / "plan.json", LIMITS.plan_bytes))
        given = [(str(part["name"]), dict(part.get("options", {}))) for part in content["methods"]]
    except (Refused, ValueError, KeyError, TypeError, RecursionError) as damage:
        raise error from damage
    lacks, kept = [], []
    for name, options in given:
        info = METHODS.get(name)
        if info is None:
            lacks.append(f"The method {brief(name, 60)} no longer exists and was left out.")
            continue
        left, lost = _known_options(options, info.options, info.parse)
        lacks += [f"{info.title}: {line}" for line in lost]
        kept.append({"name": name, "options": left})
    if not kept and not content.get("applications"):
        raise RunError("no method and no analysis of this audit exists in this version; plan a new audit") from error
    try:
        return parse_plan(json.dumps({**content, "methods": kept}).encode()), lacks
    except InputError as damage:
        raise error from damage


def _known_options(
    given: Mapping[str, Any], known: Mapping[str, Any], parse: Callable[[dict[str, Any]], Any]
) -> tuple[dict[str, Any], list[str]]:
    """The options that can still be set, and a line about each that cannot."""
    left: dict[str, Any] = {}
    lost: list[str] = []
    for name, value in given.items():
        try:
            if name not in known:
                raise InputError("it no longer exists")
            parse({**left, name: value})
        except LoupeError as error:
            lost.append(f"the option {brief(name, 60)} was left out: {first_line(error)}.")
        else:
            left[name] = value
    return left, lost
