"""From the arguments of a command to a request. Whatever is wrong with them is said in one line."""

from __future__ import annotations

import argparse
import difflib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from core.applications.declared import check_texts, read_declared
from core.applications.registry import APPLICATIONS
from core.applications.registry import checked as checked_plan
from core.applications.truth import read_truth
from core.characters import brief
from core.datasets import read_texts
from core.datasets.prompt_sets import texts_of_sets
from core.errors import InputError
from core.methods import METHODS
from core.request import THRESHOLDS, AuditRequest, applications_at, checked, methods_at, trust_at
from core.run_commands import find_run
from core.runs import Declared, ModelSpec, Plan, TextPlan, load_plan
from core.runs.parts import MOST_SEED

NONE = "none"
# Tables that stand in for a model, by the arguments that name them.
STORED = ("embeddings", "scores")
# What a stored plan settles, so that it cannot be given beside `--plan`.
SETTLED = (
    "texts", "classes", "template", "prompt_set", "top_classes", "no_captions", "model", "pretrained", "weights",
    "device", "methods", "applications", "option", "concepts", "effort", "again", "no_curves", "limit", "seed",
    "embeddings", "scores", *Declared.model_fields,
)  # fmt: skip

# What of a stored plan a request holds as well; the rest of it depends on the images and thresholds that are given.
_REPEATED = ("model", "texts", "methods", "applications", "trust", "seed", "declared")


DECLARATIONS = {
    "title": "title of the report",
    "purpose": "declared purpose of the model",
    "provenance": "declared origin of images, captions and labels",
    "licence": "declared licence of the images",
    "preparer": "name of the person who prepares the report",
    "reviewer": "name of the person who is to review the report",
    "confidentiality": "printed on the report",
}


def declared_arguments(parser: argparse.ArgumentParser) -> None:
    """What people state about an audit; it is printed as declared."""
    for name, text in DECLARATIONS.items():
        parser.add_argument(f"--{name}", default=getattr(Declared(), name), help=text)


def signers_argument(parser: argparse.ArgumentParser) -> None:
    """Who must have signed the model."""
    parser.add_argument(
        "--model-signers",
        type=Path,
        nargs="+",
        default=[],
        metavar="PEM",
        help="public keys and certificates of issuers; the model must carry a model.sig (OpenSSF) by one of them",
    )


def audit_request(chosen: argparse.Namespace) -> AuditRequest:
    """What the arguments of `audit` ask for.

    Raises `InputError` for wrong arguments, and if there is neither a method nor an application; `RunError` for a plan
    or another run that cannot be read.
    """
    if chosen.limit is not None and chosen.limit < 1:
        raise InputError(f"--limit must be 1 or more, not {chosen.limit}")
    if not 0 <= chosen.seed <= MOST_SEED:
        raise InputError(f"--seed must be from 0 to {MOST_SEED}, not {chosen.seed}")
    if chosen.plan is None:
        parts = _given_parts(chosen) | {"thresholds": chosen.thresholds}
    else:
        plan = _stored_plan(chosen)
        parts = {name: getattr(plan, name) for name in _REPEATED}
        parts |= {"repeats": plan, "thresholds": chosen.thresholds or _thresholds_beside(chosen.plan, plan)}
    return AuditRequest.build(
        out=chosen.out,
        images=tuple(chosen.images),
        table=chosen.table,
        annotations=chosen.annotations,
        reference=tuple(chosen.reference_images),
        limit=chosen.limit,
        signers=tuple(chosen.model_signers),
        compare_with=tuple(find_run(name).folder for name in chosen.compare_with),
        fail_on=chosen.fail_on,
        language=chosen.language,
        house_style=chosen.house_style,
        **parts,
    )


def _given_parts(chosen: argparse.Namespace) -> dict[str, Any]:
    options = given_options(chosen.option)
    _locate_annotations(options)
    asked_methods = _names(chosen.methods)
    if asked_methods is None and any(getattr(chosen, kind, None) for kind in STORED):
        # No method explains what cannot be asked.
        asked_methods = []
    methods = methods_at(chosen.effort, asked_methods, options)
    texts = text_plan(chosen)
    asked = _names(chosen.applications)
    _enter_declared(options, chosen, texts, asked)
    applications = applications_at(chosen.effort, asked, options)
    planned = {part.name for part in methods} | {part.name for part in applications}
    idle = next((name for name in options if name not in planned), None)
    if idle is not None:
        raise InputError(f"--option {idle}: {idle} is not part of this audit; name it with --{_kind(idle)}s")
    if not planned:
        raise InputError("there is nothing to do: name a method with --methods or an application with --applications")
    again = {} if chosen.again is None else {"again": tuple(dict.fromkeys(chosen.again))}
    return {
        "model": model_spec(chosen),
        "texts": texts,
        "methods": methods,
        "applications": applications,
        "trust": trust_at(chosen.effort, curves=not chosen.no_curves, **again),
        "seed": chosen.seed,
        "declared": checked(Declared, {name: getattr(chosen, name) for name in Declared.model_fields}),
    }


def text_plan(chosen: argparse.Namespace) -> TextPlan:
    """The texts that the images are explained with."""
    parts: dict[str, Any] = {"captions": not chosen.no_captions, "top_classes": chosen.top_classes}
    for name, path in (("prompts", chosen.texts), ("classes", chosen.classes)):
        if path:
            parts[name] = texts_in(path)
    templates, prompts = texts_of_sets(chosen.prompt_set)
    if prompts:
        parts["prompts"] = tuple(dict.fromkeys((*parts.get("prompts", ()), *prompts)))
    if chosen.template or templates:
        parts["templates"] = tuple(dict.fromkeys((*(chosen.template or ()), *templates)))
    return checked(TextPlan, parts)


