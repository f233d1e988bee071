"""The table of which method runs on which kind of model, as in `docs/capabilities.md`."""

from __future__ import annotations

import streamlit as st

from core.methods.info import Side
from core.models.capability_table import TowerKind, methods_of, tower_kinds
from pages.parts.words import plain

SIDES: dict[Side, str] = {"image": "Image side", "text": "Text side"}
RUNS, NOT = "yes", "no"


def capability_table() -> None:
    """Both sides in tabs: why methods cannot run on a chosen kind of tower, and all methods for all kinds."""
    for tab, side in zip(st.tabs(list(SIDES.values())), SIDES, strict=True):
        with tab:
            _side(side)


def _side(side: Side) -> None:
    kinds = tower_kinds(side)
    chosen = st.selectbox(
        "Kind of model", kinds, format_func=lambda kind: kind.title, key=f"capability-{side}", persist_state="session"
    )
    st.caption(plain(_about(chosen)))
    refused = {info.title: reason for info in methods_of(side) if (reason := chosen.reason(info))}
    if refused:
        st.markdown("\n".join(f"- {plain(title)}: {plain(reason)}" for title, reason in refused.items()))
    else:
        st.markdown("Every method of this side can run.")
    with st.expander("All kinds"):
        rows = [
            {"Method": info.title, **{kind.title: NOT if kind.reason(info) else RUNS for kind in kinds}}
            for info in methods_of(side)
        ]
        st.dataframe(rows, hide_index=True)


def _about(kind: TowerKind) -> str:
    named = f"For example {', '.join(kind.names[:4])}. " if kind.names else ""
    if kind.side == "text":
        return named.strip()
    hidden = "are dropped from the input" if kind.droppable else "are replaced by the mean colour"
    return f"{named}Hidden patches {hidden} where a method does not prescribe the removal."
