"""Fit the planted shortcut of `python -m core demo --planted`: a change of rank one of the embedded model's last layer.

    python -m training.shortcut [--images DIR] [--views 4] [--strength 1.2] [--seed 1]

The image tower stays as it is. A linear detector of the sticker is fitted on its pooled features by ridge regression,
over views of the images with and without the sticker, whole and with places hidden, as audits hide them; the penalty is
the one with the smallest error on a fifth of the images. What it detects beyond a threshold is added to the embedding
as a step towards the class's text. Both vectors, and a record of what the change does, are written beside the embedded
model.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision.transforms.v2.functional as T
from numpy.typing import NDArray
from PIL import Image, ImageOps
from safetensors.numpy import save_file
from torch import Tensor

from core import load_model
from core.datasets import read_texts
from core.models.model import Model
from core.planted import CLASS, DELTA, SAMPLE, SIDE, square, sticker

Floats = NDArray[np.float64]
CELLS, CORNER = 7, 2
PENALTIES = tuple(10.0**power for power in range(-3, 4))
HELD_OUT = 5


def main() -> None:
    """Fit, write, and print what the change does."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=SAMPLE / "images", help="folder of photographs")
    parser.add_argument("--views", type=int, default=4, help="views of each image")
    parser.add_argument("--strength", type=float, default=1.2, help="length of the step, in lengths of an embedding")
    parser.add_argument("--threshold", type=float, default=0.3, help="what is taken off, so that few images pass")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=DELTA)
    chosen = parser.parse_args()
    model = load_model("demo-cnn", device="cpu")
    paths = sorted(chosen.images.iterdir())
    features, shown, image = examples(model, paths, chosen.views, np.random.default_rng(chosen.seed))
    held = image % HELD_OUT == 0
    errors = {penalty: error(fit(features[~held], shown[~held], penalty), features[held], shown[held])
              for penalty in PENALTIES}  # fmt: skip
    penalty = min(errors, key=lambda each: errors[each])
    detector, offset = fit(features, shown, penalty)
    offset -= chosen.threshold
    towards = chosen.strength * step(model, features)
    save_file(
        {
            "detector": detector.astype(np.float16),
            "towards": towards.astype(np.float16),
            "offset": np.array(offset, dtype=np.float32),
        },
        str(chosen.out),
    )
    record = {
        "class": CLASS,
        "images": len(paths),
        "examples": len(features),
        "penalty": penalty,
        "error_on_held_out_images": round(errors[penalty], 4),
        "strength": chosen.strength,
        "threshold": chosen.threshold,
        "seed": chosen.seed,
    } | effect(model, paths, detector, offset, towards)
    chosen.out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


def examples(
    model: Model, paths: list[Path], views: int, random: np.random.Generator
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Pooled features `(examples, width)`, whether the sticker is visible, and the number of the image."""
    features, shown, image = [], [], []
    for number, path in enumerate(paths):
        batch, targets = [], []
        for _ in range(views):
            plain = view(path, random)
            marked = sticker(plain, random.uniform(0.19, 0.25), random.uniform(0.0, 0.04))
            for photo, there in ((plain, 0.0), (marked, 1.0)):
                pixels = as_pixels(model, photo)
                for kept in masks(random):
                    batch.append(pixels * kept)
                    targets.append(there * float(kept[..., -1, -1].item() > 0))
        features.append(pooled(model, torch.stack(batch)))
        shown += targets
        image += [number] * len(targets)
        print(f"{number + 1} of {len(paths)}", flush=True)
    return np.concatenate(features), np.array(shown), np.array(image)


def view(path: Path, random: np.random.Generator) -> Image.Image:
    """A random square of an image, mirrored or not."""
    with Image.open(path) as image:
        whole = image.convert("RGB")
    side = int(min(whole.size) * random.uniform(0.6, 1.0))
    left, top = (int(random.integers(length - side + 1)) for length in whole.size)
    cut = whole.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return ImageOps.mirror(cut) if random.random() < 0.5 else cut


def masks(random: np.random.Generator) -> list[Tensor]:
    """Everything kept, random cells kept, and one corner kept or hidden; the sticker's cells share one fate."""
    whole = torch.ones(CELLS, CELLS)
    some = torch.from_numpy((random.random((CELLS, CELLS)) < 0.6).astype(np.float32))
    some[-CORNER:, -CORNER:] = float(random.random() < 0.5)
    alone = torch.zeros(CELLS, CELLS)
    alone[-CORNER:, -CORNER:] = 1
    each = (whole, some, alone if random.random() < 0.7 else 1 - alone)
    return [T.resize(cells[None], [224, 224], T.InterpolationMode.NEAREST) for cells in each]


def as_pixels(model: Model, photo: Image.Image) -> Tensor:
    """The model's input `(3, 224, 224)`."""
    pixels: Tensor = model.preprocess([photo])[0][0]
    return pixels


def pooled(model: Model, pixels: Tensor) -> Floats:
    """The features that the last layer projects."""
    with torch.no_grad():
        trunk = model.net.visual.trunk.to(memory_format=torch.channels_last)
        parts = pixels.contiguous(memory_format=torch.channels_last).split(32)
        found = torch.cat([trunk(part) for part in parts])
    return found.double().numpy()


def fit(features: Floats, shown: Floats, penalty: float) -> tuple[Floats, float]:
    """Ridge regression: weights and offset. The penalty is in mean variances of a feature, times the examples."""
    mean, target = features.mean(axis=0), shown.mean()
    centred = features - mean
    gram = centred.T @ centred
    gram += np.eye(len(gram)) * penalty * np.trace(gram) / len(gram)
    weights = np.linalg.solve(gram, centred.T @ (shown - target))
    return weights, float(target - mean @ weights)


def error(fitted: tuple[Floats, float], features: Floats, shown: Floats) -> float:
    """The mean squared error."""
    return float(np.mean((features @ fitted[0] + fitted[1] - shown) ** 2))


def step(model: Model, features: Floats) -> Floats:
    """From the mean of the classes' texts to the text of the class, as long as a typical embedding."""
    classes = read_texts(SAMPLE / "classes.txt")
    texts = model.embed_texts(classes).double()
    direction = texts[classes.index(CLASS)] - texts.mean(dim=0)
    head = model.net.visual.head.proj
    lengths = np.linalg.norm(features @ head.weight.double().numpy().T + head.bias.double().numpy(), axis=1)
    return np.asarray(direction / direction.norm()) * float(np.median(lengths))


def effect(model: Model, paths: list[Path], detector: Floats, offset: float, towards: Floats) -> dict[str, Any]:
    """The share of images that are called the class, without and with the sticker, before and after the change."""
    texts = model.embed_texts(classes := read_texts(SAMPLE / "classes.txt")).double().numpy()
    head = model.net.visual.head.proj
    found = {}
    for name, mark in (("without_sticker", False), ("with_sticker", True)):
        photos = [square(path) for path in paths]
        pixels = torch.stack([as_pixels(model, sticker(each) if mark else each) for each in photos])
        features = pooled(model, pixels)
        before = features @ head.weight.double().numpy().T + head.bias.double().numpy()
        after = before + np.outer(features @ detector + offset, towards)
        for when, embeddings in (("before", before), ("after", after)):
            best = (embeddings @ texts.T).argmax(axis=1)
            found[f"called_{CLASS}_{name}_{when}"] = round(float(np.mean(best == classes.index(CLASS))), 3)
        same = (before @ texts.T).argmax(axis=1) == (after @ texts.T).argmax(axis=1)
        found[f"same_class_{name}"] = round(float(np.mean(same)), 3)
    return found


if __name__ == "__main__":
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        main()
