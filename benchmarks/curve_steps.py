"""How far the areas under deletion and insertion curves in few steps are from those that remove one cell at a time.

    PYTHONPATH=. python benchmarks/curve_steps.py --images FOLDER [--count 4] [--seed 0] [--model demo-vit]

`--images` holds `annotations.json` (COCO: images, captions, annotations, categories) and `images/`. Each image is
explained with its caption and one class by `METHODS`; a random order is added. The table compares steps spread evenly
with those of `core.evaluation.curve_shares`: the root mean square error of faithfulness and of deletion, in the unit of
the measure, over pairs with a rise of at least 0.03.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.photographs.sets import captioned
from core import load_model
from core.attribution.contract import Work
from core.attribution.explain import attribute
from core.evaluation.curve_shares import cell_counts
from core.evaluation.curves import area, curves
from core.models.model import Model
from core.models.pool import CoalitionPool
from core.models.trunk import ImageTrunk, TextTrunk

METHODS = ("raw", "m2ib", "gradcam", "clip_surgery", "grad_eclip", "gae", "sclip", "input_gradient")
STEPS = (16, 12, 10, 9, 8, 5)
LEAST = 0.03

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Pair:
    """The two curves of one map, one cell at a time."""

    deletion: Values
    insertion: Values

    def areas(self, counts: Sequence[int]) -> tuple[float, float]:
        """Faithfulness and deletion area, measured at these numbers of cells only."""
        at = np.array(counts)
        hidden, full = float(self.deletion[-1]), float(self.deletion[0])
        down, up = (area(curve[at], at / at[-1], hidden, full) for curve in (self.deletion, self.insertion))
        assert down is not None and up is not None
        return up - down, down


def even(cells: int, steps: int) -> list[int]:
    """Numbers of cells in even steps."""
    return [round(cells * step / steps) for step in range(steps + 1)]


def pairs_of(model: Model, image: Image.Image, texts: list[str], seed: int) -> list[Pair]:
    """The curves of each method and text, and of a random order, with a point for each cell."""
    pixels, geometry = model.preprocess([image])
    work = Work(model, ImageTrunk(model, pixels), TextTrunk(model, texts), seed)
    maps: dict[tuple[str, int], Values] = {}
    for method in METHODS:
        found = attribute(work, method, geometry, sides=("image",)).image
        assert found is not None
        maps |= {(method, text): np.asarray(found[0][text]) for text in range(len(texts))}
    pool = CoalitionPool(model, pixels[0])
    cells = int(np.prod(pool.token_grid))
    maps["random", 0] = np.random.default_rng(seed).random(pool.token_grid)
    every = curves(pool, maps, work.texts.embeddings, steps=cells * 4)
    # Four times as many steps as cells name each number of cells at least once, also at the ends.
    first = np.unique(np.array(cell_counts(cells, cells * 4)), return_index=True)[1]
    whole = [Pair(one.deletion[first], one.insertion[first]) for one in every.values()]
    return [pair for pair in whole if pair.deletion[0] - pair.deletion[-1] >= LEAST]


def table(pairs: Sequence[Pair]) -> str:
    """The errors by number of steps, evenly spread and as in the product."""
    cells = len(pairs[0].deletion) - 1
    exact = np.array([pair.areas(range(cells + 1)) for pair in pairs])
    lines = [
        f"{len(pairs)} curves of {cells} cells; faithfulness has a standard deviation of {exact[:, 0].std():.2f}.",
        "",
        "| steps | faithfulness, even steps | closer at the ends | deletion, even steps | closer at the ends |",
        "|---|---|---|---|---|",
    ]
    for steps in STEPS:
        ways = (even(cells, steps), cell_counts(cells, steps))
        spread, closer = (
            np.sqrt(np.mean((np.array([pair.areas(way) for pair in pairs]) - exact) ** 2, axis=0)) for way in ways
        )
        lines.append(f"| {steps} | {spread[0]:.3f} | {closer[0]:.3f} | {spread[1]:.3f} | {closer[1]:.3f} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="demo-vit")
    chosen = parser.parse_args(arguments)
    model = load_model(chosen.model)
    given = captioned(chosen.images, chosen.count, 1, chosen.seed)
    pairs: list[Pair] = []
    for name, content in given.files.items():
        with Image.open(io.BytesIO(content)) as image:
            pairs += pairs_of(model, image.convert("RGB"), [given.captions[name], *given.classes], chosen.seed)
    print(table(pairs))


if __name__ == "__main__":
    main()
