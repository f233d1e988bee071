"""Which groups of images the metadata define."""

from __future__ import annotations

from typing import Any

import pytest

from core.applications.columns import MOST_VALUES, column_values, confounded, metadata_groups, value_words
from core.datasets import DatasetImage
from core.languages import speaking, voice_of


def images(**columns: list[Any]) -> list[DatasetImage]:
    count = len(next(iter(columns.values())))
    return [
        DatasetImage(
            id=f"{at:016x}",
            name=f"{at:03}.png",
            sha256="",
            format="PNG",
            bytes=1,
            width=32,
            height=32,
            metadata={name: cells[at] for name, cells in columns.items()},
        )
        for at in range(count)
    ]


def test_values_are_groups_and_identifiers_are_none() -> None:
    given = images(site=["a", "b", " a", None] * 10, file=[f"file {at}" for at in range(40)], one=["x"] * 40)
    values = column_values(given)
    assert list(values) == ["site"] and len(values["site"]) == 30
    (group,) = metadata_groups(given, 8)
    # The smaller of two groups; images without a value belong to neither.
    assert (group.column, group.value, len(group.members), len(group.others)) == ("site", "b", 10, 20)


def test_numeric_columns_are_split_at_terciles() -> None:
    years = [2 * at for at in range(MOST_VALUES + 10)]
    groups = metadata_groups(images(year=years), 8)
    assert [len(group.members) for group in groups] == [10, 10, 10]
    assert {group.value.split()[0] for group in groups} == {"low", "middle", "high"}
    # With few values each is a group of its own.
    assert len(metadata_groups(images(grade=[1, 2, 3] * 10), 8)) == 3


def test_parts_and_intersections_are_named_in_the_language_of_the_report() -> None:
    years = [at + 0.5 for at in range(MOST_VALUES + 16)]
    given = images(year=years, site=["a", "b"] * (len(years) // 2))
    groups = metadata_groups(given, 5)
    assert all((group.column_words, group.value_words) == (group.column, group.value) for group in groups)
    with speaking(voice_of("de")):
        # The groups and their order are the same in every language, and so is every number that follows from them.
        assert metadata_groups(given, 5) == groups
        told = {group.value: (group.column_words, group.value_words) for group in groups}
    assert told["low (up to 12.1667)"] == ("year", "niedrig (bis 12,1667)")
    assert told["high (above 23.8333) and a"] == ("year und site", "hoch (über 23,8333) und a")
    assert value_words("low (up to the knee)") == "low (up to the knee)" and told["a"] == ("site", "a")


def test_intersections_have_their_parents_and_a_smallest_size() -> None:
    given = images(site=["a", "b"] * 20, sex=["f", "f", "m", "m"] * 10, copy=["A", "B"] * 20)
    cells = [group for group in metadata_groups(given, 8) if group.parents]
    # A column that repeats another one has no cells with it, and its cells with others are those of the first.
    assert {group.column for group in cells} == {"site and sex"}
    assert all(len(group.members) == 10 and len(group.others) == 30 for group in cells)
    assert cells[0].parents == (("site", "a"), ("sex", "f"))
    assert not [group for group in metadata_groups(given, 11) if group.parents]


def test_groups_of_the_same_images_are_made_once_under_the_simplest_name() -> None:
    light = ["day"] * 20 + ["night"] * 20
    subject = ["castle"] * 10 + ["tree", "lake"] * 15
    groups = metadata_groups(images(subject=subject, light=light), 8)
    names = [group.value for group in groups]
    # Every castle was taken by day: the intersection holds the same images.
    assert names.count("castle") == 1 and "castle and day" not in names
    assert len({frozenset(group.members) for group in groups}) == len(groups)
    # The companion: one castle by night, and the intersection is a group of its own.
    light[0] = "night"
    assert "castle and day" in [group.value for group in metadata_groups(images(subject=subject, light=light), 8)]


def test_of_groups_of_the_same_images_that_with_the_most_others_stays() -> None:
    few = ["a"] * 10 + ["b"] * 12 + [None] * 18
    (group,) = (
        one for one in metadata_groups(images(few=few, all=["x"] * 10 + ["y"] * 30), 8) if "and" not in one.column
    )
    assert (group.column, len(group.members), len(group.others)) == ("all", 10, 30)


def test_groups_that_lie_in_one_group_of_another_column_are_confounded() -> None:
    kinds = ["owl"] * 10 + ["fox"] * 10 + ["oak"] * 10
    sources = ["zoo"] * 20 + ["wood", "zoo"] * 5
    (found,) = confounded(images(kind=kinds, source=sources), 8)
    assert (found.column, found.values, found.images) == ("kind", ("fox", "owl"), 20)
    assert (found.other, found.value) == ("source", "zoo") and found.share == pytest.approx(25 / 30)
    # Neither groups that are too small, nor columns that mix, nor one column under two names.
    assert confounded(images(kind=kinds, source=sources), 11) == ()
    assert confounded(images(kind=["owl", "fox"] * 15, source=["zoo", "zoo", "wood", "wood", "zoo"] * 6), 8) == ()
    assert confounded(images(kind=kinds, name=[kind.upper() for kind in kinds]), 8) == ()
