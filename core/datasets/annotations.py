"""What people drew on the pictures: a file of annotations in COCO's form, read strictly and kept with the data set.

Only what is used is read: the pictures' names and sizes, the categories' names, and each object's outline (polygons or
run lengths), box, area and whether it is a crowd. Objects find their picture by the base name of its file.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.datasets.bounds import Refused, is_archive, size_text
from core.datasets.coco import Drawn, base_name
from core.datasets.dataset import ANNOTATIONS, Dataset, Picture
from core.datasets.names import clean_name
from core.datasets.opening import open_annotations
from core.datasets.sources import Upload
from core.datasets.table import Problems
from core.errors import InputError
from core.sandbox import named_file
from core.settings import LIMITS, Limits

LABEL_COLUMNS = ("labels", "label", "classes", "class", "categories", "category")
_FEWER = "keep only the images of this data set in it"


@dataclass(frozen=True)
class Annotations:
    """What a file says: drawn objects and sizes (width, height) by the base name of their picture.

    `data` is a file of this alone, as it is kept, and `sha256` that file's; `original` is the SHA-256 of the file that
    was brought. `problems` names what can't be used, one line each; a file with any is refused when it is kept.
    """

    name: str
    sizes: dict[str, tuple[int, int]]
    objects: dict[str, list[Drawn]]
    problems: tuple[str, ...]
    data: bytes
    original: str

    @property
    def sha256(self) -> str:
        """Of the file as it is kept."""
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
        found, written = open_annotations(data, limits)
    except Refused as refused:
        raise InputError(f"{name} {refused}") from refused
    return Annotations(name, found.sizes, found.objects, found.problems, written, found.original)


def keep_annotations(dataset: Dataset, annotations: Annotations) -> Matched:
    """Keep what a file says with the stored data set, in place of an earlier one; complete or not at all.

    Not the file: whatever else it holds must not come to lie where something could find it. Raises `InputError` if
    anything in it can't be used, or if no picture of the data set is annotated in it.
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
    if len(annotations.data) > LIMITS.file_bytes:
        raise InputError(f"{annotations.name} takes more than {size_text(LIMITS.file_bytes)} to keep; {_FEWER}")
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


def _bytes(source: Path | Upload, limits: Limits) -> tuple[str, bytes]:
    name = source.name if isinstance(source, Path) else clean_name(source.name)
    given: Any = source if isinstance(source, Path) else source.data
    try:
        if isinstance(given, Path):
            data = named_file(given, limits.file_bytes, name)
        else:
            data = given if isinstance(given, bytes) else given.read(limits.file_bytes + 1)
    except OSError as error:
        raise InputError(f"{name} cannot be read ({error.strerror}); give it again") from error
    if len(data) > limits.file_bytes:
        raise InputError(f"{name} is larger than {size_text(limits.file_bytes)}; {_FEWER}")
    if is_archive(data[:512]):
        raise InputError(f"{name} is an archive; unpack it and give the JSON file")
    return name, data
