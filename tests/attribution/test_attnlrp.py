"""AttnLRP against relevance handed back layer by layer in float64, and what its rules conserve."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.support import tiny
from benchmarks.support.tiny import TEXTS, Zoo, double, fresh
from core import explain
from core.attribution import attnlrp, relevance
from core.attribution.contract import Work
from core.errors import CapabilityError, InputError
from core.methods import METHODS, method_info
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref

TOLERANCE = 1e-6
FAMILIES = ("vit", "vit_wide", "vit_quick", "vit_layer_scale")


def work_of(model: Model) -> Work:
    wide = double(model)
    return Work(wide, ImageTrunk(wide, tiny.pixels(model).double()), TextTrunk(wide, TEXTS))


def options(layer: int = 0) -> Any:
    return method_info("attnlrp").parse({"layer": layer})


# -- relevance, handed from outputs to inputs -------------------------------------------------------------------------


def linear(given: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """R_i = sum_j x_i w_ji R_j / y_j for rows of x."""
    y = x @ weight.T + (0 if bias is None else bias)
    return x * ((given / y) @ weight)


def norm(given: Tensor, x: Tensor, module: Any) -> Tensor:
    """A layer norm as the matrix that it is while the spread is constant, row by row."""
    width = x.shape[1]
    centre = torch.eye(width, dtype=torch.float64) - 1 / width
    rows = []
    for row, one in zip(given, x, strict=True):
        spread = ((one - one.mean()) ** 2).mean().add(module.eps).sqrt()
        rows.append(linear(row[None], one[None], module.weight[:, None] * centre / spread, module.bias)[0])
    return torch.stack(rows)


def attention(given: Tensor, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Half to the values; the other half through the softmax, and half of that to queries and keys each."""
    scores = q @ k.T / q.shape[1] ** 0.5
    weights = ref.softmax(scores if bias is None else scores + bias)
    out = weights @ v
    share = given / out / 2
    to_v = v * (weights.T @ share)
    to_weights = weights * (share @ v.T)
    to_scores = scores * (to_weights - weights * to_weights.sum(dim=1, keepdim=True))
    each = to_scores / scores / 2 / q.shape[1] ** 0.5
    return q * (each @ k), k * (each.T @ q), to_v


def split(given: Tensor, x: Tensor, added: Tensor) -> tuple[Tensor, Tensor]:
    """A sum hands on by what each part is of it."""
    return given * x / (x + added), given * added / (x + added)


def block_back(given: Tensor, block: Any, x: Tensor, bias: Tensor | None) -> Tensor:
    """From the relevance of what leaves an open_clip block to that of what enters it, rows of tokens."""
    heads = block.attn.num_heads
    width = x.shape[1] // heads
    normed = block.ln_1(x)
    q, k, v = ref.open_clip_qkv(block, x)
    z, _ = ref.heads_of(q, k, v, heads, bias, None, (ref.same, ref.same))
    out_weight, out_bias = block.attn.out_proj.weight, block.attn.out_proj.bias
    attended = block.ls_1(z @ out_weight.T + out_bias)
    middle = x + attended
    to_middle, to_mlp = split(given, middle, block.ls_2(block.mlp(block.ln_2(middle))))
    normed_2 = block.ln_2(middle)
    hidden = block.mlp.c_fc(normed_2)
    inner = linear(to_mlp, block.mlp.gelu(hidden), block.mlp.c_proj.weight, block.mlp.c_proj.bias)
    # The activation passes on what reaches it.
    back = linear(inner, normed_2, block.mlp.c_fc.weight, block.mlp.c_fc.bias)
    to_middle = to_middle + norm(back, middle, block.ln_2)
    to_x, to_attended = split(to_middle, x, attended)
    to_z = linear(to_attended, z, out_weight, out_bias)
    parts: list[list[Tensor]] = [[], [], []]
    for head in range(heads):
        at = slice(head * width, (head + 1) * width)
        for found, part in zip(attention(to_z[:, at], q[:, at], k[:, at], v[:, at], bias), parts, strict=True):
            part.append(found)
    weight, in_bias = block.attn.in_proj_weight, block.attn.in_proj_bias
    back = torch.zeros_like(x)
    for at, part in enumerate(parts):
        rows = slice(at * x.shape[1], (at + 1) * x.shape[1])
        back = back + linear(torch.cat(part, dim=1), normed, weight[rows], in_bias[rows])
    return to_x + norm(back, x, block.ln_1)


