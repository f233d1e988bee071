"""What is truly in a picture, where somebody said so: annotations in COCO's form, or a metadata column. No torch."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core.datasets import Picture
from core.errors import InputError

BACKGROUND, IGNORED = 0, -1


@dataclass(frozen=True)
class Truth:
    """Drawn objects by the base name of their picture. A picture without any is unknown, not empty: such files don't
    tell the two apart.
    """

    sizes: dict[str, tuple[int, int]]
    objects: dict[str, list[dict[str, Any]]]

    def labels(self, picture: Picture) -> set[str] | None:
        """The names of what is drawn in a picture, in small letters; None if nothing is known."""
        drawn = self.objects.get(_base(picture.name))
        return None if drawn is None else {entry["label"] for entry in drawn}

    def mask(self, picture: Picture, labels: Sequence[str], size: tuple[int, int]) -> NDArray[np.int32] | None:
        """For each pixel of `size` (width, height) the number (from 1) of its label, 0 for anything else and -1 for
        crowds, which nobody can part; None if nothing is known. Where objects overlap, the smaller one counts.
        """
        name = _base(picture.name)
        if name not in self.objects:
            return None
        numbers = {label.casefold(): number for number, label in enumerate(labels, start=1)}
        across, down = (size[0] / self.sizes[name][0], size[1] / self.sizes[name][1])
        # Drawn one higher, because a picture of this kind holds no negative numbers.
        painted = Image.new("I", size, BACKGROUND + 1)
        pen = ImageDraw.Draw(painted)
        for entry in sorted(self.objects[name], key=lambda entry: -entry["area"]):
            value = (IGNORED if entry["crowd"] else numbers.get(entry["label"], BACKGROUND)) + 1
            if isinstance(entry["shape"], dict):
                region = Image.fromarray(_unpacked(entry["shape"])).resize(size, Image.Resampling.NEAREST)
                painted.paste(value, (0, 0), region)
                continue
            for polygon in entry["shape"]:
                corners = [(x * across, y * down) for x, y in zip(polygon[::2], polygon[1::2], strict=True)]
                if len(corners) >= 3:
                    pen.polygon(corners, fill=value)
        return np.asarray(painted, np.int32) - 1


def read_truth(path: str | Path) -> Truth:
    """The annotations in a file of COCO's form. Raises `InputError` if it is none."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        names = {entry["id"]: str(entry["name"]).casefold() for entry in content["categories"]}
        files = {entry["id"]: _base(entry["file_name"]) for entry in content["images"]}
        sizes = {_base(entry["file_name"]): (int(entry["width"]), int(entry["height"])) for entry in content["images"]}
        objects: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for entry in content["annotations"]:
            objects[files[entry["image_id"]]].append(
                {
                    "label": names[entry["category_id"]],
                    "area": float(entry.get("area", 0.0)),
                    "crowd": bool(entry.get("iscrowd", 0)),
                    "shape": _shape(entry),
                }
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} can't be read as annotations in COCO's form: {error!r}") from error
    return Truth(sizes, dict(objects))


def column_labels(picture: Picture, column: str) -> set[str] | None:
    """The labels, in small letters, that a metadata column lists for a picture; None if it says nothing."""
    value = picture.metadata.get(column)
    if value is None:
        return None
    return {part.strip().casefold() for part in str(value).split(";") if part.strip()}


def _shape(entry: dict[str, Any]) -> Any:
    shape = entry.get("segmentation") or []
    if isinstance(shape, dict) and isinstance(shape["counts"], list):
        return shape
    if isinstance(shape, list) and shape:
        return shape
    # Without an outline, or with one in a packed form, the box is all that is known of the place.
    x, y, width, height = (float(value) for value in entry["bbox"])
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def _unpacked(shape: dict[str, Any]) -> NDArray[np.uint8]:
    height, width = (int(side) for side in shape["size"])
    runs = np.asarray(shape["counts"], int)
    # Runs of outside and inside in turn, column by column.
    flat = np.repeat(np.arange(len(runs)) % 2, runs)
    return (flat.reshape(width, height).T * 255).astype(np.uint8)


def _base(name: str) -> str:
    return name.rpartition("/")[2]
