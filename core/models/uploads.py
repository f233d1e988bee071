"""What people upload in the app to be audited: the files of a model, or a table that stands in for one. No torch.

Files are copied byte by byte under checked names; nobody reads them here.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from core.characters import brief
from core.errors import InputError
from core.models.hub import CONFIG
from core.models.listing import ONNX_PAIRS
from core.models.places import HUB_CONFIG
from core.models.stored_file import ENDINGS as TABLES
from core.models.stored_file import PREFIXES, Kind
from core.settings import LIMITS, upload_megabytes, uploads_folder

# "data" and "onnx_data" hold the tensors of an ONNX file that keeps them beside it.
ENDINGS = ("safetensors", "onnx", "data", "onnx_data", "json", "txt", "model")
# Files of an upload lie in one folder, so that a pair is named by two files in it.
PAIRS = tuple(pair for pair in ONNX_PAIRS if not any("/" in name for name in pair))
# An upload that no run names is removed after this many seconds, when the next one is stored.
UNUSED = 24 * 3600.0
SPARE = 256 * 2**20  # bytes that stay free on the disk
_MOST = 64
_CHUNK = 2**20
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,119}}\.(?:{'|'.join(ENDINGS)})")
_TITLE = re.compile(r"[^A-Za-z0-9._-]+")

File = tuple[str, IO[bytes]]


def store_upload(files: Sequence[File], title: str = "") -> Path:
    """Copy the files of one model (name, stream) into the workspace and return their folder.

    The folder is named after `title`; the one that holds it after the SHA-256 of names and contents, so that the same
    files give the same folder. Raises `InputError` in one line, leaving nothing behind, for other files than those of a
    model or more than the limit.
    """
    most = _limit()
    _check_names([name for name, _ in files])
    return _stored(files, _TITLE.sub("-", title).strip("-.")[:60] or "uploaded-model", most * 10**6, f"{most:,} MB")


def store_table(name: str, stream: IO[bytes], kind: Kind) -> str:
    """Copy a table of stored embeddings or scores likewise, and return how a plan names it in the place of a model.

    The file keeps its name as far as it is plain. Raises `InputError` in one line for another form of file, or one that
    is larger than a table may be.
    """
    _limit()
    ending = Path(name).suffix.lower()
    if ending not in TABLES:
        raise InputError(f"{brief(name, 80)!r} is not a table of {kind}; give a CSV, Parquet or .npz file")
    called = (_TITLE.sub("-", Path(name).stem).strip("-.")[:60] or kind) + ending
    folder = _stored([(called, stream)], kind, LIMITS.table_bytes, f"{LIMITS.table_bytes // 10**6:,} MB")
    prefix = next(prefix for prefix, known in PREFIXES.items() if known == kind)
    return f"{prefix}{folder / called}"


def uploaded(name: str) -> Path | None:
    """The file or folder of an upload that a plan names as its model; None for a model of another kind."""
    path = Path(name.removeprefix(next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")))
    return path if path.is_relative_to(uploads_folder()) else None


def sweep_uploads(named: Collection[str]) -> None:
    """Remove uploads of more than a day ago that none of the models `named` by runs is."""
    home = uploads_folder()
    used = {path.relative_to(home).parts[0] for name in named if (path := uploaded(name)) not in (None, home)}
    for folder in home.glob("*"):
        with suppress(OSError):
            if folder.name not in used and time.time() - folder.stat().st_mtime > UNUSED:
                shutil.rmtree(folder, ignore_errors=True)


def _limit() -> int:
    """How many MB may be uploaded. Raises `InputError` if none may."""
    most = upload_megabytes()
    if not most:
        raise InputError("the operator of this server does not accept uploads of models")
    return most


def _stored(files: Sequence[File], called: str, most: int, limit: str) -> Path:
    """The folder `called` with copies of the files, of `most` bytes together, which a message calls `limit`."""
    home = uploads_folder()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(prefix=".", dir=home))
    try:
        (draft / called).mkdir()
        whole = hashlib.sha256(called.encode())
        left = most
        for name, stream in sorted(files):
            digest, size = _copied(stream, draft / called / name, left, limit)
            left -= size
            whole.update(f"\0{name}\0{digest}".encode())
        folder = home / whole.hexdigest()[:24]
        with suppress(OSError):
            os.rename(draft, folder)
        if not (folder / called).is_dir():
            raise InputError("the upload could not be stored; upload it again")
        os.utime(folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InputError(f"the upload could not be stored ({reason}); free space and try again") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder / called


def _check_names(names: Sequence[str]) -> None:
    if len(names) > _MOST:
        raise InputError(f"{len(names)} files were given; the files of one model are at most {_MOST}")
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{brief(name, 80)!r} is not a file of a model that can be uploaded; the endings are .safetensors, "
                ".onnx, .data, .onnx_data, .json, .txt and .model, the names plain letters, digits, dots, - and _"
            )
    if len({name.casefold() for name in names}) < len(names):
        raise InputError("two of the files have the same name; upload the files of one folder")
    if not {CONFIG, HUB_CONFIG} & set(names):
        raise InputError(f"the configuration is missing: add {CONFIG} (open_clip) or {HUB_CONFIG} (transformers)")
    weights = any(name.endswith(".safetensors") for name in names)
    towers = {name for name in names if name.endswith(".onnx")}
    if weights and towers:
        raise InputError("the files hold weights (.safetensors) and ONNX towers; upload one of the two")
    if towers and towers not in map(set, PAIRS):
        pairs = " or ".join(" and ".join(pair) for pair in PAIRS)
        raise InputError(f"a pair of ONNX towers is two files, {pairs}; rename the files, and upload no others")
    if not weights and not towers:
        raise InputError(
            f"the weights are missing: add the .safetensors file of the model, or {' and '.join(PAIRS[0])}"
        )


def _copied(stream: IO[bytes], path: Path, left: int, limit: str) -> tuple[str, int]:
    """SHA-256 and size of what was copied."""
    digest, size = hashlib.sha256(), 0
    stream.seek(0)
    with path.open("xb") as copy:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > left:
                raise InputError(f"the files hold more than {limit} together, the limit of this server")
            if shutil.disk_usage(path.parent).free < SPARE:
                raise InputError("the disk is almost full; free space and try again")
            digest.update(chunk)
            copy.write(chunk)
    return digest.hexdigest(), size
