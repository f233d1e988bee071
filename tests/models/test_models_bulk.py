"""The faster forward and the gate before it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.support.tiny import CNNS, Zoo, fresh, pixels
from core.models import bulk as bulk_module
from core.models.bulk import LEAST_COSINE
from core.models.model import state_digest


@pytest.mark.parametrize("family", CNNS)
def test_the_folded_network_gives_the_plain_embeddings(zoo: Zoo, family: str) -> None:
    model = fresh(zoo(family))
    images = pixels(model, 3)
    plain, fast = model.image.plain(images), model.bulk(images)
    assert model.bulk.why_plain is None
    assert torch.allclose(F.normalize(fast, dim=-1), F.normalize(plain, dim=-1), atol=1e-5)
    assert float((fast - plain).abs().max() / plain.abs().max()) < 1e-4


def norms(network: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in network.modules())


@pytest.mark.parametrize(("family", "left"), [("efficientnet", 0), ("resnet", 1)])
def test_folding_takes_the_norms_out_of_the_copy_and_leaves_the_model_alone(zoo: Zoo, family: str, left: int) -> None:
    model = fresh(zoo(family))
    before = norms(model.image.module)
    copy = fresh(model).image.module
    bulk_module._fold(copy)
    # The stem of this residual network ends in a norm whose convolution lies inside another module.
    assert norms(copy) == left < before
    model.bulk(pixels(model, 1))
    assert norms(model.image.module) == before
    assert state_digest(model.net) == model.digest


@pytest.mark.parametrize("family", ["efficientnet", "resnet"])
def test_a_broken_fold_is_rejected_and_the_plain_network_serves(
    zoo: Zoo, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_bias(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
        assert norm.running_var is not None
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        convolution.weight = nn.Parameter(convolution.weight * scale[:, None, None, None], requires_grad=False)

    monkeypatch.setattr(bulk_module, "_fold_pair", without_bias)
    model = fresh(zoo(family))
    images = pixels(model, 3)
    assert torch.equal(model.bulk(images), model.image.plain(images))
    assert model.bulk.why_plain is not None
    assert "cosine" in model.bulk.why_plain


def test_a_fold_that_gives_no_numbers_is_rejected(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_module, "_fast", lambda tower: lambda images: torch.full((len(images), 32), torch.nan))
    model = fresh(zoo("efficientnet"))
    images = pixels(model, 2)
    assert torch.equal(model.bulk(images), model.image.plain(images))
    assert model.bulk.why_plain is not None


def test_the_gate_is_strict() -> None:
    assert 0.9999 < LEAST_COSINE < 1


def test_towers_without_a_faster_form_are_run_as_they_are(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model, 2)
    assert torch.equal(model.bulk(images), model.image.plain(images))
    assert model.bulk.why_plain is not None
