"""Coverage of the intervals of `core.statistics`, by simulation, as the tables of docs/statistics.md.

    PYTHONPATH=. python benchmarks/coverage.py [--draws 8000] [--keep RUN]

`--keep` takes per-image values from a finished run and stores them in coverage_values.json, from which the rows
"real" are resampled; the mean of the stored values is the truth there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata
from scipy.stats import t as student

from core.statistics import wilson
from core.statistics.intervals import mean_bounds, reach_of, uncut_bounds
from core.statistics.ranks import rank_bounds

Floats = NDArray[np.float64]
Bounds = tuple[Floats, Floats]
SIZES = (4, 6, 7, 8, 12, 24, 100)
VALUES = Path(__file__).with_name("coverage_values.json")
RESAMPLES = 999

# -- candidates for means -------------------------------------------------------------------------------------------


def weights(n: int) -> Floats:
    """How often each of n values is in each of the resamples, over n."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=RESAMPLES) / n


def percentile(x: Floats) -> Bounds:
    """Quantiles of resampled means: the interval of earlier versions."""
    low, high = np.quantile(x @ weights(x.shape[1]).T, [0.025, 0.975], axis=1)
    return low, high


def accelerated(x: Floats) -> Bounds:
    """Bias-corrected and accelerated quantiles (Efron, 1987)."""
    means, mean = np.sort(x @ weights(x.shape[1]).T, axis=1), x.mean(axis=1)
    below = ((means < mean[:, None]).mean(axis=1) + (means <= mean[:, None]).mean(axis=1)) / 2
    bias = norm.ppf(np.clip(below, 1e-3, 1 - 1e-3))
    centred = x - mean[:, None]
    speed = (centred**3).sum(axis=1) / (6 * np.maximum((centred**2).sum(axis=1), 1e-300) ** 1.5)
    ends = []
    for z in (-1.959964, 1.959964):
        share = norm.cdf(bias + (bias + z) / (1 - speed * (bias + z)))
        at = np.clip((share * (RESAMPLES + 1) - 1).round().astype(int), 0, RESAMPLES - 1)
        ends.append(means[np.arange(len(means)), at])
    return ends[0], ends[1]


def studentised(x: Floats) -> Bounds:
    """Bootstrap-t; a resample's deviation counts for at least a tenth of the sample's."""
    w = weights(x.shape[1])
    means, mean, spread = x @ w.T, x.mean(axis=1), x.std(axis=1)
    spreads = np.sqrt(np.maximum((x**2) @ w.T - means**2, (0.1 * spread[:, None]) ** 2 + 1e-300))
    low, high = np.quantile((means - mean[:, None]) / spreads, [0.025, 0.975], axis=1)
    return mean - high * spread, mean - low * spread


def plain_t(x: Floats) -> Bounds:
    """Student's t."""
    n = x.shape[1]
    half = student.ppf(0.975, n - 1) * x.std(axis=1, ddof=1) / n**0.5
    return x.mean(axis=1) - half, x.mean(axis=1) + half


def shifted_t(x: Floats) -> Bounds:
    """Student's t about a centre shifted by the skewness (Johnson, 1978)."""
    n, (low, high) = x.shape[1], plain_t(x)
    third = ((x - x.mean(axis=1)[:, None]) ** 3).mean(axis=1) * n**2 / ((n - 1) * (n - 2))
    shift = third / np.maximum(6 * x.var(axis=1, ddof=1) * n, 1e-300)
    return low + shift, high + shift


def uncut(x: Floats) -> Bounds:
    """The method in use, not cut at the range of the values."""
    return uncut_bounds(x, reach_of(x.shape[1]))


CANDIDATES: dict[str, Callable[[Floats], Bounds]] = {
    "percentile bootstrap (before)": percentile,
    "BCa bootstrap": accelerated,
    "bootstrap-t": studentised,
    "Student's t": plain_t,
    "Johnson's t": shifted_t,
    "calibrated Hall's t, not cut (before)": uncut,
    "calibrated Hall's t, cut at the values (in use)": mean_bounds,
}

