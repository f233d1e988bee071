"""Choosing methods and setting their options, from the catalogue's cards."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.methods import METHODS, MethodInfo
from core.methods.presets import DEFAULT_EFFORT, EFFORTS
from core.runs import MethodPlan
from pages.parts.options import expander
from pages.parts.words import plain, tab

FAMILIES = {
    "similarity": "Similarity: read off the projected features",
    "dense": "Dense: read off the features after another attention in the last blocks",
    "attention": "Attention: follow the attention weights",
    "gradient": "Gradient: follow the gradient of the score",
    "cam": "Class activation: see the picture through a layer's channels",
    "bottleneck": "Bottleneck: learn what information is needed",
    "perturbation": "Perturbation: hide parts and watch the score",
    "concept": "Concepts: explain by words",
    "regional": "Regions: share the score among parts that the model itself sees",
    "interaction": "Interactions: places and words together",
}
QUICK = 12.0  # forward-equivalents a picture and text that still count as quick
WIDTHS = (4, 3, 6)
HEADS = ("Method", "Cost in image forwards", "What to keep in mind")


def choose(capabilities: Sequence[str] | None) -> list[str]:
    """The table of methods by family; the names of those that are picked. `capabilities` None: the model is unknown."""
    blocked = {name: reason for name, info in METHODS.items() if (reason := blocked_by(info, capabilities))}
    usable = [name for name in METHODS if name not in blocked]
    with st.container(horizontal=True):
        usual = [name for name in usable if not METHODS[name].opt_in]
        st.button("All that fit", on_click=_pick, args=(usable, usual))
        quick = [name for name in usual if total(METHODS[name]) <= QUICK]
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
        info = METHODS[name]
        told = f"{plain(info.paper)}. Unit of the map: {plain(info.unit)}. Differs: {plain(info.differs)}"
        plans.append(MethodPlan(name=name, options=expander(info, EFFORTS[effort].of(name), effort, told)))
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
            st.session_state.setdefault(key, not info.opt_in)
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
    if info.notice:
        limits.caption(f":material/gavel: {plain(info.notice)}")
    return picked


def _count(forwards: float) -> str:
    return f"{forwards:,.0f}" if forwards >= 20 else f"{forwards:.3g}"
