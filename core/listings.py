"""Commands that look and compute nothing: the catalogues."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from core.applications.registry import APPLICATIONS
from core.commands import Answer
from core.datasets.prompt_sets import prompt_sets
from core.errors import InputError
from core.methods import METHODS, OptionInfo
from core.methods.info import Side
from core.models.capability_table import as_markdown, reasons
from core.models.listing import architectures, embedded_models, embedded_name
from core.plugins import GROUPS, Entry, active, faults, installed


def methods(chosen: argparse.Namespace) -> Answer:
    """The catalogue."""
    capabilities = _capabilities(chosen.model)
    data = []
    for info in METHODS.values():
        row: dict[str, Any] = {
            "name": info.name,
            "title": info.title,
            "family": info.family,
            "year": info.year,
            "paper": info.paper,
            "sides": {side: list(needs) for side, needs in info.sides.items()},
            "unit": info.unit,
            "deterministic": info.deterministic,
            "only_by_name": info.opt_in,
            "notice": info.notice,
            "cost": vars(info.cost()),
            "options": _options(info.options),
        }
        if capabilities is not None:
            row["not_run"] = {side: why for side, why in info.reasons(capabilities).items() if why}
        data.append(row)
    lines = [
        f"{row['name']:14} {row['title']} ({row['year']}); {', '.join(row['sides'])}"
        + ("; runs only when named" if row["only_by_name"] else "")
        + (f"\n{'':14} {row['notice']}" if row["notice"] else "")
        + "".join(f"\n{'':14} {side}: {why}" for side, why in row.get("not_run", {}).items())
        for row in data
    ]
    return {"text": "\n".join(lines), "data": data}, 0


def prompt_sets_listed(chosen: argparse.Namespace) -> Answer:
    """The prompt sets, each with its texts in the data."""
    found = prompt_sets().values()
    data = [asdict(each) | {"digest": each.digest} for each in found]
    lines = []
    for each in found:
        what = f"{len(each.templates)} templates" if each.templates else f"{len(each.pairs)} pairs of prompts"
        lines.append(f"{each.name:20} {what}, version {each.version}: {each.title}")
        lines.append(f"{'':20} {each.source}; {each.licence}")
    return {"text": "\n".join(lines), "data": data}, 0


def applications(chosen: argparse.Namespace) -> Answer:
    """What an audit can do with all its images once they are explained, with the options of each."""
    capabilities = _capabilities(chosen.model)
    data = []
    for info in (application.card for application in APPLICATIONS.values()):
        row: dict[str, Any] = {
            "name": info.name,
            "title": info.title,
            "question": info.question,
            "year": info.year,
            "paper": info.paper,
            "needs": list(info.needs),
            "image_forwards_a_image": info.cost_model(info.parse()),
            "options": _options(info.options),
        }
        if capabilities is not None:
            row["not_run"] = info.reason(capabilities)
        data.append(row)
    lines = [
        f"{row['name']:14} {row['title']} ({row['year']}): {row['question']}"
        + f"\n{'':14} options: {', '.join(row['options'])}"
        + (f"\n{'':14} not available for this model: it {row['not_run']}" if row.get("not_run") else "")
        for row in data
    ]
    return {"text": "\n".join(lines), "data": data}, 0


def capabilities(chosen: argparse.Namespace) -> Answer:
    """Which method runs on which kind of model."""
    sides: tuple[Side, ...] = ("image", "text")
    return {"text": as_markdown(), "data": {side: reasons(side) for side in sides}}, 0


def plug_ins(chosen: argparse.Namespace) -> Answer:
    """Every part that an installed package brings: whether it is used, and otherwise why not."""
    from core.audit.plugged import plugin_problems

    lines = plugin_problems()
    reasons: dict[Entry, str] = {fault.entry: fault.reason for fault in faults()}
    used = set(active())
    data = []
    for entry in installed():
        state = "not used" if entry in reasons else "used" if entry in used else "not allowed"
        data.append({**asdict(entry), "state": state, "reason": reasons.get(entry, "")})
    told = [
        f"{row['distribution']} {row['version']}: {GROUPS[row['group']]} {row['name']} ({row['state']})" for row in data
    ]
    return {"text": "\n".join([*told, *lines]) or "no installed package brings a part of Loupe", "data": data}, 0


def models(chosen: argparse.Namespace) -> Answer:
    """Embedded models and open_clip's names."""
    own = [
        {"name": m.name, "title": m.title, "summary": m.summary, "capabilities": m.capabilities}
        for m in embedded_models()
    ]
    text = "\n".join(f"{m['name']:14} {m['title']}: {m['summary']}" for m in own)
    text += f"\n\nopen_clip names (with --pretrained or --weights): {', '.join(architectures())}"
    return {"text": text, "data": {"embedded": own, "open_clip": architectures()}}, 0


def _capabilities(name: str | None) -> tuple[str, ...] | None:
    if not name:
        return None
    wanted = embedded_name(name)
    found = [model for model in embedded_models() if model.name == wanted]
    if not found:
        raise InputError(f"{name!r} is not an embedded model; known: {', '.join(m.name for m in embedded_models())}")
    return found[0].capabilities


def _options(options: Mapping[str, OptionInfo]) -> dict[str, dict[str, Any]]:
    return {name: {"default": o.default, "description": o.description} for name, o in options.items()}
