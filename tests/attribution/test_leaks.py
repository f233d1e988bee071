"""Nothing that a method makes outlives its call: no tensor, no graph."""

from __future__ import annotations

import gc

import pytest
import torch

from benchmarks.support.tiny import Zoo, pixels
from core.methods import METHODS
from core.models.model import Model
from tests.attribution.test_attribution_contract import run


def alive() -> tuple[int, int]:
    """How many tensors there are, and how many of them hang on a graph."""
    gc.collect()
    found = [thing for thing in gc.get_objects() if type(thing) in (torch.Tensor, torch.nn.Parameter)]
    return len(found), sum(tensor.grad_fn is not None for tensor in found)


def counted(model: Model, method: str) -> list[tuple[int, int]]:
    """What is alive after a first call, which may fill caches of the model, and after two more."""
    images, found = pixels(model, 1), []
    for _ in range(3):
        run(model, images, ["a red bird", "dog"], method)
        found.append(alive())
    return found


@pytest.mark.nightly
@pytest.mark.parametrize("method", list(METHODS))
def test_a_second_call_leaves_as_much_behind_as_the_first(zoo: Zoo, method: str) -> None:
    first, second, third = counted(zoo("vit"), method)
    assert first == second == third
    assert third[1] == 0


def test_what_is_kept_is_seen(zoo: Zoo) -> None:
    kept = [alive()]
    held = torch.ones(3, requires_grad=True) * 2
    kept.append(alive())
    assert kept[1][0] > kept[0][0]
    assert kept[1][1] == kept[0][1] + 1
    assert held.grad_fn is not None
