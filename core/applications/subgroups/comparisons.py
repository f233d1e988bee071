"""Every group against the other images by every measure, as one family of tests. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu

from core.applications.columns import Group, metadata_groups
from core.applications.image_measures import ImageMeasure
from core.applications.registry import image_measures
from core.applications.subgroups.record import GroupsRecord
from core.datasets import DatasetImage
from core.rules import Context
from core.statistics import auroc_bounds
from core.statistics.families import Family

# On which side of the other images a group lies, and whether that is to its favour.
SIDES, FAVOURS = ("lower", "higher"), ("favourable", "unfavourable")  # messages
COMPARISONS = Family("groups", "rank test", "pairs of group and measure")


@dataclass(frozen=True)
class Effect:
    """One group against the other images of the same column, by one measure.

    value: the probability that an image of the group has the higher value, ties counting one half (Vargha and Delaney,
        2000), with its 95 % interval (Newcombe, 2006, method 5); 0.5 means no difference.
    n, others: images of the group and other images with a value. mean, other_mean: their means.
    p, p_adjusted: of the Wilcoxon-Mann-Whitney test, and adjusted over all comparisons (Holm).
    """

    group: Group
    measure: ImageMeasure
    value: float
    low: float
    high: float
    n: int
    others: int
    mean: float
    other_mean: float
    p: float
    p_adjusted: float = 1.0

    @property
    def side(self) -> str:
        """Whether the group has the lower or the higher values."""
        return SIDES[self.value >= 0.5]

    @property
    def one_sided(self) -> tuple[float, float, float]:
        """The share of pairs in which the image of the group lies on the group's own side, with its interval."""
        if self.side == "higher":
            return self.value, self.low, self.high
        return 1 - self.value, 1 - self.high, 1 - self.low

    @property
    def favour(self) -> str:
        """Whether it is "favourable" or "unfavourable" to the group; empty where neither direction is by itself."""
        if not self.measure.better:
            return ""
        return FAVOURS[self.side != self.measure.better]

    @property
    def columns(self) -> frozenset[str]:
        """The columns that define the group, under all their names."""
        return frozenset([column for column, _ in self.group.parents] or [self.group.column, *self.group.also])

    @property
    def stated(self) -> bool:
        """Whether the metadata that define the group state what is measured, so that a difference is no news."""
        cells = self.group.parents or ((self.group.column, self.group.value),)
        return any(self.measure.stated_by(column, value) for column, value in cells)

    def exceeds(self, limit: float, significance: float) -> bool:
        """Whether the whole interval lies beyond `limit` or beyond 1 - `limit`, and the adjusted p is below."""
        return (self.low > limit or self.high < 1 - limit) and self.p_adjusted < significance

    def within(self, limit: float) -> bool:
        """Whether the whole interval lies between 1 - `limit` and `limit`."""
        return self.low >= 1 - limit and self.high <= limit


def effects(context: Context) -> tuple[Effect, ...]:
    """Every comparison of the run, adjusted together; none if the application was not computed."""
    return context.once(_effects)


def compared(groups: Sequence[Group], measures: Sequence[ImageMeasure], least: int) -> tuple[Effect, ...]:
    """Each group by each measure of which it and the other images have at least `least` values that vary."""
    made = [
        effect for group in groups for measure in measures if (effect := _effect(group, measure, least)) is not None
    ]
    adjusted = COMPARISONS.adjusted(pd.DataFrame({"p": [effect.p for effect in made]}))
    return tuple(replace(effect, p_adjusted=float(p)) for effect, p in zip(made, adjusted, strict=True))


def beyond(every: Sequence[Effect], limit: float, significance: float) -> list[Effect]:
    """The effects that exceed the limit, the farthest from 0.5 first.

    An intersection is left out where one of its two columns exceeds the limit by itself in the same measure.
    """
    exceeding = [effect for effect in every if effect.exceeds(limit, significance)]
    alone = {
        (column, effect.measure.name)
        for effect in exceeding
        if not effect.group.parents
        for column in (effect.group.column, *effect.group.also)
    }
    kept = [
        effect
        for effect in exceeding
        if not any((column, effect.measure.name) in alone for column, _ in effect.group.parents)
    ]
    return sorted(kept, key=lambda effect: -abs(effect.value - 0.5))


def planned_images(context: Context) -> list[DatasetImage]:
    """The images of the dataset that the plan audits."""
    planned = set(context.run.plan.images)
    return [image for image in context.run.dataset.images if image.id in planned]


def _effects(context: Context) -> tuple[Effect, ...]:
    if context.record(GroupsRecord.of_run) is None:
        return ()
    least = int(context.thresholds["groups.least_group"])
    return compared(metadata_groups(planned_images(context), least), image_measures(context.run), least)


def _effect(group: Group, measure: ImageMeasure, least: int) -> Effect | None:
    own, others = (_values(measure, images) for images in (group.members, group.others))
    if min(len(own), len(others)) < least or np.ptp(np.concatenate([own, others])) == 0:
        return None
    test = mannwhitneyu(own, others, alternative="two-sided")
    value = float(test.statistic) / (len(own) * len(others))
    bounds = auroc_bounds(value, len(own), len(others))
    if bounds is None:
        return None
    return Effect(
        group,
        measure,
        value,
        *bounds,
        len(own),
        len(others),
        float(own.mean()),
        float(others.mean()),
        float(test.pvalue),
    )


def _values(measure: ImageMeasure, images: Sequence[str]) -> NDArray[Any]:
    return np.array([measure.values[image] for image in images if image in measure.values], dtype=np.float64)
