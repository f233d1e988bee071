"""Processor time per image that `summary_of` takes for a made run without a model.

    PYTHONPATH=. python benchmarks/summaries.py [--images 5000] [--methods 17] [--texts 2] [--repeats 3]

The rows have maps of four grids with ties, constant maps, values that are not finite, missing maps and missing
measures. The first call is not counted: it loads what SciPy loads late.
"""

from __future__ import annotations

import argparse
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from core.evaluation.summary import summary_of
from core.runs import Plan
from core.runs.results import SCHEMA

GRIDS = ((7, 7), (14, 14), (5, 9), (16, 16))
CONTROLS = ("random", "centre", "edge")
MEASURES = (
    "deletion", "insertion", "faithfulness", "correlation", "sensitivity_n", "infidelity", "relative_drop",
    "confidence_increase", "blur_faithfulness", "road_faithfulness", "comprehensiveness", "sufficiency", "sparseness",
    "entropy", "effective_area",
)  # fmt: skip


def made_rows(images: int, methods: int, texts: int, seed: int = 0) -> pd.DataFrame:
    """Rows as `read_results` returns them: `methods` maps and three controls for each image and text."""
    random = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for at in range(images):
        image = random.bytes(16).hex()
        for text in range(texts):
            pair = {
                "unit": "made",
                "image": image,
                "image_name": f"image-{at:05d}.jpg",
                "text": f"text {text}",
                "text_kind": "class",
                "status": "ok",
                "score": random.normal(0.2, 0.05),
            }
            rows.append({**pair, "kind": "score"})
            common = random.normal(size=(16, 16))
            curve = np.linspace(0.1 + random.exponential(0.2), 0.1, 17)
            pair["deletion_curve"] = curve.astype(np.float32)
            for method in range(methods):
                row = {**pair, "kind": "method", "method": f"method_{method:02d}", **_measures(random)}
                values = _map(common, GRIDS[method % len(GRIDS)], random)
                if values is not None:
                    row |= {"rows": values.shape[0], "columns": values.shape[1], "map": values.ravel()}
                rows.append(row)
            rows += [{**pair, "kind": "control", "method": name, **_measures(random)} for name in CONTROLS]
    frame = pd.DataFrame(rows).reindex(columns=SCHEMA.names)
    single = [field.name for field in SCHEMA if str(field.type) == "float"]
    return frame.astype(dict.fromkeys(single, "float32"))


def _map(common: np.ndarray, grid: tuple[int, int], random: np.random.Generator) -> np.ndarray | None:
    kind = random.random()
    if kind < 0.02:
        return None
    values = common[: grid[0], : grid[1]] + random.normal(size=grid)
    if kind < 0.05:
        values = np.zeros(grid)
    elif kind < 0.06:
        values[0, 0] = np.nan
    elif kind < 0.35:
        values = np.maximum(values, 0)
    elif kind < 0.5:
        values = np.round(values)
    return values.astype(np.float32)


def _measures(random: np.random.Generator) -> dict[str, float]:
    values = random.normal(0.3, 0.5, size=len(MEASURES))
    values[random.random(len(MEASURES)) < 0.05] = np.nan
    return dict(zip(MEASURES, values.tolist(), strict=True))


def made_plan(methods: int) -> Plan:
    """The part of a plan that a summary reads."""
    named: Any = SimpleNamespace(seed=0, methods=[SimpleNamespace(name=f"method_{at:02d}") for at in range(methods)])
    return named  # type: ignore[no-any-return]


def main() -> None:
    """Print milliseconds of processor time per image."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--methods", type=int, default=17)
    parser.add_argument("--texts", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    plan = made_plan(asked.methods)
    summary_of(made_rows(20, asked.methods, asked.texts), plan)
    rows = made_rows(asked.images, asked.methods, asked.texts)
    taken = []
    for _ in range(asked.repeats):
        start = time.process_time()
        summary_of(rows, plan)
        taken.append(1000 * (time.process_time() - start) / asked.images)
    print(f"{asked.images} images, {asked.methods} methods, {asked.texts} texts: {min(taken):.2f} ms per image")


if __name__ == "__main__":
    main()
