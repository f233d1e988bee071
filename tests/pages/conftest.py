"""A workspace of its own for every test of the pages."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from core.datasets import job
from core.models.listing import embedded_models

SPEED = {"image_forwards_a_second": 40.0, "start_seconds": 5.0, "probe": 1.0}


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty LOUPE_HOME, and no cached reading of another one."""
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path))
    monkeypatch.delenv("LOUPE_FOLDERS", raising=False)
    st.cache_data.clear()
    st.cache_resource.clear()
    yield tmp_path


@pytest.fixture(autouse=True)
def imports_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import is done when it is begun: no test waits for a process."""

    start = job.start

    def done(given: job.Job, folder: Path) -> subprocess.Popen[bytes]:
        process = start(given, folder)
        process.wait()
        return process

    monkeypatch.setattr(job, "start", done)


@pytest.fixture(autouse=True)
def speed_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test of a page waits for, or starts, a measurement of the speed of a bundled model."""
    monkeypatch.setattr(
        "core.audit.cost._speeds", lambda: {f"{model.name}|||auto": SPEED for model in embedded_models()}
    )


@pytest.fixture(autouse=True)
def navigation_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a server whose `st.navigation` has been called once; AppTest forgets it before every run."""
    made = PagesManager.__init__

    def known(self: PagesManager, *arguments: Any, **options: Any) -> None:
        PagesManager.uses_pages_directory = False
        made(self, *arguments, **options)

    monkeypatch.setattr(PagesManager, "__init__", known)
