"""Every option of every method and application has bounds: no plan can ask for a number or a text without end."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import pytest
from pydantic import Field
from pydantic.fields import FieldInfo

from core.applications.registry import APPLICATIONS
from core.errors import InputError
from core.methods import METHODS
from core.methods.info import IS_FILE, FileOption, Line, Lines, Options, parse_options

CARDS = {**METHODS, **{name: part.card for name, part in APPLICATIONS.items()}}


def flat(metadata: Any) -> list[Any]:
    """Constraints, also those that a nested field holds."""
    found: list[Any] = []
    for entry in metadata:
        found += flat(entry.metadata) if isinstance(entry, FieldInfo) else [entry]
    return found


def unbounded(annotation: Any, metadata: Any, where: str) -> Iterator[str]:
    """What has no bounds of its own in a type: numbers need both, texts and lists a maximal length."""
    told = flat(metadata)
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        yield from unbounded(inner, [*told, *more], where)
    elif get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from unbounded(part, told, where)
    elif get_origin(annotation) is tuple:
        if not any(isinstance(entry, annotated_types.MaxLen) for entry in told):
            yield where
        yield from unbounded(get_args(annotation)[0], [], where)
    elif annotation in (int, float):
        low = any(isinstance(entry, (annotated_types.Ge, annotated_types.Gt)) for entry in told)
        high = any(isinstance(entry, (annotated_types.Le, annotated_types.Lt)) for entry in told)
        if not (low and high):
            yield where
    elif annotation is str:
        if not any(isinstance(entry, annotated_types.MaxLen) for entry in told):
            yield where
    elif annotation not in (bool, type(None)) and get_origin(annotation) is not Literal:
        yield f"{where}: a type that this test does not know"


def without_bounds(schema: type[Options], name: str) -> list[str]:
    fields = schema.model_fields.items()
    return [
        line for option, field in fields for line in unbounded(field.annotation, field.metadata, f"{name}.{option}")
    ]


def test_every_option_is_bounded() -> None:
    assert [line for name, card in CARDS.items() for line in without_bounds(card.schema, name)] == []
    assert all(card.schema.model_config.get("allow_inf_nan") is False for card in CARDS.values())


class Loose(Options):
    number: int = Field(1, ge=0)
    share: float | None = Field(None, lt=1)
    text: str = ""
    texts: tuple[Line, ...] = ()
    numbers: tuple[float, ...] = Field((), max_length=3)
    inner: tuple[str, ...] = Field((), max_length=3)
    fine: Lines = ()
    good: int = Field(1, ge=0, le=3)
    file: FileOption = ""


def test_the_check_of_bounds_sees_each_that_is_missing() -> None:
    names = ["number", "share", "text", "texts", "numbers", "inner"]
    assert without_bounds(Loose, "x") == [f"x.{name}" for name in names]


def test_options_that_name_files_are_marked() -> None:
    for card in CARDS.values():
        for name, field in card.schema.model_fields.items():
            told = f"{name} {field.description}".lower()
            if "of this machine" in told or "on this machine" in told or "weights" in name or name == "checkpoint":
                assert IS_FILE in field.metadata, f"{card.name}.{name}"
    assert APPLICATIONS["segmentation"].card.files == ("truth", "sam_checkpoint")
    assert "captioner_weights" in APPLICATIONS["priors"].card.files


@pytest.mark.parametrize(
    "options",
    [
        {"masks": 10**12}, {"masks": 10**400}, {"masks": float("nan")}, {"masks": float("inf")}, {"masks": [1]},
        {"masks": "9" * 5000}, {"masks": None}, {"keep": float("nan")}, {"keep": 1e308},
        {"x" * 10**6: 1}, {"a\x1b\n": 1}, {"cells": {"a": {"b": 1}}},
    ],
)  # fmt: skip
def test_a_value_out_of_bounds_is_one_short_line(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="rise: option") as caught:
        METHODS["rise"].parse(options)
    told = str(caught.value)
    assert "\n" not in told and "\x1b" not in told and len(told) < 600


def test_texts_of_options_are_lines() -> None:
    assert parse_options("x", Loose, {"fine": ["a\x0bb\ud800", "\u202ec"]}).fine == ("a b", "c")
    with pytest.raises(InputError, match="at most 2000 characters"):
        parse_options("x", Loose, {"fine": ["a" * 2001]})
