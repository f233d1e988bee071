"""M2IB: how much information each place or token must keep for the pair to stay similar (Wang et al., NeurIPS 2023).

A bottleneck after one block mixes the state h with noise, z = lambda h + (1 - lambda) eps, lambda = sigmoid(A). A is
found by minimising  beta * mean KL(z | noise) - mean cos(tail(z), target)  with Adam. The map is the sum over channels
of the KL of the last forward. All pairs are optimised at once: the loss is a sum over pairs, each pair has its own A
and its own noise stream, so a batch equals single runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.errors import InputError
from core.methods.bottleneck import M2ibOptions
from core.settings import byte_budget

START = 5.0


def attribute_image(work: Work, options: M2ibOptions) -> Tensor:
    """Nats kept at each place, `(images, texts, rows, columns)`, on the grid of the bottleneck's layer."""
    tower = work.model.image
    layer = _layer(options.layer, tower.depth, "image")
    states = work.images.entering(layer + 1)
    prior = _image_prior(work, options, layer, states)

    def tail(z: Tensor) -> Tensor:
        work.model.meter.image += 3.0 * (tower.depth - 1 - layer) / tower.depth * len(z)
        return F.normalize(tower.leave(tower.run(z, layer + 1)), dim=-1)

    pairs = [(image, text) for image in range(len(work.images)) for text in range(len(work.texts))]
    keys = [("m2ib", "image", work.image_keys[image], work.texts.texts[text]) for image, text in pairs]
    kept = _optimise(
        work,
        options,
        states[[image for image, _ in pairs]],
        work.texts.embeddings[[text for _, text in pairs]],
        keys,
        lambda z, rows: tail(z),
        None if prior is None else (prior[0][[image for image, _ in pairs]], prior[1][[image for image, _ in pairs]]),
    )
    if tower.layout == "maps":
        grid = (int(states.shape[-2]), int(states.shape[-1]))
        maps = kept.sum(dim=1).flatten(1)
    else:
        grid = work.images.grid(layer + 1)
        maps = kept.sum(dim=-1)[:, tower.prefix_tokens :]
    if options.paper_exact:
        maps = _unit_range(maps)
    return maps.unflatten(0, (len(work.images), len(work.texts))).unflatten(-1, grid)


def attribute_text(work: Work, options: M2ibOptions) -> Tensor:
    """Nats kept at each token position, `(images, texts, tokens)`, special tokens included."""
    tower, texts = work.model.text, work.texts
    layer = _layer(options.layer, tower.depth, "text")
    per_text: list[Tensor] = []
    width = texts.ids.shape[1]
    for text in range(len(texts)):
        # One text at a time: its own length, no padding inside the bottleneck's mean.
        ids = texts.own_ids(text)
        state, mask = tower.enter(ids)
        state = tower.run(state, mask, 0, layer + 1)

        def tail(z: Tensor, rows: int, ids: Tensor = ids, mask: Tensor | None = mask) -> Tensor:
            work.model.meter.text += 3.0 * (tower.depth - 1 - layer) / tower.depth * len(z)
            return F.normalize(tower.leave(tower.run(z, mask, layer + 1), ids.expand(len(z), -1)), dim=-1)

        keys = [("m2ib", "text", key, texts.texts[text]) for key in work.image_keys]
        states = state.expand(len(work.images), -1, -1)
        prior = _own_prior(states) if options.prior == "channel" else None
        kept = _optimise(work, options, states, work.images.embeddings, keys, tail, prior).sum(dim=-1)
        if options.paper_exact:
            kept = _unit_range(kept)
        per_text.append(F.pad(kept, (0, width - ids.shape[1])))
    return torch.stack(per_text, dim=1)


