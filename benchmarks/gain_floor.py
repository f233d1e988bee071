"""Coverage of intervals of faithfulness by the floor of the gain, as the table of docs/statistics.md.

    PYTHONPATH=. python benchmarks/gain_floor.py RUN [--draws 20000]

The images of a finished run are resampled; the mean of all that are above the floor is the truth.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.evaluation.gains import KEY, gain_of
from core.runs import Run
from core.statistics.intervals import mean_bounds

SIZES = (12, 24)
PARTS = (0.0, 0.25, 1 / 3, 0.4, 0.5, 0.6)


def coverage(values: NDArray[np.float64], n: int, draws: int) -> float:
    """How often in 100 the interval of n resampled values holds their mean."""
    known = values[~np.isnan(values)]
    low, high = mean_bounds(np.random.default_rng(n).choice(known, size=(draws, n)))
    return 100 * float(((low <= known.mean()) & (known.mean() <= high)).mean())


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--draws", type=int, default=20000)
    asked = parser.parse_args()
    rows = Run(asked.run).results()
    rows = rows[rows["faithfulness"].notna()].assign(gain=gain_of(rows))
    median = float(rows.drop_duplicates(KEY)["gain"].median())
    print("| floor, part of the median gain | pairs | images | values | n = 12 | n = 24 |\n|---|---|---|---|---|---|")
    for part in PARTS:
        left = rows[rows["gain"] >= part * median]
        wide = left.pivot_table(index="image", columns=["kind", "method"], values="faithfulness").astype(float)
        own, others = wide["method"], wide["control"]
        of = {"means": [own[name] for name in own]}
        # Differences on the same pairs: an image has all methods or none.
        of["differences"] = [own[name] - others[control] for name in own for control in others]
        for title, values in of.items():
            cells = []
            for n in SIZES:
                found = [coverage(one.to_numpy(), n, asked.draws) for one in values]
                inside = sum(93 <= one <= 97 for one in found)
                cells.append(f"{np.median(found):.1f} [{min(found):.1f}, {max(found):.1f}], {inside}/{len(found)}")
            pairs, images = len(left.drop_duplicates(KEY)), left["image"].nunique()
            print(f"| {part:.2f} | {pairs} | {images} | {title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
