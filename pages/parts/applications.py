"""Choosing what an audit does with all its pictures once they are explained."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.methods.applications import APPLICATIONS
from core.methods.presets import EFFORTS
from core.runs import ApplicationPlan
from pages.parts.options import expander
from pages.parts.words import plain


def choose(capabilities: Sequence[str] | None, effort: str) -> tuple[ApplicationPlan, ...]:
    """A toggle for each application with its question, then the options of those chosen.

    Those the model can't serve are off and say why. Raises `InputError` if an option is out of its bounds.
    """
    chosen = []
    columns = st.columns(2)
    for at, info in enumerate(APPLICATIONS.values()):
        reason = None if capabilities is None else info.reason(capabilities)
        options = EFFORTS[effort].of(info.name)
        cost = info.cost_model(info.parse(options))
        with columns[at % 2], st.container(border=True):
            wanted = st.toggle(
                plain(info.title),
                value=reason is None,
                disabled=reason is not None,
                key=f"application-{info.name}",
                persist_state="session",
            )
            st.markdown(plain(info.question))
            st.caption(plain(f"Not with this model: {reason}" if reason else f"{cost:,.0f} image forwards a picture"))
        if wanted and reason is None:
            chosen.append(info)
    plans = []
    for info in chosen:
        told = f"{plain(info.paper)}. Differs: {plain(info.differs)}"
        plans.append(
            ApplicationPlan(name=info.name, options=expander(info, EFFORTS[effort].of(info.name), effort, told))
        )
    return tuple(plans)
