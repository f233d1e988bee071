"""From the arguments of a command to the parts of a plan. Whatever is wrong with them is said in one line."""

from __future__ import annotations

import argparse
import difflib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from core.applications.truth import read_truth
from core.characters import brief
from core.datasets import Dataset, read_texts
from core.errors import InputError
from core.methods import METHODS, method_info
from core.methods.applications import APPLICATIONS, application_info
from core.methods.presets import EFFORTS
from core.runs import ApplicationPlan, Declared, MethodPlan, ModelSpec, Plan, TextPlan, TrustPlan, load_plan
from core.runs.plan import first_problem

NONE = "none"
# What a stored plan settles, so that it can't be given beside `--plan`.
SETTLED = (
    "texts", "classes", "template", "top_classes", "no_captions", "model", "pretrained", "weights", "device", "methods",
    "applications", "option", "effort", "again", "no_curves", "limit", "seed", "title", "purpose", "preparer",
)  # fmt: skip

# What of a stored plan is settled anew by the pictures and the thresholds that are given.
_DATA = ("version", "dataset", "dataset_root", "images", "shard", "thresholds")


def plan_parts(chosen: argparse.Namespace) -> dict[str, Any]:
    """The parts of a plan that the arguments of `audit` settle, all but the data set and its pictures.

    Raises `InputError` for wrong arguments, and if there is neither a method nor an application.
    """
    if chosen.plan is not None:
        return _stored_parts(chosen)
    options = given_options(chosen.option)
    _locate_truth(options.get("segmentation", {}))
    methods, applications = method_plans(chosen, options), application_plans(chosen, options)
    planned = {part.name for part in methods} | {part.name for part in applications}
    idle = next((name for name in options if name not in planned), None)
    if idle is not None:
        raise InputError(f"--option {idle}: {idle} isn't part of this audit; name it with --{_kind(idle)}s")
    if not planned:
        raise InputError("there is nothing to do: name a method with --methods or an application with --applications")
    return {
        "model": model_spec(chosen),
        "texts": text_plan(chosen),
        "methods": methods,
        "applications": applications,
        "trust": TrustPlan(
            curves=not chosen.no_curves,
            steps=EFFORTS[chosen.effort].steps,
            again=EFFORTS[chosen.effort].again if chosen.again is None else tuple(dict.fromkeys(chosen.again)),
        ),
        "seed": chosen.seed,
        "declared": checked(Declared, {"title": chosen.title, "purpose": chosen.purpose, "preparer": chosen.preparer}),
    }


def text_plan(chosen: argparse.Namespace) -> TextPlan:
    """The texts that the pictures are explained with."""
    parts: dict[str, Any] = {"captions": not chosen.no_captions, "top_classes": chosen.top_classes}
    for name, path in (("prompts", chosen.texts), ("classes", chosen.classes)):
        if path:
            parts[name] = texts_in(path)
    if chosen.template:
        parts["templates"] = tuple(chosen.template)
    return checked(TextPlan, parts)


def texts_in(path: Path) -> tuple[str, ...]:
    """The texts of a file, one or more. Raises `InputError`."""
    found = read_texts(path)
    if not found:
        raise InputError(f"{path} holds no text; write one a line")
    return found


def model_spec(chosen: argparse.Namespace) -> ModelSpec:
    """The model that the arguments name."""
    weights = None if chosen.weights is None else os.path.abspath(chosen.weights)
    parts = {"name": str(chosen.model), "pretrained": chosen.pretrained, "device": chosen.device, "weights": weights}
    return checked(ModelSpec, parts)


def method_plans(chosen: argparse.Namespace, options: dict[str, dict[str, Any]]) -> tuple[MethodPlan, ...]:
    """The named methods (without `--methods` every one that isn't opt-in, for "none" not any), with the options of the
    effort and those given.
    """
    effort = EFFORTS[chosen.effort]
    return tuple(
        checked(MethodPlan, {"name": name, "options": effort.of(method_info(name).name) | options.get(name, {})})
        for name in _names(chosen.methods, [info.name for info in METHODS.values() if not info.opt_in])
    )


