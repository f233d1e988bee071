"""SC-CLIP (Bai et al., TIP 2025): anomalous places are repaired, and likeness in earlier blocks says what belongs
together in the last one.

Three steps, all without training (section 4): places whose state before the last block is an outlier by its local
outlier factor take the mean of their sound neighbours; cosines of the states of a middle block gather those states and
stand beside key-key attention in the last block; the sum of the states of several blocks passes the last block as well,
and both results, gathered by the cosines of an early block, are added.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.self_attention import ATTENTION_COST, blocks_of, dense_maps, self_weights
from core.errors import InputError
from core.methods.calibrated import ScClipOptions, calibrating_blocks

# Keeps a density finite where neighbours coincide, as in scikit-learn.
TINY = 1e-10


def attribute_image(work: Work, options: ScClipOptions) -> Tensor:
    """Cosines `(images, texts, rows, columns)` after the calibrated last block.

    Of tokens that are no place only the one that is pooled takes part: a share of it is added to every place. Towers
    without such a token have none to add. Raises `InputError` if a block that the options name is not before the last.
    """
    tower, images = work.model.image, work.images
    middle, early, first, last = _checked(options, tower.depth)
    block, prefix = blocks_of(tower)[-1], tower.prefix_tokens
    with torch.no_grad():
        before = images.entering(tower.depth - 1)
        anomalous = anomalies(before[:, prefix:], options)
        similar = cosines(repaired(images.entering(middle + 1)[:, prefix:], anomalous, images.grid()))
        nearby = cosines(images.entering(early + 1)[:, prefix:])
        weights = coherent(similar, options.sharpness)[:, None]

        def calibrated(state: Tensor) -> Tensor:
            _, k, v, scale = block.qkv(state)
            mixed = (self_weights(k[:, :, prefix:], scale) + weights) / 2 @ v[:, :, prefix:]
            base = torch.zeros_like(state)
            if tower.pooled_token is not None:
                base = base + options.class_share * state[:, tower.pooled_token, None]
            out = block.add_attention(base, F.pad(mixed, (0, 0, prefix, 0)))
            return gathered(nearby, out[:, prefix:], options.floor)

        places = gathered(similar, repaired(before[:, prefix:], anomalous, images.grid()), options.floor)
        total = calibrated(torch.cat([before[:, :prefix], places], dim=1))
        if options.fuse:
            total = total + calibrated(sum(images.entering(index + 1) for index in range(first, last + 1)))  # type: ignore[arg-type]
        features = tower.project(total)
    passes = 2 if options.fuse else 1
    work.model.meter.image += passes * ATTENTION_COST / tower.depth * len(images)
    return dense_maps(work, features)


def anomalies(states: Tensor, options: ScClipOptions) -> Tensor:
    """Which places are outliers, `(images, places)`: the share `anomalies` with the largest local outlier factors."""
    factors = outlier_factors(states, options.neighbours, options.paper_exact)
    bound = factors.quantile(1 - options.anomalies, dim=-1, keepdim=True)
    return factors > bound


def outlier_factors(states: Tensor, neighbours: int, released: bool = False) -> Tensor:
    """The local outlier factor (Breunig et al., SIGMOD 2000) of each place `(images, places)`, float64.

    A place's density is one over its mean reachability from its nearest neighbours, where the reachability from o is
    the larger of the distance and of o's own distance to its farthest neighbour; its factor is the mean density of the
    neighbours over its own. `released` follows the release: squared distances, and the farthest neighbour of the place
    itself, which makes the factor a ratio of these distances. Grids with fewer places use all others.
    """
    apart = torch.cdist(states.double(), states.double(), compute_mode="donot_use_mm_for_euclid_dist")
    if released:
        apart = apart.square()
    apart = apart + torch.diag(torch.full_like(apart[0, 0], torch.inf))
    count = min(neighbours, apart.shape[-1] - 1)
    near, which = apart.topk(count, largest=False)
    farthest = near[..., -1]
    reach = torch.maximum(near, farthest[..., None] if released else _at(farthest, which))
    density = 1 / (reach.mean(dim=-1) + TINY)
    return _at(density, which).mean(dim=-1) / density


def repaired(states: Tensor, anomalous: Tensor, grid: tuple[int, int]) -> Tensor:
    """The states `(images, places, width)`; an anomalous one is the mean of its sound neighbours (of eight)."""
    sound = (~anomalous)[:, None].to(states)
    maps = (states.transpose(1, 2) * sound).unflatten(-1, grid)
    means = F.avg_pool2d(maps, 3, stride=1, padding=1).flatten(2)
    shares = F.avg_pool2d(sound.unflatten(-1, grid), 3, stride=1, padding=1).flatten(2)
    mended = (means / shares.clamp_min(torch.finfo(shares.dtype).tiny)).transpose(1, 2)
    return torch.where((anomalous & (shares[:, 0] > 0))[..., None], mended, states)


def cosines(states: Tensor) -> Tensor:
    """Cosines of the states of any two places `(images, places, places)`."""
    unit = F.normalize(states, dim=-1)
    return unit @ unit.transpose(1, 2)


def gathered(similar: Tensor, states: Tensor, floor: float) -> Tensor:
    """Each place's mean of the states of places at least `floor` alike, weighted by that likeness (eq. 4)."""
    weights = torch.where(similar < floor, 0.0, similar)
    return weights @ states / weights.sum(dim=-1, keepdim=True)


def coherent(similar: Tensor, sharpness: float) -> Tensor:
    """Attention by likeness `(images, places, places)`: a softmax over the places more alike than two are on average.

    A place always attends to itself, so that an image whose places are all alike has weights too.
    """
    scores = sharpness * (similar - similar.mean(dim=(1, 2), keepdim=True))
    own = torch.eye(similar.shape[-1], dtype=torch.bool, device=similar.device)
    return scores.masked_fill((scores < 0) & ~own, -torch.inf).softmax(dim=-1)


def _at(values: Tensor, which: Tensor) -> Tensor:
    """For each place the values `(images, places)` of the places `which` `(images, places, neighbours)`."""
    return values[:, None].expand(-1, which.shape[1], -1).gather(-1, which)


def _checked(options: ScClipOptions, depth: int) -> tuple[int, int, int, int]:
    blocks = calibrating_blocks(options, depth)
    middle, early, first, last = blocks
    if depth < 2 or max(blocks) > depth - 2 or first > last:
        raise InputError(
            f"sc_clip: middle, early, first and last must be blocks of the image side before the last one, "
            f"0 to {depth - 2} with first <= last; this tower has {depth}"
        )
    return middle, early, first, last
