"""Open-vocabulary segmentation against drawn outlines: mean intersection over union on COCO.

    python -m benchmarks.segmentation --coco DIR --models demo-cnn demo-vit [--images 40]

The label set is every category that is drawn in any image, through the 85 templates of CLIP Surgery. Pixels of
nothing drawn and crowds aren't counted. Prints one JSON object: per model and kind of mask the mean over labels of
summed intersection over summed union with a 95 % interval from drawing images. `whole` gives the image to its best
label; `raw` cuts by raw similarity. With `all labels` every label takes part, otherwise only those that have 1 % of the
whole image's softmax. `told` also has a label set that is told beforehand: only what is drawn in the image.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core import load_model
from core.applications.segmentation.card import SegmentationOptions
from core.applications.segmentation.record import mean_overlap
from core.applications.segmentation.work.segmenter import UNSEEN, Segmenter, highest
from core.applications.truth import IGNORED, Truth, read_truth
from core.datasets import DatasetImage
from core.statistics import jackknife
from core.statistics.intervals import SHARE

Counts = dict[str, NDArray[np.int64]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coco", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["demo"])
    parser.add_argument("--images", type=int, help="this many, drawn at random with seed 0")
    chosen = parser.parse_args()
    truth = read_truth(chosen.coco / "annotations.json")
    drawn = {path: truth.labels(_named(path)) for path in sorted((chosen.coco / "images").iterdir())}
    paths = [path for path, labels in drawn.items() if labels]
    if chosen.images:
        order = np.random.default_rng(0).permutation(len(paths))[: chosen.images]
        paths = [paths[at] for at in sorted(order)]
    labels = sorted({label for path in paths for label in drawn[path] or ()})
    told: dict[str, Any] = {"images": len(paths), "labels": len(labels)}
    for name in chosen.models:
        segmenter = Segmenter(load_model(name), labels, SegmentationOptions())
        each = [counted(segmenter, truth, path) for path in paths]
        told[name] = {"map": segmenter.method} | {kind: shown([one[kind] for one in each]) for kind in each[0]}
        print(name, json.dumps(told[name]), file=sys.stderr, flush=True)
    print(json.dumps(told, indent=1))


def counted(segmenter: Segmenter, truth: Truth, path: Path) -> Counts:
    """Intersection, union and true pixels `(3, labels)` of each kind of mask of one image."""
    with Image.open(path) as file:
        image = file.convert("RGB")
    true = truth.mask(_named(path), segmenter.labels, image.size)
    assert true is not None
    return {kind: _counts(mask, true, len(segmenter.labels)) for kind, mask in masks(segmenter, image, np.unique(true))}


def masks(segmenter: Segmenter, image: Image.Image, present: NDArray[Any]) -> Iterator[tuple[str, NDArray[np.int32]]]:
    """The kinds of masks of one image."""
    found = segmenter.image(image)
    everything = np.ones_like(found.shares)
    top = int(np.argmax(found.cosines)) + 1
    yield "own", found.mask
    yield "raw", segmenter.segment(found.raw, found.shares.copy(), found.geometry)
    yield "whole", np.where(found.mask == UNSEEN, UNSEEN, top).astype(np.int32)
    yield "own, all labels", segmenter.segment(found.maps, everything, found.geometry)
    yield "raw, all labels", segmenter.segment(found.raw, everything, found.geometry)
    drawn = present[present > 0] - 1
    best = drawn[int(np.argmax(found.cosines[drawn]))] + 1
    yield "own, told", highest(found.maps, found.geometry, drawn)
    yield "raw, told", highest(found.raw, found.geometry, drawn)
    yield "whole, told", np.where(found.mask == UNSEEN, UNSEEN, best).astype(np.int32)


def shown(each: list[NDArray[np.int64]]) -> list[float | None]:
    """The mean intersection over union with low and high."""
    table = np.stack(each)
    got = jackknife(lambda drawn: mean_overlap(*(table[drawn, which] for which in range(3))), len(each), within=SHARE)
    return [None if value is None else round(value, 3) for value in (got.value, got.low, got.high)]


def _counts(mask: NDArray[np.int32], true: NDArray[np.int32], labels: int) -> NDArray[np.int64]:
    counts = (true > 0) & (true != IGNORED) & (mask != UNSEEN)
    ours, theirs = (np.bincount(values[counts], minlength=labels + 1)[1:] for values in (mask, true))
    both = np.bincount(true[counts & (mask == true)], minlength=labels + 1)[1:]
    return np.stack([both, ours + theirs - both, theirs])


def _named(path: Path) -> DatasetImage:
    # Annotations go by the name; nothing else of the record is read.
    return DatasetImage(id="0" * 16, name=path.name, sha256="", format="JPEG", bytes=0, width=1, height=1)


if __name__ == "__main__":
    main()
