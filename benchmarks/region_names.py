"""Does MaskInversion name drawn regions? Accuracy on COCO of four embeddings of a region, with paired differences.

    python -m benchmarks.region_names --coco DIR [--models demo-vit] [--images 40] [--steps 10] [--alpha 0]

The names are all categories that are asked of any image. `learned` is the embedding of MaskInversion, `image` that of
the whole image, `crop` that of the bounding box of the region, `places` the mean of the projected patches inside,
weighted by the share that it covers. Regions outside the part of the image that the model sees are left out. Prints one
JSON object: the share of regions whose first (five) names hold the category, as means over images with 95 % intervals,
and the paired differences to `image`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from benchmarks.regions import Pair, Scene, read_coco
from core import load_model
from core.attribution.contract import Work
from core.attribution.mask_inversion import invert, region_shares
from core.concepts.vocabulary import vocabulary
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.statistics import mean_over_images

WAYS = ("learned", "image", "crop", "places")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["demo-vit"])
    parser.add_argument("--images", type=int, help="this many, drawn at random with seed 0")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--alpha", type=float, default=0.0)
    chosen = parser.parse_args()
    known = read_coco(chosen.coco, vocabulary())
    scenes = known.drawn(chosen.images)
    names = list(known.texts)
    report: dict[str, Any] = {"images": len(scenes), "names": len(names), "steps": chosen.steps, "alpha": chosen.alpha}
    for title in chosen.models:
        model = load_model(title)
        texts = TextTrunk(model, list(known.texts.values()))
        rows: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        fits, owners = [], []
        with model.meter.measuring() as spent:
            for at in scenes:
                found, fit = embeddings(model, texts, known.scenes[at], chosen.steps, chosen.alpha)
                fits += fit
                for pair, each in found:
                    owners.append(at)
                    for way, vector in each.items():
                        order = (texts.embeddings @ vector).argsort(descending=True).tolist()
                        rank = order.index(names.index(pair.name))
                        rows[way].append((float(rank < 1), float(rank < 5)))
                print(f"{title} {at}", file=sys.stderr, flush=True)
        report[title] = shown(rows, np.array(fits), np.array(owners)) | {
            "forwards": round(spent.image / len(owners), 1)
        }
    print(json.dumps(report, indent=1))


def embeddings(
    model: Model, texts: TextTrunk, scene: Scene, steps: int, alpha: float
) -> tuple[list[tuple[Pair, dict[str, Tensor]]], list[tuple[float, float]]]:
    """Each pair with the embeddings of its region by every way, and the fits of the learned one after and before."""
    pixels, (geometry,) = model.preprocess([scene.path])
    work = Work(model, ImageTrunk(model, pixels), texts)
    left, top, right, bottom = (round(edge) for edge in geometry.seen())
    pairs = [pair for pair in scene.pairs if pair.region[top:bottom, left:right].any()]
    if not pairs:
        return [], []
    shares = [region_shares(pair.region, geometry, work.images.grid()) for pair in pairs]
    learned = invert(work, np.stack(shares), steps=steps, alpha=alpha)
    with Image.open(scene.path) as file:
        opened = file.convert("RGB")
    out = []
    for pair, share, one in zip(pairs, shares, learned, strict=True):
        down, across = np.nonzero(pair.region)
        box = (int(across.min()), int(down.min()), int(across.max()) + 1, int(down.max()) + 1)
        weights = torch.as_tensor(share).to(work.images.places).flatten()
        each = {
            "learned": one.embedding,
            "image": work.images.embeddings[0],
            "crop": model.embed_images(model.preprocess([opened.crop(box)])[0])[0],
            "places": F.normalize(weights @ work.images.places[0], dim=0),
        }
        out.append((pair, each))
    return out, [(one.fit, one.fit_before) for one in learned]


def shown(rows: dict[str, list[tuple[float, float]]], fits: Any, owners: Any) -> dict[str, Any]:
    """The table of one model."""
    values = {way: np.array(some) for way, some in rows.items()}
    table: dict[str, Any] = {"regions": len(owners)}
    for way, some in values.items():
        table[way] = {
            "first": interval(some[:, 0], owners),
            "first five": interval(some[:, 1], owners),
            "first, less image": interval(some[:, 0] - values["image"][:, 0], owners),
        }
    return table | {"fit": interval(fits[:, 0], owners), "fit before": interval(fits[:, 1], owners)}


def interval(values: Any, owners: Any) -> list[float | None]:
    """Mean, low and high over images, rounded."""
    got = mean_over_images(values, owners)
    return [None if value is None else round(value, 3) for value in (got.value, got.low, got.high)]


if __name__ == "__main__":
    main()
