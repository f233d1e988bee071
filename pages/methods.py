"""Methods: the card of each method, what it computes, what it assumes, where it fails and what it costs."""

from __future__ import annotations

import streamlit as st

from core.methods import METHODS, MethodInfo
from pages.parts import address, entry
from pages.parts.methods import FAMILIES, count
from pages.parts.words import plain

# As many chosen methods are shown with their cards open.
OPEN = 3


def page() -> None:
    """The cards of the chosen methods, or of all of them by family; the choice is part of the address."""
    names = list(METHODS)
    address.enter_all("methods-read", "method", names, [], str)
    chosen = st.multiselect(
        "Methods", names, format_func=lambda name: METHODS[name].title, key="methods-read", placeholder="All methods"
    )
    address.tell("method", chosen)
    shown = [info for info in METHODS.values() if not chosen or info.name in chosen]
    for family in dict.fromkeys(info.family for info in shown):
        st.subheader(FAMILIES.get(family, family.capitalize()), anchor=False)
        for info in shown:
            if info.family == family:
                with st.expander(info.title, expanded=0 < len(chosen) <= OPEN):
                    card(info)


def card(info: MethodInfo) -> None:
    """What is known of a method before it is run."""
    cost = info.cost()
    price = f"{count(cost.image + cost.pool)} image forward passes per image"
    if cost.pair:
        price += f" and {count(cost.pair)} per image and text"
    st.caption(plain(info.paper))
    for label, text in (
        ("Idea", info.idea),
        ("Assumptions", info.assumes),
        ("Known failure modes", info.fails),
        ("Deviations from the reference implementation", info.differs),
        ("Unit of the map", info.unit + ("; the sign is kept" if info.signed else "")),
        ("Cost with the default options", price),
        ("Randomness", "none" if info.deterministic else "stochastic; the seed of the audit is used"),
        ("Notice", info.notice),
    ):
        if text:
            st.markdown(f"**{label}.** {plain(text)}")


entry.through_app("pages/methods.py")
st.title("Methods")
page()
