"""Label maps: PNG files whose pixels are the numbers of regions, one for each image, as segmentation tools write them.

A label map belongs to the image with the same file name but for the ending (`a.png` or `a.jpg.png` to `a.jpg`). 0 is
what is not labelled; every other number is one region, named in `labels.csv` (columns `number` and `name`) beside the
maps, otherwise by its number. Each file is decoded in a child with limits, and the result is kept as annotations.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from core.characters import brief
from core.datasets.annotations import Annotations, read_annotations
from core.datasets.bounds import Refused
from core.datasets.coco import Coco, Drawn, base_name, written_coco
from core.datasets.dataset import Dataset
from core.datasets.opening import opened
from core.datasets.pillow import open_whole
from core.datasets.run_lengths import packed_runs, unpacked_runs
from core.datasets.sheets import read_sheet
from core.datasets.sources import Upload
from core.errors import InputError
from core.sandbox import named_file
from core.settings import LIMITS, Limits

ENDING = ".png"
NAMES = "labels.csv"
# Grey, palette and 16-bit files hold one number a pixel.
MODES = ("1", "L", "P", "I", "I;16", "I;16B")
_MOST_ANSWER = 64 * 2**20


def read_label_maps(folder: Path, dataset: Dataset, limits: Limits = LIMITS) -> Annotations:
    """The label maps of the images of a dataset as annotations; `original` is the SHA-256 of all maps in a row.

    Raises `InputError` in one line for a file that is no label map, or if none belongs to an image.
    """
    names = _names(folder / NAMES, limits)
    maps = sorted(path for path in folder.iterdir() if path.suffix.lower() == ENDING)
    if len(maps) > limits.files:
        raise InputError(f"{folder.name} contains more than {limits.files:,} label maps; keep those of this dataset")
    bases = [base_name(image.name) for image in dataset.images]
    stems = Counter(PurePosixPath(base).stem for base in set(bases))
    sizes: dict[str, tuple[int, int]] = {}
    objects: dict[str, list[Drawn]] = {}
    digest = hashlib.sha256()
    for path in maps:
        base = _image_of(path, bases, stems)
        if base is None:
            continue
        data, sizes[base], regions = _opened(path, limits)
        digest.update(data)
        height, width = sizes[base][::-1]
        objects[base] = [
            Drawn(names.get(number, f"region {number}").casefold(), float(area), False, _shape(height, width, runs))
            for number, area, runs in regions
        ]
    if not any(objects.values()):
        raise InputError(
            f"{folder.name} contains no label map of an image of this dataset; name each as its image, with the ending "
            f"{ENDING}"
        )
    found = Coco(sizes, {base: drawn for base, drawn in objects.items() if drawn}, (), digest.hexdigest())
    return read_annotations(Upload(folder.name, written_coco(found)), limits)


def label_map(data: bytes, limits: dict[str, Any]) -> tuple[Any, bytes]:
    """Task: width and height of a label map, and of each number above 0 its area and its packed run lengths."""
    bounds = Limits(**limits)
    try:
        with open_whole(io.BytesIO(data), ("PNG",)) as image:
            if max(image.size) > bounds.side or image.width * image.height > bounds.pixels:
                raise Refused("is larger than an image may be; scale it down")
            if image.mode not in MODES:
                raise Refused("is a colour image; save it as a label map, with one number for each pixel")
            values = np.asarray(image).astype(np.int64)
    except (Refused, MemoryError):
        raise
    except UnidentifiedImageError:
        raise Refused("is not a PNG file; export it again") from None
    except Exception as error:  # A decoder may fail in any way on damaged or hostile bytes: the file is refused.
        raise Refused(f"is damaged and cannot be decoded ({type(error).__name__}); export it again") from error
    found = []
    for number in np.unique(values[values > 0]).tolist():
        runs = run_lengths(values == number)
        if len(runs) > bounds.drawn_numbers:
            raise Refused("has regions with more edges than are accepted; smooth them")
        found.append([int(number), int((values == number).sum()), packed_runs(runs)])
    return [values.shape[1], values.shape[0], found], b""


def run_lengths(mask: NDArray[np.bool_]) -> list[int]:
    """The run lengths of a mask `(height, width)`, column by column, those outside first; see `run_lengths.mask_of`."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(np.int8))) + 1
    bounds = np.concatenate([[0], edges, [len(flat)]])
    runs: list[int] = np.diff(bounds).tolist()
    return [0, *runs] if flat[0] else runs


def _shape(height: int, width: int, runs: str) -> dict[str, Any]:
    return {"size": [height, width], "counts": unpacked_runs(runs)}


def _opened(path: Path, limits: Limits) -> tuple[bytes, tuple[int, int], list[tuple[int, int, str]]]:
    """The bytes of a label map, its size (width, height), and of each number its area and packed run lengths."""
    title = brief(path.name, 80)
    try:
        data = named_file(path, limits.file_bytes)
        width, height, listed = opened(label_map, _MOST_ANSWER, limits, dataclasses.asdict(limits), data=data).value
        regions = [(int(number), int(area), str(runs)) for number, area, runs in listed]
        for _, _, runs in regions:
            unpacked_runs(runs)
        return data, (int(width), int(height)), regions
    except Refused as refused:
        raise InputError(f"{title} {refused}") from refused
    except (TypeError, ValueError) as error:
        raise InputError(f"{title} cannot be read as a label map; save it again") from error


def _names(path: Path, limits: Limits) -> dict[int, str]:
    if not path.exists():
        return {}
    found: dict[int, str] = {}
    for number, cells in read_sheet(path, ("number", "name"), limits):
        if not cells["number"].strip().isdecimal() or not cells["name"].strip():
            raise InputError(f"{NAMES}, row {number}: give a whole number and a name")
        found[int(cells["number"])] = cells["name"]
    return found


def _image_of(path: Path, bases: list[str], stems: Counter[str]) -> str | None:
    """The image that a label map belongs to: of its name, of its name without the ending, or of the same stem."""
    for name in (path.name, path.stem):
        if name in bases:
            return name
    if stems[path.stem] == 1:
        return next(base for base in bases if PurePosixPath(base).stem == path.stem)
    return None
