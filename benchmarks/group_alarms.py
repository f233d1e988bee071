"""How often the rules on groups report columns that mean nothing, and columns that follow a measure of the images.

    PYTHONPATH=. python benchmarks/group_alarms.py RUN [RUN ...] [--draws 400] [--images 24 48]

The values are those that the applications of real runs measured; the columns are random and seeded. Without meaning:
two groups of one half and of one fifth, four groups, and a number, drawn apart from each other and from the images, so
that every finding is a false alarm. With meaning: one more column of two halves, normal variables behind which
correlate by `CORRELATIONS` with the normal scores of one measure, which each draw chooses among those of the rule's
subject that every image has. Prints the tables of docs/groups.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from core.applications.columns import metadata_groups
from core.applications.image_measures import ImageMeasure
from core.applications.registry import image_measures
from core.applications.subgroups.comparisons import Effect, beyond, compared
from core.datasets import DatasetImage
from core.rules.thresholds import Thresholds, load_thresholds
from core.runs import Run, open_run
from core.statistics import wilson

Floats = NDArray[np.float64]
CORRELATIONS = (0.3, 0.5, 0.7)
RULES = {"model": "groups.difference", "data": "groups.quality"}
PLANTED = "planted"


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the columns and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--images", type=int, nargs="*", default=[], help="also of so many images, drawn at random")
    chosen = parser.parse_args(arguments)
    print("| run | images | measures | comparisons | draws with a finding: `groups.difference` | `groups.quality` |")
    print("|---|---|---|---|---|---|")
    runs = [open_run(folder) for folder in chosen.runs]
    for run in runs:
        for count in (*chosen.images, len(run.plan.images)):
            print(without_meaning(run, count, chosen.draws))
    print()
    print("| run | images | rule | correlation | mean effect | reported | also reported: another measure alone |")
    print("|---|---|---|---|---|---|---|")
    for run in runs:
        for count in (*chosen.images, len(run.plan.images)):
            for correlation in CORRELATIONS:
                for subject in RULES:
                    print(with_meaning(run, count, subject, correlation, chosen.draws))


def without_meaning(run: Run, count: int, draws: int) -> str:
    """One row: how often either rule reports columns that mean nothing."""
    measures, random = image_measures(run), np.random.default_rng(0)
    alarms, tested = dict.fromkeys(RULES, 0), []
    for _ in range(draws):
        images = _drawn(run, count, random)
        every = _effects(images, _random_columns(len(images), random), measures)
        tested.append(len(every))
        for subject in RULES:
            alarms[subject] += bool(_reported(every, subject))
    cells = [_share(alarms[subject], draws) for subject in RULES]
    low, high = min(tested), max(tested)
    return f"| {run.folder.name} | {count} | {len(measures)} | {low} to {high} | {' | '.join(cells)} |"


def with_meaning(run: Run, count: int, subject: str, correlation: float, draws: int) -> str:
    """One row: how often a rule reports a column that follows one measure, beside the columns that mean nothing."""
    measures, random = image_measures(run), np.random.default_rng(1)
    whole = [one for one in measures if one.subject == subject and set(run.plan.images) <= set(one.values)]
    values, reported, others = [], 0, 0
    for _ in range(draws):
        images = _drawn(run, count, random)
        measure = whole[random.integers(len(whole))]
        columns = {**_random_columns(len(images), random), PLANTED: _follows(images, measure, correlation, random)}
        every = _effects(images, columns, measures)
        own = [effect for effect in every if effect.group.column == PLANTED and effect.measure is measure]
        values += [max(effect.value, 1 - effect.value) for effect in own]
        found = _reported(every, subject)
        reported += any(effect.measure is measure and PLANTED in effect.group.column for effect in found)
        others += bool(found) and not any(effect.measure is measure for effect in found)
    return (
        f"| {run.folder.name} | {count} | `{RULES[subject]}` | {correlation} | {np.mean(values):.2f} | "
        f"{_share(reported, draws)} | {_share(others, draws)} |"
    )


def _effects(
    images: Sequence[DatasetImage], columns: Mapping[str, Sequence[object]], measures: Sequence[ImageMeasure]
) -> tuple[Effect, ...]:
    rows = [
        image.model_copy(update={"metadata": {name: cells[at] for name, cells in columns.items()}})
        for at, image in enumerate(images)
    ]
    return compared(metadata_groups(rows, _least()), measures, _least())


def _reported(every: Sequence[Effect], subject: str) -> list[Effect]:
    mine = [effect for effect in every if effect.measure.subject == subject]
    return beyond(mine, float(_thresholds()[f"{RULES[subject]}.least_effect"]), _significance())


@cache
def _thresholds() -> Thresholds:
    return load_thresholds()


def _least() -> int:
    return int(_thresholds()["groups.least_group"])


def _significance() -> float:
    return float(_thresholds()["general.significance"])


def _drawn(run: Run, count: int, random: np.random.Generator) -> list[DatasetImage]:
    planned = set(run.plan.images)
    images = [image for image in run.dataset.images if image.id in planned]
    return [images[at] for at in sorted(random.choice(len(images), count, replace=False))]


def _random_columns(count: int, random: np.random.Generator) -> dict[str, list[object]]:
    return {
        "half": list(np.where(random.permutation(count) < count // 2, "a", "b").tolist()),
        "fifth": list(np.where(random.permutation(count) < count // 5, "a", "b").tolist()),
        "four": list(np.array(list("abcd"))[random.permutation(count) % 4].tolist()),
        "number": list(random.normal(size=count).tolist()),
    }


def _follows(
    images: Sequence[DatasetImage], measure: ImageMeasure, correlation: float, random: np.random.Generator
) -> list[object]:
    ranks = rankdata([measure.values[image.id] for image in images])
    scores = norm.ppf(ranks / (len(ranks) + 1))
    behind = correlation * scores + np.sqrt(1 - correlation**2) * random.normal(size=len(scores))
    return list(np.where(behind > np.median(behind), "high", "low").tolist())


def _share(count: int, draws: int) -> str:
    low, high = wilson(count, draws)
    return f"{100 * count / draws:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


if __name__ == "__main__":
    main()
