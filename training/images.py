"""The images a student image tower learns from, and the views of them that teacher and student both see."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path

import numpy as np
import torch
import torchvision.transforms.v2.functional as T
from PIL import Image
from torch import Tensor

Box = tuple[int, int, int, int]  # top, left, height, width
SMALLEST = 0.35


def load(archives: list[Path]) -> tuple[list[str], list[Tensor]]:
    """Names and pixels `(3, rows, columns)`, uint8, of every image in the archives, sorted by name."""
    names: list[str] = []
    pixels: list[Tensor] = []
    for archive in archives:
        with zipfile.ZipFile(archive) as file:
            for name in sorted(file.namelist()):
                if name.lower().endswith((".jpg", ".jpeg")) and "__MACOSX" not in name:
                    with Image.open(io.BytesIO(file.read(name))) as image:
                        array = np.asarray(image.convert("RGB"))
                    names.append(name)
                    pixels.append(torch.from_numpy(array.copy()).permute(2, 0, 1))
    return names, pixels


def view_box(rows: int, columns: int, index: int, view: int) -> Box:
    """The crop of view number `view` of image number `index`: view 0 is the centre square, others are random."""
    if view == 0:
        side = min(rows, columns)
        return (rows - side) // 2, (columns - side) // 2, side, side
    chance = np.random.default_rng((index, view))
    area = rows * columns * chance.uniform(SMALLEST, 1.0)
    shape = math.exp(chance.uniform(math.log(3 / 4), math.log(4 / 3)))
    height = min(rows, max(8, round(math.sqrt(area / shape))))
    width = min(columns, max(8, round(math.sqrt(area * shape))))
    return int(chance.integers(rows - height + 1)), int(chance.integers(columns - width + 1)), height, width


def cut(pixels: Tensor, box: Box, size: int) -> Tensor:
    """The crop at `size` x `size`, values in 0..1."""
    resized = T.resized_crop(pixels, *box, [size, size], T.InterpolationMode.BICUBIC, antialias=True)
    return resized.float() / 255


def normalised(batch: Tensor, mean: list[float], std: list[float]) -> Tensor:
    """Pixels as a model expects them."""
    return (batch - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
