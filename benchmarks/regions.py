"""Images in which the region of a text is known, as the benchmarks of maps need them.

COCO: `images/` and `annotations.json` with polygons; a pair is an image and a category whose objects fill 3 to 50 % of
it. X-rays: `images/` and `records.json` with two boxes labelled "right lung" and "left lung" an image; the region is
both boxes together.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core.applications.concepts.boxes import Box
from core.concepts.graph import ConceptGraph

PHOTO, SCAN = "a photo of a {}.", "a photo of {}."
SMALLEST, LARGEST = 0.03, 0.50
LUNGS, LUNG_CONCEPT = "lungs", "lung.n.01"
# What else such an image shows: the label set of the X-rays, and the texts of their text-independent control.
BESIDE_LUNGS = ("a heart", "ribs", "a spine", "shoulders", "a neck", "a stomach", "arms")
# Where the first sense in the everyday vocabulary isn't the one that COCO means.
OTHER_SENSES = {"mouse": "mouse.n.04"}


@dataclass(frozen=True)
class Pair:
    """What is asked of an image: a name, its text, and where it truly is.

    `region` (height, width) and `boxes` (left, top, right, bottom) are in pixels of the image.
    """

    name: str
    text: str
    region: NDArray[np.bool_]
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Scene:
    """An image and its pairs, at least one."""

    path: Path
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Known:
    """Scenes of one kind. `texts` maps every name of the label set, also those that nothing is asked of, to its text;
    `concepts` maps names to synsets of the everyday vocabulary, where there is one.
    """

    scenes: tuple[Scene, ...]
    texts: dict[str, str]
    concepts: dict[str, str]

    def drawn(self, count: int | None, seed: int = 0) -> list[int]:
        """The positions of `count` scenes drawn at random, in order; all of them for None."""
        if count is None or count >= len(self.scenes):
            return list(range(len(self.scenes)))
        return sorted(np.random.default_rng(seed).permutation(len(self.scenes))[:count].tolist())


def read_coco(folder: Path, graph: ConceptGraph) -> Known:
    """The images of COCO in `folder` with the categories that fill enough of them."""
    raw = json.loads((folder / "annotations.json").read_text())
    names = {entry["id"]: entry["name"] for entry in raw["categories"]}
    objects: dict[int, dict[int, list[dict]]] = defaultdict(lambda: defaultdict(list))
    for entry in raw["annotations"]:
        if not entry["iscrowd"]:
            objects[entry["image_id"]][entry["category_id"]].append(entry)
    scenes = []
    for image in sorted(raw["images"], key=lambda entry: entry["id"]):
        pairs = []
        for category, drawn in sorted(objects[image["id"]].items()):
            canvas = Image.new("1", (image["width"], image["height"]))
            for polygon in (polygon for entry in drawn for polygon in entry["segmentation"]):
                ImageDraw.Draw(canvas).polygon(polygon, fill=1)
            region = np.asarray(canvas)
            if SMALLEST <= region.mean() <= LARGEST:
                boxes = tuple(_corners(entry["bbox"]) for entry in drawn)
                pairs.append(Pair(names[category], PHOTO.format(names[category]), region, boxes))
        if pairs:
            scenes.append(Scene(folder / "images" / image["file_name"], tuple(pairs)))
    asked = sorted({pair.name for scene in scenes for pair in scene.pairs})
    senses = {name: OTHER_SENSES.get(name) or _first(graph, name) for name in asked}
    concepts = {name: sense for name, sense in senses.items() if sense is not None}
    return Known(tuple(scenes), {name: PHOTO.format(name) for name in asked}, concepts)


def read_lungs(folder: Path) -> Known:
    """The chest X-rays in `folder`; the region of "lungs" is the two boxes together."""
    scenes = []
    for record in json.loads((folder / "records.json").read_text()):
        boxes = tuple(_corners(entry["xywh"]) for entry in record["boxes"])
        canvas = Image.new("1", (record["width"], record["height"]))
        for left, top, right, bottom in boxes:
            # The drawing includes its last row and column.
            ImageDraw.Draw(canvas).rectangle((left, top, right - 1, bottom - 1), fill=1)
        pair = Pair(LUNGS, SCAN.format(LUNGS), np.asarray(canvas), boxes)
        scenes.append(Scene(folder / "images" / record["file"], (pair,)))
    texts = {name: SCAN.format(name) for name in (LUNGS, *BESIDE_LUNGS)}
    return Known(tuple(scenes), texts, {LUNGS: LUNG_CONCEPT})


def _corners(xywh: list[float]) -> Box:
    left, top, width, height = xywh
    return left, top, left + width, top + height


def _first(graph: ConceptGraph, word: str) -> str | None:
    found = graph.senses(word)
    return graph.concepts[found[0]].name if found else None
