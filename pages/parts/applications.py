"""The choice of dataset analyses: what an audit computes over all its images once the maps are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.applications.card import ApplicationInfo
from core.applications.registry import APPLICATIONS
from core.extents import DEFAULT_EXTENT, EXTENTS
from core.runs import ApplicationPlan
from pages.parts import options
from pages.parts.fields import Fields
from pages.parts.words import plain


@dataclass(frozen=True)
class Choice:
    """The plans of the selected analyses, and why others cannot run on this model and these inputs, by their title."""

    plans: tuple[ApplicationPlan, ...]
    blocked: dict[str, str]


def choose(
    capabilities: Sequence[str] | None,
    effort: str,
    inputs: Mapping[str, int],
    fields: Fields,
    declared: tuple[str, ...] = (),
) -> Choice:
    """A toggle for each application with its question, then the options of one of the selected.

    `inputs` counts what the audit gives applications, `declared` are lines of declared concepts for those that test
    them. Those that cannot run are disabled, with the reason. Raises `InputError` for an option out of bounds.
    """
    cards = [application.card for application in APPLICATIONS.values()]
    usual = EXTENTS[DEFAULT_EXTENT].applications(inputs["images"])
    columns = fields.columns(2)
    found: list[tuple[ApplicationInfo, dict[str, Any]]] = []
    blocked: dict[str, str] = {}
    for at, info in enumerate(cards):
        chosen = options.chosen(info, info.preset(effort), effort, Fields(False), info.declared)
        reason = unavailable(info, capabilities, inputs, chosen)
        if reason is not None:
            blocked[info.title] = reason
        if fields.shown:
            with columns[at % 2]:
                wanted = _card(info, effort, reason, info.name in usual)
        else:
            wanted = bool(st.session_state.get(f"application-{info.name}", info.name in usual))
        if wanted and reason is None:
            found.append((info, chosen))
    shown = options.pick([info for info, _ in found], "options-of-application", _about) if fields.shown else None
    plans = []
    for info, chosen in found:
        if info.name == shown:
            chosen = options.chosen(info, info.preset(effort), effort, fields, info.declared)
        if declared:
            chosen |= {key: list(declared) for key in info.declared}
        plans.append(ApplicationPlan(name=info.name, options=chosen))
    return Choice(tuple(plans), blocked)


def unavailable(
    info: ApplicationInfo,
    capabilities: Sequence[str] | None,
    inputs: Mapping[str, int],
    chosen: Mapping[str, object] | None = None,
) -> str | None:
    """Why the model or the inputs of the audit do not serve the application; None if they do."""
    reason = None if capabilities is None else info.reason(capabilities)
    return f"it {reason}" if reason else info.lacks(inputs, chosen)


def _card(info: ApplicationInfo, effort: str, reason: str | None, usual: bool) -> bool:
    with st.container(border=True):
        if reason is not None:
            st.toggle(plain(info.title), disabled=True, key=f"blocked-application-{info.name}")
            st.caption(f":material/block: {plain(f'Cannot run: {reason}.')}")
            return False
        key = f"application-{info.name}"
        st.session_state.setdefault(key, usual)
        cost = _cost(info, info.cost_model(info.parse(info.preset(effort))))
        wanted = st.toggle(plain(info.title), key=key, persist_state="session")
        st.caption(plain(f"{info.question} {cost}."))
    return wanted


def _about(info: ApplicationInfo) -> str:
    return f"{plain(info.paper)}. Deviations from the reference: {plain(info.differs)}"


def _cost(info: ApplicationInfo, forwards: float) -> str:
    count = f"{forwards:,.0f}"
    unit = "image" if info.limit == "images" else info.limit.rstrip("s")
    return f"{count} image forward {'pass' if count == '1' else 'passes'} per {unit}"