def information(
    logits: Tensor, state: Tensor, prior: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The KL of the bottleneck in nats, and the share of signal and of noise, elementwise.

    log(1 - lambda) is taken as logsigmoid(-A), exact where the naive form overflows. With a prior (mean, spread) the
    signal is measured in units of the spread.
    """
    signal, noise = torch.sigmoid(logits), torch.sigmoid(-logits)
    centred = state if prior is None else (state - prior[0]) / prior[1]
    kl = 0.5 * ((signal * centred) ** 2 + noise**2 - 1) - F.logsigmoid(-logits)
    return kl, signal, noise


def _optimise(
    work: Work,
    options: M2ibOptions,
    states: Tensor,
    targets: Tensor,
    keys: Sequence[tuple[str, ...]],
    tail: Callable[[Tensor, int], Tensor],
    prior: tuple[Tensor, Tensor] | None,
) -> Tensor:
    """The KL `(pairs, ...state shape)` of the last forward, pairs taken together as the byte budget allows."""
    # Each noise sample keeps about 30 states alive in the tail's graph.
    size = 30 * options.samples * states[0].numel() * states.element_size()
    step = max(1, min(len(states), byte_budget() // size))
    found = []
    for start in range(0, len(states), step):
        part = slice(start, start + step)
        own_prior = None if prior is None else (prior[0][part], prior[1][part])
        found.append(_optimise_some(work, options, states[part], targets[part], keys[part], tail, own_prior))
    return torch.cat(found)


def _optimise_some(
    work: Work,
    options: M2ibOptions,
    state: Tensor,
    target: Tensor,
    keys: Sequence[tuple[str, ...]],
    tail: Callable[[Tensor, int], Tensor],
    prior: tuple[Tensor, Tensor] | None,
) -> Tensor:
    generators = [work.generator(*key) for key in keys]
    state = state.detach()
    logits = torch.full_like(state, START).requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=options.lr)
    kept = torch.zeros_like(state)
    dims = tuple(range(1, state.ndim))
    with torch.enable_grad():
        for _ in range(options.steps):
            kl, signal, noise = information(logits, state, prior)
            kept = kl.detach()
            shape = (options.samples, *state.shape[1:])
            drawn = torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(state)
            if prior is not None:
                drawn = prior[0][:, None] + prior[1][:, None] * drawn
            mixed = (signal * state)[:, None] + noise[:, None] * drawn
            units = tail(mixed.flatten(0, 1), len(state)).unflatten(0, (len(state), options.samples))
            similarity = (units * target[:, None]).sum(dim=-1).mean(dim=1)
            loss = (options.beta * kl.mean(dim=dims) - similarity).sum()
            (logits.grad,) = torch.autograd.grad(loss, [logits])
            optimiser.step()
    return kept


def _image_prior(work: Work, options: M2ibOptions, layer: int, states: Tensor) -> tuple[Tensor, Tensor] | None:
    maps = work.model.image.layout == "maps"
    if options.prior == "standard" or (options.prior == "auto" and not maps):
        return None
    if layer in work.context.channels:
        mean, spread = work.context.channels[layer]
        shape = (1, -1, 1, 1) if maps else (1, 1, -1)
        full = (len(states), *([1] * (states.ndim - 1)))
        return mean.reshape(shape).repeat(full).to(states), spread.reshape(shape).repeat(full).to(states)
    return _own_prior(states)


def _own_prior(states: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread of each channel over the places of each state alone."""
    dims = (2, 3) if states.ndim == 4 else (1,)
    spread = states.std(dim=dims, keepdim=True, correction=0).clamp_min(1e-3)
    return states.mean(dim=dims, keepdim=True), spread


def _layer(layer: int | None, depth: int, side: str) -> int:
    chosen = max(depth - 3, 0) if layer is None else layer + depth if layer < 0 else layer
    if not 0 <= chosen < depth - 1 and not (depth == 1 and chosen == 0):
        raise InputError(f"m2ib: layer must leave a block behind it: 0 to {depth - 2} on the {side} side, not {layer}")
    return chosen


def _unit_range(values: Tensor) -> Tensor:
    low = values.amin(dim=-1, keepdim=True)
    return (values - low) / (values.amax(dim=-1, keepdim=True) - low).clamp_min(1e-12)
