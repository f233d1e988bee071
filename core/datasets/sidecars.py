"""Texts beside images: a file of the same name but for its ending holds the captions or the metadata of an image.

WebDataset shards are made so (`0001.jpg`, `0001.txt`, `0001.json`, `0001.cls`), and so are folders that people prepare
for training. They are gathered into one table for each source, read in a child.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from core.datasets.bounds import Budget, Refused
from core.datasets.opening import opened
from core.datasets.packing import Packed, Room, unpacked
from core.datasets.sources import Entry
from core.datasets.tables import Problems, Table, is_image_name, packed_table, table_of_objects, unpacked_table
from core.settings import Limits

ENDINGS = ("txt", "caption", "json", "cls")
_BATCH = 8 * 2**20  # bytes of texts that one child reads
_LARGEST = 2**20  # bytes of one such file
_LENGTH = struct.Struct(">I")
_CAPTIONS = ("caption", "captions", "text")
# A class and a box or outline in each line, as YOLO writes them.
_BOXES = re.compile(r"^\s*\d+(\s+-?[0-9.]+(e-?\d+)?){4,}\s*$")


class Sidecar(NamedTuple):
    """A file of text, with the name of the image that it belongs to."""

    entry: Entry
    image: str
    ending: str


class Gathered(NamedTuple):
    """A table of such files, the hash of their bytes, and one of the entries."""

    table: Table
    sha256: str
    entry: Entry


def apart(entries: Sequence[Entry]) -> tuple[list[Entry], list[Sidecar]]:
    """The entries to open as files of their own, and those that are texts beside an image of the same source."""
    images = {
        (entry.source, _stem(entry.name)[0]): entry.name for entry in reversed(entries) if is_image_name(entry.name)
    }
    others, texts = [], []
    for entry in entries:
        stem, ending = _stem(entry.name)
        image = images.get((entry.source, stem)) if ending in ENDINGS else None
        if image is None:
            others.append(entry)
        else:
            texts.append(Sidecar(entry, image, ending))
    return others, texts


def gathered(texts: Sequence[Sidecar], budget: Budget, problems: Problems) -> Iterator[Gathered]:
    """Tables of the texts, some megabytes each. What cannot be read is told in `problems`."""
    batch: list[tuple[Sidecar, bytes]] = []
    size = 0
    for at, text in enumerate(texts):
        try:
            data = _read(text.entry, budget)
            batch.append((text, data))
            size += len(data)
        except Refused as refused:
            problems.add(str(refused), text.entry.name)
        following = texts[at + 1].entry.source if at + 1 < len(texts) else None
        if batch and (size > _BATCH or following != text.entry.source):
            yield _table(batch, budget.limits, problems)
            batch, size = [], 0


def _table(batch: Sequence[tuple[Sidecar, bytes]], limits: Limits, problems: Problems) -> Gathered:
    first = batch[0][0].entry
    name = f"texts beside images in {first.label}" if first.label else "texts beside images"
    whole = framed([(text.image, text.ending, data) for text, data in batch])
    digest = hashlib.sha256(whole).hexdigest()
    try:
        answer = opened(rows, limits.table_bytes, limits, name, dataclasses.asdict(limits), data=whole)
        return Gathered(unpacked_table(name, answer.data), digest, first)
    except Refused as refused:
        problems.add(str(refused), name)
    except (ValueError, TypeError, KeyError, IndexError):
        problems.add("cannot be read: the process that opened them returned an invalid answer", name)
    return Gathered(Table(name, (), (), ()), digest, first)


def framed(texts: Sequence[tuple[str, str, bytes]]) -> bytes:
    """What `rows` is given: the image, the ending and the bytes of each text."""
    head = json.dumps([[image, ending, len(data)] for image, ending, data in texts]).encode()
    return b"".join((_LENGTH.pack(len(head)), head, *(data for _, _, data in texts)))


def rows(data: bytes, name: str, limits: dict[str, Any]) -> tuple[Any, bytes]:
    """Task: a row for each image that one of the texts says something of."""
    (length,) = _LENGTH.unpack_from(data)
    at = _LENGTH.size + length
    problems = Problems()
    found: dict[str, dict[str, Any]] = {}
    for image, ending, size in json.loads(data[_LENGTH.size : at]):
        row = found.setdefault(image, {"image": image, "caption": []})
        try:
            _add(row, data[at : at + size].decode("utf-8-sig"), ending)
        except (UnicodeDecodeError, Refused) as error:
            what = str(error) if isinstance(error, Refused) else "is not UTF-8; save it again as UTF-8"
            problems.add(what, f"{image.rpartition('.')[0]}.{ending}")
        at += size
    return None, packed_table(table_of_objects(name, list(found.values()), problems, Limits(**limits)))


def _add(row: dict[str, Any], text: str, ending: str) -> None:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if ending in ("txt", "caption"):
        if lines and all(_BOXES.match(line) for line in lines):
            raise Refused("holds boxes as YOLO writes them, not captions; provide them as COCO JSON (--annotations)")
        row["caption"] += lines
        return
    if ending == "cls":
        row["cls"] = int(lines[0]) if len(lines) == 1 and re.fullmatch(r"\d{1,9}", lines[0]) else " ".join(lines)
        return
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("is not JSON; export it again") from error
    if not isinstance(content, dict) or "shapes" in content or "annotations" in content:
        raise Refused("is not an object of captions and metadata; annotations are provided as COCO JSON")
    for key in _CAPTIONS:
        said = content.pop(key, None)
        row["caption"] += [said] if isinstance(said, str) else said if isinstance(said, list) else []
    # What is nested says nothing that a table could hold, and a name of an image is known already.
    row |= {
        str(key): value
        for key, value in content.items()
        if key not in row and (value is None or isinstance(value, str | int | float | bool))
    }


def _read(entry: Entry, budget: Budget) -> bytes:
    if entry.member is None:
        data = budget.read(entry.chunks())
    else:
        inside, room = entry.member.entry, entry.member.room
        limits = dataclasses.asdict(budget.limits)
        given = entry.member.read()
        answer = opened(plain, 2 * _LARGEST, budget.limits, list(inside), dataclasses.astuple(room), limits, data=given)
        data = bytes(answer.data)
        entry.member.count(len(data))
        budget.count_bytes(len(data))
    if len(data) > _LARGEST:
        raise Refused(f"is larger than {_LARGEST // 2**20} MiB, too large for the text of one image; remove it")
    return data


def plain(data: bytes, entry: list[Any], room: list[Any], limits: dict[str, Any]) -> tuple[Any, bytes]:
    """Task: the bytes of a small file of an archive."""
    parts, size = [], 0
    for chunk in unpacked(data, Packed(*entry), Room(*room), Limits(**limits)):
        size += len(chunk)
        if size > _LARGEST:
            raise Refused(f"is larger than {_LARGEST // 2**20} MiB, too large for the text of one image; remove it")
        parts.append(chunk)
    return None, b"".join(parts)


def _stem(name: str) -> tuple[str, str]:
    stem, dot, ending = name.rpartition(".")
    return (stem, ending.lower()) if dot else (name, "")
