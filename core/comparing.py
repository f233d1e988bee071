"""The command `compare` over models: each is measured on the same images in a run of its own, then all are set side
by side in one table, with whatever applications can say of several models.

The output folder holds `models.html`, `models.md` with its charts, the values as Parquet, and below `runs` the run of
each model, which a later call with the same arguments uses again. Page and Markdown are in the language and house style
that the options ask for, otherwise in those of the first run that is given.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.applications.registry import APPLICATIONS
from core.arguments import given_options, texts_in
from core.characters import brief, printable
from core.content.house_style import HouseStyle, house_style
from core.datasets import Dataset, absent, ingest
from core.errors import InputError, LoupeError, first_line
from core.evaluation.comparison import model_name
from core.house_styles import style_of
from core.languages import speaking
from core.methods.info import named
from core.request import AuditRequest, applications_at, begin, checked
from core.run_commands import Answer, find_run
from core.runs import ModelSpec, Run, TextPlan
from core.storage import without_folders

Tell = Callable[[str], None]
RUNS, DATASET = "runs", "dataset"
FEWEST = 2
_SHORT = 60


@dataclass(frozen=True)
class _Wanted:
    """A model of the command line: as it was typed, what it means, and what the user noted about it."""

    typed: str
    spec: ModelSpec
    note: str


def models_side_by_side(chosen: argparse.Namespace, tell: Tell) -> Answer:
    """Measure the models, or read the given runs, and write the tables into `--out`.

    A model that cannot be measured is listed with its reason, and the command then returns 1. Raises `InputError` for
    wrong arguments and where fewer than two models are left.
    """
    from core.reporting.models_page import ModelEntry, write_models

    out, asked = _out_of(chosen), style_of(chosen.language, chosen.house_style)
    if chosen.models:
        runs, missing, notes = _measured(chosen, out, tell)
    else:
        runs, missing, notes = _given(chosen), {}, {}
    if len(runs) < FEWEST:
        why = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        raise InputError(f"fewer than {FEWEST} models are left to compare{f' ({why})' if why else ''}")
    style = asked or (HouseStyle() if chosen.models else house_style(next(iter(runs.values()))))
    entries = [ModelEntry(name, notes.get(name, "")) for name in runs]
    entries += [ModelEntry(name, notes.get(name, ""), reason) for name, reason in missing.items()]
    with speaking(style.voice):
        parts = [(name, across()(runs)) for name, across in _applications().items()]
        out.mkdir(parents=True, exist_ok=True)
        files = write_models(out, entries, parts, style)
    page = next(path for path in files if path.suffix == ".html")
    lines = [f"{len(runs)} models: {page}", *(f"{name} was not compared: {why}" for name, why in missing.items())]
    data = {
        "folder": str(out),
        "files": [path.name for path in files],
        "models": [vars(entry) for entry in entries],
        **{name: part.frames["models"].to_dict("records") for name, part in parts if "models" in part.frames},
    }
    return {"text": "\n".join(lines), "data": data}, int(bool(missing))


def _out_of(chosen: argparse.Namespace) -> Path:
    out: Path | None = chosen.out
    if out is None:
        raise InputError("--models needs --out, the folder for the tables and the runs of the models")
    if chosen.models and chosen.runs:
        raise InputError("give either runs or --models, not both")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder")
    return out


def _applications() -> Mapping[str, Any]:
    """What sets models side by side, by the name of its application."""
    return {name: each.across_models for name, each in APPLICATIONS.items() if each.across_models is not None}


def _given(chosen: argparse.Namespace) -> dict[str, Run]:
    if len(chosen.runs) < FEWEST:
        raise InputError("name at least two runs, or give --models")
    found: dict[str, Run] = {}
    for run in (find_run(name) for name in chosen.runs):
        found[_unused(model_name(run), found)] = run
    return found


def _measured(
    chosen: argparse.Namespace, out: Path, tell: Tell
) -> tuple[dict[str, Run], dict[str, str], dict[str, str]]:
    """The runs of the models that could be measured, the reasons of the others, and the notes, each by model."""
    wanted, request = _wanted(chosen), _parts(chosen)
    for path in chosen.images:
        if absent(path):
            raise InputError(f"{path} does not exist; --images takes folders, ZIP files or images")
    dataset = ingest(list(chosen.images), store=out / DATASET, table=chosen.table, progress=None)
    runs: dict[str, Run] = {}
    missing: dict[str, str] = {}
    notes: dict[str, str] = {}
    folders: list[str] = []
    for number, each in enumerate(wanted, start=1):
        folders.append(_unused(_folder(each.typed), folders))
        tell(f"model {number} of {len(wanted)}: {each.typed}")
        try:
            run = _run(each.spec, out / RUNS / folders[-1], dataset, request, tell)
        except LoupeError as error:
            name = _unused(brief(each.typed, _SHORT), missing)
            missing[name] = without_folders(first_line(error))
        else:
            name = _unused(model_name(run), runs)
            runs[name] = run
        notes[name] = each.note
    return runs, missing, notes


def _parts(chosen: argparse.Namespace) -> dict[str, Any]:
    """The parts that the audits of all models share."""
    if not chosen.images or chosen.classes is None:
        raise InputError("--models needs --images, and --classes with the names among which the models choose")
    options = given_options(chosen.option)
    known = _applications()
    for name in options:
        named(known, name, "application")
    texts: dict[str, Any] = {"captions": False, "classes": texts_in(chosen.classes)}
    if chosen.template:
        texts["templates"] = tuple(chosen.template)
    return {
        "limit": chosen.limit,
        "seed": chosen.seed,
        "texts": checked(TextPlan, texts),
        "applications": applications_at("standard", known, options),
    }


def _run(spec: ModelSpec, out: Path, dataset: Dataset, parts: Mapping[str, Any], tell: Tell) -> Run:
    """The finished run of one model. Raises `LoupeError` if it cannot be loaded or measured."""
    from core.audit.worker import work
    from core.models.loading import load_model

    model = load_model(spec.name, spec.pretrained, weights=spec.weights, device=spec.device)
    run = begin(AuditRequest.build(out=out, dataset=dataset.root, model=spec, **parts))
    work(run, tell, model, report=False)
    problems = {**run.manifest.get("application_problems", {})}
    problems |= {name: why for name, side, why in run.manifest.get("not_run", []) if side == "data set"}
    for part in run.plan.applications:
        if part.name in problems:
            raise InputError(problems[part.name])
    return run


def _wanted(chosen: argparse.Namespace) -> list[_Wanted]:
    typed = list(dict.fromkeys(chosen.models))
    if len(typed) < FEWEST:
        raise InputError("--models needs at least two different models")
    notes: dict[str, str] = {}
    for entry in chosen.note:
        # A model may itself be written with "=", so that the longest one that fits is meant.
        fitting = [name for name in typed if entry.startswith(f"{name}=")]
        if not fitting:
            raise InputError(f"--note {brief(entry, 80)!r} must be MODEL=TEXT, with a model as --models names it")
        name = max(fitting, key=len)
        notes[name] = printable(entry[len(name) + 1 :])
    return [_Wanted(entry, _spec(entry, chosen.device), notes.get(entry, "")) for entry in typed]


def _spec(entry: str, device: str) -> ModelSpec:
    name, equals, right = entry.partition("=")
    if not equals or Path(entry).exists():
        parts = {"name": entry}
    else:
        parts = {"name": name, "weights" if Path(right).exists() else "pretrained": right}
    spec: ModelSpec = checked(ModelSpec, {**parts, "device": device})
    return spec


def _folder(typed: str) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(typed.partition("=")[0]).name).strip("-.")[:_SHORT]
    return stem or "model"


def _unused(name: str, taken: Sequence[str] | Mapping[str, Any]) -> str:
    number = 2
    unused = name
    while unused in taken:
        unused, number = f"{name} ({number})", number + 1
    return unused
