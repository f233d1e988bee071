"""Draws the sample of a spot check, and states what its marks show. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from core.applications.registry import APPLICATIONS
from core.errors import InputError
from core.runs import Run
from core.runs.spot_check import DrawnImage, SpotCheck, Stratum, load_spot_check
from core.statistics import Interval
from core.statistics.kappa import cohen_kappa
from core.statistics.stratified import FEWEST_OF_STRATUM, neyman_allocation, stratified_share

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

SIZE = 60
OTHERS = "other classes"  # messages


@dataclass(frozen=True)
class Accuracy:
    """The share of images whose statement is right, from one set of verdicts.

    value: if every image without a clear verdict were right, `most.value`; if it were wrong, `least.value`.
    low, high: the lower end of the first interval and the upper end of the second, so that they cover both cases.
    marked, unsure: of the `n` drawn images, those with a verdict, and those whose verdict is unsure.
    """

    least: Interval
    most: Interval
    marked: int
    unsure: int

    @property
    def n(self) -> int:
        """How many images were drawn."""
        return self.least.n

    @property
    def interval(self) -> Interval:
        """The middle of the two values, from the lower end of one to the upper end of the other."""
        low, high = self.least.value, self.most.value
        value = None if low is None or high is None else (low + high) / 2
        return Interval(value, self.least.low, self.most.high, self.n)


@dataclass(frozen=True)
class Agreement:
    """Two judges, the images that both marked, and Cohen's kappa of their verdicts."""

    first: str
    second: str
    same: int
    kappa: Interval


def population(run: Run) -> tuple[str, pd.DataFrame] | None:
    """The application whose statements are checked, and its images; None if the run has none."""
    for name, application in APPLICATIONS.items():
        if application.spot_check is not None and (frame := application.spot_check()(run)) is not None and len(frame):
            return name, frame
    return None


def draw(run: Run, size: int = SIZE, seed: int | None = None) -> SpotCheck:
    """A stratified random sample of about `size` images; the same run, size and seed give the same sample.

    Raises `InputError` if the run has no statements that can be checked, or if `size` is below 2.
    """
    found = population(run)
    if found is None:
        raise InputError("this run has no predictions to check; audit it with a list of classes and all applications")
    if size < FEWEST_OF_STRATUM:
        raise InputError(f"a spot check needs at least {FEWEST_OF_STRATUM} images; give a larger size")
    name, frame = found
    chosen = run.plan.seed if seed is None else seed
    return drawn(name, frame, size, chosen)


def drawn(name: str, frame: pd.DataFrame, size: int, seed: int) -> SpotCheck:
    """The sample of `draw` from a population."""
    frame = frame.sort_values("image", kind="stable", ignore_index=True)
    frame = frame.assign(stratum=_strata(frame, size))
    parts = [part for _, part in frame.groupby("stratum", sort=True)]
    numbers = neyman_allocation([len(part) for part in parts], [float(part["spread"].mean()) for part in parts], size)
    random = np.random.default_rng(seed)
    rows: list[DrawnImage] = []
    for at, (part, count) in enumerate(zip(parts, numbers, strict=True)):
        for row in part.iloc[np.sort(random.choice(len(part), count, replace=False))].itertuples():
            rows.append(DrawnImage(image=row.image, image_name=row.image_name, statement=row.statement, stratum=at))
    strata = tuple(
        Stratum(name=str(part["stratum"].iloc[0]), size=len(part), drawn=count)
        for part, count in zip(parts, numbers, strict=True)
    )
    # In random order, so that neither the class nor the plausibility of the next image is known to a judge.
    order = random.permutation(len(rows))
    return SpotCheck(application=name, seed=seed, strata=strata, sample=tuple(rows[at] for at in order))


def _strata(frame: pd.DataFrame, size: int) -> pd.Series:
    """The stratum of each image: band and kind; kinds that would get too few images are merged within their band."""
    weight = frame["spread"] / frame["spread"].sum()
    expected = size * weight.groupby([frame["band"], frame["kind"]]).transform("sum")
    kind = frame["kind"].where(expected >= FEWEST_OF_STRATUM, OTHERS)
    return frame["band"] + ": " + kind


def accuracy(check: SpotCheck, verdicts: Mapping[str, str]) -> Accuracy:
    """What `verdicts` (by image) show. Images without one count as unsure."""
    sizes, numbers = [part.size for part in check.strata], [part.drawn for part in check.strata]
    least, most = [0] * len(sizes), [0] * len(sizes)
    for entry in check.sample:
        verdict = verdicts.get(entry.image, "unsure")
        least[entry.stratum] += verdict == "right"
        most[entry.stratum] += verdict != "wrong"
    return Accuracy(
        stratified_share(least, numbers, sizes),
        stratified_share(most, numbers, sizes),
        marked=len(verdicts),
        unsure=sum(verdict == "unsure" for verdict in verdicts.values()),
    )


def agreements(check: SpotCheck) -> list[Agreement]:
    """The agreement of each two judges that marked an image in common."""
    rows = []
    for first, second in combinations(check.judges, 2):
        a, b = check.verdicts(first), check.verdicts(second)
        common = [entry.image for entry in check.sample if entry.image in a and entry.image in b]
        if common:
            kappa = cohen_kappa([a[image] for image in common], [b[image] for image in common])
            rows.append(Agreement(first, second, sum(a[image] == b[image] for image in common), kappa))
    return rows


def outdated(run: Run, check: SpotCheck) -> bool:
    """Whether the statements of the run are no longer those that the sample was drawn from."""
    found = population(run)
    if found is None or found[0] != check.application or len(found[1]) != check.population:
        return True
    now = dict(zip(found[1]["image"], found[1]["statement"], strict=True))
    return any(now.get(entry.image) != entry.statement for entry in check.sample)


def spot_check_of(run: Run) -> SpotCheck | None:
    """The run's spot check if its statements still are those of the run."""
    check = load_spot_check(run)
    return None if check is None or outdated(run, check) else check
