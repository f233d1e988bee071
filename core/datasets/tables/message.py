"""A table on its way from the process that read it: JSON in which each text stands once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from core.datasets.dataset import Refusal, Remark, Value
from core.datasets.tables.table import Row, Table

_Coded = int | list[Any] | None


def packed_table(table: Table) -> bytes:
    """The table but its name. A text in a cell is its number in the list of texts; any other value stands in a list."""
    numbers: dict[str, int] = {}

    def number(text: str) -> int:
        return numbers.setdefault(text, len(numbers))

    def coded(value: Value) -> _Coded:
        return number(value) if isinstance(value, str) else None if value is None else [value]

    content = {
        "columns": table.columns,
        "refusals": [[refusal.name, refusal.reason] for refusal in table.refusals],
        "remarks": [[remark.name, remark.reason] for remark in table.remarks],
        "numbers": [row.number for row in table.rows],
        "paths": [number(row.path) for row in table.rows],
        "captions": [[number(caption) for caption in row.captions] for row in table.rows],
        "cells": [[coded(row.metadata[column]) for row in table.rows] for column in table.columns],
    }
    # Escapes carry lone surrogates, which a path may hold.
    return json.dumps({"texts": list(numbers), **content}, separators=(",", ":")).encode("ascii")


def unpacked_table(name: str, data: bytes) -> Table:
    """The table in a message, each value of the type that it must have.

    Raises `ValueError`, `TypeError`, `KeyError` or `IndexError` for what `packed_table` does not write.
    """
    content = json.loads(data)
    texts = [_of(str, text) for text in content["texts"]]
    columns = tuple(_of(str, column) for column in content["columns"])
    cells = [[_value(cell, texts) for cell in column] for column in content["cells"]]
    metadata: Iterable[tuple[Value, ...]] = zip(*cells, strict=True) if cells else ((),) * len(content["numbers"])
    rows = tuple(
        Row(
            _of(int, number),
            texts[path],
            tuple(texts[caption] for caption in captions),
            dict(zip(columns, values, strict=True)),
        )
        for number, path, captions, values in zip(
            content["numbers"], content["paths"], content["captions"], metadata, strict=True
        )
    )
    refusals = tuple(Refusal(name=_of(str, of), reason=_of(str, why)) for of, why in content["refusals"])
    remarks = tuple(Remark(name=_of(str, of), reason=_of(str, how)) for of, how in content["remarks"])
    return Table(name, columns, rows, refusals, remarks)


def _value(coded: _Coded, texts: list[str]) -> Value:
    if coded is None:
        return None
    if isinstance(coded, int):
        return texts[coded]
    (value,) = coded
    if not isinstance(value, bool | int | float):
        raise ValueError("a cell of a table is neither text nor a number")
    return value


def _of(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"the message of a table contains {type(value).__name__} where {kind.__name__} is expected")
    return value
