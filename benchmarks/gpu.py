"""Images per second of each method on a GPU, and whether its maps equal those of the CPU.

    PYTHONPATH=. python benchmarks/gpu.py [--images 32] [--methods raw,gradcam] [--model demo-vit]

Without a GPU the same code runs on the CPU alone, each method compared with a repetition of itself: this shows that the
script works, and nothing about a GPU. It then prints "no GPU: not measured" and no speed. Maps are compared by the
largest difference relative to the largest value; forwards with gradient are fp32 on both, so that `TOLERANCE` holds for
them, and `TOLERANCE_BF16` where forwards run in bf16 behind the fidelity gate. Exit code 1: a method differs by more.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from core.attribution.explain import explain
from core.errors import CapabilityError
from core.methods import METHODS
from core.models.loading import load_model
from core.models.model import Model

IMAGES = Path(__file__).parents[1] / "core" / "sample" / "images"
TEXTS = ("an animal", "a building")
TOLERANCE, TOLERANCE_BF16 = 1e-3, 5e-2


@dataclass(frozen=True)
class Result:
    """One method: seconds for all images, and how far its maps are from those of the CPU."""

    method: str
    seconds: float
    difference: float
    most: float

    @property
    def equal(self) -> bool:
        return self.difference <= self.most


def difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The largest difference, relative to the largest value of the second; infinite for other shapes or no number."""
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("inf")
    return float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-12))


def measured(model: Model, reference: Model, method: str, images: list[Path]) -> Result | None:
    """None where the model cannot serve the method."""
    options = METHODS[method].preset("quick")
    try:
        expected = explain(reference, images, TEXTS, method, **options).image
        explain(model, images[:1], TEXTS, method, **options)
    except CapabilityError:
        return None
    _finish(model)
    began = time.perf_counter()
    found = explain(model, images, TEXTS, method, **options).image
    _finish(model)
    seconds = time.perf_counter() - began
    most = TOLERANCE_BF16 if model.bulk.precision == "bf16" else TOLERANCE
    return None if found is None or expected is None else Result(method, seconds, difference(found, expected), most)


def _finish(model: Model) -> None:
    if model.device.type == "cuda":
        torch.cuda.synchronize()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--methods", default=",".join(name for name, info in METHODS.items() if not info.opt_in))
    parser.add_argument("--model", default="demo-vit")
    chosen = parser.parse_args()
    there = torch.cuda.is_available()
    print(torch.cuda.get_device_name() if there else "no GPU: not measured; the script checks itself on the CPU")
    reference = load_model(chosen.model, device="cpu")
    model = load_model(chosen.model, device="cuda") if there else reference
    files = sorted(IMAGES.glob("*.jpg"))
    images = [files[at % len(files)] for at in range(chosen.images)]
    results = [found for name in chosen.methods.split(",") if (found := measured(model, reference, name, images))]
    for one in results:
        speed = f"{len(images) / one.seconds:8.1f} images/s" if there else "not measured"
        verdict = "equal" if one.equal else "DIFFERS"
        print(f"{one.method:22} {speed}  largest difference {one.difference:.1e} (at most {one.most:.0e}): {verdict}")
    return int(not results or not all(one.equal for one in results))


if __name__ == "__main__":
    sys.exit(main())