# -- values ---------------------------------------------------------------------------------------------------------

Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]
SHAPES: dict[str, tuple[Draw, float]] = {
    "normal": (lambda r, size: r.normal(size=size), 0.0),
    "uniform": (lambda r, size: r.random(size), 0.5),
    "Laplace": (lambda r, size: r.laplace(size=size), 0.0),
    "t, 3 df": (lambda r, size: r.standard_t(3, size=size), 0.0),
    "beta(2, 8)": (lambda r, size: r.beta(2, 8, size=size), 0.2),
    "lognormal, σ 0.5": (lambda r, size: r.lognormal(0, 0.5, size=size), float(np.exp(0.125))),
    "exponential": (lambda r, size: r.exponential(size=size), 1.0),
    "lognormal, σ 1": (lambda r, size: r.lognormal(0, 1, size=size), float(np.exp(0.5))),
    "difference of exponentials": (lambda r, size: r.exponential(size=size) - r.exponential(2, size=size), -1.0),
}


def resampled(values: list[float]) -> tuple[Draw, float]:
    """Draws from stored values, and their mean."""
    whole = np.array(values)
    return (lambda r, size: r.choice(whole, size=size)), float(whole.mean())


def stored() -> dict[str, dict[str, list[float]]]:
    """The per-image values of a real run by kind and name."""
    return dict(json.loads(VALUES.read_text()))


def values_of(folder: Path) -> dict[str, dict[str, list[float]]]:
    """Faithfulness, its differences from controls, and rank correlations of maps, per image of a run."""
    from itertools import combinations

    from core.evaluation.agreement import stored_grid
    from core.runs import Run
    from core.statistics import spearman

    rows = Run(folder).results()
    rows = rows[(rows.status == "ok") & rows.kind.isin(["method", "control"])]
    key = ["image", "text", "text_kind"]
    wide = rows.pivot_table(index=key, columns="method", values="faithfulness")
    methods = sorted(rows[rows.kind == "method"].method.unique())
    controls = sorted(rows[rows.kind == "control"].method.unique())

    def each(values: Any) -> list[float]:
        return [round(float(v), 5) for v in values.groupby("image").mean().dropna()]

    found = {
        "means": {f"faithfulness, {name}": each(wide[name]) for name in methods},
        "differences": {
            f"{name} above {other}": each(wide[name] - wide[other]) for name in methods for other in controls
        },
        "correlations": {},
    }
    maps: dict[str, dict[str, Floats]] = {}
    for row in rows[rows.kind == "method"].drop_duplicates(["image", "method"]).itertuples():
        maps.setdefault(str(row.image), {})[str(row.method)] = stored_grid(row.map, row.rows, row.columns)
    for a, b in combinations(methods, 2):
        known = [spearman(of[a], of[b]) for of in maps.values() if a in of and b in of]
        found["correlations"][f"{a} / {b}"] = [round(v, 5) for v in known if v is not None]
    return found


# -- tables ---------------------------------------------------------------------------------------------------------


def missed(bounds: Bounds, truth: float) -> tuple[float, float, float]:
    """Coverage, and the shares of intervals wholly below and wholly above the truth, in percent."""
    low, high = bounds
    return tuple(100 * float(part.mean()) for part in ((low <= truth) & (truth <= high), high < truth, low > truth))  # type: ignore[return-value]


def mean_rows(draws: int) -> Iterator[str]:
    """Each candidate's coverage for each shape and n."""
    for title, method in CANDIDATES.items():
        yield f"\n**{title}**\n"
        yield "| values | " + " | ".join(f"n = {n}" for n in SIZES) + " |"
        yield "|---|" + "---|" * len(SIZES)
        for shape, (draw, truth) in SHAPES.items():
            found = [missed(method(draw(np.random.default_rng(n), (draws, n))), truth) for n in SIZES]
            last = method is mean_bounds
            yield (
                f"| {shape} | "
                + " | ".join(f"{c:.1f} ({b:.1f}, {a:.1f})" if last else f"{c:.1f}" for c, b, a in found)
                + " |"
            )


def beyond_rows(draws: int) -> Iterator[str]:
    """How far the intervals end beyond the values, not cut: share that does, and the 95th percentile in ranges."""
    sizes = (4, 5, 6, 7, 8, 12)
    yield "| values | " + " | ".join(f"n = {n}" for n in sizes) + " |"
    yield "|---|" + "---|" * len(sizes)
    for shape, (draw, _) in SHAPES.items():
        cells = []
        for n in sizes:
            x = draw(np.random.default_rng(n), (draws, n))
            low, high = uncut(x)
            far = np.maximum(high - x.max(axis=1), x.min(axis=1) - low) / np.ptp(x, axis=1)
            wide = high - low > np.ptp(x, axis=1)
            far95 = max(0.0, float(np.quantile(far, 0.95)))
            cells.append(f"{100 * (far > 0).mean():.0f} %, {far95:.1f}; {100 * wide.mean():.0f} %")
        yield f"| {shape} | " + " | ".join(cells) + " |"


