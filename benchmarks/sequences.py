"""How often a measure that is looked at while it grows is decided wrongly, as the table of docs/statistics.md.

PYTHONPATH=. python benchmarks/sequences.py [--draws 4000]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.applications.reliance.settled import batches
from core.statistics import mean_bounds
from core.statistics.intervals import corrected_bounds, reach_of
from core.statistics.looks import ALPHA, SPENT
from core.statistics.sequences import betting_bounds, mixture_bounds

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]
MOST = 120
# Mean and values of each shape.
SHAPES: dict[str, tuple[float, Draw]] = {
    "normal": (0.0, lambda random, n: random.normal(size=n)),
    "uniform": (0.5, lambda random, n: random.uniform(size=n)),
    "Laplace": (0.0, lambda random, n: random.laplace(size=n)),
    "t, 3 df": (0.0, lambda random, n: random.standard_t(3, size=n)),
    "beta(2, 8)": (0.2, lambda random, n: random.beta(2, 8, size=n)),
    "lognormal, σ 0.5": (float(np.exp(0.125)), lambda random, n: random.lognormal(0, 0.5, size=n)),
    "exponential": (1.0, lambda random, n: random.exponential(size=n)),
    "lognormal, σ 1": (float(np.exp(0.5)), lambda random, n: random.lognormal(0, 1, size=n)),
    "0 or 1, share 0.2": (0.2, lambda random, n: (random.random(n) < 0.2).astype(float)),
}


def fixed(x: Floats, last: bool) -> tuple[Any, Any]:
    """The usual interval at every look."""
    return mean_bounds(x)


def split(x: Floats, last: bool) -> tuple[Any, Any]:
    """The bounds of the product: a sequence before the last look, the usual interval at 96 % at the last."""
    if last:
        return corrected_bounds(x, reach_of(len(x), SPENT["last"]))
    return mixture_bounds(x, ALPHA * SPENT["interim"])


def mixture(x: Floats, last: bool) -> tuple[Any, Any]:
    """The mixture sequence at 95 %."""
    return mixture_bounds(x, ALPHA)


def betting(x: Floats, last: bool) -> tuple[Any, Any]:
    """The betting sequence at 95 %; None where values leave 0 to 1."""
    return betting_bounds(x, ALPHA)


WAYS = {
    "usual interval at each look": fixed,
    "looks of the product": split,
    "mixture at 95 %": mixture,
    "betting at 95 %": betting,
}


def misses(way: Callable[[Floats, bool], tuple[Any, Any]], shape: str, draws: int, looks: list[int]) -> float:
    """The share of draws in which the bounds of some look leave the mean out."""
    mean, draw = SHAPES[shape]
    random = np.random.default_rng(0)
    count = 0
    for _ in range(draws):
        x = draw(random, looks[-1])
        count += any(bool(low > mean or high < mean) for low, high in (way(x[:end], end == looks[-1]) for end in looks))
    return count / draws


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=4000)
    chosen = parser.parse_args()
    looks = batches(MOST)
    print(f"Looks at {', '.join(map(str, looks))} values; {chosen.draws} draws.\n")
    print(f"| values | {' | '.join(WAYS)} |\n|---{'|---' * len(WAYS)}|")
    for shape in SHAPES:
        bounded = shape in ("uniform", "beta(2, 8)", "0 or 1, share 0.2")
        cells = [
            f"{misses(way, shape, chosen.draws, looks):.1%}".replace("%", "")
            if way is not betting or bounded
            else "n/a"
            for way in WAYS.values()
        ]
        print(f"| {shape} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
