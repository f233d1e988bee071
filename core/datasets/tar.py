"""Tar files from strangers, such as the shards of WebDataset: listed by a child, nothing is extracted to disk."""

from __future__ import annotations

import dataclasses
import tarfile
from functools import partial
from typing import Any

from core.datasets.bounds import Refused, size_text
from core.datasets.holders import Holder, Inside, stream_of
from core.datasets.opening import opened
from core.settings import Limits

HEAD = 512
_MOST_CONTENTS = 64 * 2**20  # bytes of JSON
_LINK, _OTHER, _SPARSE, _PLAIN = "link", "other", "sparse", ""
_REASONS = {
    _LINK: "is a link, and links are not followed; pack the file itself",
    _OTHER: "is not a regular file; pack images only",
    _SPARSE: "is stored with holes; pack it as an ordinary tar file",
}


def is_tar(head: bytes) -> bool:
    """Whether a file that starts with `head` (at least 262 bytes) is a tar file that is not compressed."""
    return head[257:262] == b"ustar"


def list_tar(holder: Holder, limits: Limits) -> list[Inside]:
    """Every file in a tar, in its order. Raises `Refused` if it is damaged or lists too much."""
    path, data = holder.given(limits)
    answer = opened(contents, _MOST_CONTENTS, limits, path, dataclasses.asdict(limits), data=data).value
    found = []
    try:
        for name, offset, size, kind in answer:
            if type(name) is not str or type(offset) is not int or type(size) is not int or min(offset, size) < 0:
                raise Refused("cannot be read: its table of contents is invalid; pack it again")
            found.append(Inside(name, partial(holder.chunks, offset, size), _REASONS[kind] if kind else ""))
    except (TypeError, ValueError, KeyError) as error:
        raise Refused("cannot be read: its table of contents is invalid; pack it again") from error
    return found


def contents(data: bytes, path: str | None, limits: dict[str, Any]) -> tuple[Any, bytes]:
    """Task: name, place, size and kind of every entry but folders."""
    bounds = Limits(**limits)
    found: list[list[Any]] = []
    try:
        with stream_of(data, path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            for entry in archive:
                if entry.isdir():
                    continue
                if len(found) >= bounds.files:
                    raise Refused(f"lists more than {bounds.files:,} files; split it")
                if len(entry.name) > bounds.path_characters:
                    raise Refused(f"lists a name of more than {bounds.path_characters:,} characters; pack it again")
                found.append([entry.name, entry.offset_data, entry.size, _kind(entry)])
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        raise Refused("is a damaged tar file; pack it again") from error
    total = sum(size for _, _, size, _ in found)
    if total > bounds.total_bytes:
        raise Refused(f"lists more than {size_text(bounds.total_bytes)}; split it")
    return found, b""


def _kind(entry: tarfile.TarInfo) -> str:
    if entry.issym() or entry.islnk():
        return _LINK
    if entry.issparse():
        return _SPARSE
    return _PLAIN if entry.isreg() else _OTHER
