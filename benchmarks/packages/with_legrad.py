"""legrad_torch (Bousselham et al., 2024), and LeGrad written out plainly in float64 to judge it by.

legrad_torch 1.1 hands the tower's blocks `(tokens, batch, width)`, which open_clip took until 2.26. Later versions take
`(batch, tokens, width)` and say nothing: before the last blocks, which the package replaces by its own, the tokens of a
image no longer see each other, and each copy of the image attends to the other copies. `verdict` also
turns the states around those blocks, so that the rest of the package can be judged by itself.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from types import MethodType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.packages.problem import Maps, Problem, centres
from core.attribution.explain import attribute
from core.statistics import spearman


def legrad(problem: Problem) -> Maps:
    """As installed: the wrapper around the model, all texts in one call, the last two blocks. Changes the model."""
    return {"legrad": centres(_wrapped(problem, False).compute_legrad(problem.units, problem.pixels)[0], problem.grid)}


def verdict(problem: Problem) -> dict[str, Any]:
    """How far ours, the package, and the package put right are from LeGrad written out; the model stays as it is.

    For each the mean rank correlation over texts and the largest difference, once every map is enlarged and stretched
    to 0..1 as the package does, and for the package the cosine of its image's embedding with the model's.
    """
    exact, own = _finished(problem, literal(problem)["legrad"]), _copied(problem)
    ours = attribute(problem.work(), "legrad", [], sides=("image",)).image
    assert ours is not None
    found = {
        "ours": _finished(problem, ours[0]),
        "legrad_torch": _pixels(own, False),
        "legrad_torch, axes put right": _pixels(_copied(problem), True),
    }
    with torch.no_grad():
        plain, wrapped = (one.model.net.encode_image(problem.pixels) for one in (problem, own))
    told: dict[str, Any] = {"embedding_cosine": float(F.cosine_similarity(plain, wrapped))}
    for name, maps in found.items():
        ranks = [spearman(one, other) for one, other in zip(maps, exact, strict=True)]
        told[name] = {
            "rank_correlation": float(np.mean([rank for rank in ranks if rank is not None])),
            "largest_difference": float(np.abs(maps - exact).max()),
        }
    return told


def literal(problem: Problem, layers: int = 2) -> Maps:
    """LeGrad in float64, text by text: the mean over the last blocks of the positive gradient of each block's score.

    The block is written out once more, so that a zero added to its attention weights can be differentiated.
    """
    visual = deepcopy(problem.model.net.visual).double().requires_grad_(False)
    states = _states(visual, problem.pixels.double())
    maps = []
    for unit in problem.units.double():
        total = torch.zeros(states[0].shape[0] - 1, dtype=torch.float64)
        for index in range(len(states) - layers, len(states)):
            block = visual.transformer.resblocks[index]
            heads = block.attn.num_heads
            added = torch.zeros(heads, len(states[index]), len(states[index]), dtype=torch.float64, requires_grad=True)
            out = _block(block, states[index], added)
            score = F.normalize(visual.ln_post(out.mean(dim=0)) @ visual.proj, dim=0) @ unit
            (gradient,) = torch.autograd.grad(score, added)
            total += gradient.clamp_min(0).mean(dim=(0, 1))[1:] / layers
        maps.append(total.unflatten(0, problem.grid))
    return {"legrad": torch.stack(maps).numpy()}


def _copied(problem: Problem) -> Problem:
    return replace(problem, model=replace(problem.model, net=deepcopy(problem.model.net)))


def _finished(problem: Problem, maps: NDArray[Any]) -> NDArray[Any]:
    large = F.interpolate(
        torch.as_tensor(maps)[:, None].double(),
        size=problem.pixels.shape[-2:],
        mode="bilinear",
        align_corners=False,
    )[:, 0]
    low, high = large.amin(dim=(1, 2), keepdim=True), large.amax(dim=(1, 2), keepdim=True)
    return ((large - low) / (high - low)).numpy()


def _pixels(problem: Problem, put_right: bool) -> NDArray[Any]:
    return _wrapped(problem, put_right).compute_legrad(problem.units, problem.pixels)[0].detach().double().numpy()


def _wrapped(problem: Problem, put_right: bool) -> Any:
    from legrad import LeWrapper

    # Its constructor prints what it does.
    with contextlib.redirect_stdout(io.StringIO()):
        model = LeWrapper(problem.model.net)
    if put_right:
        for block in model.visual.transformer.resblocks[: model.starting_depth]:
            block.forward = _turned(MethodType(type(block).forward, block))
    return model


def _turned(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def turned(state: Tensor, *rest: Any, **named: Any) -> Tensor:
        return forward(state.transpose(0, 1), *rest, **named).transpose(0, 1)

    return turned


def _states(visual: Any, pixels: Tensor) -> list[Tensor]:
    """What enters each block, `(tokens, width)`."""
    kept: list[Tensor] = []
    hooks = [
        block.register_forward_pre_hook(lambda module, given: kept.append(given[0][0]))
        for block in visual.transformer.resblocks
    ]
    with torch.no_grad():
        visual(pixels)
    for hook in hooks:
        hook.remove()
    return kept


def _block(block: Any, state: Tensor, added: Tensor) -> Tensor:
    heads, width = added.shape[0], state.shape[1] // added.shape[0]
    packed = block.ln_1(state) @ block.attn.in_proj_weight.T + block.attn.in_proj_bias
    q, k, v = packed.chunk(3, dim=1)
    mixed = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        weights = (q[:, part] @ k[:, part].T / width**0.5).softmax(dim=-1) + added[head]
        mixed.append(weights @ v[:, part])
    state = state + block.ls_1(block.attn.out_proj(torch.cat(mixed, dim=1)))
    return state + block.ls_2(block.mlp(block.ln_2(state)))
