"""Where a run's results came from: program, packages, machine, model. Written beside the plan when work starts."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from core.characters import legible_values
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
    """Program version, code hash, commit, Python, packages and machine, as plain JSON values."""
    return {
        "loupe": VERSION,
        "code_sha256": code_digest(),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain")),
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


@cache
def code_digest() -> str:
    """SHA-256 over the source of `core`, so that results made by different code never share a unit key.

    It is read once a process: what is edited later isn't what runs.
    """
    whole = hashlib.sha256()
    for file in sorted((ROOT / "core").rglob("*.py")):
        # Pages, charts and words don't change results; what computes them does.
        if file.relative_to(ROOT / "core").parts[0] in {"reporting", "findings", "cli.py"}:
            continue
        whole.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    return whole.hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, never half-written."""
    draft = path.with_suffix(f".{os.getpid()}.part")
    told = json.dumps(legible_values(value), indent=1, sort_keys=True, ensure_ascii=False)
    draft.write_text(told + "\n", encoding="utf-8")
    draft.replace(path)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    if not (ROOT / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=10)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
