"""The glossary page shows every term, and those alone that match a filter."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from core.glossary import GLOSSARY
from core.settings import ROOT


def test_the_glossary_shows_every_term_and_filters_them() -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page("pages/glossary.py").run()
    assert not app.exception
    assert len(app.main.markdown) >= len(GLOSSARY)
    everything = len(app.main.markdown)
    app.text_input[0].set_value("holm").run()
    shown = " ".join(item.value for item in app.main.markdown)
    assert "Holm" in shown and "Nats" not in shown
    assert 0 < len(app.main.markdown) < everything
    app.text_input[0].set_value("no such term").run()
    assert "No term matches the filter." in [item.value for item in app.text]
