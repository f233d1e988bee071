"""M2IB: how much information each place or token must keep for the pair to stay similar (Wang et al., NeurIPS 2023).

A bottleneck after one block mixes the state h with noise, z = lambda h + (1 - lambda) eps, lambda = sigmoid(A). A is
found by minimising  beta * mean KL(z | noise) - mean cos(tail(z), target)  with Adam. The map is the sum over channels
of the KL of the last forward. All pairs are optimised at once: the loss is a sum over pairs, each pair has its own A
and its own noise stream, so a batch equals single runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.errors import InputError
from core.methods.bottleneck import M2ibOptions, block_of, layer_of, m2ib_misfit
from core.methods.info import Side
from core.settings import byte_budget

START = 5.0


class Pair(NamedTuple):
    """An image and a text of some work, by number, and the seed of their noise."""

    image: int
    text: int
    seed: int


@dataclass(frozen=True)
class Bottlenecks:
    """What optimised bottlenecks keep, a row for each pair; everything is that of the last forward.

    places: nats at each place `(pairs, rows, columns)` of the image, or at each token `(pairs, tokens)`, special
        tokens included, 0 behind the end of shorter texts.
    total: nats over all elements of the state `(pairs,)`, class and register tokens included.
    cosine: similarity of what the bottleneck lets through with its target `(pairs,)`, mean over the noise samples.
    floor: the same for noise alone, which keeps nothing; None unless it was asked for.
    """

    places: Tensor
    total: Tensor
    cosine: Tensor
    floor: Tensor | None = None


@dataclass(frozen=True)
class _Tail:
    """The rest of a tower behind the bottleneck: states to unit embeddings, and where its forwards are counted."""

    run: Callable[[Tensor], Tensor]
    count: Callable[[float], None]


def attribute_image(work: Work, options: M2ibOptions) -> Tensor:
    """Nats kept at each place, `(images, texts, rows, columns)`, on the grid of the bottleneck's layer."""
    maps = image_bottlenecks(work, options, _every(work)).places
    if options.paper_exact:
        maps = _unit_range(maps.flatten(1)).view_as(maps)
    return maps.unflatten(0, (len(work.images), len(work.texts)))


def attribute_text(work: Work, options: M2ibOptions) -> Tensor:
    """Nats kept at each token position, `(images, texts, tokens)`, special tokens included."""
    values = text_bottlenecks(work, options, _every(work)).places
    values = values.unflatten(0, (len(work.images), len(work.texts)))
    if options.paper_exact:
        for text in range(len(work.texts)):
            length = work.texts.own_ids(text).shape[1]
            values[:, text, :length] = _unit_range(values[:, text, :length])
    return values


def image_bottlenecks(work: Work, options: M2ibOptions, pairs: Sequence[Pair], *, floor: bool = False) -> Bottlenecks:
    """The bottlenecks of some pairs in the image tower, with the text as target; any pair with any seed, together.

    `floor` also asks what noise alone gives, which costs `samples` forwards of the tail a pair.
    """
    tower = work.model.image
    layer = bottleneck_layer(layer_of(options, "image"), tower.depth, "image")
    states = work.images.entering(layer + 1)
    prior = _image_prior(work, options, layer, states)

    def count(passes: float) -> None:
        work.model.meter.image += passes * (tower.depth - 1 - layer) / tower.depth

    def run(z: Tensor) -> Tensor:
        # Convolutions of a few small maps run a quarter faster with the channels last.
        laid = z.contiguous(memory_format=torch.channels_last) if tower.layout == "maps" else z
        return F.normalize(tower.leave(tower.run(laid, layer + 1)), dim=-1)

    images, texts = [pair.image for pair in pairs], [pair.text for pair in pairs]
    kept, cosine, least = _optimise(
        options,
        states[images],
        work.texts.embeddings[texts],
        _generators(work, "image", pairs),
        _Tail(run, count),
        None if prior is None else (prior[0][images], prior[1][images]),
        floor,
    )
    if tower.layout == "maps":
        grid = (int(states.shape[-2]), int(states.shape[-1]))
        places = kept.sum(dim=1).flatten(1)
    else:
        grid = work.images.grid(layer + 1)
        places = kept.sum(dim=-1)[:, tower.prefix_tokens :]
    return Bottlenecks(places.unflatten(-1, grid), _total(kept), cosine, least)


