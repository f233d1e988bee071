"""Groups of images by the columns of the metadata: values, parts of numeric columns, and intersections. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from typing import Any

import numpy as np

from core.datasets import DatasetImage
from core.languages import localised, say

# A column with more values is an identifier, or a number that is split into parts of equal size.
MOST_VALUES = 20
# No cell of two columns is tested beyond so many columns: their number grows with the square.
MOST_CROSSED = 8
# The parts of a numeric column, with the bound of each.
PARTS = ("low (up to {bound})", "middle (up to {bound})", "high (above {bound})")  # messages
_PART = re.compile(r"((?:low|middle) \(up to|high \(above) ([-+.\de]+)\)")


@dataclass(frozen=True)
class Group:
    """Images that a column, or a pair of columns, defines.

    column, value: as printed; of two columns "a and b" and "x and y".
    members, others: ids of the images of the group, and of those with another value of the column.
    parents: for an intersection, the column and value of each of its two groups.
    also: other columns in which the same images are a group.
    """

    column: str
    value: str
    members: tuple[str, ...]
    others: tuple[str, ...]
    parents: tuple[tuple[str, str], ...] = ()
    also: tuple[str, ...] = ()

    @property
    def column_words(self) -> str:
        """The column, or both, in the current language."""
        return _in_words([column for column, _ in self.parents], self.column)

    @property
    def value_words(self) -> str:
        """The value, or both, in the current language."""
        return _in_words([value_words(value) for _, value in self.parents], value_words(self.value))


def value_words(value: str) -> str:
    """The value of a column in the current language: only a part of a numeric column has words of its own."""
    found = _PART.fullmatch(value)
    return say(f"{found[1]} {{bound}})", bound=localised(found[2])) if found else value


def _in_words(both: Sequence[str], one: str) -> str:
    return say("{first} and {second}", first=both[0], second=both[1]) if both else one


def column_values(images: Sequence[DatasetImage]) -> dict[str, dict[str, str]]:
    """For each column that makes groups the value of each image that has one.

    A column with 2 to `MOST_VALUES` different values counts as it is. A numeric one with more is split at its terciles
    into low, middle and high, each named with its range. Any other column with more values makes no groups.
    """
    columns = dict.fromkeys(name for image in images for name in image.metadata)
    values = {}
    for column in columns:
        cells = {image.id: cell for image in images if (cell := _cell(image.metadata.get(column))) is not None}
        different = set(cells.values())
        if 2 <= len({str(cell) for cell in different}) <= MOST_VALUES:
            values[column] = {image: str(cell) for image, cell in cells.items()}
        elif len(different) > MOST_VALUES and all(_is_number(cell) for cell in different):
            values[column] = _terciles({image: float(cell) for image, cell in cells.items()})
    return values


def metadata_groups(images: Sequence[DatasetImage], least: int) -> tuple[Group, ...]:
    """Every group of at least `least` images with at least as many others: values of columns, then intersections.

    A column of two values gives one group, the smaller one: the other is its complement. Of groups of the same images
    there is one, that with the most others and among these the first, so that it has the simplest name.
    """
    columns = column_values(images)
    groups = [group for column, values in columns.items() for group in _of_column(column, values, least)]
    for (first, a), (second, b) in combinations(list(columns.items())[:MOST_CROSSED], 2):
        groups += _of_two(first, a, second, b, least)
    return _distinct(groups)


@dataclass(frozen=True)
class Confounded:
    """Groups of one column that lie wholly in one group of another, so that the two columns cannot be told apart there.

    column, values, images: the groups, and how many images they have together.
    other, value, share: the group of the other column, and its share of all images with a value there.
    """

    column: str
    values: tuple[str, ...]
    images: int
    other: str
    value: str
    share: float


def confounded(images: Sequence[DatasetImage], least: int) -> tuple[Confounded, ...]:
    """Every group of at least `least` images all of which have one value of another column, by column and value.

    Columns of the same groups are left out: they are one column under two names.
    """
    columns = column_values(images)
    found = []
    for column, other in permutations(list(columns)[:MOST_CROSSED], 2):
        inside: dict[str, dict[str, list[str]]] = {}
        for image, value in columns[column].items():
            inside.setdefault(value, {}).setdefault(columns[other].get(image, ""), []).append(image)
        lies = {value: next(iter(parts)) for value, parts in inside.items() if len(parts) == 1 and "" not in parts}
        if len(lies) == len(inside) == len(set(lies.values())):
            continue
        sizes, counted = _sizes(columns[column]), _sizes(columns[other])
        whole = {value: size / len(columns[other]) for value, size in counted.items()}
        for where in dict.fromkeys(lies.values()):
            values = sorted(value for value, there in lies.items() if there == where and sizes[value] >= least)
            if values:
                found.append(
                    Confounded(column, tuple(values), sum(sizes[value] for value in values), other, where, whole[where])
                )
    return tuple(found)


def _distinct(groups: Sequence[Group]) -> tuple[Group, ...]:
    alike: dict[frozenset[str], list[Group]] = {}
    for group in groups:
        alike.setdefault(frozenset(group.members), []).append(group)
    distinct = []
    for same in alike.values():
        first = max(same, key=lambda group: len(group.others))
        columns = tuple(group.column for group in same if group is not first and not group.parents)
        distinct.append(replace(first, also=columns))
    return tuple(distinct)


def _of_column(column: str, values: Mapping[str, str], least: int) -> list[Group]:
    sizes = _sizes(values)
    large = [value for value, size in sizes.items() if least <= size <= len(values) - least]
    if len(sizes) == 2 and len(large) == 2:
        large = [min(large, key=lambda value: (sizes[value], value))]
    return [_group(column, value, value, values) for value in sorted(large)]


def _of_two(first: str, a: Mapping[str, str], second: str, b: Mapping[str, str], least: int) -> list[Group]:
    cells = {image: (a[image], b[image]) for image in a if image in b}
    sizes = _sizes(cells)
    # Of columns that say the same, the cells are those of either column.
    same = len(sizes) <= max(len({x for x, _ in sizes}), len({y for _, y in sizes}))
    if same:
        return []
    return [
        _group(f"{first} and {second}", f"{x} and {y}", (x, y), cells, ((first, x), (second, y)))
        for (x, y), size in sorted(sizes.items())
        if least <= size <= len(cells) - least
    ]


def _group(
    column: str, value: str, cell: Any, cells: Mapping[str, Any], parents: tuple[tuple[str, str], ...] = ()
) -> Group:
    members = tuple(image for image, one in cells.items() if one == cell)
    others = tuple(image for image, one in cells.items() if one != cell)
    return Group(column, value, members, others, parents)


def _sizes(values: Mapping[str, Any]) -> dict[Any, int]:
    sizes: dict[Any, int] = {}
    for value in values.values():
        sizes[value] = sizes.get(value, 0) + 1
    return sizes


def _cell(value: Any) -> Any:
    """The value of a cell; None for an empty one."""
    return None if value is None or not str(value).strip() else value.strip() if isinstance(value, str) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _terciles(numbers: Mapping[str, float]) -> dict[str, str]:
    array = np.array(list(numbers.values()))
    low, high = (float(np.quantile(array, share)) for share in (1 / 3, 2 / 3))
    names = [part.format(bound=f"{bound:g}") for part, bound in zip(PARTS, (low, high, high), strict=True)]
    return {image: names[0 if x <= low else 1 if x <= high else 2] for image, x in numbers.items()}
