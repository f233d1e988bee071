"""The one place that opens untrusted files: each in a child process with limits, whose death is a refusal.

The functions whose first argument is `data` are tasks, as those in `file_task` and `medical`: they run in the child
(`core.sandbox`). The others call them and check what comes back, which a file may have made up once it has taken the
child over.
"""

from __future__ import annotations

import dataclasses
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.characters import printable
from core.datasets import medical
from core.datasets.bounds import Budget, Refused
from core.datasets.boxes import read_boxes
from core.datasets.class_lists import is_class_name
from core.datasets.coco import Coco, read_coco, written_coco
from core.datasets.dicom import may_be_dicom
from core.datasets.file_task import CLASSES, Kind, file, warm_up
from core.datasets.image import DICOM, FORMATS
from core.datasets.list_forms import texts_of
from core.datasets.packing import Packed, Room, entries
from core.datasets.tables import WORKBOOKS, Table, unpacked_table
from core.errors import InputError
from core.sandbox import Allowance, Answer, Failure, call
from core.settings import Limits

# The server of the child processes looks for `warm_up` where the tasks are.
__all__ = [
    "ClassNames",
    "ImageContent",
    "Kind",
    "Opened",
    "open_annotations",
    "open_archive",
    "open_file",
    "open_texts",
    "opened",
    "warm_up",
]

_HEADER = struct.Struct(">8sI4sIIBB")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB_8_BITS = (8, 2)
_ID = re.compile(r"[0-9a-f]{16}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# A table of boxes; the other endings of tables may also be those of a file in COCO's form.
BOX_TABLES = (".csv", ".tsv", ".parquet", *WORKBOOKS)
_MOST_CONTENTS = 128 * 2**20  # bytes of JSON, for a table of contents of the largest size


@dataclass(frozen=True)
class ImageContent:
    """An image as it was opened: what identifies it, and a PNG file of its pixels alone."""

    id: str
    format: str
    width: int
    height: int
    perceptual: int | None
    png: bytes
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClassNames:
    """The names of classes that a file lists."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Opened:
    """A file as it was opened: the hash and the size of its bytes, and what it holds."""

    sha256: str
    bytes: int
    content: ImageContent | Table | ClassNames


def contents(data: bytes, size: int, limits: dict[str, Any]) -> tuple[Any, bytes]:
    """Task: what the end of an archive lists."""
    return entries(data, size, Limits(**limits)), b""


def drawn(data: bytes, name: str, limits: dict[str, Any]) -> tuple[Any, bytes]:
    """Task: a file of what was understood of a file in COCO's form or of a table of boxes, and of what was left out."""
    bounds = Limits(**limits)
    boxes = name.lower().endswith(BOX_TABLES)
    return None, written_coco(read_boxes(name, data, bounds) if boxes else read_coco(data, bounds))


def texts(data: bytes, title: str, limits: dict[str, Any]) -> tuple[Any, bytes]:
    """Task: the texts of a list."""
    return texts_of(data, title, Limits(**limits)), b""


def open_file(
    name: str, data: bytes, budget: Budget, *, only: Kind | None = None, member: tuple[Packed, Room] | None = None
) -> Opened:
    """The image, the table or the list of classes in a file, or in the `member` of an archive that `data` packs.

    Raises `Refused` for anything else, and `InputError` if it takes the import above the bytes that it may hold.
    """
    limits = budget.limits
    inside = None if member is None else [member[0], dataclasses.astuple(member[1])]
    most = max(limits.stored_bytes, limits.table_bytes)
    taken = [budget.bytes, budget.pixels]
    task = medical.file if may_be_dicom(name, data) else file
    answer = opened(task, most, limits, name, only, inside, taken, dataclasses.asdict(limits), data=data)
    try:
        sha256, size, facts = answer.value
        if not _SHA256.fullmatch(sha256) or type(size) is not int or size < 0:
            raise Refused(_FORGED)
        found: ImageContent | Table | ClassNames
        if facts == CLASSES:
            found = _class_names(answer.data, limits)
        else:
            found = unpacked_table(name, answer.data) if facts is None else _image(facts, answer.data, limits)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError, struct.error) as error:
        raise Refused(_FORGED) from error
    return Opened(sha256, size, found)


def open_archive(tail: bytes, size: int, limits: Limits) -> list[Packed]:
    """What the archive of `size` bytes that ends in `tail` lists. Raises `Refused` if it is damaged."""
    found = opened(contents, _MOST_CONTENTS, limits, size, dataclasses.asdict(limits), data=tail).value
    try:
        listed = [Packed(*entry) for entry in found]
    except TypeError as error:
        raise Refused(_FORGED) from error
    sound = all(
        all(type(part) is str for part in entry[:2]) and all(type(part) is int and part >= 0 for part in entry[2:])
        for entry in listed
    )
    if not sound:
        raise Refused(_FORGED)
    return listed


def open_annotations(data: bytes, name: str, limits: Limits) -> tuple[Coco, bytes]:
    """What a file in COCO's form or a table of boxes says, and a file in COCO's form of that alone. Raises `Refused` if
    it is neither; which of them it is, its name tells.
    """
    answer = opened(drawn, 2 * limits.file_bytes, limits, name, dataclasses.asdict(limits), data=data)
    try:
        # Read once more here, as strictly: by now it is small, plain, and known to be what is kept.
        found = read_coco(answer.data, limits)
    except (Refused, TypeError) as error:
        raise Refused(_FORGED) from error
    if written_coco(found) != answer.data:
        raise Refused(_FORGED)
    return found, answer.data


def open_texts(data: bytes, title: str, limits: Limits) -> tuple[str, ...]:
    """The texts of the list `title`. Raises `InputError` if it is none or outside the limits."""
    most = 8 * limits.texts * limits.text_characters
    try:
        found = opened(texts, most, limits, title, dataclasses.asdict(limits), data=data).value
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise Refused(_FORGED)
    except Refused as refused:
        raise InputError(f"{title} {refused}") from refused
    return tuple(found)


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


def _image(facts: Sequence[Any], png: bytes, limits: Limits) -> ImageContent:
    key, kind, width, height, perceptual, remarks = facts
    signature, _, _, across, down, *rgb = _HEADER.unpack_from(png)
    known = perceptual is None or (type(perceptual) is int and 0 <= perceptual < 2**64)
    sound = (
        known
        and all(isinstance(remark, str) and 0 < len(remark) < 500 for remark in remarks)
        and _ID.fullmatch(key)
        and kind in (*FORMATS, DICOM)
        and (signature, across, down, *rgb) == (_SIGNATURE, width, height, *_RGB_8_BITS)
        and 0 < across * down <= limits.pixels
    )
    if not sound:
        raise Refused(_FORGED)
    return ImageContent(key, kind, across, down, perceptual, png, tuple(printable(remark) for remark in remarks))


def _class_names(data: bytes, limits: Limits) -> ClassNames:
    names = tuple(data.decode().split("\n"))
    if not 0 < len(names) <= limits.texts or not all(map(is_class_name, names)):
        raise Refused(_FORGED)
    return ClassNames(names)


_FORGED = "cannot be read: the process that opened it returned an invalid answer; save it again in another program"
