"""Grad-ECLIP against a plain float64 loop over heads, tokens and channels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.support import tiny
from benchmarks.support.tiny import TEXTS, Zoo, double
from core import explain
from core.attribution import grad_eclip
from core.attribution.contract import Work
from core.methods import method_info
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref

TOLERANCE = 1e-7
FAMILIES = ("vit", "vit_wide", "vit_avg", "vit_layer_scale", "siglip", "registers")
TEXTUAL = ("vit", "siglip", "bert_mean", "bert_cls")


def work_of(model: Model) -> Work:
    wide = double(model)
    return Work(wide, ImageTrunk(wide, tiny.pixels(model).double()), TextTrunk(wide, TEXTS))


def options(**chosen: Any) -> Any:
    return method_info("grad_eclip").parse(chosen)


def parts(plain: ref.Plain, block: Any, x: Tensor, kind: str) -> dict[str, Any]:
    """Queries, keys, values of one row with what adds them to the stream, for each kind of block."""
    if kind == "bert":
        own, after = block.attention.self, block.attention.output

        def bert(state: Tensor, z: Tensor) -> Tensor:
            state = after.LayerNorm(state + after.dense(z))
            inner = torch.nn.functional.gelu(block.intermediate.dense(state))
            return block.output.LayerNorm(state + block.output.dense(inner))

        qkv = [own.query(x), own.key(x), own.value(x)]
        return {"qkv": qkv, "heads": own.num_attention_heads, "project": after.dense, "finish": bert}
    if kind == "open_clip":

        def project(z: Tensor) -> Tensor:
            return block.ls_1(z @ block.attn.out_proj.weight.T + block.attn.out_proj.bias)

        def native(state: Tensor, z: Tensor) -> Tensor:
            state = state + project(z)
            return state + block.ls_2(block.mlp(block.ln_2(state)))

        return {
            "qkv": ref.open_clip_qkv(block, x), "heads": block.attn.num_heads, "project": project, "finish": native,
        }  # fmt: skip
    heads = block.attn.num_heads
    q, k, v = plain._timm_qkv(block, x)
    q, k = (
        torch.cat([norm(part) for part in value.split(value.shape[1] // heads, dim=1)], dim=1)
        for norm, value in ((block.attn.q_norm, q), (block.attn.k_norm, k))
    )

    def timm_project(z: Tensor) -> Tensor:
        return block.ls1(block.attn.proj(block.attn.norm(z)))

    def timm(state: Tensor, z: Tensor) -> Tensor:
        state = state + timm_project(z)
        return state + block.ls2(block.mlp(block.norm2(state)))

    return {"qkv": [q, k, v], "heads": heads, "project": timm_project, "finish": timm}


def attend(found: dict[str, Any], heads: int, bias: Tensor | None) -> Tensor:
    return ref.heads_of(*found["qkv"], heads, bias, None, (ref.same, ref.same))[0]


def weighed(found: dict[str, Any], gradient: Tensor, rows: list[int], places: list[int]) -> Tensor:
    """Sum over the rows that are read and over channels, before the ReLU, place by place."""
    q, k, v = (part.detach() for part in found["qkv"])
    query, key = ref.unit(found["project"](q)).detach(), ref.unit(found["project"](k)).detach()
    total = torch.zeros(len(places), dtype=torch.float64)
    for row in rows:
        like = torch.stack([query[row] @ key[place] for place in places])
        spread = like.max() - like.min()
        kappa = (like - like.min()) / spread if spread > 0 else torch.ones_like(like)
        total += kappa * torch.stack([(gradient[row] * v[place]).sum() for place in places])
    return total


def image_map(plain: ref.Plain, pixels: Tensor, text: str, single: bool = False) -> Tensor:
    state = plain.states(pixels)[-2]
    kind = "open_clip" if plain.kind == "open_clip" else "timm"
    found = parts(plain, plain.blocks[-1], state, kind)
    z = attend(found, 1 if single else found["heads"], None).detach().requires_grad_()
    score = plain.pooled(found["finish"](state, z)) @ plain.words(text)
    (gradient,) = torch.autograd.grad(score, z)
    rows = [0] if ref.reads_first(plain) else list(range(len(state)))
    return weighed(found, gradient, rows, list(range(plain.prefix, len(state)))).clamp(min=0)


def text_values(plain: ref.Plain, pixels: Tensor, text: str, layers: int, words: list[int]) -> Tensor:
    states, ids, bias = plain.text_states(text)
    start = max(len(plain.text_blocks) - layers, 0)
    state, kept = states[start], []
    for block in plain.text_blocks[start:]:
        found = parts(plain, block, state, "bert" if plain.bert else "open_clip")
        z = attend(found, found["heads"], bias)
        z = z if z.requires_grad else z.detach().requires_grad_()
        kept.append((found, z))
        state = found["finish"](state, z)
    gradients = torch.autograd.grad(plain.text_pooled(state, ids) @ plain.image(pixels), [z for _, z in kept])
    mean = plain.bert and type(plain.text.pooler).__name__ == "MeanPooler"
    rows = list(range(len(ids))) if mean else [0] if plain.bert else [len(ids) - 1]
    each = [weighed(found, gradient, rows, words) for (found, _), gradient in zip(kept, gradients, strict=True)]
    return torch.stack(each).sum(dim=0).clamp(min=0)


def padded(plain: ref.Plain, text: str, stop: int) -> tuple[Tensor, Tensor, int, Tensor | None]:
    """The state that enters block `stop` with all padding, the ids, how many are no padding, and the bias."""
    own = plain.source.text
    ids = own.tokenizer([text])[0]
    if plain.bert:
        embed, blank = plain.text.transformer.embeddings, ids == plain.text.config.pad_token_id
        count = int((~blank).sum())
        x = embed.word_embeddings(ids) + embed.position_embeddings(torch.arange(len(ids)))
        x = embed.LayerNorm(x + embed.token_type_embeddings(torch.zeros(len(ids), dtype=torch.long)))
        bias: Tensor | None = torch.zeros(len(ids), len(ids), dtype=torch.float64).masked_fill(blank, -torch.inf)
    else:
        count = len(ids) if own.pool == "last" else int(ids.argmax()) + 1  # type: ignore[attr-defined]
        x = plain.text.token_embedding(ids) + plain.text.positional_embedding[: len(ids)]
        square = torch.full((len(ids), len(ids)), -torch.inf, dtype=torch.float64).triu(1)
        bias = None if plain.text.attn_mask is None else square
    with torch.no_grad():
        for index in range(stop):
            x = plain.text_block(index, x, bias)[0]
    return x.detach(), ids, count, bias


def released_text(
    plain: ref.Plain, pixels: Tensor, text: str, layers: int, words: list[int], single: bool = True, all77: bool = True
) -> Tensor:
    """The released form: padding kept, one head in each of the last blocks, likeness over all positions, sum 1."""
    start = max(len(plain.text_blocks) - layers, 0)
    state, ids, count, bias = padded(plain, text, start)
    kept = []
    for block in plain.text_blocks[start:]:
        found = parts(plain, block, state, "bert" if plain.bert else "open_clip")
        z = attend(found, 1 if single else found["heads"], bias)
        z = z if z.requires_grad else z.detach().requires_grad_()
        kept.append((found, z))
        state = found["finish"](state, z)
    pooled = plain.text_pooled(state[:count], ids[:count])
    gradients = torch.autograd.grad(pooled @ plain.image(pixels), [z for _, z in kept])
    mean = plain.bert and type(plain.text.pooler).__name__ == "MeanPooler"
    rows = list(range(count)) if mean else [0] if plain.bert else [count - 1]
    places = list(range(len(ids))) if all77 else words
    each = [weighed(found, gradient, rows, places) for (found, _), gradient in zip(kept, gradients, strict=True)]
    total = torch.stack(each).sum(dim=0).clamp(min=0)
    chosen = total[words] if all77 else total
    return chosen / chosen.sum()


def agrees(got: Tensor, wanted: Tensor, tolerance: float = TOLERANCE) -> None:
    assert got.shape == wanted.shape
    assert float(wanted.abs().max()) > 0
    error = float((got - wanted).abs().max() / wanted.abs().max())
    assert error <= tolerance, f"off by {error:.1e} of the largest value"


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_image_side(zoo: Zoo, family: str, single: bool) -> None:
    work, plain = work_of(zoo(family)), ref.Plain(zoo(family))
    maps = grad_eclip.attribute_image(work, options(paper_exact=single)).flatten(2)
    wanted = {}
    for i, image in enumerate(work.images.pixels):
        for t in (0, 2):
            wanted[i, t] = image_map(plain, image, TEXTS[t], single)
            agrees(maps[i, t], wanted[i, t])
    other = grad_eclip.attribute_image(work, options(paper_exact=not single)).flatten(2)
    for mutant in (-maps[0, 0], maps[0, 0].flip(0), maps[0, 2], maps[1, 0], other[0, 0]):
        with pytest.raises(AssertionError):
            agrees(mutant, wanted[0, 0], 1e4 * TOLERANCE)


@pytest.mark.parametrize("layers", [1, 8])
@pytest.mark.parametrize("family", TEXTUAL)
def test_the_text_side(zoo: Zoo, family: str, layers: int) -> None:
    work, plain = work_of(zoo(family)), ref.Plain(zoo(family))
    values = grad_eclip.attribute_text(work, options(text_layers=layers))
    got, expected, other = [], [], []
    for t in (0, 2):
        words = work.texts.content[t][0]
        for i, image in enumerate(work.images.pixels):
            wanted = text_values(plain, image, TEXTS[t], layers, words)
            if wanted.any():
                agrees(values[i, t, words], wanted)
            got.append(values[i, t, words])
            expected.append(wanted)
            other.append(values[1 - i, t, words])
        specials = [at for at in range(values.shape[-1]) if at not in words]
        assert not values[:, t, specials].any()
    whole, all_got = torch.cat(expected), torch.cat(got)
    agrees(all_got, whole)
    for mutant in (-all_got, all_got.flip(0), torch.cat(other)):
        with pytest.raises(AssertionError):
            agrees(mutant, whole, 1e4 * TOLERANCE)


@pytest.mark.parametrize(
    ("family", "layers"), [("vit", 2), ("vit", 8), ("siglip", 2), ("bert_mean", 2), ("bert_cls", 1)]
)
def test_the_text_side_as_released(zoo: Zoo, family: str, layers: int) -> None:
    work, plain = work_of(zoo(family)), ref.Plain(zoo(family))
    found = grad_eclip.attribute_text(work, options(text_layers=layers, paper_exact=True))
    got: dict[str, list[Tensor]] = {"own": [], "other": []}
    wanted: dict[str, list[Tensor]] = {"released": [], "heads": [], "words": []}
    for t in (0, 2):
        words = work.texts.content[t][0]
        for i, image in enumerate(work.images.pixels):
            got["own"].append(found[i, t, words])
            got["other"].append(found[1 - i, t, words])
            wanted["released"].append(released_text(plain, image, TEXTS[t], layers, words))
            wanted["heads"].append(released_text(plain, image, TEXTS[t], layers, words, single=False))
            wanted["words"].append(released_text(plain, image, TEXTS[t], layers, words, all77=False))
    own, other = (torch.cat(values).nan_to_num() for values in got.values())
    released, heads, words_only = (torch.cat(values).nan_to_num() for values in wanted.values())
    agrees(own, released)
    # The model's own heads, a range over the words alone, another image, another order.
    for mutant in (heads, words_only):
        with pytest.raises(AssertionError):
            agrees(own, mutant, 1e4 * TOLERANCE)
    for mutant in (other, own.flip(0)):
        with pytest.raises(AssertionError):
            agrees(mutant, released, 1e4 * TOLERANCE)


def test_a_small_byte_budget_changes_nothing(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    work = work_of(zoo("vit"))
    plenty = grad_eclip.attribute_image(work, options()), grad_eclip.attribute_text(work, options())
    exact = grad_eclip.attribute_text(work, options(paper_exact=True))
    monkeypatch.setenv("LOUPE_BYTES", "1")
    agrees(grad_eclip.attribute_text(work, options(paper_exact=True)), exact, 1e-10)
    agrees(grad_eclip.attribute_image(work, options()), plenty[0], 1e-10)
    agrees(grad_eclip.attribute_text(work, options()), plenty[1], 1e-10)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("grad_eclip", {}),
        ("grad_eclip", {"text_layers": 1}),
        ("grad_eclip", {"text_layers": 1, "paper_exact": True}),
        ("attnlrp", {}),
    ],
)
def test_the_card_s_cost_is_what_is_spent(zoo: Zoo, method: str, options: dict[str, Any]) -> None:
    model = tiny.fresh(zoo("vit"))
    images = tiny.pixels(model)
    cost = method_info(method).cost(options, model.image.depth)
    for texts in (TEXTS[:1], TEXTS):
        with model.meter.measuring() as meter:
            explain(model, images, texts, method, **options)
        assert meter.image == pytest.approx(cost.total(2, len(texts)))
        assert meter.text == pytest.approx(cost.total_text(2, len(texts)))
