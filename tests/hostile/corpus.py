"""Every hostile input there is, by name."""

from __future__ import annotations

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


@cache
def items() -> dict[str, Item]:
    """All items by their name, in the order in which they are tried."""
    found: dict[str, Item] = {}
    for kind in KINDS:
        for item in kind.items():
            assert item.name not in found, item.name
            found[item.name] = item
    return found


def by_name(name: str) -> Item:
    """The item that is called so; those of the harness's own test as well."""
    if name.startswith("self/"):
        from tests.hostile import faults

        return faults.ITEMS[name]
    return items()[name]
