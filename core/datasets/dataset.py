"""A dataset as it is stored: images by content, what is known of each, and what was not taken in and why."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from PIL import Image
from pydantic import BaseModel, Field

from core.datasets.class_lists import CLASS_NAMES
from core.datasets.identity import image_id
from core.datasets.pillow import open_whole
from core.errors import InputError, Refused
from core.sandbox.files import opened, read_file, size_text
from core.settings import LIMITS

Value = str | float | int | bool | None

MANIFEST = "dataset.json"
ANNOTATIONS = "annotations.json"
IMAGES = "images"
THUMBNAILS = "thumbnails"
# The file that says that only the description of a dataset is here, as in an evidence bundle.
WITHOUT_IMAGES = "without_images"


class DatasetImage(BaseModel, frozen=True):
    """One image: what its pixels and its original file are, and what came with it."""

    # The pattern matters: the id becomes part of a path, also when it is read from a file somebody has changed.
    id: str = Field(pattern=r"^[0-9a-f]{16}$", description="over width, height and RGB pixels, after orientation")
    name: str = Field(
        description="the name under which the user knows it, with '/' as separator, unique in the dataset"
    )
    sha256: str = Field(description="of the original file's bytes")
    format: str = Field(description="of the original file: JPEG, PNG, ...")
    bytes: int = Field(description="size of the original file")
    width: int = Field(description="pixels, after orientation")
    height: int = Field(description="pixels, after orientation")
    captions: tuple[str, ...] = ()
    metadata: dict[str, Value] = {}


class Refusal(BaseModel, frozen=True):
    """Something that was not taken in: its name and one line that says what is wrong and what to do."""

    name: str
    reason: str


class Remark(BaseModel, frozen=True):
    """How a file was read where it could be read in more than one way: its name and one line on what was done."""

    name: str
    reason: str


class Duplicate(BaseModel, frozen=True):
    """The file `name` shows what the image `of` shows.

    `exact`: the same pixels; kept once, under `of`. `near`: both are kept, and `distance` of the 64 bits of their
    perceptual hashes differ.
    """

    name: str
    of: str
    kind: Literal["exact", "near"]
    distance: int


class _Described(BaseModel, frozen=True):
    """What `dataset.json` holds."""

    id: str = Field(pattern=r"^[0-9a-f]{16}$", description="over the ids, names, captions and metadata of the images")
    name: str
    images: tuple[DatasetImage, ...]
    refusals: tuple[Refusal, ...]
    duplicates: tuple[Duplicate, ...]
    columns: tuple[str, ...] = Field(description="names of the metadata columns")
    remarks: tuple[Remark, ...] = Field((), description="how files were read that could be read otherwise")


class Dataset(_Described, frozen=True):
    """Images sorted by name, with everything that was refused or found twice. Stored in the folder `root`."""

    root: Path = Field(exclude=True, description="where the dataset is stored; neither written nor hashed")

    def path(self, image: DatasetImage) -> Path:
        """The stored PNG: 8-bit RGB, upright, without any metadata."""
        return self.root / IMAGES / f"{image.id}.png"

    @property
    def annotations(self) -> Path | None:
        """The file of annotations that is kept with the images, or None. It is no part of the id."""
        path = self.root / ANNOTATIONS
        return path if path.is_file() else None

    @property
    def class_names(self) -> Path | None:
        """The file of names of classes that came with the images, or None. It is no part of the id."""
        path = self.root / CLASS_NAMES
        return path if path.is_file() else None

    @property
    def has_images(self) -> bool:
        """Whether the images are here, and not only their description."""
        return not (self.root / WITHOUT_IMAGES).exists()

    def open(self, entry: DatasetImage) -> Image.Image:
        """The image's pixels, RGB, checked against its id.

        Raises `InputError` if the stored file is missing or damaged, or shows another image than the one taken in.
        """
        path = self.path(entry)
        try:
            with (
                opened(path) as (handle, _),
                open_whole(os.fdopen(handle, "rb", closefd=False), ("PNG",)) as image,
            ):
                # Looked at before anything is decoded: a file of another size need not be unpacked to be refused.
                other = image.size != (entry.width, entry.height)
                pixels = None if other else image.convert("RGB")
        except (Refused, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise InputError(f"{path} is missing or damaged; upload the images again") from error
        if pixels is None or image_id(pixels) != entry.id:
            raise InputError(f"{path} no longer shows the image that was imported; upload the images again")
        return pixels

    def thumbnail(self, entry: DatasetImage, side: int = 320) -> Path:
        """A JPEG whose longer side has at most `side` pixels; made on the first call, then kept.

        Raises `ValueError` for a `side` outside 1 to 4096 and `InputError` if the image cannot be read.
        """
        if not 1 <= side <= 4096:
            raise ValueError(f"a thumbnail of {side} pixels was requested; sizes from 1 to 4096 are possible")
        target = self.root / THUMBNAILS / f"{entry.id}-{side}.jpg"
        if not target.exists() and not os.access(self.root, os.W_OK):
            # An archived dataset on read-only media is looked at all the same.
            target = _spare_folder() / self.id / target.name
        if target.exists():
            return target
        image = self.open(entry)
        image.thumbnail((side, side))
        target.parent.mkdir(parents=True, exist_ok=True)
        # Several pages may ask for it at once: each writes its own file, and the last rename wins with equal bytes.
        handle, temporary = tempfile.mkstemp(dir=target.parent, suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as stream:
                image.save(stream, "JPEG", quality=88)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
        return target


@cache
def _spare_folder() -> Path:
    """A folder of this process for thumbnails that cannot be kept with their dataset; gone when it ends."""
    folder = tempfile.mkdtemp(prefix="loupe-thumbnails-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def dataset_id(images: Iterable[DatasetImage]) -> str:
    """16 hex digits over the images' ids, names, captions and metadata, whatever order they come in."""
    digest = hashlib.sha256()
    for image in sorted(images, key=lambda image: image.name):
        line = [image.id, image.name, image.captions, image.metadata]
        digest.update(json.dumps(line, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()[:16]


def save_manifest(dataset: Dataset, folder: Path) -> None:
    """Writes `dataset.json` into `folder`: the same dataset gives the same bytes."""
    data = f"{dataset.model_dump_json(indent=1)}\n".encode()
    if len(data) > LIMITS.manifest_bytes:
        most = size_text(LIMITS.manifest_bytes)
        raise InputError(f"the description of the images takes more than {most}; leave out captions or columns")
    (folder / MANIFEST).write_bytes(data)


def load_dataset(root: Path) -> Dataset:
    """The dataset stored in the folder `root`.

    Raises `InputError` if there is none, if `dataset.json` is not what was written, or if an image is missing.
    """
    manifest = root / MANIFEST
    if not manifest.exists() or not (root / IMAGES).is_dir():
        raise InputError(f"{root} does not contain a complete dataset; upload the images again")
    try:
        # Without a value for anything in between: a hostile file gets no memory for what is not asked for.
        described = _Described.model_validate_json(read_file(manifest, LIMITS.manifest_bytes))
        dataset = Dataset(**dict(described), root=root)
        stored = {entry.name for entry in os.scandir(root / IMAGES) if entry.stat().st_size > 0}
    except (OSError, Refused, ValueError) as error:
        raise InputError(f"{manifest} cannot be read or is damaged; upload the images again") from error
    if dataset_id(dataset.images) != dataset.id:
        raise InputError(f"{manifest} was changed after it was written; upload the images again")
    missing = [image.name for image in dataset.images if f"{image.id}.png" not in stored]
    if missing and dataset.has_images:
        raise InputError(f"{root} lacks {len(missing)} of its images ({missing[0]}, ...); upload the images again")
    return dataset
