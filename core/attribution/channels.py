"""The channels of one layer as masks of the image, for the class activation methods that ask the model about each.

The embedding of an image seen through a channel depends on no text and no method: it is kept in the work's pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.gradients import score_gradients
from core.errors import InputError
from core.models.coalitions import Removal, embed_coalitions
from core.models.image_tower import TimmCnn

CHUNK = 16


def layer_state(work: Work, method: str, layer: int | None) -> Tensor:
    """The state that the channels are read from: a ViT's input of `layer`, a CNN's map.

    None: a ViT's last block, a CNN's last map, the one that is pooled. Raises `InputError` if there is no such layer.
    """
    tower = work.model.image
    with torch.no_grad():
        if layer is None and isinstance(tower, TimmCnn):
            return tower.tail(work.images.final)
        return work.images.entering(_block(work, method, layer))


def channel_maps(work: Work, state: Tensor) -> Tensor:
    """The channels of a state as maps `(images, channels, rows, columns)`; class and register tokens left out."""
    if work.model.image.layout == "maps":
        return state
    places = state[:, work.model.image.prefix_tokens :].transpose(1, 2)
    return places.unflatten(-1, work.images.grid())


def channel_gradients(work: Work, method: str, layer: int | None) -> Tensor:
    """The mean gradient of each text's cosine over the places of each channel, `(images, texts, channels)`."""
    tower = work.model.image
    leaf = layer_state(work, method, layer).detach().clone().requires_grad_()
    share = 1 / tower.depth
    if layer is None and isinstance(tower, TimmCnn):
        embedding = tower.pool(leaf)
    else:
        block = _block(work, method, layer)
        share = max(tower.depth - block, 1) / tower.depth
        embedding = tower.leave(tower.run(leaf, block))
    (gradient,) = score_gradients(F.normalize(embedding, dim=-1), work.texts.embeddings, [leaf])
    work.model.meter.image += share * len(work.images) * (1 + 2 * len(work.texts))
    if tower.layout == "maps":
        return gradient.mean(dim=(-2, -1)).transpose(0, 1)
    return gradient[:, :, tower.prefix_tokens :].mean(dim=2).transpose(0, 1)


def seen_through(
    work: Work, index: int, maps: Tensor, wanted: Sequence[int], layer: int | None, removal: Removal
) -> Tensor:
    """Unit embeddings `(wanted, embedding)` of one image seen through the wanted channels of its `maps`."""
    key = ("channels", work.image_keys[index], layer, removal)
    known: dict[int, Tensor] = work.pools.setdefault(key, {})
    missing = [channel for channel in wanted if channel not in known]
    if missing:
        size = (int(work.images.pixels.shape[-2]), int(work.images.pixels.shape[-1]))
        masks = channel_masks(maps[missing], size)
        known.update(zip(missing, embed_coalitions(work.model, work.images.pixels[index], masks, removal), strict=True))
    return torch.stack([known[channel] for channel in wanted])


def channel_masks(maps: Tensor, size: tuple[int, int]) -> Iterator[Tensor]:
    """Visibilities `(some, height, width)`: each map enlarged bilinearly, then brought to 0..1.

    A map that is the same everywhere shows nothing.
    """
    for some in maps.split(CHUNK):
        large = F.interpolate(some[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
        low, high = large.amin(dim=(-2, -1), keepdim=True), large.amax(dim=(-2, -1), keepdim=True)
        yield torch.where(high > low, (large - low) / (high - low).clamp_min(1e-30), 0.0)


def weighted_channels(weights: Tensor, maps: Tensor) -> Tensor:
    """What raises the score: ReLU of the channels' weighted sum, `(texts, rows, columns)` from `(texts, channels)`."""
    return torch.einsum("tc,crw->trw", weights, maps).relu()


def _block(work: Work, method: str, layer: int | None) -> int:
    depth = work.model.image.depth
    chosen = -1 if layer is None else layer
    block = chosen + depth if chosen < 0 else chosen
    if not 0 <= block <= depth:
        raise InputError(f"{method}: layer must be from 0 to {depth} on this model, not {layer}")
    return block
