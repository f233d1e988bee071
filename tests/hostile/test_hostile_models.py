"""Every hostile model, and every odd file as an argument of `audit`: one line, exit code 2, no code of theirs."""

from __future__ import annotations

import pytest

from tests.hostile import corpus
from tests.hostile.harness import Harness, checked
from tests.hostile.item import TORCH
from tests.hostile.pending import marked

ITEMS = {name: item for name, item in corpus.items().items() if item.door in TORCH}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", marked(name for name, item in ITEMS.items() if not item.heavy))
def test_a_hostile_model_does_no_harm(harness: Harness, name: str) -> None:
    checked(harness, ITEMS[name])


@pytest.mark.nightly
@pytest.mark.parametrize("name", marked(name for name, item in ITEMS.items() if item.heavy))
def test_a_slow_hostile_model_does_no_harm(harness: Harness, name: str) -> None:
    checked(harness, ITEMS[name])
