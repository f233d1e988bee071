"""The options of methods and applications as form fields, made from their schemas."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st

from core.errors import InputError
from core.methods import MethodInfo
from core.methods.applications import ApplicationInfo
from pages.parts.words import plain

ACROSS = 3


def expander(info: MethodInfo | ApplicationInfo, preset: Mapping[str, Any], effort: str, told: str) -> dict[str, Any]:
    """An expander of the options, started from `preset`; what differs from the defaults. `told` stands below them.

    Raises `InputError` if an option is out of its bounds.
    """
    changed: dict[str, Any] = {}
    if info.options:
        with st.expander(f"Options of {plain(info.title)}"):
            columns = st.columns(ACROSS, vertical_alignment="bottom")
            for at, option in enumerate(info.options.values()):
                with columns[at % ACROSS]:
                    start = preset.get(option.name, option.default)
                    value = _widget(info, option.name, start, option.description, effort)
                if value != option.default:
                    changed[option.name] = value
            st.caption(told)
    info.parse(changed)
    return changed


def _widget(info: MethodInfo | ApplicationInfo, option: str, default: Any, about: str, effort: str) -> Any:
    annotation = info.schema.model_fields[option].annotation
    key = f"option-{effort}-{info.name}-{option}"
    label = plain(option.replace("_", " "))
    about = plain(about)
    choices = _choices(annotation)
    if choices:
        return st.selectbox(label, choices, index=choices.index(default), help=about, key=key, persist_state="session")
    union = get_origin(annotation) in (Union, types.UnionType)
    kinds = {part for part in (get_args(annotation) if union else (annotation,)) if isinstance(part, type)}
    if kinds == {bool}:
        return st.checkbox(label, value=default, help=about, key=key, persist_state="session")
    if kinds and kinds <= {int, float, type(None)} and kinds & {int, float}:
        whole = float not in kinds
        return st.number_input(
            label,
            value=default,
            step=1 if whole else None,
            format=None if whole else "%.4g",
            placeholder="chosen by the method",
            help=about,
            key=key,
            persist_state="session",
        )
    if annotation is str:
        return st.text_input(label, value=default, help=about, key=key, persist_state="session")
    typed = st.text_input(label, value=json.dumps(default), help=about, key=key, persist_state="session")
    return _parsed(info, option, typed, default)


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
        raise InputError(f"{info.name}: option {option!r} must be written as JSON, such as {example}") from error
    return tuple(value) if isinstance(value, list) and isinstance(default, tuple) else value
