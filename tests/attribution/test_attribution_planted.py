"""A model whose evidence is known: one patch and one word carry it, and every method must say so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.support.tiny import Zoo, fresh
from core import METHODS, explain
from core.models.model import Model

RED, DOG = "a red bird on the mat", "two people and a dog walk"
CELLS = {RED: (1, 2), DOG: (3, 0)}
WORDS = {RED: "red", DOG: "dog"}
# Norms make a patch as bright as before however little of it is seen: soft masks can't show this model's evidence.
# Crops are enlarged, which leaves no whole patch of the planted kind. Where no place takes from another, all but the
# planted places are projected to nothing, whose cosine is rounding.
# Each patch is scaled by a norm as it enters, so it has no gradient along itself; a mean over noise drowns the rest.
# What Score-CAM keeps of a channel is enlarged, and shows a neighbour more than a patch at the border.
ELSEWHERE = ("rise", "convis", "maskclip", "input_gradient", "smoothgrad", "score_cam", "gscorecam")
# Where all but the planted places are projected to nothing, regions of features are made by rounding.
OPTIONS: dict[str, dict[str, Any]] = {"semantic_priors": {"regions": "grid", "count": 16}}
METHODS_HERE = [name for name, info in METHODS.items() if not info.text_free and name not in ELSEWHERE]
SIGNED = torch.tensor([1.0, -1.0])


def direction(start: int, width: int) -> Tensor:
    """A vector without mean whose entries start..start + 15 are 1 and -1, the others 0."""
    out = torch.zeros(width)
    out[start : start + 16] = SIGNED.repeat(8)
    return out


def elsewhere(count: int, width: int, generator: torch.Generator) -> Tensor:
    """Vectors without mean in the entries from 32 on, which the projections drop."""
    out = torch.zeros(count, width)
    out[:, 32:] = torch.randn(count, width - 32, generator=generator)
    out[:, 32:] -= out[:, 32:].mean(dim=1, keepdim=True)
    return out


def plant(blocks: Any) -> None:
    """Blocks that do nothing, but for the last, which adds the mean of what it may attend to."""
    for block in blocks:
        for norm in (block.ln_1, block.ln_2):
            norm.weight.fill_(1)
            norm.bias.zero_()
        for part in (block.attn.out_proj, block.mlp.c_proj):
            part.weight.zero_()
            part.bias.zero_()
        block.attn.in_proj_weight.zero_()
        block.attn.in_proj_bias.zero_()
    width = blocks[-1].ln_1.weight.numel()
    blocks[-1].attn.in_proj_weight[2 * width :] = torch.eye(width)
    blocks[-1].attn.out_proj.weight.copy_(torch.eye(width))


@pytest.fixture(scope="module")
def planted(zoo: Zoo) -> tuple[Model, Tensor]:
    """The model, and an image whose patches at `CELLS` look like the words of the texts."""
    model = fresh(zoo("vit"))
    net, visual = model.net, model.net.visual
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        plant(visual.transformer.resblocks)
        # Queries and keys of the last block know their own content, so that self-self attention can find it.
        visual.transformer.resblocks[-1].attn.in_proj_weight[:128] = 0.3 * torch.eye(64).repeat(2, 1)
        plant(net.transformer.resblocks)
        for norm in (visual.ln_pre, visual.ln_post, net.ln_final):
            norm.weight.fill_(1)
            norm.bias.zero_()
        visual.class_embedding.copy_(elsewhere(1, 64, generator)[0])
        visual.positional_embedding.zero_()
        net.positional_embedding.zero_()
        visual.proj.copy_(torch.eye(64)[:, :32])
        net.text_projection.copy_(torch.eye(48)[:, :32])
        table = net.token_embedding.weight
        table.copy_(elsewhere(len(table), 48, generator))
        # The end token has a direction of its own, so that the evidence raises the score by degrees.
        table[model.text.tokenizer.eot_token_id, :32] = torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(8)
        for word, start in (("red", 0), ("dog", 16)):
            (token,) = model.text.tokenizer.encode(word)
            table[token] = direction(start, 48)
        # Patches whose response to the first convolution is what is wanted.
        wanted = elsewhere(16, 64, generator)
        for start, (row, column) in zip((0, 16), CELLS.values(), strict=True):
            wanted[4 * row + column] = direction(start, 64)
        inverse = torch.linalg.pinv(visual.conv1.weight.flatten(1))
        patches = (wanted @ inverse.T).reshape(4, 4, 3, 16, 16)
        image = patches.permute(2, 0, 3, 1, 4).reshape(1, 3, 64, 64)
    return model, image


def peak(values: Any) -> tuple[int, ...]:
    return tuple(int(index) for index in np.unravel_index(values.argmax(), values.shape))


def test_the_evidence_is_what_the_score_rests_on(planted: tuple[Model, Tensor]) -> None:
    model, image = planted
    scores = explain(model, image, [RED, DOG, "the grey shore"], "raw").scores[0]
    assert scores[0] > 0.05
    assert scores[1] > 0.05
    assert abs(scores[2]) < 1e-3


@pytest.mark.parametrize("text", [RED, DOG])
@pytest.mark.parametrize("method", METHODS_HERE)
def test_every_method_finds_the_patch(planted: tuple[Model, Tensor], method: str, text: str) -> None:
    model, pixels = planted
    image = explain(model, pixels, [RED, DOG], method, **OPTIONS.get(method, {})).image
    assert image is not None
    found = image[0, [RED, DOG].index(text)]
    other = image[0, 1 - [RED, DOG].index(text)]
    row, column = CELLS[text]
    assert peak(found) == (row, column)
    # Another text, a turned sign and a transposed map point elsewhere.
    if method != "m2ib":  # which keeps what is large, so that both patches stand out
        assert peak(other) != (row, column)
    assert peak(-found) != (row, column)
    assert peak(found.T) != (row, column)


@pytest.mark.parametrize("options", [{"weighting": "element"}, {"relu": False}, {"layer": -1}])
def test_every_form_of_gradcam_finds_the_patch(planted: tuple[Model, Tensor], options: dict[str, Any]) -> None:
    model, pixels = planted
    image = explain(model, pixels, [RED], "gradcam", **options).image
    assert image is not None
    if options != {"weighting": "element"}:
        assert peak(image[0, 0]) == CELLS[RED]
    assert np.isfinite(image).all()


@pytest.mark.parametrize("start", ["last", "all"])
def test_attention_finds_the_patch_from_any_start(planted: tuple[Model, Tensor], start: str) -> None:
    model, pixels = planted
    image = explain(model, pixels, [RED, DOG], "gae", start_layer=start).image
    assert image is not None
    assert [peak(image[0, index]) for index in range(2)] == list(CELLS.values())


# Saliency is how strongly a score answers to a word, whichever way, and most where a word says little so far.
@pytest.mark.parametrize("text", [RED, DOG])
@pytest.mark.parametrize(
    "method",
    [name for name, info in METHODS.items() if "text" in info.sides and not info.text_free and name != "saliency"],
)
def test_text_methods_find_the_word(planted: tuple[Model, Tensor], method: str, text: str) -> None:
    model, image = planted
    result = explain(model, image, [text], method, sides=["text"])
    assert result.text is not None
    pieces = [piece.strip() for piece in result.tokens[0]]
    values = result.text[0, 0]
    assert pieces[int(values.argmax())] == WORDS[text]
    assert pieces[int((-values).argmax())] != WORDS[text]


def test_an_absent_word_has_a_low_score_beside_its_map(planted: tuple[Model, Tensor]) -> None:
    model, image = planted
    blank = image.clone()
    row, column = CELLS[RED]
    blank[:, :, row * 16 : row * 16 + 16, column * 16 : column * 16 + 16] = 0
    present, absent = explain(model, torch.cat([image, blank]), [RED], "raw").scores[:, 0]
    assert absent < 1e-3 < present


@pytest.mark.parametrize("method", ["raw", "gradcam", "rise"])
def test_a_convolutional_tower_points_at_what_was_added(zoo: Zoo, method: str) -> None:
    model = fresh(zoo("efficientnet"))
    row, column = 1, 3
    flat = torch.zeros(1, 3, 160, 160)
    marked = flat.clone()
    marked[:, :, row * 32 : row * 32 + 32, column * 32 : column * 32 + 32] = 2.0
    with torch.no_grad():
        added = model.image.plain(marked)[0] - model.image.plain(flat)[0]
        ids = model.text.tokenize(["mark"])
        state, mask = model.text.enter(ids)
        state = model.net.ln_final(model.text.run(state, mask, 0))[0, -1]
        # The text's embedding is turned into the direction in which the mark moves the image's.
        model.net.text_projection.copy_(state[:, None] * added / (state @ state))
    options = {"masks": 300, "cells": 5} if method == "rise" else {}
    image = explain(model, marked, ["mark"], method, **options).image  # type: ignore[arg-type]
    assert image is not None
    found = peak(image[0, 0])
    assert abs(found[0] - row) <= 1
    assert abs(found[1] - column) <= 1
    assert found != (column, row)
