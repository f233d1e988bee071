"""Models on the server's disk that its operator allows people to choose in the app. No torch.

A folder is resolved before it is compared, and so is every file in it: a link that leads out of the allowed folders
makes the folder unusable.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import InputError
from core.models.hub import CONFIG
from core.models.kinds import shown_path
from core.models.listing import ONNX_PAIRS
from core.settings import model_folders

HUB_CONFIG = "config.json"
# How far below an allowed folder models are looked for, and how many folders are looked at.
_DEPTH, _MOST = 4, 2_000
_FILES = 5_000


def allowed(folder: str | Path) -> Path:
    """The resolved folder, if it and all files in it lie inside one of the allowed folders.

    Raises `InputError` in one line.
    """
    roots = model_folders()
    try:
        path = Path(folder).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{shown_path(Path(folder))} is not a folder on this server; choose another one") from error
    if not path.is_dir() or not _inside(path, roots):
        raise InputError(f"{shown_path(path)} is not in a folder that the operator of this server allows for models")
    for number, file in enumerate(path.rglob("*")):
        if number >= _FILES:
            raise InputError(f"{shown_path(path)} contains more than {_FILES:,} files; choose the folder of one model")
        if file.is_symlink() and not _inside(Path(os.path.realpath(file)), roots):
            raise InputError(f"{shown_path(file)} is a link that leads out of the folders allowed for models")
    return path


def models_below(roots: Sequence[Path] | None = None) -> list[Path]:
    """The folders that look like a model, in the allowed folders, in the order of their names."""
    found: list[Path] = []
    for root in model_folders() if roots is None else roots:
        found += sorted(_models(root))
    return found


def _models(root: Path) -> Iterator[Path]:
    # Links to folders are not followed, so that no circle is walked; one that is named is resolved by `allowed`.
    for looked, (where, folders, files) in enumerate(os.walk(root)):
        if looked >= _MOST:
            return
        if len(Path(where).relative_to(root).parts) >= _DEPTH:
            folders.clear()
        folders[:] = [name for name in folders if not name.startswith(".")]
        if {CONFIG, HUB_CONFIG} & set(files) or any(set(pair) <= set(files) for pair in ONNX_PAIRS):
            yield Path(where)


def _inside(path: Path, roots: Sequence[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)
