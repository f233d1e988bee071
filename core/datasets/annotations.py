"""What people drew on the pictures: a file of annotations in COCO's form, read strictly and kept with the data set.

Only what is used is read: the pictures' names and sizes, the categories' names, and each object's outline (polygons or
run lengths), box, area and whether it is a crowd. Objects find their picture by the base name of its file.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.datasets.bounds import is_archive, size_text
from core.datasets.dataset import ANNOTATIONS, Dataset, Picture
from core.datasets.names import clean_name, printable
from core.datasets.run_lengths import unpacked_runs
from core.datasets.sources import Upload
from core.datasets.table import Problems
from core.errors import InputError, first_line
from core.settings import LIMITS, Limits

LABEL_COLUMNS = ("labels", "label", "classes", "class", "categories", "category")
_LISTS = ("images", "categories", "annotations")
_LONGEST = 300


@dataclass(frozen=True)
class Drawn:
    """One drawn object: its category in small letters, its area in square pixels, and whether it is a crowd.

    `shape` is a list of polygons `[x, y, x, y, ...]`, or run lengths as `{"size": [height, width], "counts": ...}`.
    """

    label: str
    area: float
    crowd: bool
    shape: Any


@dataclass(frozen=True)
class Annotations:
    """What a file says: drawn objects and sizes (width, height) by the base name of their picture.

    `data` are the file's bytes and `sha256` theirs. `problems` names what can't be used, one line each; a file with any
    is refused when it is kept.
    """

    name: str
    sizes: dict[str, tuple[int, int]]
    objects: dict[str, list[Drawn]]
    problems: tuple[str, ...]
    data: bytes

    @property
    def sha256(self) -> str:
        """Of the file's bytes."""
        return hashlib.sha256(self.data).hexdigest()

    def of(self, picture: Picture) -> list[Drawn] | None:
        """The objects drawn in a picture; None if nothing is known of it."""
        return self.objects.get(base_name(picture.name))


@dataclass(frozen=True)
class Matched:
    """How a file fits a data set: pictures with an object, objects in them, the commonest categories, and doubts."""

    pictures: int
    objects: int
    categories: dict[str, int]
    elsewhere: int
    doubts: tuple[str, ...]


def read_annotations(source: Path | Upload, limits: Limits = LIMITS) -> Annotations:
    """The annotations in a file. What single objects get wrong is listed in `problems`.

    Raises `InputError` in one line for a file that can't be read, is too large or is no COCO file at all.
    """
    name, data = _bytes(source, limits)
    try:
        content = json.loads(data.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{name} can't be read as annotations in COCO's form: it is no JSON ({_line(error)})"
        ) from error
    lists = content if isinstance(content, dict) else {}
    missing = [part for part in _LISTS if not isinstance(lists.get(part), list)]
    if missing:
        raise InputError(
            f"{name} can't be read as annotations in COCO's form: it has no list of {' and of '.join(missing)}"
        )
    reader = _Reader(lists, limits)
    return Annotations(name, reader.sizes, reader.objects, reader.lines(), data)


