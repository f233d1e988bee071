"""A timer of a page that the person has left does not bring them back."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest


def page(at_timer: str) -> None:
    """A page that counts its runs; after its first, its timer fires while the session shows `at_timer`."""
    import streamlit as st

    from pages.parts import entry

    st.session_state["through_app"] = True
    entry.through_app("pages/dataset.py")
    st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    if st.session_state["runs"] == 1:
        st.session_state["page_shown"] = at_timer
        entry.run_again("pages/dataset.py")


@pytest.mark.parametrize(("at_timer", "runs"), [("pages/dataset.py", 2), ("pages/audit.py", 1)])
def test_a_timer_runs_only_the_page_that_is_shown_again(at_timer: str, runs: int) -> None:
    app = AppTest.from_function(page, kwargs={"at_timer": at_timer}).run()
    assert not app.exception
    assert app.session_state["runs"] == runs


def way_in() -> None:
    """A page that is the first request after a start, and what the app is then asked for."""
    import streamlit as st

    from pages.parts import entry

    asked: list[object] = st.session_state.setdefault("asked", [])
    st.switch_page = lambda page, query_params: asked.append((page, query_params))  # type: ignore[assignment]
    entry.through_app("pages/playground.py")


def test_every_value_of_a_repeated_name_survives_the_way_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamlit.switch_page", None)  # put back afterwards
    app = AppTest.from_function(way_in)
    app.query_params["prompt"] = ["a colourful bird", "green leaves"]
    app.query_params["run"] = "one"
    app.run()
    assert not app.exception
    wanted = {"prompt": ["a colourful bird", "green leaves"], "run": ["one"]}
    assert app.session_state["asked"] == [("app.py", wanted)]