def text_bottlenecks(work: Work, options: M2ibOptions, pairs: Sequence[Pair], *, floor: bool = False) -> Bottlenecks:
    """The bottlenecks of some pairs in the text tower, with the image as target."""
    tower, texts = work.model.text, work.texts
    layer = bottleneck_layer(layer_of(options, "text"), tower.depth, "text")

    def count(passes: float) -> None:
        work.model.meter.text += passes * (tower.depth - 1 - layer) / tower.depth

    found: dict[int, tuple[Tensor, Tensor, Tensor, Tensor | None]] = {}
    for text in dict.fromkeys(pair.text for pair in pairs):
        # One text at a time: its own length, no padding inside the bottleneck's mean.
        ids = texts.own_ids(text)
        state, mask = tower.enter(ids)
        state = tower.run(state, mask, 0, layer + 1)

        def run(z: Tensor, ids: Tensor = ids, mask: Tensor | None = mask) -> Tensor:
            return F.normalize(tower.leave(tower.run(z, mask, layer + 1), ids.expand(len(z), -1)), dim=-1)

        rows = [row for row, pair in enumerate(pairs) if pair.text == text]
        states = state.expand(len(rows), -1, -1)
        prior = _own_prior(states) if options.prior == "channel" else None
        own = [pairs[row] for row in rows]
        targets = work.images.embeddings[[pair.image for pair in own]]
        kept, cosine, least = _optimise(
            options, states, targets, _generators(work, "text", own), _Tail(run, count), prior, floor
        )
        total = _total(kept)
        for at, row in enumerate(rows):
            found[row] = (kept[at].sum(dim=-1), total[at], cosine[at], None if least is None else least[at])
    ordered = [found[row] for row in range(len(pairs))]
    width = texts.ids.shape[1]
    lows = [low for *_, low in ordered if low is not None]
    return Bottlenecks(
        torch.stack([F.pad(values, (0, width - len(values))) for values, *_ in ordered]),
        torch.stack([total for _, total, _, _ in ordered]),
        torch.stack([cosine for _, _, cosine, _ in ordered]),
        torch.stack(lows) if floor else None,
    )


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
    options: M2ibOptions,
    states: Tensor,
    targets: Tensor,
    generators: Sequence[torch.Generator],
    tail: _Tail,
    prior: tuple[Tensor, Tensor] | None,
    floor: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The KL `(pairs, ...state shape)` and the cosine `(pairs,)` of the last forward, and the cosine of noise alone.

    Pairs are taken together as the byte budget allows.
    """
    # Each noise sample keeps about 30 states alive in the tail's graph.
    size = 30 * options.samples * states[0].numel() * states.element_size()
    step = max(1, min(len(states), byte_budget() // size))
    found = []
    for start in range(0, len(states), step):
        part = slice(start, start + step)
        own_prior = None if prior is None else (prior[0][part], prior[1][part])
        found.append(_optimise_some(options, states[part], targets[part], generators[part], tail, own_prior, floor))
    kept, cosine, lows = zip(*found, strict=True)
    return torch.cat(kept), torch.cat(cosine), torch.cat(lows) if floor else None


def _optimise_some(
    options: M2ibOptions,
    state: Tensor,
    target: Tensor,
    generators: Sequence[torch.Generator],
    tail: _Tail,
    prior: tuple[Tensor, Tensor] | None,
    floor: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    state = state.detach()
    logits = torch.full_like(state, START).requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=options.lr)
    kept, similarity = torch.zeros_like(state), state.new_zeros(len(state))
    dims = tuple(range(1, state.ndim))
    shape = (options.samples, *state.shape[1:])

    def draw() -> Tensor:
        drawn = torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(state)
        return drawn if prior is None else prior[0][:, None] + prior[1][:, None] * drawn

    def reached(mixed: Tensor) -> Tensor:
        units = tail.run(mixed.flatten(0, 1)).unflatten(0, (len(state), options.samples))
        return (units * target[:, None]).sum(dim=-1).mean(dim=1)

    with torch.enable_grad():
        for left in reversed(range(options.steps)):
            kl, signal, noise = information(logits, state, prior)
            kept = kl.detach()
            mixed = (signal * state)[:, None] + noise[:, None] * draw()
            similarity = reached(mixed)
            # What is returned is that of the last forward: no step follows it, and no walk back.
            if left:
                loss = (options.beta * kl.mean(dim=dims) - similarity).sum()
                (logits.grad,) = torch.autograd.grad(loss, [logits])
                optimiser.step()
    # A backward costs two forwards.
    tail.count((3.0 * options.steps - 2.0) * options.samples * len(state))
    if not floor:
        return kept, similarity.detach(), None
    tail.count(options.samples * len(state))
    with torch.no_grad():
        return kept, similarity.detach(), reached(draw())


def _every(work: Work) -> list[Pair]:
    return [Pair(image, text, work.seed) for image in range(len(work.images)) for text in range(len(work.texts))]


def _generators(work: Work, side: str, pairs: Sequence[Pair]) -> list[torch.Generator]:
    streams = {seed: replace(work, seed=seed) for seed in {pair.seed for pair in pairs}}
    keys = work.image_keys
    return [streams[seed].generator("m2ib", side, keys[image], work.texts.texts[text]) for image, text, seed in pairs]


def _total(kept: Tensor) -> Tensor:
    # In double precision: a state has 10^4 to 10^5 elements.
    return kept.flatten(1).sum(dim=1, dtype=torch.float64)


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


def bottleneck_layer(layer: int | None, depth: int, side: Side) -> int:
    """The block, from 0, whose output the bottleneck mixes. Raises `InputError` if no block follows it."""
    reason = m2ib_misfit(layer, depth, side)
    if reason is not None:
        raise InputError(f"m2ib: {reason}")
    return block_of(layer, depth)


def _unit_range(values: Tensor) -> Tensor:
    low = values.amin(dim=-1, keepdim=True)
    return (values - low) / (values.amax(dim=-1, keepdim=True) - low).clamp_min(1e-12)
