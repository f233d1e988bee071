"""A file in COCO's form: read strictly, and written again from what was understood of it.

A hostile file may take any time and memory: `core.datasets.opening` reads it in a child.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from core.characters import brief
from core.datasets.bounds import Refused
from core.datasets.names import clean_name, printable
from core.datasets.run_lengths import packed_runs, unpacked_runs
from core.datasets.tables import Problems
from core.errors import first_line
from core.settings import Limits

_LISTS = ("images", "categories", "annotations")
LONGEST_NAME = 300
_ORIGINAL = "original_sha256"
_LEFT_OUT = "left_out"
_MOST_LINES, _LONGEST_LINE = 100, 1_000
# Which of left, top, right and bottom each number of a rectangle's outline is.
_CORNERS = (0, 1, 2, 1, 2, 3, 0, 3)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Drawn:
    """One drawn object: its category in small letters, its area in square pixels, and whether it is a crowd.

    `shape` is a list of polygons `[x, y, x, y, ...]`, or run lengths as `{"size": [height, width], "counts": ...}`.
    """

    label: str
    area: float
    crowd: bool
    shape: Any

    @property
    def is_box(self) -> bool:
        """Whether the shape is one upright rectangle."""
        if isinstance(self.shape, dict) or len(self.shape) != 1 or len(self.shape[0]) != len(_CORNERS):
            return False
        corners = self.shape[0]
        left, top, right, bottom = corners[0], corners[1], corners[2], corners[5]
        return bool(corners == [(left, top, right, bottom)[at] for at in _CORNERS])


@dataclass(frozen=True)
class Coco:
    """What a file says: sizes (width, height) and drawn objects by the base name of their image, and what is wrong.

    `problems` is what was left out, one line each; of a file that was written here, what had been left out before.
    `original` is the SHA-256 of the file that a person brought.
    """

    sizes: dict[str, tuple[int, int]]
    objects: dict[str, list[Drawn]]
    problems: tuple[str, ...]
    original: str


def read_coco(data: bytes, limits: Limits) -> Coco:
    """What is in a file. What single entries get wrong is listed in `problems`.

    Raises `Refused` for a file that is no JSON, has not the three lists, or draws too much.
    """
    try:
        content = json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(f"cannot be read as annotations in COCO format: it is not valid JSON ({_line(error)})") from error
    lists = content if isinstance(content, dict) else {}
    missing = [part for part in _LISTS if not isinstance(lists.get(part), list)]
    if missing:
        raise Refused(f"cannot be read as annotations in COCO format: it has no list of {' and of '.join(missing)}")
    reader = _Reader(lists, limits)
    found = Coco(reader.sizes, reader.objects, reader.lines(), hashlib.sha256(data).hexdigest())
    info = lists.get("info")
    claimed, before = (info.get(_ORIGINAL), info.get(_LEFT_OUT, [])) if isinstance(info, dict) else (None, None)
    if isinstance(claimed, str) and _SHA256.fullmatch(claimed) and not found.problems and _is_lines(before):
        # Only a file that was written here, and not changed since, tells what it was made of.
        kept = Coco(found.sizes, found.objects, tuple(before), claimed)
        return kept if written_coco(kept) == data else found
    return found


def _is_lines(value: Any) -> TypeGuard[list[str]]:
    lines = value if isinstance(value, list) and len(value) <= _MOST_LINES else [None]
    return all(isinstance(line, str) and len(line) <= _LONGEST_LINE and line == printable(line) for line in lines)


def written_coco(found: Coco) -> bytes:
    """What was understood of a file, and nothing else, as a file in the same form; equal content gives equal bytes."""
    bases = {base: number for number, base in enumerate(sorted(found.sizes), start=1)}
    labels = sorted({entry.label for entries in found.objects.values() for entry in entries})
    numbers = {label: number for number, label in enumerate(labels, start=1)}
    content = {
        "info": {_ORIGINAL: found.original} | ({_LEFT_OUT: [*found.problems]} if found.problems else {}),
        "images": [
            {"id": number, "file_name": base, "width": found.sizes[base][0], "height": found.sizes[base][1]}
            for base, number in bases.items()
        ],
        "categories": [{"id": number, "name": label} for label, number in numbers.items()],
        "annotations": [
            {
                "image_id": bases[base],
                "category_id": numbers[entry.label],
                "area": _plain(entry.area),
                "iscrowd": int(entry.crowd),
                "segmentation": _written(entry.shape),
            }
            for base in bases
            for entry in found.objects.get(base, ())
        ],
    }
    return json.dumps(content, separators=(",", ":")).encode("ascii")


def base_name(name: str) -> str:
    """The last part of an image's name."""
    return name.rpartition("/")[2]


def _written(shape: Any) -> Any:
    if isinstance(shape, dict):
        return {"size": shape["size"], "counts": packed_runs(shape["counts"])}
    return [[_plain(value) for value in polygon] for polygon in shape]


