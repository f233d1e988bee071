"""How well maps find objects whose outlines are known: methods and controls on one or more models.

    python benchmarks/localisation.py --coco DIR --models demo-cnn demo-vit [--methods raw gradcam ...] [--limit 60]

COCO: `images/` and `annotations.json` with polygons. A pair is a picture and a category whose objects fill 3 to 50 %
of the picture; its text is "a photo of a {category}.". Prints one JSON object: per model and method the pointing game,
energy and overlap at the true area, 95 % bootstrap intervals over pictures, and the same for controls (random, centre,
edge, and the text-independent map: the mean over the other texts of the benchmark, which is what the picture attracts
whatever is asked). `seconds` is only for orientation.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core import explain, load_model
from core.evaluation.controls import control_maps
from core.evaluation.localisation import MEASURES
from core.evaluation.statistics import bootstrap_mean
from core.methods import METHODS
from core.models.model import Model

TEXT = "a photo of a {}."
SMALLEST, LARGEST = 0.03, 0.50
METHOD_NAMES = ("raw", "clip_surgery", "gradcam", "gae", "legrad", "rise")
Pair = tuple[str, NDArray[np.bool_]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["demo"])
    parser.add_argument("--methods", nargs="+", default=list(METHOD_NAMES))
    parser.add_argument("--rise-masks", type=int, default=300)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--weights", help="other weights for the configuration named by --models")
    chosen = parser.parse_args()
    pictures = read(chosen.coco, chosen.limit)
    told: dict[str, Any] = {"pictures": len(pictures), "pairs": sum(len(pairs) for _, pairs in pictures)}
    options = {"rise": {"masks": chosen.rise_masks}}
    for name in chosen.models:
        model = load_model(name, weights=chosen.weights)
        able = [m for m in chosen.methods if METHODS[m].reasons(model.capabilities).get("image", "no") is None]
        told[name] = {method: measured(model, method, pictures, options.get(method, {})) for method in able}
        told[name] |= controls(model, pictures)
    print(json.dumps(told, indent=1))


def read(folder: Path, limit: int | None) -> list[tuple[Path, list[Pair]]]:
    """Pictures with the categories that fill enough of them, each with its region."""
    raw = json.loads((folder / "annotations.json").read_text())
    names = {entry["id"]: entry["name"] for entry in raw["categories"]}
    outlines: dict[int, dict[int, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for entry in raw["annotations"]:
        if not entry["iscrowd"]:
            outlines[entry["image_id"]][entry["category_id"]] += entry["segmentation"]
    found = []
    for image in sorted(raw["images"], key=lambda entry: entry["id"]):
        pairs = []
        for category, polygons in sorted(outlines[image["id"]].items()):
            canvas = Image.new("1", (image["width"], image["height"]))
            for polygon in polygons:
                ImageDraw.Draw(canvas).polygon(polygon, fill=1)
            region = np.asarray(canvas)
            if SMALLEST <= region.mean() <= LARGEST:
                pairs.append((names[category], region))
        if pairs:
            found.append((folder / "images" / image["file_name"], pairs))
    return found[:limit]


def measured(
    model: Model, method: str, pictures: list[tuple[Path, list[Pair]]], options: dict[str, Any]
) -> dict[str, Any]:
    """One method on every pair."""
    began = time.perf_counter()
    values: dict[str, list[float | None]] = {name: [] for name in MEASURES}
    groups: list[int] = []
    for number, (path, pairs) in enumerate(pictures):
        got = explain(model, [path], [TEXT.format(name) for name, _ in pairs], method=method, **options)
        assert got.image is not None
        for values_of_pair, (_, region) in zip(got.image[0], pairs, strict=True):
            note(values, got.geometry[0].on_original(values_of_pair), region)
            groups.append(number)
    return shown(values, groups) | {"seconds": round(time.perf_counter() - began, 1)}


def controls(model: Model, pictures: list[tuple[Path, list[Pair]]]) -> dict[str, Any]:
    """The controls on every pair. The text-independent map is of raw similarity, where the model has it."""
    every = sorted({name for _, pairs in pictures for name, _ in pairs})
    found: dict[str, dict[str, list[float | None]]] = defaultdict(lambda: {name: [] for name in MEASURES})
    groups: list[int] = []
    for number, (path, pairs) in enumerate(pictures):
        raw = explain(model, [path], [TEXT.format(name) for name in every], method="raw")
        assert raw.image is not None
        pixels = model.preprocess([path])[0][0]
        maps = control_maps(pixels, *raw.image.shape[-2:], torch.Generator().manual_seed(number))
        known = {name: values.numpy() for name, values in maps.items()}
        for name, region in pairs:
            others = [index for index, other in enumerate(every) if other != name]
            known["text-independent"] = raw.image[0][others].mean(axis=0)
            for control, values in known.items():
                note(found[control], raw.geometry[0].on_original(values), region)
            groups.append(number)
    return {f"control: {name}": shown(values, groups) for name, values in found.items()}


def note(values: dict[str, list[float | None]], over: NDArray[Any], region: NDArray[np.bool_]) -> None:
    """Add the measures of one map."""
    for name, measure in MEASURES.items():
        values[name].append(measure(over, region))


def shown(values: dict[str, list[float | None]], groups: list[int]) -> dict[str, Any]:
    """Each measure as mean, low, high over pictures, and n."""
    table: dict[str, Any] = {}
    for name, listed in values.items():
        got = bootstrap_mean(np.array([np.nan if v is None else v for v in listed]), np.array(groups))
        table[name] = [None if v is None else round(v, 3) for v in (got.value, got.low, got.high)]
        table["n"] = got.n
    return table


if __name__ == "__main__":
    main()
