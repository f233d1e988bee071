"""Text towers of every further family, the generations of open_clip's blocks, and what stays closed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.support.tiny import TEXTS, Zoo, fresh
from core.models.blocks import open_clip_blocks
from core.models.image_tower import OpaqueTower, image_tower
from core.models.model import Model
from core.models.text_tower import OpaqueText, text_tower
from core.models.trunk import TextTrunk

TOLERANCE = 1e-5
WRONG = 1e-3
OWN_TEXTS = ("vit_clipa", "vit_own_attention", "coca", "roberta", "mt5", "nllb")


def unit(values: Tensor) -> Tensor:
    return F.normalize(values, dim=-1)


def error(got: Tensor, expected: Tensor) -> float:
    assert got.shape == expected.shape
    return float((got - expected).detach().abs().max())


def identity(weights: Tensor) -> Tensor:
    return weights


# -- texts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", OWN_TEXTS)
def test_the_text_tower_taken_apart_is_the_library_s_forward_at_every_layer(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    tower = model.text
    with torch.no_grad():
        whole = model.net.encode_text(tower.tokenizer(list(TEXTS)), normalize=True)
        assert error(unit(tower.plain(tower.full(TEXTS))), whole) <= TOLERANCE
        assert error(model.embed_texts(TEXTS), whole) <= TOLERANCE
        assert error(model.embed_texts(TEXTS[::-1]), whole) > WRONG
        for ids in (tower.full(TEXTS), tower.tokenize(TEXTS)):
            for layer in range(tower.depth + 1):
                state, mask = tower.enter(ids)
                state = tower.run(state, mask, 0, layer)
                assert tower.readout(ids).shape == state.shape[:2]
                assert float((tower.readout(ids).sum(dim=1) - 1).abs().max()) <= TOLERANCE
                assert error(unit(tower.leave(tower.run(state, mask, layer), ids)), whole) <= TOLERANCE


@pytest.mark.parametrize("family", OWN_TEXTS)
def test_explicit_attention_of_texts_is_the_plain_block(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    trunk = TextTrunk(model, TEXTS)
    with torch.no_grad():
        for index in range(model.text.depth):
            plain = trunk.entering(index + 1)
            scale = float(plain.abs().max())
            explicit = model.text.block(index, trunk.entering(index), trunk.mask, identity)
            assert error(explicit, plain) <= TOLERANCE * scale
            turned = model.text.block(index, trunk.entering(index), trunk.mask, lambda w: w.transpose(-2, -1))
            assert error(turned, plain) > WRONG * scale


@pytest.mark.parametrize("family", ["coca", "mt5", "nllb", "roberta"])
def test_the_mask_and_the_tokens_of_a_text(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    trunk = TextTrunk(model, TEXTS)
    tower = model.text
    assert trunk.mask is not None
    with torch.no_grad():
        whole = model.net.encode_text(tower.tokenizer(list(TEXTS)), normalize=True)
        state = tower.run(trunk.entering(0), torch.zeros_like(trunk.mask), 0)
        assert error(unit(tower.leave(state, trunk.ids)), whole) > WRONG
        alone = TextTrunk(model, TEXTS[:1])
        got = unit(tower.leave(alone.entering(tower.depth), alone.ids))
        assert error(got, whole[:1]) <= TOLERANCE
    for text, (positions, pieces) in zip(TEXTS, trunk.content, strict=True):
        assert len(positions) == len(pieces) == len(text.split())
        assert max(positions) < trunk.ids.shape[1]


def test_a_text_whose_padding_is_hidden(zoo: Zoo) -> None:
    model = fresh(zoo("vit_own_attention"))
    own = model.net.text
    own.attn_mask, own.use_pad_mask = None, True
    tower = text_tower(model.net, model.text.tokenizer)
    ids = tower.full(TEXTS)
    with torch.no_grad():
        state, mask = tower.enter(ids)
        assert mask is not None
        got = unit(tower.leave(tower.run(state, mask, 0), ids))
        assert error(got, unit(own(ids))) <= TOLERANCE
        explicit = state
        for index in range(tower.depth):
            explicit = tower.block(index, explicit, mask, identity)
        assert error(unit(tower.leave(explicit, ids)), unit(own(ids))) <= TOLERANCE
        assert error(unit(tower.leave(tower.run(state, None, 0), ids)), unit(own(ids))) > WRONG


# -- generations of open_clip's blocks ----------------------------------------------------------------------------


class OwnAttention(nn.Module):
    """Attention as a later open_clip may have it: batch first, a plain tensor back, no switch for either."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.num_heads = heads
        self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) / width**0.5)
        self.in_proj_bias = nn.Parameter(torch.randn(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        packed = F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in packed)
        return self.out_proj(F.scaled_dot_product_attention(q, k, v, attn_mask=attn_mask).transpose(1, 2).flatten(2))


class MadeBlock(nn.Module):
    """A residual attention block of one of three generations: "sequence" or "batch" first, or "own" attention."""

    def __init__(self, generation: str, width: int = 16, spoil: float = 1.0) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 32), nn.GELU(), nn.Linear(32, width))
        self.attn: Any = OwnAttention(width, 4)
        if generation != "own":
            self.attn = nn.MultiheadAttention(width, 4, batch_first=generation == "batch")
        self.spoil = spoil

    def forward(self, q_x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        read = self.ln_1(q_x)
        if isinstance(self.attn, OwnAttention):
            out = self.attn(read, attn_mask=attn_mask)
        else:
            out = self.attn(read, read, read, need_weights=False, attn_mask=attn_mask)[0]
        x = q_x + self.spoil * out
        return x + self.mlp(self.ln_2(x))


@pytest.mark.parametrize("generation", ["sequence", "batch", "own"])
def test_blocks_of_three_generations_give_one_result(generation: str) -> None:
    torch.manual_seed(0)
    module = MadeBlock(generation).eval()
    twin = MadeBlock("own").eval()
    twin.load_state_dict(module.state_dict())
    blocks = open_clip_blocks([module])
    assert blocks is not None
    x = torch.randn(2, 5, 16)
    causal = torch.full((5, 5), float("-inf")).triu(1)
    each = causal[None, None].expand(2, 1, 5, 5)
    with torch.no_grad():
        for mask in (None, causal, each):
            expected = twin(x, attn_mask=mask)
            assert error(blocks[0](x, mask), expected) <= TOLERANCE
            assert error(blocks[0](x, mask, identity), expected) <= TOLERANCE
            assert error(blocks[0](x.flip(1), mask), expected) > WRONG


@pytest.mark.parametrize("change", ["another sum", "the sequence first", "mixed kinds", "no weights"])
def test_blocks_that_give_something_else_stay_closed(change: str) -> None:
    torch.manual_seed(0)
    modules: list[Any] = [MadeBlock("own").eval()]
    if change == "another sum":
        modules = [MadeBlock("own", spoil=0.5).eval()]
    elif change == "the sequence first":
        given = modules[0].forward
        modules[0].forward = lambda x, attn_mask=None: given(x.transpose(0, 1), attn_mask=attn_mask).transpose(0, 1)
    elif change == "mixed kinds":
        modules.append(MadeBlock("batch").eval())
    else:
        modules[0].attn.in_proj_weight = None
    assert open_clip_blocks(modules) is None


def _gated(model: Model) -> None:
    model.net.visual.trunk.blocks[0].attn.gate = nn.Linear(64, 64)


def _own_pool(model: Model) -> None:
    model.net.visual.head = nn.Sequential()
    model.net.visual.head.add_module("pool", nn.Identity())


def _spoiled(model: Model) -> None:
    block = model.net.visual.transformer.resblocks[0]
    given = block.forward
    block.forward = lambda x, attn_mask=None: 2 * given(x, attn_mask=attn_mask)


@pytest.mark.parametrize(
    ("family", "change", "why"),
    [("eva02", _gated, "not a supported kind"), ("pe_core", _own_pool, "pool"), ("coca", _spoiled, "blocks")],
)
def test_what_isn_t_known_is_opaque_and_says_why(
    zoo: Zoo, family: str, change: Callable[[Model], None], why: str
) -> None:
    model = fresh(zoo(family))
    change(model)
    tower = image_tower(model.net.visual)
    assert isinstance(tower, OpaqueTower)
    assert tower.capabilities == {"embeddings"}
    assert why in tower.why


def test_a_text_side_that_isn_t_known_says_why(zoo: Zoo) -> None:
    model = fresh(zoo("nllb"))
    model.net.text.config = copy.copy(model.net.text.config)
    model.net.text.config.model_type = "modernbert"
    tower = text_tower(model.net, model.text.tokenizer)
    assert isinstance(tower, OpaqueText)
    assert "modernbert" in tower.why
