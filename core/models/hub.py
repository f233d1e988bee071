"""The hub: asked only when a person named a model there, only for data files, and otherwise not at all."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlparse

from core.errors import ModelError

PREFIX = "hf-hub:"
CONFIG = "open_clip_config.json"
# In this order: what cannot hold code first.
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
_DATA = (".json", ".txt", ".model", ".safetensors", ".bin", ".sig")


@contextmanager
def silence() -> Iterator[None]:
    """Inside: what libraries log is not shown."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(level)


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Inside: libraries' logging is off, and a hub that has no address is not asked (what is cached is still found)."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    with silence(), _settings(HF_HUB_OFFLINE=before or not _reachable(), HF_HUB_DISABLE_TELEMETRY=True):
        yield


@contextmanager
def offline() -> Iterator[None]:
    """Inside: no library asks the hub, reads standard input, or imports a Python file of a model."""
    import transformers.dynamic_module_utils as modules

    names = ("get_class_in_module", "get_cached_module_file", "resolve_trust_remote_code")
    kept = {name: getattr(modules, name) for name in names}
    with silence(), _settings(HF_HUB_OFFLINE=True, HF_HUB_DISABLE_TELEMETRY=True):
        try:
            # What is handed to the libraries names no code; should one look for some all the same, it finds this.
            for name in names:
                setattr(modules, name, _no_code)
            yield
        finally:
            for name, function in kept.items():
                setattr(modules, name, function)


def repository_files(repository: str, wanted: tuple[str, ...], most: int, *, ask: bool) -> dict[str, Path]:
    """Those of the data files `wanted` that a repository has, by name, each of at most `most` bytes.

    From the cache, and with `ask` from the hub (inside `quiet_hub`). Raises `ModelError` for a file that is larger, and
    `OSError` or `ValueError` if the hub cannot be asked.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    found: dict[str, Path] = {}
    for file in wanted:
        if not file.endswith(_DATA):
            raise ModelError(f"{file} is not a data file")
        try:
            if ask and not _settled_offline():
                about: Any = hf_hub_download(repository, file, dry_run=True)
                if about.file_size > most:
                    raise ModelError(f"{file} of {repository} is larger than {most / 2**20:,.0f} MiB")
            found[file] = Path(hf_hub_download(repository, file, local_files_only=not ask))
        except LocalEntryNotFoundError:
            # Not in the cache: an absence if only the cache was asked, else a hub that could not be reached.
            if ask:
                raise
        except EntryNotFoundError:
            continue
    return found


def first_weights(repository: str, most: int) -> Path | None:
    """The weights of a repository on the hub, safetensors first; None if it has none by open_clip's names."""
    for file in WEIGHTS:
        found = repository_files(repository, (file,), most, ask=True)
        if found:
            return found[file]
    return None


def _settled_offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


@contextmanager
def _settings(**wanted: bool) -> Iterator[None]:
    from huggingface_hub import constants

    before = {name: getattr(constants, name) for name in wanted}
    try:
        for name, value in wanted.items():
            setattr(constants, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(constants, name, value)


def _no_code(*_: Any, **__: Any) -> NoReturn:
    raise ModelError("a model requires its own code to be run; Loupe runs no code of a model, so it cannot be used")


def _reachable() -> bool:
    # A proxy resolves names itself, so that a missing address here says nothing.
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    host = urlparse(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname or "huggingface.co"
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True
