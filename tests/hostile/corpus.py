"""Every hostile input there is, by name."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from tests.hostile import (
    archives,
    arguments,
    bundles,
    dicoms,
    documents,
    drawings,
    images,
    models,
    runs,
    shards,
    special,
    stand_ins,
    tables,
    tiffs,
)
from tests.hostile.item import Item

KINDS = (
    images, dicoms, tiffs, shards, archives, tables, documents, drawings, bundles, runs, special, arguments, models,
    stand_ins,
)  # fmt: skip


# Heavy because of their size alone; a smaller one of the same kind stays among the others.
LARGE = frozenset({
    "annotations/images-200000", "annotations/objects-100000", "annotations/runs-two-million",
    "annotations/polygon-million", "archives/entries-200000", "archives/zeros-as-images", "label-maps/noise-2000",
    "label-maps/numbers-65536", "models/weights-header-tensors-300000", "tables/must-parquet-row-groups-50000",
    "tables/parquet-metadata-40-megabytes", "tables/parquet-row-groups-50000",
    "tables/parquet-same-caption-100-kilobytes", "texts/line-40-megabytes.txt", "texts/lines-a-million.txt",
})  # fmt: skip


@cache
def items() -> dict[str, Item]:
    """All items by their name, in the order in which they are tried."""
    found: dict[str, Item] = {}
    for kind in KINDS:
        for item in kind.items():
            assert item.name not in found, item.name
            found[item.name] = replace(item, heavy=True) if item.name in LARGE else item
    assert found.keys() >= LARGE, LARGE - found.keys()
    return found


def by_name(name: str) -> Item:
    """The item that is called so; those of the harness's own test as well."""
    if name.startswith("self/"):
        from tests.hostile import faults

        return faults.ITEMS[name]
    return items()[name]