def application_plans(chosen: argparse.Namespace, options: dict[str, dict[str, Any]]) -> tuple[ApplicationPlan, ...]:
    """The named applications (without `--applications` every one, for "none" not any), with options likewise."""
    effort = EFFORTS[chosen.effort]
    return tuple(
        checked(
            ApplicationPlan, {"name": name, "options": effort.of(application_info(name).name) | options.get(name, {})}
        )
        for name in _names(chosen.applications, APPLICATIONS)
    )


def given_options(entries: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The options given as NAME.OPTION=VALUE by the method or application they belong to; VALUE is JSON or plain text.

    Raises `InputError` for an entry of another form, a name that is neither, or an option that it doesn't have.
    """
    options: dict[str, dict[str, Any]] = {}
    for entry in entries:
        left, equals, value = entry.partition("=")
        name, dot, option = left.partition(".")
        flag = f"--option {brief(entry, 80)!r}"
        if not (equals and dot and name and option):
            raise InputError(f"{flag} must be NAME.OPTION=VALUE, the name of a method or an application")
        card = METHODS.get(name) or APPLICATIONS.get(name)
        if card is None:
            raise InputError(f"{flag}: no method or application is called {brief(name, 80)!r}; {_hint(name)}")
        known = card.schema.model_fields
        if option not in known:
            told = ", ".join(known) or NONE
            raise InputError(f"{flag}: {name} has no option {brief(option, 80)!r}; known: {told}")
        options.setdefault(name, {})[option] = _value(value)
    return options


def _names(asked: str | None, every: Iterable[str]) -> list[str]:
    if asked is None:
        return list(every)
    names = [name.strip() for name in asked.split(",")]
    return [] if names in ([NONE], [""]) else names


def thresholds_file(chosen: argparse.Namespace) -> Path | None:
    """The file of thresholds that judges the audit: the one given, else the one beside a stored plan that needs it.

    Raises `InputError` if a stored plan needs one that is neither given nor beside it.
    """
    if chosen.thresholds is not None or chosen.plan is None or not load_plan(chosen.plan).thresholds:
        given: Path | None = chosen.thresholds
        return given
    beside = Path(chosen.plan).parent / "thresholds.toml"
    if not beside.exists():
        raise InputError(f"{chosen.plan} was judged by a thresholds file of its own; give it with --thresholds")
    return beside


def picture_parts(chosen: argparse.Namespace, dataset: Dataset) -> dict[str, Any]:
    """The pictures of the audit: those of a stored plan if all of them are given, otherwise the first `--limit`."""
    given = tuple(picture.id for picture in dataset.pictures)
    if chosen.plan is not None:
        plan = load_plan(chosen.plan)
        if set(plan.images) <= set(given):
            return {"images": plan.images, "shard": plan.shard}
    return {"images": given[: chosen.limit]}


def _stored_parts(chosen: argparse.Namespace) -> dict[str, Any]:
    if not chosen.plan.is_file():
        raise InputError(f"{chosen.plan} is no file; --plan takes the plan.json of a run")
    beside = [name for name in SETTLED if getattr(chosen, name) != chosen.defaults[name]]
    if beside:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in beside)
        raise InputError(f"{chosen.plan} settles the audit; leave out {flags}")
    plan = load_plan(chosen.plan)
    return {name: getattr(plan, name) for name in Plan.model_fields if name not in _DATA}


def _locate_truth(options: dict[str, Any]) -> None:
    """Read a truth that is given as a path now, so that a wrong one is told before any work, and name it in full."""
    if options.get("truth"):
        read_truth(str(options["truth"]))
        options["truth"] = os.path.abspath(str(options["truth"]))


def _kind(name: str) -> str:
    return "method" if name in METHODS else "application"


def _hint(name: str) -> str:
    every = [*METHODS, *APPLICATIONS]
    near = difflib.get_close_matches(brief(name, 80), every, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(every)}"


def checked(kind: Any, parts: dict[str, Any]) -> Any:
    """A part of a plan. Raises `InputError` in one line that names what is wrong."""
    try:
        return kind(**parts)
    except ValidationError as error:
        raise InputError(first_problem(error)) from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
