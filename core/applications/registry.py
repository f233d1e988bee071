"""Every application, by name: each folder below `core/applications` that has a `card`, and those of plug-ins."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from core import plugins
from core.applications.application import Application
from core.applications.card import ApplicationInfo
from core.applications.image_measures import ImageMeasure
from core.errors import InputError
from core.methods import METHODS
from core.methods.info import named
from core.plugins import Parts
from core.rules.plugged import check_rule
from core.runs import Run
from core.runs.files import base_name, file_digest
from core.runs.parts import ApplicationPlan, MethodPlan, PluginPlan
from core.runs.plan import Plan, make_plan


def _discovered(folder: Path) -> dict[str, Application]:
    applications = []
    for card in folder.glob("*/card.py"):
        application = import_module(f"core.applications.{card.parent.name}").APPLICATION
        if not isinstance(application, Application) or application.name != card.parent.name:
            raise TypeError(f"core.applications.{card.parent.name} must contain an APPLICATION of that name")
        applications.append(application)
    ordered = sorted(applications, key=lambda application: (application.order, application.name))
    return {application.name: application for application in ordered}


# Parts of the app's pages and of every conclusion of a report, which only Loupe's own applications may have.
_OWN_ALONE = ("page", "method_checks", "labels", "image_measures", "image_flags", "spot_check", "across_models")


def usable(name: str, part: Any) -> Application:
    """The application that a plug-in offers under this name. Raises `InputError` for what it owes and lacks."""
    if not isinstance(part, Application):
        raise InputError(f"it is {type(part).__name__}, not an Application")
    if part.name != name or name in METHODS:
        raise InputError(f"its card is called {part.name!r}; it needs the name of its entry point, and one of its own")
    beyond = [attribute for attribute in _OWN_ALONE if getattr(part, attribute) is not None]
    if beyond:
        raise InputError(f"an application of a plug-in has no {', '.join(beyond)}")
    for effort in part.card.efforts:
        part.card.parse(part.card.preset(effort))
    part.card.cost_model(part.card.parse())
    for rule in part.rules():
        check_rule(rule)
    return part


APPLICATIONS: Parts[Application] = Parts(_discovered(Path(__file__).parent), plugins.APPLICATIONS, usable)


def application(name: str) -> Application:
    """An application. Raises `InputError` naming the nearest known ones."""
    return named(APPLICATIONS, name, "application")


def application_info(name: str) -> ApplicationInfo:
    """The card of an application. Raises `InputError` naming the nearest known ones."""
    return application(name).card


def application_plan(name: str, options: Mapping[str, Any] | None = None) -> ApplicationPlan:
    """A part of a plan, of an application and options that exist. Raises `InputError` in one line."""
    card, chosen = application_info(name), dict(options or {})
    card.parse(chosen)
    return ApplicationPlan(name=card.name, options=chosen)


def planned(**parts: Any) -> Plan:
    """A validated plan that this version can run; the files that options name are hashed into it.

    Raises `InputError` in one line that names the part and what is wrong.
    """
    files: dict[str, str] = dict(parts.pop("files", {}))
    parts["applications"] = tuple(_located(part, files) for part in parts.get("applications", ()))
    return checked(_with_providers(make_plan(**parts, files=files)))


def _with_providers(plan: Plan) -> Plan:
    """The plan with the plug-ins that bring its methods and applications, sorted."""
    groups: dict[str, Sequence[MethodPlan | ApplicationPlan]]
    groups = {plugins.METHODS: plan.methods, plugins.APPLICATIONS: plan.applications}
    found = (plugins.provider(group, part.name) for group, chosen in groups.items() for part in chosen)
    named = sorted({(entry.distribution, entry.version) for entry in found if entry is not None})
    return plan.model_copy(update={"plugins": tuple(PluginPlan(distribution=a, version=b) for a, b in named)})


def checked(plan: Plan) -> Plan:
    """The plan itself. Raises `InputError` in one line if this version has not the applications or options of it."""
    for at, part in enumerate(plan.applications):
        try:
            application_info(part.name).parse(part.options)
        except InputError as error:
            raise InputError(f"plan: applications.{at}: {error}") from error
    return plan


def _located(part: ApplicationPlan, files: dict[str, str]) -> ApplicationPlan:
    """The part with the files of its options in full; their hashes are entered into `files`.

    Such an option may also be the name of a model; then there is nothing to hash.
    """
    options = dict(part.options)
    for option in application_info(part.name).files:
        path = options.get(option)
        if not isinstance(path, str) or not path:
            continue
        if os.sep in path and os.path.exists(path):
            options[option] = path = os.path.abspath(path)
        name, digest = f"{part.name}.{option}", file_digest(path)
        if digest and files.setdefault(name, digest) != digest:
            raise InputError(f"plan: {base_name(path)} ({name}) is not the file with which the plan was made")
    return part.model_copy(update={"options": options})


def image_flags(run: Run) -> dict[str, tuple[str, ...]]:
    """What the applications mark single images of a run with, such as "blurred", by the id of the image."""
    flags: dict[str, tuple[str, ...]] = {}
    for part in APPLICATIONS.values():
        if part.image_flags is not None:
            for image, words in part.image_flags()(run).items():
                flags[image] = (*flags.get(image, ()), *words)
    return flags


def image_measures(run: Run) -> tuple[ImageMeasure, ...]:
    """What the applications measured of single images of a run, for comparisons of groups; names are unique."""
    parts = [part.image_measures for part in APPLICATIONS.values() if part.image_measures is not None]
    return tuple(measure for part in parts for measure in part()(run))
