"""The options of methods and applications as form fields, made from their schemas."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st

from core.applications.registry import ApplicationInfo
from core.errors import InputError
from core.methods import MethodInfo
from pages.parts.fields import Fields
from pages.parts.words import plain

ACROSS = 3


def chosen(
    info: MethodInfo | ApplicationInfo,
    preset: Mapping[str, Any],
    effort: str,
    fields: Fields,
    elsewhere: Collection[str] = (),
) -> dict[str, Any]:
    """The options that differ from the defaults, initialised from `preset`; drawn if `fields` are.

    Those named in `elsewhere` have fields of their own in the form. Raises `InputError` if an option is out of its
    bounds.
    """
    changed: dict[str, Any] = {}
    shown = [option for option in info.options.values() if option.name not in elsewhere]
    columns = fields.columns(ACROSS)
    for at, option in enumerate(shown):
        start = preset.get(option.name, option.default)
        value = _value(info, option.name, start, option.description, effort, fields, columns[at % ACROSS])
        if value != option.default:
            changed[option.name] = value
    info.parse(changed)
    return changed


def pick(infos: Sequence[MethodInfo | ApplicationInfo], key: str, notes: Callable[[Any], str]) -> str | None:
    """A choice of the one whose options are drawn, so that those of all others need not be; None for none."""
    titles = {info.name: info.title for info in infos if info.options}
    if st.session_state.get(key) not in (None, *titles):
        del st.session_state[key]
    name = st.selectbox(
        "Change the options of",
        list(titles),
        index=None,
        format_func=titles.__getitem__,
        placeholder="none: all as the preset has them",
        key=key,
    )
    if name is not None:
        st.caption(notes(next(info for info in infos if info.name == name)))
    return name


def _value(
    info: MethodInfo | ApplicationInfo, option: str, default: Any, about: str, effort: str, fields: Fields, where: Any
) -> Any:
    annotation = info.schema.model_fields[option].annotation
    key = _key(info, option, effort)
    label, help = plain(option.replace("_", " ")), plain(about)
    choices = _choices(annotation)
    if choices:
        return fields.ask("selectbox", label, key, default, choices, where=where, help=help)
    kinds = _kinds(annotation)
    if kinds == {bool}:
        return fields.ask("checkbox", label, key, default, where=where, help=help)
    if kinds & {int, float}:
        whole = float not in kinds
        return fields.ask(
            "number_input",
            label,
            key,
            default,
            where=where,
            value=default,
            step=1 if whole else None,
            format=None if whole else "%.4g",
            placeholder="set by the method",
            help=help,
        )
    if annotation is str:
        return fields.ask("text_input", label, key, default, where=where, help=help)
    typed = fields.ask("text_input", label, key, json.dumps(default), where=where, help=help)
    return _parsed(info, option, typed, default)


def fill(info: MethodInfo | ApplicationInfo, effort: str, given: Mapping[str, Any]) -> None:
    """Fill the fields with these options, and with the defaults where none is given; before they are drawn."""
    for option in info.options.values():
        value = given.get(option.name, option.default)
        typed = json.dumps(value) if _is_typed(info.schema.model_fields[option.name].annotation) else value
        st.session_state[_key(info, option.name, effort)] = typed


def _key(info: MethodInfo | ApplicationInfo, option: str, effort: str) -> str:
    return f"option-{effort}-{info.name}-{option}"


def _is_typed(annotation: Any) -> bool:
    """Whether a field of this type holds the value as JSON."""
    return not (_choices(annotation) or annotation is str or _kinds(annotation) & {bool, int, float})


def _kinds(annotation: Any) -> set[type]:
    """The types of a value, where a field for a number or a choice of two can be drawn for all of them."""
    union = get_origin(annotation) in (Union, types.UnionType)
    kinds = {part for part in (get_args(annotation) if union else (annotation,)) if isinstance(part, type)}
    return kinds if kinds == {bool} or kinds <= {int, float, type(None)} else set()


def _choices(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType):
        parts = get_args(annotation)
        if all(get_origin(part) is Literal or part is type(None) for part in parts):
            return [value for part in parts for value in (get_args(part) or (None,))]
    return []


def _parsed(info: MethodInfo | ApplicationInfo, option: str, typed: str, default: Any) -> Any:
    try:
        value = json.loads(typed)
    except ValueError as error:
        example = json.dumps(default)
        raise InputError(f"{info.name}: option {option!r} must be JSON, such as {example}") from error
    return tuple(value) if isinstance(value, list) and isinstance(default, tuple) else value
