"""A data set as it is stored: pictures by content, what is known of each, and what was not taken in and why."""

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

from core.datasets.identity import image_id
from core.errors import InputError, Refused
from core.sandbox.files import opened, read_file, size_text
from core.settings import LIMITS

Value = str | float | int | bool | None

MANIFEST = "dataset.json"
ANNOTATIONS = "annotations.json"
PICTURES = "pictures"
THUMBNAILS = "thumbnails"


class Picture(BaseModel, frozen=True):
    """One picture: what its pixels and its original file are, and what came with it."""

    # The pattern matters: the id becomes part of a path, also when it is read from a file somebody has changed.
    id: str = Field(pattern=r"^[0-9a-f]{16}$", description="over width, height and RGB pixels, after orientation")
    name: str = Field(description="the name the person knows it by, '/' separated, unique in the data set")
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


class Duplicate(BaseModel, frozen=True):
    """The file `name` shows what the picture `of` shows.

    `exact`: the same pixels; kept once, under `of`. `near`: both are kept, and `distance` of the 64 bits of their
    perceptual hashes differ.
    """

    name: str
    of: str
    kind: Literal["exact", "near"]
    distance: int


class _Described(BaseModel, frozen=True):
    """What `dataset.json` holds."""

    id: str = Field(pattern=r"^[0-9a-f]{16}$", description="over the pictures' ids, names, captions and metadata")
    name: str
    pictures: tuple[Picture, ...]
    refusals: tuple[Refusal, ...]
    duplicates: tuple[Duplicate, ...]
    columns: tuple[str, ...] = Field(description="names of the metadata columns")


class Dataset(_Described, frozen=True):
    """Pictures sorted by name, with everything that was refused or found twice. Stored in the folder `root`."""

    root: Path = Field(exclude=True, description="where it is stored; not part of what is written or hashed")

    def path(self, picture: Picture) -> Path:
        """The stored PNG: 8-bit RGB, upright, without any metadata."""
        return self.root / PICTURES / f"{picture.id}.png"

    @property
    def annotations(self) -> Path | None:
        """The file of annotations that is kept with the pictures, or None. It is no part of the id."""
        path = self.root / ANNOTATIONS
        return path if path.is_file() else None

    def open(self, picture: Picture) -> Image.Image:
        """The picture's pixels, RGB, checked against its id.

        Raises `InputError` if the stored file is missing or damaged, or shows another image than the one taken in.
        """
        path = self.path(picture)
        try:
            with (
                opened(path) as (handle, _),
                Image.open(os.fdopen(handle, "rb", closefd=False), formats=("PNG",)) as image,
            ):
                # Looked at before anything is decoded: a file of another size need not be unpacked to be refused.
                other = image.size != (picture.width, picture.height)
                pixels = None if other else image.convert("RGB")
        except (Refused, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise InputError(f"{path} is missing or damaged; upload the images again") from error
        if pixels is None or image_id(pixels) != picture.id:
            raise InputError(f"{path} no longer shows the image that was taken in; upload the images again")
        return pixels

    def thumbnail(self, picture: Picture, side: int = 320) -> Path:
        """A JPEG whose longer side has at most `side` pixels; made on the first call, then kept.

        Raises `ValueError` for a `side` outside 1 to 4096 and `InputError` if the picture can't be read.
        """
        if not 1 <= side <= 4096:
            raise ValueError(f"a thumbnail of {side} pixels; from 1 to 4096 are possible")
        target = self.root / THUMBNAILS / f"{picture.id}-{side}.jpg"
        if not target.exists() and not os.access(self.root, os.W_OK):
            # An archived dataset on read-only media is looked at all the same.
            target = _spare_folder() / self.id / target.name
        if target.exists():
            return target
        image = self.open(picture)
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


def dataset_id(pictures: Iterable[Picture]) -> str:
    """16 hex digits over the pictures' ids, names, captions and metadata, whatever order they come in."""
    digest = hashlib.sha256()
    for picture in sorted(pictures, key=lambda picture: picture.name):
        line = [picture.id, picture.name, picture.captions, picture.metadata]
        digest.update(json.dumps(line, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return digest.hexdigest()[:16]


def save_manifest(dataset: Dataset, folder: Path) -> None:
    """Writes `dataset.json` into `folder`: the same data set gives the same bytes."""
    data = f"{dataset.model_dump_json(indent=1)}\n".encode()
    if len(data) > LIMITS.manifest_bytes:
        most = size_text(LIMITS.manifest_bytes)
        raise InputError(f"what is known of the images takes more than {most}; leave out captions or columns")
    (folder / MANIFEST).write_bytes(data)


def load_dataset(root: Path) -> Dataset:
    """The data set stored in the folder `root`.

    Raises `InputError` if there is none, if `dataset.json` is not what was written, or if a picture is missing.
    """
    manifest = root / MANIFEST
    if not manifest.exists() or not (root / PICTURES).is_dir():
        raise InputError(f"{root} holds no complete data set; upload the images again")
    try:
        # Without a value for anything in between: a hostile file gets no memory for what is not asked for.
        described = _Described.model_validate_json(read_file(manifest, LIMITS.manifest_bytes))
        dataset = Dataset(**dict(described), root=root)
        stored = {entry.name for entry in os.scandir(root / PICTURES) if entry.stat().st_size > 0}
    except (OSError, Refused, ValueError) as error:
        raise InputError(f"{manifest} cannot be read or is damaged; upload the images again") from error
    if dataset_id(dataset.pictures) != dataset.id:
        raise InputError(f"{manifest} was changed after it was written; upload the pictures again")
    missing = [picture.name for picture in dataset.pictures if f"{picture.id}.png" not in stored]
    if missing:
        raise InputError(f"{root} lacks {len(missing)} of its pictures ({missing[0]}, ...); upload the pictures again")
    return dataset
