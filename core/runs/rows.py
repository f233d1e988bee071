"""Rows of stored tables: each column is declared once, as an annotation, and schema and types follow from it. No torch.

    class WordRow(Row):
        \"\"\"One row per word.\"\"\"

        word: Annotated[Text, "the word"]
        fall: Annotated[OptionalNumber, "mean fall of the score without it"]

    schema_of(WordRow)                # the Parquet schema
    for row in typed(frame, WordRow): # mypy finds a column that is misspelt or renamed

A missing number is NaN in a row that is read; a missing text is None or NaN, for which `pandas.isna` asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, get_type_hints

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

R = TypeVar("R")


@dataclass(frozen=True)
class _Missing:
    """Says that a row may have no value in a column."""


MISSING = _Missing()
_PER = "One row per "

Text = Annotated[str, pa.large_string()]
OptionalText = Annotated[str | None, pa.large_string(), MISSING]
String = Annotated[str, pa.string()]
OptionalString = Annotated[str | None, pa.string(), MISSING]
Number = Annotated[float, pa.float64()]
OptionalNumber = Annotated[float, pa.float64(), MISSING]
OptionalSingle = Annotated[float, pa.float32(), MISSING]
Whole = Annotated[int, pa.int64()]
OptionalWhole = Annotated[float, pa.int64(), MISSING]
Int32 = Annotated[int, pa.int32()]
Short = Annotated[int, pa.int16()]
OptionalShort = Annotated[float, pa.int16(), MISSING]
Flag = Annotated[bool, pa.bool_()]
OptionalFlag = Annotated[bool | None, pa.bool_(), MISSING]
Texts = Annotated[NDArray[np.object_], pa.list_(pa.string())]
OptionalTexts = Annotated[NDArray[np.object_] | None, pa.list_(pa.string()), MISSING]
Numbers = Annotated[NDArray[np.float64], pa.list_(pa.float64())]
Singles = Annotated[NDArray[np.float32], pa.list_(pa.float32())]
OptionalSingles = Annotated[NDArray[np.float32] | None, pa.list_(pa.float32()), MISSING]
Wholes = Annotated[NDArray[np.int64], pa.list_(pa.int64())]
ListsOfNumbers = Annotated[NDArray[np.object_], pa.list_(pa.list_(pa.float64()))]

ImageId = Annotated[Text, "content id of the image"]
ImageName = Annotated[Text, "its name"]


class Row:
    """The base of a stored row. A subclass says in its docstring what there is one row per, and annotates its columns.

    The type of a column is one of this module; the text beside it is what the data dictionary prints. A column whose
    name Python reserves is written with an underscore at the end.
    """


def schema_of(row: type[Row], **notes: str) -> pa.Schema:
    """The schema of the table whose rows are `row`: types, which columns may be empty, and the words on each.

    Its metadata are `notes`, otherwise what there is one row per. Raises `TypeError` for a column without a type that
    Parquet knows.
    """
    fields = [_field(name, hint) for name, hint in get_type_hints(row, include_extras=True).items()]
    per = (row.__doc__ or "").partition("\n")[0].removeprefix(_PER).removesuffix(".")
    return pa.schema(fields, metadata=notes or {"row": per})


def _field(name: str, hint: Any) -> pa.Field:
    notes = getattr(hint, "__metadata__", ())
    kinds = [note for note in notes if isinstance(note, pa.DataType)]
    if len(kinds) != 1:
        raise TypeError(f"the column {name} needs one type of `core.runs.rows`, not {hint}")
    about = [note for note in notes if isinstance(note, str)]
    return pa.field(_column(name), kinds[0], MISSING in notes, {"about": about[-1] if about else ""})


def _column(name: str) -> str:
    return name.removesuffix("_")


def typed(frame: pd.DataFrame, row: type[R]) -> Iterator[R]:
    """The rows of `frame` in order, with the attributes that `row` names.

    `frame` may have columns that `row` does not name, and may lack some: asking for one of these is an AttributeError.
    """
    reserved = {_column(name): name for name in row.__annotations__ if name.endswith("_")}
    return cast("Iterator[R]", (frame.rename(columns=reserved) if reserved else frame).itertuples())


def columns_of(row: type[tuple[Any, ...]]) -> list[str]:
    """The columns that `row` names, in order."""
    return list(row.__annotations__)
