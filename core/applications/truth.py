"""What is truly in an image, where somebody said so: annotations in COCO's form, or a metadata column. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core.datasets import Annotations, DatasetImage, read_annotations
from core.datasets.coco import base_name
from core.datasets.run_lengths import mask_of
from core.errors import InputError

BACKGROUND, IGNORED = 0, -1


@dataclass(frozen=True)
class Truth:
    """Drawn objects of images. An image without any is unknown, not empty: such files don't tell the two apart."""

    annotations: Annotations

    def labels(self, image: DatasetImage) -> set[str] | None:
        """The names of what is drawn in an image, in small letters; None if nothing is known."""
        drawn = self.annotations.of(image)
        return None if drawn is None else {entry.label for entry in drawn}

    def mask(self, image: DatasetImage, labels: Sequence[str], size: tuple[int, int]) -> NDArray[np.int32] | None:
        """For each pixel of `size` (width, height) the number (from 1) of its label, 0 for anything else and -1 for
        crowds, which nobody can part; None if nothing is known. Where objects overlap, the smaller one counts, but a
        box of another label takes nothing away: what of it belongs to its object, nobody drew.
        """
        drawn = self.annotations.of(image)
        if drawn is None:
            return None
        numbers = {label.casefold(): number for number, label in enumerate(labels, start=1)}
        width, height = self.annotations.sizes[base_name(image.name)]
        across, down = size[0] / width, size[1] / height
        # Drawn one higher, because an image of this kind holds no negative numbers.
        painted = Image.new("I", size, BACKGROUND + 1)
        pen = ImageDraw.Draw(painted)
        for entry in sorted(drawn, key=lambda entry: -entry.area):
            if entry.label not in numbers and not entry.crowd and entry.is_box:
                continue
            value = (IGNORED if entry.crowd else numbers.get(entry.label, BACKGROUND)) + 1
            if isinstance(entry.shape, dict):
                inside = mask_of(entry.shape["size"], entry.shape["counts"])
                region = Image.fromarray(inside.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)
                painted.paste(value, (0, 0), region)
                continue
            for polygon in entry.shape:
                pen.polygon(
                    [(x * across, y * down) for x, y in zip(polygon[::2], polygon[1::2], strict=True)], fill=value
                )
        return np.asarray(painted, np.int32) - 1


def read_truth(path: str | Path) -> Truth:
    """The annotations in a file of COCO's form; what of it was left out is listed in their `problems`.

    Raises `InputError` if it is none, or if nothing in it can be used.
    """
    annotations = read_annotations(Path(path))
    if annotations.problems and not annotations.objects:
        raise InputError(f"{path} cannot be used as annotations in COCO format: {annotations.problems[0]}")
    return Truth(annotations)