def texts_in(path: Path) -> tuple[str, ...]:
    """The texts of a file, one or more. Raises `InputError`."""
    found = read_texts(path)
    if not found:
        raise InputError(f"{path} contains no text; write one per line")
    return found


def model_arguments(parser: argparse.ArgumentParser) -> None:
    """What names a model on the command line."""
    parser.add_argument(
        "--model",
        default="demo",
        help="embedded name, open_clip name, folder, configuration file, or owner/name on the hub",
    )
    parser.add_argument("--pretrained", help="open_clip tag")
    parser.add_argument("--weights", type=Path, help="local weights (.safetensors, or a state dict)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ...")


def model_spec(chosen: argparse.Namespace) -> ModelSpec:
    """The model that the arguments name, or the table that stands in for one.

    Raises `InputError` for more than one of them.
    """
    stored = [(kind, table) for kind in STORED if (table := getattr(chosen, kind, None)) is not None]
    if stored:
        given = [name for name in ("model", "pretrained", "weights") if getattr(chosen, name) != chosen.defaults[name]]
        if len(stored) > 1 or given:
            raise InputError("give one of --embeddings, --scores and --model, not several")
        kind, table = stored[0]
        return checked(ModelSpec, {"name": f"{kind}:{os.path.abspath(table)}"})
    weights = None if chosen.weights is None else os.path.abspath(chosen.weights)
    parts = {"name": str(chosen.model), "pretrained": chosen.pretrained, "device": chosen.device, "weights": weights}
    return checked(ModelSpec, parts)


def given_options(entries: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The options given as NAME.OPTION=VALUE by the method or application they belong to; VALUE is JSON or plain text.

    Raises `InputError` for an entry of another form, a name that is neither, or an option that it does not have.
    """
    options: dict[str, dict[str, Any]] = {}
    for entry in entries:
        left, equals, value = entry.partition("=")
        name, dot, option = left.partition(".")
        flag = f"--option {brief(entry, 80)!r}"
        if not (equals and dot and name and option):
            raise InputError(f"{flag} must be NAME.OPTION=VALUE, the name of a method or an application")
        card = METHODS.get(name) or (APPLICATIONS[name].card if name in APPLICATIONS else None)
        if card is None:
            raise InputError(f"{flag}: no method or application is called {brief(name, 80)!r}; {_hint(name)}")
        known = card.schema.model_fields
        if option not in known:
            told = ", ".join(known) or NONE
            raise InputError(f"{flag}: {name} has no option {brief(option, 80)!r}; known: {told}")
        options.setdefault(name, {})[option] = _value(value)
    return options


def _names(asked: str | None) -> Iterable[str] | None:
    """The names in a comma-separated list; None if none was given, which means all."""
    if asked is None:
        return None
    names = [name.strip() for name in asked.split(",")]
    return [] if names in ([NONE], [""]) else names


def _stored_plan(chosen: argparse.Namespace) -> Plan:
    """The plan that `--plan` names. Raises `InputError` for another file, or beside arguments that it settles."""
    if not chosen.plan.is_file():
        raise InputError(f"{chosen.plan} is not a file; --plan takes the plan.json of a run")
    beside = [name for name in SETTLED if getattr(chosen, name) != chosen.defaults[name]]
    if beside:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in beside)
        raise InputError(f"{chosen.plan} already defines the audit; leave out {flags}")
    return checked_plan(load_plan(chosen.plan))


def _thresholds_beside(path: Path, plan: Plan) -> Path | None:
    """The thresholds file beside a stored plan that was judged by one. Raises `InputError` if it is missing."""
    if not plan.thresholds:
        return None
    beside = path.parent / THRESHOLDS
    if not beside.exists():
        raise InputError(f"{path} was judged by its own thresholds file; give it with --thresholds")
    return beside


def _locate_annotations(options: dict[str, dict[str, Any]]) -> None:
    """Read the annotations that options name, to report an invalid file before any work; make their paths absolute."""
    for name, values in options.items():
        for option in APPLICATIONS[name].card.annotations if name in APPLICATIONS else ():
            if values.get(option):
                read_truth(str(values[option]))
                values[option] = os.path.abspath(str(values[option]))


def _enter_declared(
    options: dict[str, dict[str, Any]], chosen: argparse.Namespace, texts: TextPlan, asked: Iterable[str] | None
) -> None:
    """Give the concepts of `--concepts` to each application that takes them. Raises `InputError` where none does."""
    if chosen.concepts is None:
        return
    lines = read_declared(chosen.concepts)
    check_texts(lines, [*texts.classes, *texts.prompts])
    wanted = set(APPLICATIONS if asked is None else asked)
    takers = [card for card in (each.card for each in APPLICATIONS.values()) if card.declared and card.name in wanted]
    if not takers:
        every = " or ".join(name for name, each in APPLICATIONS.items() if each.card.declared)
        raise InputError(f"--concepts: no application of this audit tests declared concepts; add {every}")
    for card in takers:
        options.setdefault(card.name, {}).update({key: list(lines) for key in card.declared})


def _kind(name: str) -> str:
    return "method" if name in METHODS else "application"


def _hint(name: str) -> str:
    every = [*METHODS, *APPLICATIONS]
    near = difflib.get_close_matches(brief(name, 80), every, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(every)}"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
