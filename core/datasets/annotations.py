"""What people drew on the images: a file in COCO's form or a table of boxes, read strictly and kept with the dataset.

Only what is used is read: the images' names and sizes, the categories' names, and each object's outline (polygons or
run lengths), box, area and whether it is a crowd. Objects find their image by the base name of its file.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.datasets.bounds import Refused, is_archive, size_text
from core.datasets.coco import Coco, Drawn, base_name, written_coco
from core.datasets.dataset import ANNOTATIONS, Dataset, DatasetImage
from core.datasets.names import clean_name
from core.datasets.opening import open_annotations
from core.datasets.sources import Upload
from core.datasets.tables import WORKBOOKS, Problems
from core.errors import InputError
from core.sandbox import named_file
from core.settings import LIMITS, Limits

LABEL_COLUMNS = ("labels", "label", "classes", "class", "categories", "category")
_FEWER = "keep only the annotations of images in this dataset"


@dataclass(frozen=True)
class Annotations:
    """What a file says: drawn objects and sizes (width, height) by the base name of their image.

    `data` is a file of this alone, as it is kept, and `sha256` that file's; `original` is the SHA-256 of the file that
    was brought. `problems` names what was left out, one line each.
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

    def only(self, images: Collection[DatasetImage]) -> bytes:
        """A file in COCO's form of what is drawn in these images alone; it keeps the hash of the original."""
        bases = {base_name(image.name) for image in images}
        sizes = {base: size for base, size in self.sizes.items() if base in bases}
        objects = {base: drawn for base, drawn in self.objects.items() if base in bases}
        return written_coco(Coco(sizes, objects, self.problems, self.original))

    def of(self, image: DatasetImage) -> list[Drawn] | None:
        """The objects drawn in an image; None if nothing is known of it."""
        return self.objects.get(base_name(image.name))


@dataclass(frozen=True)
class Matched:
    """How a file fits a dataset: images with an object, objects in them, the commonest categories, and doubts, which
    include what was left out of the file.
    """

    images: int
    objects: int
    categories: dict[str, int]
    elsewhere: int
    doubts: tuple[str, ...]


def read_annotations(source: Path | Upload, limits: Limits = LIMITS) -> Annotations:
    """The annotations in a file. What single objects get wrong is listed in `problems`.

    A file whose name ends as a table's is read as boxes of phrases (`core.datasets.boxes`), any other as COCO's form.
    Raises `InputError` in one line for a file that cannot be read, is too large or is neither.
    """
    name, data = _bytes(source, limits)
    try:
        found, written = open_annotations(data, name, limits)
    except Refused as refused:
        raise InputError(f"{name} {refused}") from refused
    return Annotations(name, found.sizes, found.objects, found.problems, written, found.original)


def keep_annotations(dataset: Dataset, annotations: Annotations) -> Matched:
    """Keep what a file says with the stored dataset, in place of an earlier one; complete or not at all.

    Not the file: whatever else it holds must not come to lie where something could find it. Objects that cannot be used
    are left out and listed. Raises `InputError` if no image of the dataset is annotated in it.
    """
    found = matched(dataset, annotations)
    if not found.images:
        listed = ", ".join(sorted(annotations.objects)[:3]) or "none"
        more = f"; {annotations.problems[0]}" if annotations.problems else ""
        raise InputError(
            f"{annotations.name} annotates no image of this dataset; images are found by file name, and it names "
            f"{listed}{more}"
        )
    if len(annotations.data) > LIMITS.file_bytes:
        raise InputError(f"{annotations.name} takes more than {size_text(LIMITS.file_bytes)} to store; {_FEWER}")
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
    """Forget the annotations that are kept with a dataset."""
    (dataset.root / ANNOTATIONS).unlink(missing_ok=True)


def matched(dataset: Dataset, annotations: Annotations) -> Matched:
    """How many images and objects of a dataset a file speaks of, and what looks wrong about the match."""
    bases = Counter(base_name(image.name) for image in dataset.images)
    categories: Counter[str] = Counter()
    images = 0
    doubts = Problems()
    for image in dataset.images:
        drawn = annotations.of(image)
        if drawn is None:
            continue
        images += 1
        categories.update(entry.label for entry in drawn)
        base = base_name(image.name)
        if bases[base] > 1:
            doubts.add("several images of the dataset have the same file name, and each receives its objects", base)
        width, height = annotations.sizes[base]
        if abs(width / height - image.width / image.height) > 0.02 * image.width / image.height:
            doubts.add("the file gives a different size for images than they have", base)
    elsewhere = len(set(annotations.objects) - set(bases))
    ordered = dict(sorted(categories.items(), key=lambda part: (-part[1], part[0])))
    return Matched(images, sum(categories.values()), ordered, elsewhere, (*annotations.problems, *doubts.lines()))


def labels_column(dataset: Dataset, wanted: str = LABEL_COLUMNS[0]) -> str | None:
    """The metadata column with true labels: `wanted` if it is there, otherwise the first of `LABEL_COLUMNS` that is,
    whatever its case; None if there is none.
    """
    if wanted in dataset.columns or wanted != LABEL_COLUMNS[0]:
        return wanted if wanted in dataset.columns else None
    plain = {column.strip().casefold(): column for column in reversed(dataset.columns)}
    return next((plain[name] for name in LABEL_COLUMNS if name in plain), None)


def column_labels(image: DatasetImage, column: str, classes: Collection[str] = ()) -> set[str] | None:
    """The labels, in small letters, that a metadata column lists for an image; None if it says nothing.

    They stand between semicolons or bars, otherwise between commas, unless the whole value is one of `classes` (given
    in small letters): the name of a class may hold a comma.
    """
    value = image.metadata.get(column)
    if value is None:
        return None
    text = str(value).casefold().strip()
    if text in classes:
        return {text}
    separator = next((mark for mark in ";|," if mark in text), ";")
    return {part.strip() for part in text.split(separator) if part.strip()}


def _bytes(source: Path | Upload, limits: Limits) -> tuple[str, bytes]:
    name = source.name if isinstance(source, Path) else clean_name(source.name)
    given: Any = source if isinstance(source, Path) else source.data
    try:
        if isinstance(given, Path):
            data = named_file(given, limits.file_bytes, name)
        else:
            data = given if isinstance(given, bytes) else given.read(limits.file_bytes + 1)
    except OSError as error:
        raise InputError(f"{name} cannot be read ({error.strerror}); provide it again") from error
    if len(data) > limits.file_bytes:
        raise InputError(f"{name} is larger than {size_text(limits.file_bytes)}; {_FEWER}")
    if is_archive(data[:512]) and not name.lower().endswith(WORKBOOKS):
        raise InputError(f"{name} is an archive; unpack it and give the file in it")
    return name, data
