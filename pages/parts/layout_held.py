"""The selection on the embedding map, held while the map is drawn again in other colours."""

from __future__ import annotations

from dataclasses import dataclass, field

import streamlit as st

from core.runs import Run


@dataclass
class Held:
    """The positions of selected points: those that the figure is drawn with, and those selected now.

    A new figure is a new widget, which starts without a selection; it is drawn with the earlier one. What is selected
    on it afterwards leaves the figure as it is: drawn again, it would lose the lasso.
    """

    figure: object
    drawn: tuple[int, ...] = ()
    picked: list[int] = field(default_factory=list)


def held(run: Run, figure: object) -> Held:
    """The selection of this session on the map of the run; `figure` says what it is drawn from."""
    now = st.session_state.get(_key(run))
    if not isinstance(now, Held):
        now = Held(figure)
    elif now.figure != figure:
        now = Held(figure, tuple(now.picked), now.picked)
    st.session_state[_key(run)] = now
    return now


def forget(run: Run) -> None:
    """No point is selected any more. The map gets another key: under the same one, the browser keeps its selection."""
    st.session_state.pop(_key(run), None)
    st.session_state[_turn(run)] = _count(run) + 1


def chart_key(run: Run) -> str:
    """The key of the map's widget."""
    return f"embedding-map-{run.id}-{_count(run)}"


def _count(run: Run) -> int:
    return int(st.session_state.get(_turn(run), 0))


def _turn(run: Run) -> str:
    return f"layout-turn-{run.id}"


def _key(run: Run) -> str:
    return f"layout-held-{run.id}"