def _plain(value: float) -> float:
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


class _Reader:
    """One pass over a file's lists; what cannot be used is noted and left out."""

    def __init__(self, content: Mapping[str, list[Any]], limits: Limits) -> None:
        self.limits = limits
        self.numbers = 0
        if max(len(content[part]) for part in _LISTS) > limits.drawn_objects:
            raise Refused(
                f"contains more than {limits.drawn_objects:,} entries; keep only the annotations of images "
                "in this dataset"
            )
        self.problems = Problems()
        self.sizes: dict[str, tuple[int, int]] = {}
        self.objects: dict[str, list[Drawn]] = defaultdict(list)
        self.files: dict[str, str] = {}
        self.names: dict[str, str] = {}
        for part, take in zip(_LISTS, (self._image, self._category, self._annotation), strict=True):
            for number, entry in enumerate(content[part], start=1):
                try:
                    take(entry)
                except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
                    self.problems.add(f"{_SINGULAR[part]} was left out: {_reason(error)}", f"number {number}")
        self.objects = dict(self.objects)

    def lines(self) -> tuple[str, ...]:
        """What cannot be used, each reason once with the first three places."""
        lines = self.problems.lines()
        if len(lines) > _MOST_LINES:
            lines[_MOST_LINES - 1 :] = [f"{len(lines) - _MOST_LINES + 1:,} more kinds of problems are not listed"]
        return tuple(brief(line, _LONGEST_LINE) for line in lines)

    def _image(self, entry: Any) -> None:
        base = base_name(clean_name(_text(entry["file_name"])))
        size = int(entry["width"]), int(entry["height"])
        if min(size) < 1 or max(size) > self.limits.side or size[0] * size[1] > self.limits.pixels:
            raise ValueError("its width or height is not a valid image size")
        if base in self.sizes and self.files.get(_key(entry["id"])) != base:
            raise ValueError("another image has the same file name")
        self.files[_key(entry["id"])], self.sizes[base] = base, size

    def _category(self, entry: Any) -> None:
        name = printable(_text(entry["name"])).casefold()
        if not name:
            raise ValueError("its name is empty")
        self.names[_key(entry["id"])] = name

    def _annotation(self, entry: Any) -> None:
        base, label = self.files.get(_key(entry["image_id"])), self.names.get(_key(entry["category_id"]))
        if base is None:
            raise ValueError("its image_id matches no image in the file")
        if label is None:
            raise ValueError("its category_id matches no category in the file")
        area = float(entry.get("area") or 0.0)
        if not math.isfinite(area):
            raise ValueError("its area is not a finite number")
        shape = _shape(entry, self.sizes[base])
        self.numbers += len(shape["counts"]) if isinstance(shape, dict) else sum(map(len, shape))
        if self.numbers > self.limits.drawn_numbers:
            raise Refused(
                f"contains outlines with more than {self.limits.drawn_numbers:,} numbers; keep only the annotations "
                "of images in this dataset"
            )
        self.objects[base].append(Drawn(label, area, bool(entry.get("iscrowd", 0)), shape))


_SINGULAR = {"images": "an image", "categories": "a category", "annotations": "an object"}


def _shape(entry: Mapping[str, Any], size: tuple[int, int]) -> Any:
    """Polygons or run lengths as they are once they are known to be sound; the box where there is no outline."""
    shape = entry.get("segmentation") or []
    if isinstance(shape, dict):
        height, width = (int(side) for side in shape["size"])
        counts = shape["counts"]
        runs = unpacked_runs(counts) if isinstance(counts, str) else [int(run) for run in counts]
        if (width, height) != size:
            raise ValueError("its run lengths are for an image of a different size")
        if min(runs, default=-1) < 0 or sum(runs) != height * width:
            raise ValueError("its run lengths do not fill the image exactly")
        return {"size": [height, width], "counts": runs}
    if shape:
        return [_polygon(corners) for corners in shape]
    x, y, across, down = (_finite(value) for value in entry["bbox"])
    return [[x, y, x + across, y, x + across, y + down, x, y + down]]


def _polygon(corners: Any) -> list[float]:
    found = [_finite(value) for value in corners]
    if len(found) % 2 or len(found) < 6:
        raise ValueError("an outline needs coordinate pairs for at least three corners")
    return found


def _finite(value: Any) -> float:
    found = float(value)
    if not math.isfinite(found):
        raise ValueError("a coordinate is not a finite number")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise ValueError(f"a name is not a text of at most {LONGEST_NAME} characters")
    return value


def _key(value: Any) -> str:
    """An id as it is compared: programs write 1, 1.0 and "1" for the same."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("an id is neither a number nor a text")
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else _text(str(value))


def _reason(error: Exception) -> str:
    return f"it has no {error.args[0]!r}" if isinstance(error, KeyError) else _line(error)


def _line(error: Exception) -> str:
    return first_line(error)[:LONGEST_NAME]


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not a JSON number")