def real_rows(draws: int) -> Iterator[str]:
    """The least and largest coverage over the real values of each kind, before and now."""
    yield "| values | method | " + " | ".join(f"n = {n}" for n in SIZES) + " |"
    yield "|---|---|" + "---|" * len(SIZES)
    for kind, named in stored().items():
        for title, method in (("before", percentile), ("Student's t", plain_t), ("in use", mean_bounds)):
            cells = []
            for n in SIZES:
                found = [
                    missed(method(draw(np.random.default_rng(n), (draws, n))), truth)[0]
                    for draw, truth in map(resampled, named.values())
                ]
                inside = sum(93 <= one <= 97 for one in found)
                cells.append(f"{np.median(found):.1f} [{min(found):.1f}, {max(found):.1f}], {inside}/{len(found)}")
            yield f"| {kind} | {title} | " + " | ".join(cells) + " |"


def paired(kind: str, strength: float, random: np.random.Generator, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Pairs whose rank correlation is moderated by `strength`."""
    if kind == "skewed":
        common, x, y = (random.exponential(size=size) for _ in range(3))
        return strength * common + (1 - strength) * x, strength * common + (1 - strength) * y
    x, y = random.normal(size=size), random.normal(size=size)
    y = strength * x + (1 - strength**2) ** 0.5 * y
    if kind == "heavy":
        shared = np.sqrt(random.chisquare(3, size=size) / 3)
        return x / shared, y / shared
    return x, y


def ranks_of(x: Floats) -> Floats:
    """Ranks over the last axis, with mean 0."""
    return np.asarray(rankdata(x, axis=-1) - (x.shape[-1] + 1) / 2, dtype=np.float64)


def rank_rows(draws: int) -> Iterator[str]:
    """Coverage of rank correlations for three kinds of pairs at several strengths."""
    sizes = (6, 8, 12, 16, 24, 100)
    yield "| pairs | rank correlation | " + " | ".join(f"n = {n}" for n in sizes) + " |"
    yield "|---|---|" + "---|" * len(sizes)
    for kind in ("normal", "skewed", "heavy"):
        for strength in (0.0, 0.4, 0.6, 0.8):
            x, y = map(ranks_of, paired(kind, strength, np.random.default_rng(0), (40, 20_000)))
            truth = float(((x * y).sum(axis=1) / np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))).mean())
            cells = []
            for n in sizes:
                few = draws if n < 50 else draws // 2
                pairs = paired(kind, strength, np.random.default_rng(n), (few, n))
                cells.append(f"{missed(rank_bounds(*pairs), truth)[0]:.1f}")
            yield f"| {kind} | {truth:.2f} | " + " | ".join(cells) + " |"


def share_rows() -> Iterator[str]:
    """Exact coverage of Wilson's interval, over shares."""
    from scipy.stats import binom

    yield "| n | mean | least | at a share of 0.02 | 0.2 | 0.5 |"
    yield "|---|---|---|---|---|---|"
    for n in SIZES:
        ends = np.array([wilson(hits, n) for hits in range(n + 1)])

        def of(share: float, n: int = n, ends: Floats = ends) -> float:
            inside = (ends[:, 0] <= share) & (share <= ends[:, 1])
            return 100 * float(binom.pmf(np.arange(n + 1), n, share) @ inside)

        each = [of(share) for share in np.linspace(0.005, 0.995, 199)]
        cells = [np.mean(each), min(each), of(0.02), of(0.2), of(0.5)]
        yield f"| {n} | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |"


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=8000)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    if asked.keep:
        VALUES.write_text(json.dumps(values_of(asked.keep), indent=0) + "\n")
    for title, rows in (
        ("Means", mean_rows(asked.draws)),
        ("Reach beyond the values", beyond_rows(asked.draws)),
        ("Values of a real run", real_rows(max(asked.draws // 4, 1))),
        ("Rank correlations", rank_rows(asked.draws // 2)),
        ("Shares", share_rows()),
    ):
        print(f"\n### {title}\n")
        for row in rows:
            print(row, flush=True)


if __name__ == "__main__":
    main()
