"""A workspace for the whole session, so that WordNet is unpacked once."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """`LOUPE_HOME` in a folder of the session."""
    before = os.environ.get("LOUPE_HOME")
    os.environ["LOUPE_HOME"] = str(tmp_path_factory.mktemp("home"))
    yield
    if before is None:
        del os.environ["LOUPE_HOME"]
    else:
        os.environ["LOUPE_HOME"] = before
