"""Where things are kept and how much is accepted: every limit of the product in one place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError

VERSION = "0.1.0"
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Limits:
    """What an upload may hold. Sizes are in bytes, pictures in pixels."""

    file_bytes: int = 50 * 2**20
    total_bytes: int = 2 * 2**30
    pixels: int = 60_000_000
    side: int = 20_000
    min_side: int = 16
    files: int = 20_000
    zip_ratio: float = 200.0
    aspect: float = 20.0
    table_rows: int = 200_000
    text_characters: int = 2_000
    texts: int = 2_000
    imports: int = 2  # at once, in the app
    seal_bytes: int = 64 * 2**20
    all_text_characters: int = 2_000_000
    templates: int = 200
    concepts: int = 20_000
    title_characters: int = 200
    declared_characters: int = 2_000
    path_characters: int = 4_096
    plan_bytes: int = 32 * 2**20
    thresholds_bytes: int = 2**20


LIMITS = Limits()


def workspace() -> Path:
    """The folder that holds data sets and runs: `LOUPE_HOME`, or `~/.loupe`."""
    return Path(os.environ.get("LOUPE_HOME", "~/.loupe")).expanduser()


def datasets_folder() -> Path:
    """Where data sets are stored, one folder each."""
    return workspace() / "datasets"


def runs_folder() -> Path:
    """Where the app keeps its runs, one folder each."""
    return workspace() / "runs"


def byte_budget() -> int:
    """How much memory one chunk of model work may take, in bytes (`LOUPE_BYTES`, 1 GiB unless set)."""
    return int(os.environ.get("LOUPE_BYTES", 2**30))


def precision() -> str:
    """In what forwards without gradient may run: "auto" (bf16 on a GPU), "fp32" or "bf16" (`LOUPE_PRECISION`).

    Raises `InputError` for anything else.
    """
    wanted = os.environ.get("LOUPE_PRECISION", "auto")
    if wanted not in ("auto", "fp32", "bf16"):
        raise InputError(f"LOUPE_PRECISION must be auto, fp32 or bf16, not {wanted!r}")
    return wanted
