"""Where a run's results came from: program, packages, machine, model. Written beside the plan when work starts."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.characters import legible_values
from core.drafts import write_whole
from core.errors import InputError
from core.plugins import GROUPS, active, canonical, code_sha256
from core.runs.code import code_digest as code_digest
from core.runs.code import plan_code
from core.runs.plan import Plan
from core.settings import ROOT, VERSION

PACKAGES = (
    "torch",
    "torchvision",
    "open_clip_torch",
    "timm",
    "transformers",
    "safetensors",
    "numpy",
    "pandas",
    "pyarrow",
    "pillow",
    "scikit-learn",
    "scipy",
    "streamlit",
    "jinja2",
    "weasyprint",
    "altair",
    "vl-convert-python",
    "nltk",
)


def environment(plan: Plan, packages: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Program version, code hash, commit, Python, lock file, packages, plug-ins, machine, as plain JSON values.

    `packages` are those of `core.runs.packages.installed`.
    """
    versions = {canonical(name): version for name, version, _ in packages}
    return {
        "loupe": VERSION,
        "code_sha256": plan_code(plan),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain")),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        **_lock(versions),
        "packages": {name: versions.get(canonical(name)) for name in PACKAGES},
        **_plugins(),
    }


def _plugins() -> dict[str, Any]:
    """Every plug-in that was allowed, with what it offers and the hash of its code; nothing where there is none.

    The plan names those that bring its methods and applications; others may bring rules and frameworks.
    """
    told: dict[str, dict[str, Any]] = {}
    for entry in active():
        about = {"distribution": entry.distribution, "version": entry.version, "offers": []}
        told.setdefault(entry.distribution, about)["offers"].append(f"{GROUPS[entry.group]} {entry.name}")
    for about in told.values():
        try:
            about["sha256"] = code_sha256(about["distribution"])
        except InputError:
            # The fault is listed where its parts are loaded.
            continue
    return {"plugins": list(told.values())} if told else {}


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, never half-written."""
    text = json.dumps(legible_values(value), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    write_whole(path, text.encode())


def _lock(versions: Mapping[str, str]) -> dict[str, Any]:
    """The lock file that came with this version, by hash, and how many installed packages have another version.

    What the lock file names and nobody installed does not count: it also names what only developers need.
    """
    try:
        text = (ROOT / "requirements.lock").read_bytes()
    except OSError:
        return {"lock_sha256": None, "packages_unlike_lock": None}
    locked = (line.split("==") for line in text.decode().splitlines() if "==" in line and not line.startswith("#"))
    found = ((versions.get(canonical(name)), version) for name, version in locked)
    unlike = sum(have is not None and have.partition("+")[0] != version for have, version in found)
    return {"lock_sha256": hashlib.sha256(text).hexdigest(), "packages_unlike_lock": unlike}


def _git(*arguments: str) -> str | None:
    if not (ROOT / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=10)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
