"""Where a run's results came from: program, packages, machine, model. Written beside the plan when work starts."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from core.characters import legible_values
from core.drafts import write_whole
from core.runs.code import code_digest as code_digest
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


def environment() -> dict[str, Any]:
    """Program version, code hash, commit, Python, lock file, packages and machine, as plain JSON values."""
    return {
        "loupe": VERSION,
        "code_sha256": code_digest(),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain")),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        **_lock(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, never half-written."""
    text = json.dumps(legible_values(value), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    write_whole(path, text.encode())


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _lock() -> dict[str, Any]:
    """The lock file that came with this version, by hash, and how many installed packages have another version.

    What the lock file names and nobody installed does not count: it also names what only developers need.
    """
    try:
        text = (ROOT / "requirements.lock").read_bytes()
    except OSError:
        return {"lock_sha256": None, "packages_unlike_lock": None}
    locked = (line.split("==") for line in text.decode().splitlines() if "==" in line and not line.startswith("#"))
    found = ((_version(name), version) for name, version in locked)
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
