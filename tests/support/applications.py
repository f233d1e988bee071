"""An application of a test."""

from __future__ import annotations

import pytest

from core.applications import registry
from core.applications.application import Application, Work
from core.applications.card import ApplicationInfo


def add_application(monkeypatch: pytest.MonkeyPatch, card: ApplicationInfo, work: Work) -> None:
    """Make an application known until the test ends."""
    application = Application(card=card, order=900, work=lambda: work, chapter=lambda: lambda context: ())
    monkeypatch.setitem(registry.APPLICATIONS, card.name, application)
