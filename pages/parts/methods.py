"""Choosing methods and setting their options, from the catalogue's cards."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.extents import DEFAULT_EXTENT, EXTENTS
from core.methods import METHODS, MethodInfo
from core.methods.presets import EFFORTS
from core.plugins import faults
from core.runs import MethodPlan
from pages.parts import options
from pages.parts.fields import Fields
from pages.parts.words import plain, tab

FAMILIES = {
    "similarity": "Similarity: compare projected features with the text",
    "dense": "Dense: compare features after a modified attention in the last blocks",
    "attention": "Attention: follow the attention weights",
    "gradient": "Gradient: follow the gradient of the score",
    "cam": "Class activation: combine the channels of a layer",
    "bottleneck": "Bottleneck: learn which information is needed",
    "perturbation": "Perturbation: hide parts and record the score",
    "concept": "Concepts: explain by named concepts",
    "regional": "Regions: attribute the score to regions that the model itself distinguishes",
    "interaction": "Interactions: patches and words jointly",
}
ACROSS = 3


def choose(capabilities: Sequence[str] | None, fields: Fields) -> list[str]:
    """The table of methods by family; the names of the selected ones. `capabilities` None: the model is unknown."""
    blocked = {name: reason for name, info in METHODS.items() if (reason := blocked_by(info, capabilities))}
    usable = [name for name in METHODS if name not in blocked]
    usual = EXTENTS[DEFAULT_EXTENT].methods(usable)
    if not fields.shown:
        return [name for name in usable if st.session_state.get(f"method-{name}", name in usual)]
    with st.container(horizontal=True):
        every = EXTENTS["everything"].methods(usable)
        st.button("All available", on_click=_pick, args=(usable, every))
        quick = EXTENTS["quick"].methods(usable)
        st.button("Fast methods only", on_click=_pick, args=(usable, quick))
        st.button("None", on_click=_pick, args=(usable, []))
    if capabilities is None:
        st.caption("Availability is known once the model is loaded; methods it cannot serve are listed as not run.")
    st.caption("The number after a method is its cost in image forward passes for one image and one text.")
    picked = []
    for family in dict.fromkeys(info.family for info in METHODS.values()):
        infos = [info for info in METHODS.values() if info.family == family]
        with st.container(border=True):
            st.markdown(f"**{FAMILIES.get(family, family.capitalize())}**")
            columns = st.columns(ACROSS)
            for at, info in enumerate(infos):
                with columns[at % ACROSS]:
                    if _row(info, blocked.get(info.name), capabilities, info.name in usual):
                        picked.append(info.name)
            for reason in dict.fromkeys(blocked[info.name] for info in infos if info.name in blocked):
                st.caption(f":material/block: Not available for this model: it {plain(reason)}.")
    for fault in faults():
        st.caption(f":material/extension_off: {plain(fault.line)}.")
    return picked


def blocked_by(info: MethodInfo, capabilities: Sequence[str] | None) -> str | None:
    """Why the model can serve no side of the method; None if it can serve one or is unknown."""
    if capabilities is None:
        return None
    reasons = info.reasons(capabilities)
    return None if None in reasons.values() else next(reason for reason in reasons.values() if reason)


def total(info: MethodInfo) -> float:
    """Forward-equivalents for one image and one text with default options."""
    return info.cost().total(1, 1)


def effort(fields: Fields) -> str:
    """The effort of sampling methods and curves, by name."""
    chosen = fields.ask(
        "segmented_control",
        "Effort",
        "effort",
        EXTENTS[DEFAULT_EXTENT].effort,
        list(EFFORTS),
        required=True,
        format_func=lambda name: tab(name.capitalize()),
        help="Sets the numbers of masks, noise samples and curve steps; each can be changed.",
    )
    return str(chosen)


def plans(names: Sequence[str], effort: str, fields: Fields) -> tuple[MethodPlan, ...]:
    """The plans of these methods, with what differs from the defaults; a choice whose options are drawn.

    Raises `InputError` if an option is out of its bounds.
    """
    infos = [METHODS[name] for name in names]
    shown = options.pick(infos, "options-of-method", _about) if fields.shown else None
    return tuple(
        MethodPlan(
            name=info.name,
            options=options.chosen(info, EFFORTS[effort].of(info.name), effort, Fields(info.name == shown)),
        )
        for info in infos
    )


def _about(info: MethodInfo) -> str:
    return (
        f"{plain(info.paper)}. Unit of the map: {plain(info.unit)}. Deviations from the reference: "
        f"{plain(info.differs)}"
    )


def _pick(usable: Sequence[str], wanted: Sequence[str]) -> None:
    for name in usable:
        st.session_state[f"method-{name}"] = name in wanted


def _row(info: MethodInfo, blocked: str | None, capabilities: Sequence[str] | None, usual: bool) -> bool:
    cost = info.cost()
    price = f"{count(cost.image + cost.pool)} per image"
    if cost.pair:
        price += f" + {count(cost.pair)} per text"
    about = [info.idea, info.fails, f"Cost in image forward passes: {price}."]
    if not info.deterministic:
        about.append("Stochastic.")
    if blocked:
        help = plain(" ".join(about))
        st.checkbox(plain(info.title), disabled=True, wrap=True, key=f"blocked-{info.name}", help=help)
        return False
    key = f"method-{info.name}"
    st.session_state.setdefault(key, usual)
    reasons = info.reasons(capabilities) if capabilities is not None else {}
    about += [f"No {side} map for this model: it {reason}." for side, reason in reasons.items() if reason]
    picked = st.checkbox(
        f"{plain(info.title)} :gray[· {count(total(info))}]",
        key=key,
        help=plain(" ".join(about)),
        wrap=True,
        persist_state="session",
    )
    if info.notice:
        st.caption(f":material/gavel: {plain(info.notice)}")
    return picked


def count(forwards: float) -> str:
    """A number of forward passes in as few digits as tell it apart."""
    return f"{forwards:,.0f}" if forwards >= 20 else f"{forwards:.3g}"
