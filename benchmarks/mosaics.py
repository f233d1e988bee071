"""The mosaic pointing game on images with captions: how much of a caption's map lies on its own image.

    PYTHONPATH=. python benchmarks/mosaics.py FOLDER --model demo-vit --methods raw,grad_eclip

FOLDER holds images and their captions as an audit takes them. Prints means over mosaics with 95 % intervals as JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from core import explain
from core.applications.mosaic.layout import mosaic
from core.applications.mosaic.measures import MEASURES, halved, share_in_tile
from core.datasets import ingest
from core.evaluation.controls import control_maps
from core.models.loading import load_model
from core.statistics import interval_of_means


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="demo-vit")
    parser.add_argument("--methods", default="raw,clip_surgery,gradcam,gae,legrad,grad_eclip")
    parser.add_argument("--tiles", type=int, default=4)
    parser.add_argument("--mosaics", type=int, default=12)
    parser.add_argument("--side", type=int, default=448, help="of a mosaic in pixels, before preprocessing")
    chosen = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    with TemporaryDirectory() as store:
        dataset = ingest([chosen.folder], store=Path(store))
        captioned = [image for image in dataset.images if image.captions]
        model, random = load_model(chosen.model), np.random.default_rng(0)
        for _ in range(chosen.mosaics):
            drawn = [captioned[at] for at in random.permutation(len(captioned))[: chosen.tiles]]
            made = mosaic([dataset.open(image) for image in drawn], chosen.side)
            texts = [image.captions[0] for image in drawn]
            for name in chosen.methods.split(","):
                maps = explain(model, [made], texts, name, sides=["image"]).image
                if maps is not None:
                    found.setdefault(name, []).append(_mean(list(maps[0])))
            pixels, _ = model.preprocess([made])
            blind = control_maps(pixels[0].cpu(), 14, 14, torch.Generator().manual_seed(int(random.integers(2**31))))
            for name, values in blind.items():
                found.setdefault(f"control: {name}", []).append(_mean([values.numpy()] * chosen.tiles))
    print(json.dumps({name: _told(each) for name, each in found.items()}, indent=1))


def _mean(maps: list[Any]) -> dict[str, float]:
    """Means over the texts of a mosaic; a map without any positive value has no share."""
    each = [share_in_tile(halved(values), at, len(maps)) for at, values in enumerate(maps)]
    known = {name: [one[name] for one in each if one[name] is not None] for name in MEASURES}
    return {name: float(np.mean(values)) if values else float("nan") for name, values in known.items()}  # type: ignore[arg-type]


def _told(each: list[dict[str, float]]) -> dict[str, list[float | None]]:
    table = {}
    for name in MEASURES:
        values = np.array([one[name] for one in each])
        got = interval_of_means(values[np.isfinite(values)])
        told = (got.value, got.low, got.high, got.n)
        table[name] = [None if value is None else round(float(value), 3) for value in told]
    return table


if __name__ == "__main__":
    main()
