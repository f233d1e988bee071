"""The chapter on what the applications found: the sections of each, in the order of the plan."""

from __future__ import annotations

from importlib import import_module

from core.methods.applications import application_info
from core.reporting.assets import Assets
from core.reporting.content import Fact, Section
from core.runs import Run


def applications(run: Run, assets: Assets) -> tuple[Section, ...]:
    """Every planned application's sections; those that failed or could not run are listed with the reason."""
    told: list[Section] = []
    absent: list[Fact] = []
    problems = run.manifest.get("application_problems", {})
    not_run = {name: reason for name, side, reason in run.manifest.get("not_run", []) if side == "data set"}
    for part in run.plan.applications:
        info = application_info(part.name)
        if part.name in not_run:
            absent.append(Fact(info.title, f"not run: {not_run[part.name]}"))
        elif part.name in problems:
            absent.append(Fact(info.title, f"failed: {problems[part.name]}"))
        else:
            module = import_module(f"core.reporting.{part.name}")
            told += getattr(module, f"{part.name}_sections")(run, assets)
    if absent:
        told.append(Section("What gave no result", facts=tuple(absent)))
    return tuple(told)
