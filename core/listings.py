"""Commands that look and compute nothing: the catalogues, and whether what is stored is unchanged."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from typing import Any

from core.commands import Answer
from core.datasets.names import printable
from core.errors import InputError
from core.methods import METHODS, OptionInfo
from core.methods.applications import APPLICATIONS
from core.methods.info import Side
from core.models.capability_table import as_markdown, reasons
from core.models.listing import architectures, embedded_models, embedded_name
from core.runs import Run, open_run
from core.runs.seal import SEAL


def verify(chosen: argparse.Namespace) -> Answer:
    """Check a run against its seal and its own records, or an evidence bundle against itself.

    Exit code 0 only if all of it is sound; 1 if anything is missing, changed or added, or if a run is not sealed.
    """
    from core.reporting.verdict import verify_bundle, verify_run

    sha256 = (chosen.sha256 or "").strip().lower()
    if chosen.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise InputError("--sha256 takes the 64 hex digits that `verify` or a report prints")
    if chosen.pdf is not None and not chosen.pdf.is_file():
        raise InputError(f"--pdf {printable(str(chosen.pdf))} is no file; give the report.pdf that names the bundle")
    if chosen.path.is_dir():
        # A run whose plan is damaged or gone still has its seal, which says what it was.
        sealed = os.path.lexists(chosen.path / SEAL)
        verdict = verify_run(Run(chosen.path) if sealed else open_run(chosen.path), sha256=sha256, pdf=chosen.pdf)
    elif os.path.lexists(chosen.path):
        verdict = verify_bundle(chosen.path, sha256=sha256, pdf=chosen.pdf)
    else:
        raise InputError(f"{printable(str(chosen.path))} does not exist; give a run directory or an evidence.zip")
    return {"text": verdict.text, "data": verdict.data}, 0 if verdict.outcome == "sound" else 1


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
        + ("; runs only if it is named" if row["only_by_name"] else "")
        + (f"\n{'':14} {row['notice']}" if row["notice"] else "")
        + "".join(f"\n{'':14} {side}: {why}" for side, why in row.get("not_run", {}).items())
        for row in data
    ]
    return {"text": "\n".join(lines), "data": data}, 0


def applications(chosen: argparse.Namespace) -> Answer:
    """What an audit can do with all its pictures once they are explained, with the options of each."""
    capabilities = _capabilities(chosen.model)
    data = []
    for info in APPLICATIONS.values():
        row: dict[str, Any] = {
            "name": info.name,
            "title": info.title,
            "question": info.question,
            "year": info.year,
            "paper": info.paper,
            "needs": list(info.needs),
            "image_forwards_a_picture": info.cost_model(info.parse()),
            "options": _options(info.options),
        }
        if capabilities is not None:
            row["not_run"] = info.reason(capabilities)
        data.append(row)
    lines = [
        f"{row['name']:14} {row['title']} ({row['year']}): {row['question']}"
        + f"\n{'':14} options: {', '.join(row['options'])}"
        + (f"\n{'':14} not with this model: it {row['not_run']}" if row.get("not_run") else "")
        for row in data
    ]
    return {"text": "\n".join(lines), "data": data}, 0


def capabilities(chosen: argparse.Namespace) -> Answer:
    """Which method runs on which kind of model."""
    sides: tuple[Side, ...] = ("image", "text")
    return {"text": as_markdown(), "data": {side: reasons(side) for side in sides}}, 0


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
        raise InputError(f"{name!r} is no embedded model; known: {', '.join(m.name for m in embedded_models())}")
    return found[0].capabilities


def _options(options: Mapping[str, OptionInfo]) -> dict[str, dict[str, Any]]:
    return {name: {"default": o.default, "description": o.description} for name, o in options.items()}
