"""The one place that opens untrusted files: each in a child process with limits, whose death is a refusal.

The functions whose first argument is `data` are tasks: they run in the child (`core.sandbox`). The others call them and
check what comes back, which a file may have made up once it has taken the child over.
"""

from __future__ import annotations

import dataclasses
import io
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from core.datasets.bounds import Refused
from core.datasets.picture import FORMATS, decode
from core.datasets.table import Table, read_table
from core.datasets.table_message import packed_table, unpacked_table
from core.sandbox import Allowance, Answer, Failure, call
from core.settings import LIMITS, Limits

_HEADER = struct.Struct(">8sI4sIIBB")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB_8_BITS = (8, 2)
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Opened:
    """A picture as it was opened: what identifies it, and a PNG file of its pixels alone."""

    id: str
    format: str
    width: int
    height: int
    perceptual: int | None
    png: bytes


def warm_up() -> None:
    """Let the decoders load what they need, once for all children."""
    image = Image.new("RGB", (64, 64), "white")
    for kind in FORMATS:
        stream = io.BytesIO()
        image.save(stream, kind)
        decode(stream.getvalue(), LIMITS).png()


def picture(data: bytes, limits: dict[str, Any], left: int) -> tuple[Any, bytes]:
    """Task: a picture's facts and its PNG."""
    found = decode(data, Limits(**limits), left)
    return [found.id, found.format, found.image.width, found.image.height, found.perceptual], found.png()


def table(data: bytes, name: str, limits: dict[str, Any]) -> tuple[Any, bytes]:
    """Task: a table's rows as JSON."""
    return None, packed_table(read_table(name, data, Limits(**limits)))


def open_picture(data: bytes, limits: Limits, left: int) -> Opened:
    """The picture in `data`, if it has at most `left` pixels. Raises `Refused` for anything else."""
    answer = opened(picture, limits.stored_bytes, limits, dataclasses.asdict(limits), left, data=data)
    try:
        key, kind, width, height, perceptual = answer.value
        signature, _, _, across, down, *rgb = _HEADER.unpack_from(answer.data)
        # A JSON number may be a fraction or a truth value; those must not get into a manifest.
        known = isinstance(perceptual, int) and 0 <= perceptual < 2**64 and not isinstance(perceptual, bool)
        sound = (
            _ID.fullmatch(key)
            and kind in FORMATS
            and (known or perceptual is None)
            and (signature, across, down, *rgb) == (_SIGNATURE, width, height, *_RGB_8_BITS)
            and across * down <= limits.pixels
        )
    except (TypeError, ValueError, struct.error) as error:
        raise Refused(_FORGED) from error
    if not sound:
        raise Refused(_FORGED)
    return Opened(key, kind, across, down, perceptual, answer.data)


def open_table(name: str, data: bytes, limits: Limits) -> Table:
    """The table in `data`. Raises `Refused` if it cannot be read or is outside the limits."""
    answer = opened(table, limits.table_bytes, limits, name, dataclasses.asdict(limits), data=data)
    try:
        return unpacked_table(name, answer.data)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Refused(_FORGED) from error


def opened(
    task: Callable[..., tuple[Any, bytes]], most: int, limits: Limits, *arguments: Any, data: bytes = b""
) -> Answer:
    """What a task answers, in at most `most` bytes. Raises `Refused` if it refuses, fails or dies."""
    allowance = Allowance(seconds=limits.file_seconds, wall=limits.file_wall, memory=limits.file_memory, answer=most)
    try:
        return call(task, *arguments, data=data, allowance=allowance)
    except Failure as failure:
        refused = Refused(str(failure))
        refused.seconds, refused.memory = failure.seconds, failure.memory
        raise refused from failure


_FORGED = "cannot be read: the process that opened it gave a false answer; save it again in another program"
