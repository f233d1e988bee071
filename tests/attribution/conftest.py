"""The tiny models, one of each family."""

from __future__ import annotations

import pytest
import torch

from benchmarks.support.tiny import Zoo, tiny_model

# Models this small run fastest on one thread.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    folder = tmp_path_factory.mktemp("tiny-models")
    return lambda family: tiny_model(family, folder)
