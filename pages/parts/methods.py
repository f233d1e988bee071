"""Choosing methods and setting their options, from the catalogue's cards."""

from __future__ import annotations

import json
import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st

from core.errors import InputError
from core.methods import METHODS, MethodInfo
from core.methods.presets import DEFAULT_EFFORT, EFFORTS
from core.runs import MethodPlan
from pages.parts.words import plain, tab

FAMILIES = {
    "similarity": "Similarity: read off the projected features",
    "attention": "Attention: follow the attention weights",
    "gradient": "Gradient: follow the gradient of the score",
    "bottleneck": "Bottleneck: learn what information is needed",
    "perturbation": "Perturbation: hide parts and watch the score",
    "concept": "Concepts: explain by words",
}
QUICK = 12.0  # forward-equivalents a picture and text that still count as quick
ACROSS = 3
WIDTHS = (4, 3, 6)
HEADS = ("Method", "Cost in image forwards", "What to keep in mind")


def choose(capabilities: Sequence[str] | None) -> list[str]:
    """The table of methods by family; the names of those that are picked. `capabilities` None: the model is unknown."""
    blocked = {name: reason for name, info in METHODS.items() if (reason := blocked_by(info, capabilities))}
    usable = [name for name in METHODS if name not in blocked]
    with st.container(horizontal=True):
        st.button("All that fit", on_click=_pick, args=(usable, usable))
        quick = [name for name in usable if total(METHODS[name]) <= QUICK]
        st.button("Only quick ones", on_click=_pick, args=(usable, quick))
        st.button("None", on_click=_pick, args=(usable, []))
    if capabilities is None:
        st.caption("Known once the model is loaded: methods that don't fit are listed as not run.")
    picked = []
    for column, words in zip(st.columns(WIDTHS), HEADS, strict=True):
        column.caption(f"**{words}**")
    for family in dict.fromkeys(info.family for info in METHODS.values()):
        with st.container(border=True):
            st.markdown(f"**{FAMILIES.get(family, family.capitalize())}**")
            for info in METHODS.values():
                if info.family == family and _row(info, blocked.get(info.name), capabilities):
                    picked.append(info.name)
    return picked


def blocked_by(info: MethodInfo, capabilities: Sequence[str] | None) -> str | None:
    """Why no side of the method fits the model; None if one does or the model is unknown."""
    if capabilities is None:
        return None
    reasons = info.reasons(capabilities)
    return None if None in reasons.values() else next(reason for reason in reasons.values() if reason)


def total(info: MethodInfo) -> float:
    """Forward-equivalents for one picture and one text with default options."""
    return info.cost().total(1, 1)


def effort() -> str:
    """How much the sampling methods and curves do, by name."""
    chosen = st.segmented_control(
        "Effort",
        list(EFFORTS),
        default=DEFAULT_EFFORT,
        required=True,
        format_func=lambda name: tab(name.capitalize()),
        help="Sets the numbers of masks, noise samples and curve steps below; each can be changed.",
        key="effort",
        persist_state="session",
    )
    return str(chosen)


def options(names: Sequence[str], effort: str) -> tuple[MethodPlan, ...]:
    """An expander of options for each method that has any; the plans, with what differs from the defaults.

    Raises `InputError` if an option is out of its bounds.
    """
    plans = []
    for name in names:
        info, preset = METHODS[name], EFFORTS[effort].of(name)
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
                st.caption(f"{plain(info.paper)}. Unit of the map: {plain(info.unit)}. Differs: {plain(info.differs)}")
        info.parse(changed)
        plans.append(MethodPlan(name=name, options=changed))
    return tuple(plans)


def _pick(usable: Sequence[str], wanted: Sequence[str]) -> None:
    for name in usable:
        st.session_state[f"method-{name}"] = name in wanted


def _row(info: MethodInfo, blocked: str | None, capabilities: Sequence[str] | None) -> bool:
    name, price, limits = st.columns(WIDTHS, vertical_alignment="center")
    key = f"method-{info.name}"
    with name:
        if blocked:
            st.checkbox(
                plain(info.title),
                value=False,
                disabled=True,
                wrap=True,
                key=f"blocked-{info.name}",
                help=plain(info.idea),
            )
            picked = False
        else:
            st.session_state.setdefault(key, True)
            picked = st.checkbox(plain(info.title), key=key, help=plain(info.idea), wrap=True, persist_state="session")
    cost = info.cost()
    parts = [f"{_count(cost.image + cost.pool)} per picture"]
    if cost.pair:
        parts.append(f"{_count(cost.pair)} per text")
    price.caption(" + ".join(parts) + ("" if info.deterministic else " · random"))
    if blocked:
        limits.caption(f":material/block: Can't run here: it {plain(blocked)}.")
        return False
    missing = [
        f"No {side} map here: it {reason}."
        for side, reason in (info.reasons(capabilities) if capabilities is not None else {}).items()
        if reason
    ]
    limits.caption(plain(" ".join([info.fails, *missing])))
    return picked


def _count(forwards: float) -> str:
    return f"{forwards:,.0f}" if forwards >= 20 else f"{forwards:.3g}"


def _widget(info: MethodInfo, option: str, default: Any, about: str, effort: str) -> Any:
    annotation = info.schema.model_fields[option].annotation
    key = f"option-{effort}-{info.name}-{option}"
    label = plain(option.replace("_", " "))
    about = plain(about)
    choices = _choices(annotation)
    if choices:
        return st.selectbox(label, choices, index=choices.index(default), help=about, key=key, persist_state="session")
    kinds = {part for part in get_args(annotation) or (annotation,) if isinstance(part, type)}
    if kinds == {bool}:
        return st.checkbox(label, value=default, help=about, key=key, persist_state="session")
    if kinds <= {int, float, type(None)} and kinds & {int, float}:
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


def _parsed(info: MethodInfo, option: str, typed: str, default: Any) -> Any:
    try:
        value = json.loads(typed)
    except ValueError as error:
        example = json.dumps(default)
        raise InputError(f"{info.name}: option {option!r} must be written as JSON, such as {example}") from error
    return tuple(value) if isinstance(value, list) and isinstance(default, tuple) else value
