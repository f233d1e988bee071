"""What a person named as a model, and which file of weights in a folder is meant. No torch."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from core.datasets.names import printable
from core.errors import ModelError
from core.models.hub import CONFIG, PREFIX, WEIGHTS
from core.models.kinds import shown_path
from core.models.state_dict import ENDINGS

FOLDER_PREFIX = "local-dir:"
HUB_CONFIG = "config.json"
# What transformers saves, in the order in which it reads them itself.
HUB_WEIGHTS = (
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip
_ENDINGS = (".safetensors", *ENDINGS)
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_LISTED = 6


def repository_of(text: str) -> str | None:
    """The repository that `hf-hub:owner/name`, or `owner/name` where no such path exists, means; None if neither."""
    if text.startswith(PREFIX):
        return text.removeprefix(PREFIX)
    if _REPOSITORY.fullmatch(text) and not kind_of(path_of(text)) and Path(text).suffix != ".json":
        return text
    return None


def path_of(text: str) -> Path:
    """The path that was typed. Raises `ModelError` for a home folder that does not exist."""
    try:
        return Path(text.removeprefix(FOLDER_PREFIX)).expanduser()
    except RuntimeError as error:
        raise ModelError(f"{said(text)} names an unknown home folder; write the full path") from error


def kind_of(path: Path) -> str:
    """What is at a path: "folder", "file" (whatever it is), or nothing."""
    try:
        return "folder" if stat.S_ISDIR(os.stat(path).st_mode) else "file"
    except (OSError, ValueError):
        return ""


def configuration_in(folder: Path) -> Path:
    """The configuration of a folder: open_clip's, and only without it that of transformers."""
    for name in (CONFIG, HUB_CONFIG):
        if kind_of(folder / name):
            return folder / name
    raise ModelError(
        f"{shown_path(folder)} is not a model: it contains neither {CONFIG} (open_clip) nor {HUB_CONFIG} (transformers)"
    )


def holds_weights(folder: Path) -> bool:
    """Whether a folder holds weights of a network."""
    return any(path.suffix in _ENDINGS or path.name in HUB_WEIGHTS for path in folder.iterdir())


def weights_in(folder: Path, configuration: Path) -> Path:
    """The weights of a folder. Raises `ModelError` if there are none, or several of which none has the usual name."""
    usual = WEIGHTS if configuration.name == CONFIG else HUB_WEIGHTS
    for name in usual:
        if kind_of(folder / name) == "file":
            return folder / name
    found = sorted((path for path in folder.iterdir() if path.suffix in _ENDINGS), key=_natural)
    if not found:
        raise ModelError(f"{shown_path(folder)} contains no weights (.safetensors or .pt)")
    if len(found) > 1:
        names = ", ".join(printable(path.name) for path in found[:_LISTED])
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise ModelError(
            f"{shown_path(folder)[-150:]} contains {len(found)} files that may be the weights ({names[:250]}{more}); "
            "name one of them with weights=<file> (--weights)"
        )
    return found[0]


def weights_of(text: str, folder: Path | None) -> Path:
    """The weights that a person named, also by their name inside the model's folder."""
    path = path_of(text)
    if folder is not None and not kind_of(path) and kind_of(folder / path):
        return folder / path
    return path


def said(text: str) -> str:
    """What a person typed, for a message."""
    text = printable(text)
    return text if len(text) <= 150 else f"{text[:150]}..."


def _natural(path: Path) -> list[tuple[int, str]]:
    """Numbers in names count as numbers: epoch_2 before epoch_10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name)]
