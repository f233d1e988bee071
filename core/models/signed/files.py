"""Whether the files of a model are those that its signature names."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from core.datasets.names import printable
from core.errors import ModelError, Refused
from core.models.kinds import shown_path
from core.models.signed.signature import MOST_BYTES, SIGNATURE, ModelSignature, checked_signature
from core.sandbox.files import chunks, read_file

_HASHES: dict[str, Callable[[], Any]] = {"sha256": hashlib.sha256, "blake2b": hashlib.blake2b}
_MOST_FILES = 100_000
_SHOWN = 3


def signature_in(folder: Path, read: Sequence[Path], *, whole: bool = True) -> ModelSignature | None:
    """What the `model.sig` in a folder says of the files of a model; None if the folder has none.

    `read` are the files that the model is made of. With `whole` the folder must hold all that is named and nothing
    else; without, what a hub did not hand out may lack. Raises `ModelError` in one line for a signature that cannot be
    read or does not fit, and for files that differ from it: such a model is not the one that was signed.
    """
    path = folder / SIGNATURE
    if not os.path.lexists(path):
        return None
    shown = shown_path(path)
    try:
        data = read_file(path, MOST_BYTES)
        found, told = checked_signature(data)
    except Refused as refused:
        raise ModelError(f"{shown} {refused}; obtain it again, or remove it to audit the model unsigned") from refused
    outside = [file.name for file in read if _below(file, folder) is None]
    single = [name for name, *_ in told["parts"]] == ["."]
    if single and len(read) > 1:
        outside = [file.name for file in read if file.name != found.subject]
    if outside:
        names = ", ".join(printable(name) for name in outside[:_SHOWN])
        return found.uncovered(names)
    if told["hash"] not in _HASHES:
        return found.unreadable(f"its hash function {printable(told['hash'])} is not one that Loupe computes")
    problems = list(_differences(folder, told, whole))
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ModelError(
            f"{shown} was made for other files: {problems[0]}{more}; obtain the model again, or remove {SIGNATURE} to "
            "audit the model unsigned"
        )
    return found


def _differences(folder: Path, told: dict[str, Any], whole: bool) -> Iterator[str]:
    """Which files differ from those that a signature names, one line each."""
    named: dict[str, list[tuple[str, int, int | None]]] = {}
    for name, digest, start, end in told["parts"]:
        named.setdefault(told["subject"] if name == "." else name, []).append((digest, start, end))
    for name, parts in named.items():
        file = folder / name
        if not file.is_file():
            if whole:
                yield f"{printable(name)} is missing"
            continue
        try:
            if not _same(file, parts, told["hash"]):
                yield f"{printable(name)} differs"
        except Refused as refused:
            yield f"{printable(name)} {refused}"
    if [name for name, *_ in told["parts"]] == ["."]:
        # It covers one file, whatever lies beside it.
        return
    ignored = [PurePosixPath(each) for each in told["ignored"]]
    shards = any(part[2] is not None for parts in named.values() for part in parts)
    for name in _present(folder):
        path = PurePosixPath(name)
        # A file without content has no shard.
        empty = shards and not (folder / name).stat().st_size
        if name not in named and not empty and not any(path == each or each in path.parents for each in ignored):
            yield f"{printable(name)} is not signed"


def _present(folder: Path) -> list[str]:
    """The files below a folder, without hidden ones, which are never read, and without the signature itself."""
    found: list[str] = []
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        base = Path(where).relative_to(folder)
        found += [(base / name).as_posix() for name in files if not name.startswith(".")]
        if len(found) > _MOST_FILES:
            raise ModelError(
                f"{shown_path(folder)} contains more than {_MOST_FILES:,} files; name the folder of one model"
            )
    return sorted(name for name in found if name != SIGNATURE)


def _same(file: Path, parts: Sequence[tuple[str, int, int | None]], hashed: str) -> bool:
    """Whether a file has these hashes, and no byte beyond its shards."""
    at, digests = 0, []
    ranges = sorted((start, end) for _, start, end in parts)
    if any(end != start for (_, end), (start, _) in itertools.pairwise(ranges)) or ranges[0][0]:
        return False
    wanted = iter(ranges)
    _, end = next(wanted)
    digest = _HASHES[hashed]()
    for piece in chunks(file):
        rest = memoryview(piece)
        while rest:
            if end is not None and at == end:
                digests.append(digest.hexdigest())
                digest = _HASHES[hashed]()
                _, end = next(wanted, (at, at))
                if end == at:
                    return False
            step = len(rest) if end is None else min(len(rest), end - at)
            digest.update(rest[:step])
            at += step
            rest = rest[step:]
    digests.append(digest.hexdigest())
    by_start = {start: given for given, start, _ in parts}
    return (end is None or at == end) and digests == [by_start[start] for start, _ in ranges]


def _below(file: Path, folder: Path) -> str | None:
    """The name of a file below a folder as it was typed (a hub keeps links to files elsewhere), or None."""
    try:
        return Path(os.path.abspath(file)).relative_to(os.path.abspath(folder)).as_posix()
    except ValueError:
        return None
