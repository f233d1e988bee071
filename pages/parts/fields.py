"""Fields of a form whose sections are drawn only while they are open; the values are there in both cases."""

from __future__ import annotations

from typing import Any

import streamlit as st


class Fields:
    """The fields of one section. A closed section draws nothing: its values are what was set last, or the defaults."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown

    def ask(self, kind: str, label: str, key: str, default: Any, *given: Any, where: Any = None, **more: Any) -> Any:
        """The value of the field `key`, which `st.<kind>` draws. `given` are its positional parts after the label."""
        if not self.shown:
            return st.session_state.get(key, default)
        if "value" not in more:
            # Set here and not as the field's own default: the presets write the same keys.
            st.session_state.setdefault(key, default)
        return getattr(where or st, kind)(label, *given, key=key, persist_state="session", **more)

    def columns(self, count: int) -> list[Any]:
        """So many columns; a closed section has none to draw into."""
        return list(st.columns(count, vertical_alignment="bottom")) if self.shown else [None] * count

    def caption(self, text: str) -> None:
        """A note below a field."""
        if self.shown:
            st.caption(text)


def section(title: str, key: str) -> tuple[Any, Fields]:
    """A folded part of a form, and its fields. Nothing in it is drawn until it is opened."""
    box = st.expander(title, key=f"section-{key}", on_change="rerun")
    return box, Fields(bool(box.open))
