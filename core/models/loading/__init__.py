"""Loading: what was named becomes files, the files a checked configuration and weights, and these a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.memory import without_collection

if TYPE_CHECKING:
    from core.models.model import Model

__all__ = ["load_model"]


def load_model(
    name: str | Path,
    pretrained: str | None = None,
    *,
    weights: str | Path | None = None,
    device: str = "auto",
) -> Model:
    """The model called `name`, frozen, in fp32, in evaluation mode.

    `name` is an embedded model ("demo"), an open_clip name with a `pretrained` tag, a folder (also `local-dir:FOLDER`)
    of open_clip or of transformers, a configuration file with `weights`, or a repository on the hub
    (`hf-hub:owner/name` or `owner/name`). `weights` chooses one of several files of a folder. `device` is "auto",
    "cpu" or a torch device. Only a tag and a repository ask the network. Raises `ModelError` in one line.
    """
    # Reading a configuration needs no torch, and neither do the children that do it.
    with without_collection(lasting=True):
        from core.models.loading.door import load

        return load(name, pretrained, weights=weights, device=device)
