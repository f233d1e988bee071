"""A set of captioned photographs with class names, chosen by stated rules, as files that a person would bring."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

QUALITY = 92
LIGHT = "light"
DAY, NIGHT = "day", "night"


@dataclass(frozen=True)
class Captioned:
    """Files by name, one caption and one value of the column `light` for each image, and class names.

    `night` holds the images whose column says so: in a clean set it says nothing about the pixels.
    """

    files: Mapping[str, bytes]
    captions: Mapping[str, str]
    night: frozenset[str]
    classes: tuple[str, ...]

    def with_files(self, files: Mapping[str, bytes]) -> Captioned:
        """The same set with these files replaced or added."""
        return replace(self, files={**self.files, **files})


def captioned(folder: Path, count: int, classes: int, seed: int) -> Captioned:
    """`count` captioned images of a folder of COCO images, drawn at random; a random third is called night.

    Each has its first caption. Classes are the `classes` categories that are the largest object of the most of these
    images (sum of the areas of a category; ties by name). Raises `ValueError` if there are too few images.
    """
    record = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    texts: dict[int, str] = {}
    for row in sorted(record["captions"], key=lambda row: row["id"]):
        texts.setdefault(row["image_id"], row["caption"].strip())
    known = sorted((row for row in record["images"] if row["id"] in texts), key=lambda row: row["file_name"])
    if len(known) < count:
        raise ValueError(f"{len(known)} images have captions; {count} are needed")
    generator = np.random.default_rng(seed)
    rows = [known[at] for at in sorted(generator.choice(len(known), count, replace=False))]
    files = {row["file_name"]: (folder / "images" / row["file_name"]).read_bytes() for row in rows}
    night = generator.choice(sorted(files), round(count / 3), replace=False)
    return Captioned(
        files,
        {row["file_name"]: texts[row["id"]] for row in rows},
        frozenset(map(str, night)),
        leading_classes(record, {row["id"] for row in rows}, classes),
    )


def leading_classes(record: Mapping[str, Any], images: set[int], count: int) -> tuple[str, ...]:
    """The `count` categories that cover the largest area of the most images."""
    names = {row["id"]: row["name"] for row in record["categories"]}
    areas: dict[int, Counter[str]] = {image: Counter() for image in images}
    for row in record["annotations"]:
        if row["image_id"] in areas:
            areas[row["image_id"]][names[row["category_id"]]] += row["area"]
    leading = Counter(min(own, key=lambda name: (-own[name], name)) for own in areas.values() if own)
    return tuple(sorted(leading, key=lambda name: (-leading[name], name))[:count])


def write_set(made: Captioned, folder: Path) -> Path:
    """The images in `folder`, and `captions.csv` and `classes.txt` beside it; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in made.files.items():
        (folder / name).write_bytes(content)
    with (folder.parent / "captions.csv").open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["image", "caption", LIGHT])
        for name in made.files:
            rows.writerow([name, made.captions.get(name, ""), NIGHT if name in made.night else DAY])
    (folder.parent / "classes.txt").write_text("\n".join(made.classes) + "\n", encoding="utf-8")
    return folder


def opened(content: bytes) -> Image.Image:
    """The pixels of a file, RGB."""
    return Image.open(io.BytesIO(content)).convert("RGB")


def saved(image: Image.Image, quality: int = QUALITY) -> bytes:
    """The image as JPEG."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()
