"""Fixtures of the audit tests: two saved models, one small data set, no real report, an own workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from core.datasets import Dataset
from tests.audit.small import save_model, stub_report, take_in


@pytest.fixture(scope="session")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a saved transformer."""
    return save_model(tmp_path_factory.mktemp("vit"), "vit")


@pytest.fixture(scope="session")
def cnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a saved convolutional model."""
    return save_model(tmp_path_factory.mktemp("cnn"), "cnn")


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Four drawn images with captions."""
    return take_in(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small run fastest on one thread, and give the same bytes as in a process of one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep speeds and runs out of the person's own workspace."""
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the runs whose report was asked for."""
    return stub_report(monkeypatch)
