"""From files read to images kept: rows find their images, equal pixels become one, names are told apart."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from core.datasets.bounds import Refused
from core.datasets.dataset import DatasetImage, Duplicate, Refusal, Value
from core.datasets.names import numbered, row_name
from core.datasets.tables import Problems, Row, Table

_ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}$")
NEAR = 4  # bits of the 64 that may differ


@dataclass
class Record:
    """One image file as it was read, and what the tables say of it."""

    name: str
    source: int
    label: str
    id: str
    sha256: str
    format: str
    bytes: int
    width: int
    height: int
    perceptual: int | None
    captions: dict[str, None] = field(default_factory=dict)  # each once, in the order in which they came
    metadata: dict[str, Value] = field(default_factory=dict)

    @property
    def order(self) -> tuple[str, str, str]:
        """What records are sorted by: nothing that depends on when a file arrived."""
        return self.name, self.sha256, self.label


@dataclass(frozen=True)
class Match:
    """What became of a table's rows: found with their record, still missing, or refused for their path."""

    found: list[tuple[Record, Row]]
    missing: dict[str, tuple[list[Row], str]]  # by the path they name, with what the table then does
    refusals: list[Refusal]


def match(table: Table, source: int, records: Sequence[Record]) -> Match:
    """Finds each row's image: by its relative path (also seen from the table's folder), else by its base name, then by
    the base name in letters of either case, then by one that is written without its ending.

    A path is looked up in the table's own source first. A base name counts only where it is unmistakable: one such
    image that no row names in full, and one such path in the table.
    """
    by_name = _index(records, lambda record: record.name)
    folder = table.name.rpartition("/")[0]
    rows: dict[str, list[Row]] = defaultdict(list)
    refusals: list[Refusal] = []
    for row in table.rows:
        try:
            rows[row_name(row.path)].append(row)
        except Refused as refused:
            refusals.append(Refusal(name=row.path[:200], reason=f"row {row.number} of {table.name}: {refused}"))
    chosen: dict[str, Record] = {}
    ambiguous: set[str] = set()
    for path in rows:
        for candidate in (path, f"{folder}/{path}" if folder else path):
            found = by_name.get(candidate, [])
            found = [record for record in found if record.source == source] or found
            # The same file given twice is no ambiguity: its copies become one image.
            if len({record.id for record in found}) == 1:
                chosen[path] = found[0]
                break
            if found:
                ambiguous.add(path)
                break
    for key_of_path, key_of_name in _LOOSE:
        named = {id(record) for record in chosen.values()}
        by_key: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            if id(record) not in named:
                by_key[key_of_name(record.name)].append(record)
        keys = defaultdict(list)
        for path in rows:
            if path not in chosen and (key := key_of_path(path)):
                keys[key].append(path)
        for key, paths in keys.items():
            found = by_key.get(key, [])
            if len(paths) == 1 and paths[0] not in ambiguous and len({record.id for record in found}) == 1:
                chosen[paths[0]] = found[0]
            elif found:
                ambiguous.update(paths)
    pairs = [(chosen[path], row) for path, those in rows.items() if path in chosen for row in those]
    missing = {}
    for path, those in rows.items():
        if path not in chosen:
            what = "has rows that may refer to several images; give the full paths"
            if path not in ambiguous:
                what = "has rows for images that are not in the dataset; if they should be, correct the paths"
            missing[path] = (those, what)
    return Match(pairs, missing, refusals)


def _base(name: str) -> str:
    return name.rpartition("/")[2]


def _folded(name: str) -> str:
    return _base(name).casefold()


def _without_ending(path: str) -> str:
    """The base name of a path that has no ending of a file; empty for another one."""
    return "" if _ENDING.search(path) else _folded(path)


def _stem(name: str) -> str:
    return _ENDING.sub("", _folded(name))


# How the path in a table and the name of an image are compared where they are not equal, the strictest first.
_LOOSE = ((_base, _base), (_folded, _folded), (_without_ending, _stem))


