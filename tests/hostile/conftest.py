"""The processes that carry hostile files to their doors."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.harness import Harness


@pytest.fixture(scope="module")
def harness() -> Iterator[Harness]:
    """One for all items of a file."""
    made = Harness()
    yield made
    made.close()