@torch.no_grad()
def image_relevance(plain: ref.Plain, pixels: Tensor, text: str, start: int) -> Tensor:
    states, visual = plain.states(pixels), plain.visual
    last = states[-1]
    pooled = visual.ln_post(last[:1])
    embedding = pooled @ visual.proj
    given = embedding * plain.words(text) / embedding.norm()
    given = norm(linear(given, pooled, visual.proj.T, None), last[:1], visual.ln_post)
    given = torch.cat([given, torch.zeros_like(last[1:])])
    for index in reversed(range(start, len(plain.blocks))):
        given = block_back(given, plain.blocks[index], states[index], None)
    return given.sum(dim=1)


@torch.no_grad()
def text_relevance(plain: ref.Plain, pixels: Tensor, text: str, start: int) -> Tensor:
    states, _, bias = plain.text_states(text)
    own, last = plain.text, states[-1]
    pooled = own.ln_final(last[-1:])
    embedding = pooled @ own.text_projection
    given = embedding * plain.image(pixels) / embedding.norm()
    given = norm(linear(given, pooled, own.text_projection.T, None), last[-1:], own.ln_final)
    given = torch.cat([torch.zeros_like(last[:-1]), given])
    for index in reversed(range(start, len(plain.text_blocks))):
        given = block_back(given, plain.text_blocks[index], states[index], bias)
    return given.sum(dim=1)


def agrees(got: Tensor, wanted: Tensor, tolerance: float = TOLERANCE) -> None:
    assert got.shape == wanted.shape
    error = float((got - wanted).abs().max() / wanted.abs().max())
    assert error <= tolerance, f"off by {error:.1e} of the largest value"


