"""The settings of a plan: every one with its value, for the bundle, and those that were chosen, for the annex."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
from pydantic import BaseModel

from core.applications.registry import APPLICATIONS, application_info
from core.languages import say
from core.methods import METHODS
from core.reporting.csv_table import table_csv
from core.runs import Run, TrustPlan

# The file of the bundle.
SETTINGS_FILE = "settings.csv"
# What other parts of a report list, and a setting that nothing uses any more.
LEFT_OUT: Any = {
    "images": True, "declared": True, "methods": True, "applications": True, "dataset_root": True,
    "trust": {"resamples"},
}  # fmt: skip
NO_OPTIONS = "no options"
BUILT_IN = "built-in"
_WITH_DEFAULTS = {
    "methods": "methods with their defaults",
    "applications": "applications with their defaults",
}  # messages
Row = tuple[str, str]


def every_setting(run: Run) -> list[Row]:
    """Name and value of every setting of the plan, defaults included; what is declared is none."""
    rows = [row for part, body in _plain(run).items() for row in _flat(part, body)]
    for method in run.plan.methods:
        rows += _options(f"methods.{method.name}", METHODS[method.name].parse(method.options))
    for part in run.plan.applications:
        name = f"applications.{part.name}"
        # What this version does not know is printed as it was planned.
        known = part.name in APPLICATIONS
        rows += _options(name, application_info(part.name).parse(part.options)) if known else _flat(name, part.options)
    return rows


def settings_csv(run: Run) -> bytes:
    """The same as a table."""
    return table_csv(pd.DataFrame(every_setting(run), columns=["setting", "value"]))


def chosen_settings(run: Run) -> list[Row]:
    """What the plan names: model, texts and seed, the tests that differ from their defaults, the methods and
    applications with their defaults in one row each, and each other one with the options that it sets.
    """
    plan, usual = _plain(run), TrustPlan().model_dump(mode="json")
    trust = plan.pop("trust")
    rows = [row for part, body in plan.items() for row in _flat(part, body)]
    rows += [(f"trust.{name}", _written(value)) for name, value in trust.items() if value != usual[name]]
    kinds = (("methods", run.plan.public().methods), ("applications", run.plan.public().applications))
    for kind, parts in kinds:
        if usual_ones := [part.name for part in parts if not part.options]:
            rows.append((say(_WITH_DEFAULTS[kind]), ", ".join(usual_ones)))
        for part in parts:
            if part.options:
                told = "; ".join(f"{name} = {_written(value)}" for name, value in part.options.items())
                rows.append((f"{kind}.{part.name}", told))
    return rows


def _plain(run: Run) -> dict[str, Any]:
    return run.plan.public().model_dump(mode="json", exclude=LEFT_OUT)


def _options(name: str, options: BaseModel) -> list[Row]:
    """Every option, defaults included; one that nobody set has no value of its own."""
    used = options.model_dump(mode="json")
    return [(f"{name}.{key}", "not set" if value is None else _written(value)) for key, value in used.items()] or [
        (name, NO_OPTIONS)
    ]


def _flat(name: str, value: Any) -> list[Row]:
    if isinstance(value, dict):
        return [row for key, part in value.items() for row in _flat(f"{name}.{key}", part)]
    if name == "thresholds" and not value:
        return [(name, BUILT_IN)]
    return [(name, "none" if value is None else _written(value))]


def _written(value: Any) -> str:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False) if value else "none"
    return "none" if value == "" else str(value)
