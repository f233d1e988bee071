"""gScoreCAM (Chen et al., ACCV 2022): Score-CAM on the channels that the gradient of the score picks for each text.

The channels with the largest mean gradient are chosen; each is weighed by the softmax of the scores of the image seen
through it. The release takes the softmax over all channels, the score of one that is not chosen being 0. A second class
of it needs no masked image: the softmax of 1 (chosen) and 0 (not chosen).
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.attribution.channels import (
    channel_gradients,
    channel_maps,
    layer_state,
    seen_through,
    weighted_channels,
)
from core.attribution.contract import Work
from core.methods.cam import GScoreCamOptions


def attribute_image(work: Work, options: GScoreCamOptions) -> Tensor:
    """Maps `(images, texts, rows, columns)`, at least 0, on the grid of the layer that is read."""
    scale = options.scale or work.model.logit_scale
    every = channel_maps(work, layer_state(work, "gscorecam", options.layer))
    gradients = channel_gradients(work, "gscorecam", options.layer)
    found = []
    for index, maps in enumerate(every):
        chosen = gradients[index].argsort(dim=-1, descending=True, stable=True)[:, : options.channels]
        picked = torch.zeros_like(gradients[index], dtype=torch.bool).scatter(1, chosen, True)
        if options.weighting == "selection":
            weights = picked.to(maps).softmax(dim=-1)
        else:
            wanted = sorted(set(chosen.flatten().tolist()))
            embeddings = seen_through(work, index, maps, wanted, options.layer, options.removal)
            scores = torch.zeros(picked.shape, dtype=maps.dtype, device=maps.device)
            scores[:, wanted] = scale * work.texts.embeddings @ embeddings.T
            weights = scores.masked_fill(~picked, 0.0 if options.paper_exact else -torch.inf).softmax(dim=-1)
        found.append(weighted_channels(weights, maps))
    return torch.stack(found)
