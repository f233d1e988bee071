"""A page that is run alone, outside the app's navigation."""

from __future__ import annotations

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.runs import Run
from core.settings import ROOT


@pytest.fixture(autouse=True)
def links_as_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The links of a page need the navigation; here they are text."""
    monkeypatch.setattr(st, "page_link", lambda page, label, **options: st.text(f"{label}: {page}"))


def opened_alone(page: str, run: Run | None) -> AppTest:
    """`pages/<page>.py` after one run of the script, with the run that the session has chosen."""
    app = AppTest.from_file(str(ROOT / "pages" / f"{page}.py"), default_timeout=90)
    app.session_state["through_app"] = True
    if run is not None:
        app.session_state["run_id"] = run.id
    app.run()
    assert not app.exception, [item.message for item in app.exception]
    return app
