"""What a model is, asked of a process of its own before an audit: `python -m core describe`. Never imports torch.

A preview has a folder in the workspace, named after the model and the state of its files, so that the same model is
loaded once and a reload of the page finds the answer.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.characters import brief
from core.errors import InputError, Refused
from core.processes import is_locked
from core.runs import ModelSpec
from core.sandbox import read_file
from core.settings import LIMITS, ROOT, previews_folder

KEPT = 24 * 3600.0  # seconds
_ANSWER, _ERRORS, _LOCK = "answer.json", "errors.log", "lock"
_MOST_BYTES = 4 * 2**20
_FILES = 5_000

# Children of this server, kept so that their ends are noticed; the folders say the same to any other server.
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Preview:
    """How far a preview is. `data` is what `describe` prints, `error` one line for a person."""

    state: Literal["none", "running", "done", "failed"]
    data: dict[str, Any]
    error: str = ""


NOTHING = Preview("none", {})


def preview(spec: ModelSpec) -> Preview:
    """The preview of a model as its files are now; state "none" if none was begun."""
    _children[:] = [child for child in _children if child.poll() is None]
    folder = _folder(spec)
    if not folder.is_dir():
        return NOTHING
    # Asked for first: a process that ends in between has written its answer before.
    if is_locked(folder / _LOCK):
        return Preview("running", {})
    return _answer(folder)


def begin(spec: ModelSpec) -> None:
    """Start the process that describes the model, unless it runs or has ended well.

    Raises `InputError` if as many run as may.
    """
    if preview(spec).state in ("running", "done"):
        return
    sweep()
    if sum(is_locked(folder / _LOCK) for folder in previews_folder().glob("*")) >= LIMITS.previews:
        raise InputError(f"{LIMITS.previews} models are being recognised, which is the limit; wait for one of them")
    folder = _folder(spec)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    arguments = ["--model", spec.name, "--device", spec.device, "--json", "--speed"]
    arguments += ["--pretrained", spec.pretrained] if spec.pretrained else []
    arguments += ["--weights", spec.weights] if spec.weights else []
    # The lock is taken here and inherited, so that there is no moment at which a living process seems dead.
    with (
        (folder / _LOCK).open("w") as lock,
        (folder / _ANSWER).open("wb") as answer,
        (folder / _ERRORS).open("wb") as errors,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        child = subprocess.Popen(
            [sys.executable, "-m", "core", "describe", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=errors,
            pass_fds=(lock.fileno(),),
            start_new_session=True,
        )
        lock.write(str(child.pid))
    _children.append(child)


def state_of(spec: ModelSpec) -> str:
    """A name of the model as its files are now; it changes with them."""
    return _folder(spec).name


def cancel(spec: ModelSpec) -> None:
    """End the process that describes the model."""
    folder = _folder(spec)
    if is_locked(folder / _LOCK):
        with suppress(OSError, ValueError):
            os.kill(int((folder / _LOCK).read_text()), signal.SIGKILL)


def forget(spec: ModelSpec) -> None:
    """Remove a preview that has ended, so that the model can be asked for again."""
    folder = _folder(spec)
    if not is_locked(folder / _LOCK):
        shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Remove previews that are older than a day."""
    for folder in previews_folder().glob("*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > KEPT and not is_locked(folder / _LOCK):
                shutil.rmtree(folder, ignore_errors=True)


def _answer(folder: Path) -> Preview:
    try:
        told = json.loads(read_file(folder / _ANSWER, _MOST_BYTES))
        if isinstance(told, dict) and {"model", "not_run", "applications_not_run"} <= set(told):
            return Preview("done", told)
    except (Refused, ValueError):
        pass
    try:
        lines = read_file(folder / _ERRORS, _MOST_BYTES).decode("utf-8", errors="replace").strip().splitlines()
    except Refused:
        lines = []
    told_line = next((line for line in reversed(lines) if line.startswith("loupe: ")), "")
    ended = "the process that loads the model ended without an answer: it may need more memory than this machine has"
    return Preview("failed", {}, brief(told_line.removeprefix("loupe: "), 600) or ended)


def _folder(spec: ModelSpec) -> Path:
    whole = hashlib.sha256(spec.model_dump_json().encode())
    for path in _files(spec):
        with suppress(OSError):
            there = path.stat()
            whole.update(f"{path}\0{there.st_size}\0{there.st_mtime_ns}\0".encode())
    return previews_folder() / whole.hexdigest()[:24]


def _files(spec: ModelSpec) -> Iterator[Path]:
    for name in (spec.name, spec.weights):
        path = Path(name) if name else None
        if path is None or not path.is_absolute():
            continue
        yield path
        for number, file in enumerate(sorted(path.rglob("*")) if path.is_dir() else ()):
            if number < _FILES:
                yield file