def keep_annotations(dataset: Dataset, annotations: Annotations) -> Matched:
    """Keep a file with the stored data set, in place of an earlier one; complete or not at all.

    Raises `InputError` if anything in it can't be used, or if no picture of the data set is annotated in it.
    """
    if annotations.problems:
        more = f" (and {len(annotations.problems) - 1} more problems)" if len(annotations.problems) > 1 else ""
        raise InputError(f"{annotations.name}: {annotations.problems[0]}{more}")
    found = matched(dataset, annotations)
    if not found.pictures:
        listed = ", ".join(sorted(annotations.objects)[:3]) or "none"
        raise InputError(
            f"{annotations.name} annotates no picture of this data set; pictures are found by file name, and it names "
            f"{listed}"
        )
    handle, temporary = tempfile.mkstemp(dir=dataset.root, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(annotations.data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, dataset.root / ANNOTATIONS)
    except BaseException:
        os.unlink(temporary)
        raise
    return found


def drop_annotations(dataset: Dataset) -> None:
    """Forget the annotations that are kept with a data set."""
    (dataset.root / ANNOTATIONS).unlink(missing_ok=True)


def matched(dataset: Dataset, annotations: Annotations) -> Matched:
    """How many pictures and objects of a data set a file speaks of, and what looks wrong about the match."""
    bases = Counter(base_name(picture.name) for picture in dataset.pictures)
    categories: Counter[str] = Counter()
    pictures = 0
    doubts = Problems()
    for picture in dataset.pictures:
        drawn = annotations.of(picture)
        if drawn is None:
            continue
        pictures += 1
        categories.update(entry.label for entry in drawn)
        base = base_name(picture.name)
        if bases[base] > 1:
            doubts.add("several pictures of the data set share a file name, and all get its objects", base)
        width, height = annotations.sizes[base]
        if abs(width / height - picture.width / picture.height) > 0.02 * picture.width / picture.height:
            doubts.add("the file gives pictures another shape than they have", base)
    elsewhere = len(set(annotations.objects) - set(bases))
    ordered = dict(sorted(categories.items(), key=lambda part: (-part[1], part[0])))
    told = tuple(refusal.reason for refusal in doubts.refusals(annotations.name))
    return Matched(pictures, sum(categories.values()), ordered, elsewhere, told)


def labels_column(dataset: Dataset, wanted: str = LABEL_COLUMNS[0]) -> str | None:
    """The metadata column with true labels: `wanted` if it is there, otherwise the first of `LABEL_COLUMNS` that is,
    whatever its case; None if there is none.
    """
    if wanted in dataset.columns or wanted != LABEL_COLUMNS[0]:
        return wanted if wanted in dataset.columns else None
    plain = {column.strip().casefold(): column for column in reversed(dataset.columns)}
    return next((plain[name] for name in LABEL_COLUMNS if name in plain), None)


def column_labels(picture: Picture, column: str) -> set[str] | None:
    """The labels, in small letters, that a metadata column lists for a picture; None if it says nothing."""
    value = picture.metadata.get(column)
    if value is None:
        return None
    return {part.strip().casefold() for part in str(value).split(";") if part.strip()}


def base_name(name: str) -> str:
    """The last part of a picture's name."""
    return name.rpartition("/")[2]


class _Reader:
    """One pass over a file's lists; what can't be used is noted and left out."""

    def __init__(self, content: Mapping[str, list[Any]], limits: Limits) -> None:
        self.limits = limits
        self.problems = Problems()
        self.sizes: dict[str, tuple[int, int]] = {}
        self.objects: dict[str, list[Drawn]] = defaultdict(list)
        self.files: dict[Any, str] = {}
        self.names: dict[Any, str] = {}
        for part, take in zip(_LISTS, (self._image, self._category, self._annotation), strict=True):
            for number, entry in enumerate(content[part], start=1):
                try:
                    take(entry)
                except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
                    self.problems.add(f"{_SINGULAR[part]} can't be used: {_reason(error)}", f"number {number}")
        self.objects = dict(self.objects)

    def lines(self) -> tuple[str, ...]:
        """What can't be used, each reason once with the first three places."""
        return tuple(refusal.reason for refusal in self.problems.refusals(""))

    def _image(self, entry: Any) -> None:
        base = base_name(clean_name(_text(entry["file_name"])))
        size = int(entry["width"]), int(entry["height"])
        if min(size) < 1 or max(size) > self.limits.side or size[0] * size[1] > self.limits.pixels:
            raise ValueError("its width or height is not that of a picture")
        if base in self.sizes and self.files.get(_key(entry["id"])) != base:
            raise ValueError("another picture has the same file name")
        self.files[_key(entry["id"])], self.sizes[base] = base, size

    def _category(self, entry: Any) -> None:
        name = printable(_text(entry["name"])).casefold()
        if not name:
            raise ValueError("its name is empty")
        self.names[_key(entry["id"])] = name

    def _annotation(self, entry: Any) -> None:
        base, label = self.files.get(_key(entry["image_id"])), self.names.get(_key(entry["category_id"]))
        if base is None:
            raise ValueError("its image_id names no picture of the file")
        if label is None:
            raise ValueError("its category_id names no category of the file")
        area = float(entry.get("area") or 0.0)
        if not math.isfinite(area):
            raise ValueError("its area is no finite number")
        self.objects[base].append(Drawn(label, area, bool(entry.get("iscrowd", 0)), _shape(entry, self.sizes[base])))


_SINGULAR = {"images": "a picture", "categories": "a category", "annotations": "an object"}


def _shape(entry: Mapping[str, Any], size: tuple[int, int]) -> Any:
    """Polygons or run lengths as they are once they are known to be sound; the box where there is no outline."""
    shape = entry.get("segmentation") or []
    if isinstance(shape, dict):
        height, width = (int(side) for side in shape["size"])
        counts = shape["counts"]
        runs = unpacked_runs(counts) if isinstance(counts, str) else [int(run) for run in counts]
        if min(runs, default=-1) < 0 or sum(runs) != height * width:
            raise ValueError("its run lengths don't fill its picture exactly")
        if (width, height) != size:
            raise ValueError("its run lengths are for a picture of another size")
        return {"size": [height, width], "counts": runs}
    if shape:
        return [_polygon(corners) for corners in shape]
    x, y, across, down = (_finite(value) for value in entry["bbox"])
    return [[x, y, x + across, y, x + across, y + down, x, y + down]]


def _polygon(corners: Any) -> list[float]:
    found = [_finite(value) for value in corners]
    if len(found) % 2 or len(found) < 6:
        raise ValueError("an outline needs pairs of coordinates of three corners or more")
    return found


def _finite(value: Any) -> float:
    found = float(value)
    if not math.isfinite(found):
        raise ValueError("a coordinate is no finite number")
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise ValueError(f"a name is no text of at most {_LONGEST} characters")
    return value


def _key(value: Any) -> Any:
    if not isinstance(value, int | str):
        raise ValueError("an id is neither a number nor text")
    return value


def _reason(error: Exception) -> str:
    return f"it has no {error.args[0]!r}" if isinstance(error, KeyError) else _line(error)


def _line(error: Exception) -> str:
    return first_line(error)[:_LONGEST]


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")


def _bytes(source: Path | Upload, limits: Limits) -> tuple[str, bytes]:
    name = source.name if isinstance(source, Path) else clean_name(source.name)
    given: Any = source if isinstance(source, Path) else source.data
    try:
        if isinstance(given, Path):
            with given.open("rb") as stream:
                data = stream.read(limits.file_bytes + 1)
        else:
            data = given if isinstance(given, bytes) else given.read(limits.file_bytes + 1)
    except OSError as error:
        raise InputError(f"{name} can't be read as annotations in COCO's form ({error.strerror})") from error
    if len(data) > limits.file_bytes:
        raise InputError(
            f"{name} is larger than {size_text(limits.file_bytes)}; keep only the pictures of this data set in it"
        )
    if is_archive(data[:512]):
        raise InputError(f"{name} is an archive; unpack it and give the JSON file")
    return name, data