@pytest.mark.parametrize("layer", [0, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_image_side(zoo: Zoo, family: str, layer: int) -> None:
    work, plain = work_of(zoo(family)), ref.Plain(zoo(family))
    maps = attnlrp.attribute_image(work, options(layer)).flatten(2)
    wanted = [[image_relevance(plain, image, TEXTS[t], layer)[1:] for t in (0, 1)] for image in work.images.pixels]
    for i in range(2):
        for t in range(2):
            agrees(maps[i, t], wanted[i][t])
    for mutant in (-maps[0, 0], maps[0, 0].flip(0), maps[0, 1], maps[1, 0]):
        with pytest.raises(AssertionError):
            agrees(mutant, wanted[0][0], 1e3 * TOLERANCE)


@pytest.mark.parametrize("family", ["vit", "vit_layer_scale"])
def test_the_text_side(zoo: Zoo, family: str) -> None:
    work, plain = work_of(zoo(family)), ref.Plain(zoo(family))
    values = attnlrp.attribute_text(work, options())
    for t, text in enumerate(TEXTS):
        for i, image in enumerate(work.images.pixels):
            wanted = text_relevance(plain, image, text, 0)
            agrees(values[i, t, : len(wanted)], wanted)
            assert not values[i, t, len(wanted) :].any()
            for mutant in (-values[i, t], values[1 - i, t]):
                with pytest.raises(AssertionError):
                    agrees(mutant[: len(wanted)], wanted, 1e3 * TOLERANCE)


@pytest.mark.parametrize("rule", ["_layer_norm", "gelu", "share"])
def test_the_comparison_sees_a_missing_rule(zoo: Zoo, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if rule == "share":
        monkeypatch.setattr(relevance, "share", lambda value, part: value)
    else:
        monkeypatch.delitem(relevance.RULES, F.gelu if rule == "gelu" else F.layer_norm)
    work, plain = work_of(zoo("vit")), ref.Plain(zoo("vit"))
    got = attnlrp.attribute_image(work, options()).flatten(2)[0, 0]
    with pytest.raises(AssertionError):
        agrees(got, image_relevance(plain, work.images.pixels[0], TEXTS[0], 0)[1:], 1e3 * TOLERANCE)


# -- conservation ----------------------------------------------------------------------------------------------------


def total_of(function: Any, *inputs: Tensor) -> tuple[float, float]:
    """Relevance that goes in at the outputs and comes out at the inputs, for one random seed vector."""
    leaves = [value.clone().requires_grad_() for value in inputs]
    with relevance.RelevanceRules():
        out = function(*leaves)
    seed = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
    gradients = torch.autograd.grad(out, leaves, seed)
    back = sum(float((leaf * gradient).sum()) for leaf, gradient in zip(leaves, gradients, strict=True))
    return float((out * seed).sum()), back


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("norm", lambda x: F.layer_norm(x, (12,), torch.linspace(0.5, 2, 12, dtype=torch.float64), eps=1e-5)),
        ("gelu", F.gelu),
        ("silu", F.silu),
        ("tanh", torch.tanh),
        ("quick gelu", lambda x: x * torch.sigmoid(1.702 * x)),
        ("unit", relevance.unit),
    ],
)
def test_a_rule_hands_on_all_it_gets(name: str, function: Any) -> None:
    given, back = total_of(function, drawn(5, 12))
    assert back == pytest.approx(given, rel=1e-10)
    leaf = drawn(5, 12).requires_grad_()
    out = F.normalize(leaf, dim=-1) if name == "unit" else function(leaf)
    seed = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
    (gradient,) = torch.autograd.grad(out, leaf, seed)
    assert float((leaf * gradient).sum()) != pytest.approx(given, rel=1e-3)


def test_attention_of_equal_scores_gives_values_their_half() -> None:
    """With keys of zero the softmax is flat and keeps its half; the values hand on the other."""
    q, v = drawn(1, 2, 6, 4), drawn(2, 2, 6, 4)[1:]
    given, back = total_of(lambda q, v: F.scaled_dot_product_attention(q, torch.zeros_like(q), v), q, v)
    assert back == pytest.approx(given / 2, rel=1e-10)


def test_a_tower_without_biases_and_softmax_conserves_the_cosine(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention weights held constant, values keep everything: all tokens together sum to the cosine."""
    model = fresh(double(zoo("vit")))
    with torch.no_grad():
        for name, value in model.net.visual.named_parameters():
            if name.endswith("bias"):
                value.zero_()
    monkeypatch.setattr(relevance, "_attention", constant_attention)
    work = Work(model, ImageTrunk(model, tiny.pixels(model).double()), TextTrunk(model, TEXTS))
    prefix = model.image.prefix_tokens
    monkeypatch.setattr(model.image, "prefix_tokens", 0)
    monkeypatch.setattr(work.images, "grid", lambda: (1, 16 + prefix))
    total = attnlrp.attribute_image(work, options()).sum(dim=(-2, -1))
    agrees(total, work.scores, 1e-9)
    for mutant in (-total, total.flip(0), total.flip(1)):
        with pytest.raises(AssertionError):
            agrees(mutant, work.scores, 1e-3)
    monkeypatch.delitem(relevance.RULES, F.gelu)
    with pytest.raises(AssertionError):
        agrees(attnlrp.attribute_image(work, options()).sum(dim=(-2, -1)), work.scores, 1e-3)


def constant_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    return ((q * scale) @ k.transpose(-2, -1)).softmax(dim=-1).detach() @ v


# -- forward values, refusals, opting in -----------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["vit", "vit_quick", "vit_attentional", "timm_map", "siglip", "registers"])
def test_the_rules_leave_the_forward_alone(zoo: Zoo, family: str) -> None:
    model = double(zoo(family))
    images = tiny.pixels(model).double()
    tower = model.image
    state = tower.enter(images)
    with relevance.RelevanceRules():
        for block in tower.blocks:  # type: ignore[attr-defined]
            state = relevance.relevant_block(block, state)
        found = tower.leave(state)
    agrees(found, tower.plain(images), 1e-9)
    with pytest.raises(AssertionError):
        agrees(found.flip(0), tower.plain(images), 1e-3)


def test_parts_without_a_rule_are_refused() -> None:
    class RmsNorm(nn.Module):
        pass

    class SwiGLU(nn.Sequential):
        pass

    relevance.check_rules(nn.Sequential(nn.Linear(2, 2), nn.GELU()), "a model")
    for part in (RmsNorm(), SwiGLU(nn.Linear(2, 2))):
        with pytest.raises(CapabilityError, match=f"attnlrp has no rule for {type(part).__name__}, which a model"):
            relevance.check_rules(nn.Sequential(nn.Linear(2, 2), part), "a model")


def test_a_layer_that_isn_t_there_is_refused(zoo: Zoo) -> None:
    with pytest.raises(InputError, match="attnlrp: layer must be a block of the image side, 0 to 3, not 4"):
        explain(zoo("vit"), tiny.pixels(zoo("vit")), TEXTS, "attnlrp", layer=4)


def test_it_is_opted_into_and_says_why() -> None:
    assert [name for name, info in METHODS.items() if info.opt_in] == ["attnlrp"]
    assert "patent" in METHODS["attnlrp"].notice
    assert all(info.notice == "" for info in METHODS.values() if not info.opt_in)