def describe(record: Record, row: Row, conflicts: Problems, most: int) -> None:
    """Adds what a row says to a record: its captions (`most` in all), and values that are not known yet."""
    _merge(record, row.captions, row.metadata, conflicts, most)


def merge_exact(
    records: Iterable[Record], conflicts: Problems, most: int
) -> tuple[list[Record], list[tuple[Record, Record]]]:
    """One record for all with the same pixels (the first by name), and each other one with the one that was kept.

    `most` is how many captions one may have.
    """
    kept: list[Record] = []
    others: list[tuple[Record, Record]] = []
    ordered = sorted(records, key=lambda record: (record.id, *record.order))
    for _, group in groupby(ordered, key=lambda record: record.id):
        first, *rest = group
        kept.append(first)
        for record in rest:
            _merge(first, record.captions, record.metadata, conflicts, most)
            others.append((record, first))
    return sorted(kept, key=lambda record: (record.order, record.id)), others


def unique_names(records: Sequence[Record]) -> dict[str, str]:
    """A name for each record, by its id: its own where it is the only one.

    Images that share a name get the name of their folder or ZIP before it, and a number where that does not do.
    """
    names: dict[str, str] = {}
    taken = {record.name for record in records}
    last: dict[str, int] = {}
    ordered = sorted(records, key=lambda record: (record.name, record.id))
    for name, group in groupby(ordered, key=lambda record: record.name):
        members = list(group)
        alone = len(members) == 1
        for record in members:
            wanted = f"{record.label}/{name}" if record.label and not alone else name
            free = wanted
            # The plain name is taken by its group itself: the first member without a label may use it.
            if wanted == name and name not in last:
                last[name] = 1
            else:
                while free in taken:
                    last[wanted] = last.get(wanted, 1) + 1
                    free = numbered(wanted, last[wanted])
            taken.add(free)
            names[record.id] = free
    return names


def images(records: Sequence[Record], names: dict[str, str]) -> tuple[DatasetImage, ...]:
    """The images of a dataset, sorted by name."""
    made = (
        DatasetImage(
            id=record.id,
            name=names[record.id],
            sha256=record.sha256,
            format=record.format,
            bytes=record.bytes,
            width=record.width,
            height=record.height,
            captions=tuple(record.captions),
            metadata=record.metadata,
        )
        for record in records
    )
    return tuple(sorted(made, key=lambda image: image.name))


def near_duplicates(kept: Sequence[DatasetImage], hashes: dict[str, int | None]) -> list[Duplicate]:
    """For each image the nearest one before it (by name), if their hashes differ in at most `NEAR` bits."""
    hashed = [(image.name, value) for image in kept if (value := hashes[image.id]) is not None]
    codes = np.array([value for _, value in hashed], dtype=np.uint64)
    found = []
    for number in range(1, len(hashed)):
        distances = np.bitwise_count(codes[:number] ^ codes[number])
        nearest = int(distances.argmin())
        if distances[nearest] <= NEAR:
            name, of = hashed[number][0], hashed[nearest][0]
            found.append(Duplicate(name=name, of=of, kind="near", distance=int(distances[nearest])))
    return found


def _index(records: Sequence[Record], key: Callable[[Record], str]) -> dict[str, list[Record]]:
    index: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        index[key(record)].append(record)
    return index


def _merge(record: Record, captions: Iterable[str], metadata: dict[str, Value], conflicts: Problems, most: int) -> None:
    for caption in captions:
        if caption not in record.captions:
            if len(record.captions) >= most:
                conflicts.add(f"give one image more than {most} captions; the first {most} were kept", record.name)
                break
            record.captions[caption] = None
    for column, value in metadata.items():
        known = record.metadata.get(column)
        if known is None:
            record.metadata[column] = value
        elif value is not None and value != known:
            conflicts.add(f"column {column!r} has several values for one image; the first was kept", record.name)
