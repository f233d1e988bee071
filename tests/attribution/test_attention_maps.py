"""Last attention, rollout and the decomposition by head and token against a second implementation in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.support.tiny import TEXTS, Zoo, double, pixels
from core import METHODS, explain
from core.attribution.clip_prs import head_contributions, parts
from core.attribution.contract import Work
from core.attribution.readout import read_out
from core.attribution.registry import method_module
from core.errors import CapabilityError, InputError
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref
from tests.attribution import plain_dense as dense

TOLERANCE = 1e-8
FAMILIES = ("vit", "vit_wide", "vit_avg", "vit_attentional", "timm_cls", "timm_avg", "timm_map", "siglip", "registers")
TEXTUAL = ("vit", "siglip", "registers", "bert_mean", "bert_cls")
PARTED = ("vit_wide", "vit_avg", "vit_late_norm", "vit_layer_scale", "timm_avg", "timm_map", "siglip", "registers")
SUMMED = (
    *PARTED, "vit", "vit_quick", "vit_attentional", "timm_cls", "vit_own_attention",
    "eva01", "eva02_wide", "eva02_post_norm", "pe_core", "dinov3", "rope_mixed", "dinov2", "mobileclip_b", "vitamin",
)  # fmt: skip


def work_of(model: Model) -> Work:
    exact = next(model.net.parameters()).dtype
    return Work(model, ImageTrunk(model, pixels(model).to(exact)), TextTrunk(model, TEXTS))


def maps(work: Work, method: str, side: str = "image", **options: Any) -> Tensor:
    return getattr(method_module(method)[1], f"attribute_{side}")(work, METHODS[method].parse(options))


def error(got: Tensor, wanted: Tensor) -> float:
    assert got.numel() == wanted.numel()
    return float((got.flatten() - wanted.flatten()).abs().max() / wanted.abs().max())


def expected_row(plain: ref.Plain, image: Tensor, method: str) -> Tensor:
    """Shares of all places by whole matrices."""
    states = plain.states(image)
    attention = [dense.mean_attention(plain, index, state) for index, state in enumerate(states[:-1])]
    row = dense.read_row(plain, states[-1])
    if method == "rollout":
        row = row @ dense.rolled(attention)
    elif dense.pool_row(plain, states[-1]) is None:
        row = row @ attention[-1]
    return row[plain.prefix :]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", ["last_attention", "rollout"])
def test_the_image_side(zoo: Zoo, method: str, family: str) -> None:
    plain, work = ref.Plain(zoo(family)), work_of(double(zoo(family)))
    got = maps(work, method)
    with torch.no_grad():
        wanted = [expected_row(plain, image, method) for image in work.images.pixels]
    for i in range(2):
        for t in range(len(TEXTS)):
            assert error(got[i, t], wanted[i]) <= TOLERANCE
    for mutant in (-got[0, 0], got[0, 0].T, got[0, 0].flip(0, 1), got[1, 0]):
        assert error(mutant.contiguous(), wanted[0]) > 1e-3
    assert float(got.min()) >= 0
    assert float(got.sum(dim=(2, 3)).max()) <= 1 + 1e-9


@pytest.mark.parametrize("family", TEXTUAL)
@pytest.mark.parametrize("method", ["last_attention", "rollout"])
def test_the_text_side(zoo: Zoo, method: str, family: str) -> None:
    plain, work = ref.Plain(zoo(family)), work_of(double(zoo(family)))
    got = maps(work, method, "text")
    for t, text in enumerate(TEXTS):
        with torch.no_grad():
            attention, count, mean = dense.text_attention(plain, text)
        joint = dense.rolled(attention) if method == "rollout" else attention[-1]
        read = 0 if plain.bert else count - 1
        wanted = joint.mean(dim=0) if mean else joint[read]
        for i in range(2):
            # The weights of a mean are kept in float32.
            assert error(got[i, t, :count], wanted) <= 1e-6
            assert not got[i, t, count:].any()
        if count > 3:
            assert error(got[0, t, :count].flip(0), wanted) > 1e-3
            assert error(joint[read - 1] if read else joint[1], wanted) > 1e-3


def test_rollout_of_some_blocks_and_attention_of_one(zoo: Zoo) -> None:
    plain, work = ref.Plain(zoo("vit")), work_of(double(zoo("vit")))
    with torch.no_grad():
        states = plain.states(work.images.pixels[0])
        attention = [dense.mean_attention(plain, index, state) for index, state in enumerate(states[:-1])]
    assert error(maps(work, "rollout", layers=2)[0, 0], dense.rolled(attention[2:])[0, 1:]) <= TOLERANCE
    assert error(maps(work, "rollout", layers=99)[0, 0], dense.rolled(attention)[0, 1:]) <= TOLERANCE
    assert error(maps(work, "rollout", layers=2)[0, 0], dense.rolled(attention)[0, 1:]) > 1e-3
    for layer in (1, -3):
        assert error(maps(work, "last_attention", layer=layer)[0, 0], attention[1][0, 1:]) <= TOLERANCE
    with pytest.raises(InputError, match="last_attention: layer must be a block of the image side, 0 to 3, not 4"):
        maps(work, "last_attention", layer=4)


def test_both_say_that_no_text_changes_them(zoo: Zoo) -> None:
    assert [name for name, info in METHODS.items() if info.text_free] == ["last_attention", "rollout"]
    for method in ("last_attention", "rollout", "clip_prs"):
        image = explain(zoo("vit"), pixels(zoo("vit")), TEXTS, method).image
        assert image is not None
        assert np.array_equal(image[:, 0], image[:, 1]) == METHODS[method].text_free


# -- the decomposition --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", SUMMED)
def test_all_parts_sum_to_the_embedding(zoo: Zoo, family: str) -> None:
    """In float32, as it is used: every number of the unit embedding to 1e-5, and the cosine with each text."""
    model = zoo(family)
    work = work_of(model)
    unit = work.images.embeddings
    found = parts(work, torch.eye(unit.shape[-1]))
    assert float((found.total - unit).abs().max()) < 1e-5
    by_text = parts(work)
    assert float((by_text.total - work.scores).abs().max()) < 1e-5
    assert float((by_text.tokens.sum(dim=-1) - by_text.heads.sum(dim=(2, 3))).abs().max()) < 1e-5
    # Without any one kind of part the sum is another.
    for part in (found.heads.sum(dim=(2, 3)), found.mlps.sum(dim=2), found.start, found.rest):
        assert float((found.total - part - unit).abs().max()) > 1e-3
    assert float((found.total.flip(0) - unit).abs().max()) > 1e-3


@pytest.mark.parametrize("family", PARTED)
def test_each_head_s_part_from_each_place(zoo: Zoo, family: str) -> None:
    plain, work = ref.Plain(zoo(family)), work_of(double(zoo(family)))
    heads = head_contributions(work)
    image = work.images.pixels[0]
    total = torch.zeros((), dtype=torch.float64)
    for index in (1, 3):
        wanted = dense.carried(plain, image, TEXTS[0], index)
        assert error(heads[0, 0, index], wanted.sum(dim=1)) <= TOLERANCE
        whole = maps(work, "clip_prs", layer=index)[0, 0]
        assert error(whole, wanted.sum(dim=0)[plain.prefix :]) <= TOLERANCE
        one = maps(work, "clip_prs", layer=index - len(plain.blocks), head=1)[0, 0]
        assert error(one, wanted[1, plain.prefix :]) <= TOLERANCE
        total = total + whole
        for mutant in (-whole, whole.T.contiguous(), one, maps(work, "clip_prs", layer=index)[0, 1]):
            assert error(mutant, wanted.sum(dim=0)[plain.prefix :]) > 1e-3
    assert error(maps(work, "clip_prs")[0, 0], maps(work, "clip_prs", layers=2)[0, 0]) > 1e-3
    parted = sum(maps(work, "clip_prs", layer=index) for index in range(len(plain.blocks)))
    assert error(maps(work, "clip_prs", layers=99), torch.as_tensor(parted)) <= TOLERANCE


def test_contributions_by_block_and_head_have_the_promised_shape(zoo: Zoo) -> None:
    work = work_of(zoo("vit"))
    whole = head_contributions(work)
    assert whole.shape == (2, len(TEXTS), 4, 4)
    assert torch.allclose(whole, parts(work).heads, atol=1e-6)
    assert torch.allclose(head_contributions(work, [2, 0]), whole[:, :, [2, 0]], atol=1e-6)
    with work.model.meter.measuring() as spent:
        head_contributions(work, [1])
    assert spent.image == pytest.approx(2 * 0.3 / 4)


def test_the_read_out_of_the_last_state_is_the_embedding(zoo: Zoo) -> None:
    for family in PARTED:
        work = work_of(double(zoo(family)))
        found = read_out(work).pooled(work.images.final)
        assert error(found, work.model.image.leave(work.images.final)) < 1e-10
        assert error(read_out(work).pooled(work.images.entering(1)), work.model.image.leave(work.images.final)) > 1e-2


def test_what_can_t_be_decomposed_is_refused_in_one_line(zoo: Zoo) -> None:
    model = zoo("vit")
    with pytest.raises(InputError, match="clip_prs: head must be 0 to 3, not 4"):
        explain(model, pixels(model), TEXTS, "clip_prs", head=4)
    with pytest.raises(InputError, match="clip_prs: layer must be a block of the image side, 0 to 3, not -5"):
        explain(model, pixels(model), TEXTS, "clip_prs", layer=-5)
    with pytest.raises(CapabilityError, match="several outputs"):
        explain(zoo("vit_cascade"), pixels(zoo("vit_cascade")), TEXTS, "clip_prs")
    with pytest.raises(CapabilityError, match="image self-attention"):
        explain(zoo("convnext"), pixels(zoo("convnext")), TEXTS, "clip_prs")
