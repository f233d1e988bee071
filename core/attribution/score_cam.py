"""Score-CAM (Wang et al., CVPRW 2020, eq. 3-8): channels weighed by the score of the image seen through them.

    M_c = min-max of the enlarged channel A_c        s_c = scale * cos(image seen through M_c, text)
    map = ReLU( sum over c of softmax(s)_c A_c )

A baseline that is subtracted from every s, as in the paper, leaves the softmax as it is. Masked images depend on no
text.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.attribution.channels import channel_maps, layer_state, seen_through, weighted_channels
from core.attribution.contract import Work
from core.methods.cam import ScoreCamOptions


def attribute_image(work: Work, options: ScoreCamOptions) -> Tensor:
    """Maps `(images, texts, rows, columns)`, at least 0, on the grid of the layer that is read."""
    scale = options.scale or work.model.logit_scale
    every = channel_maps(work, layer_state(work, "score_cam", options.layer))
    found = []
    for index, maps in enumerate(every):
        wanted = list(range(len(maps))) if options.paper_exact else _widest(maps, options.channels)
        embeddings = seen_through(work, index, maps, wanted, options.layer, options.removal)
        weights = (scale * embeddings @ work.texts.embeddings.T).softmax(dim=0).T
        found.append(weighted_channels(weights, maps[wanted]))
    return torch.stack(found)


def _widest(maps: Tensor, count: int) -> list[int]:
    width = maps.amax(dim=(-2, -1)) - maps.amin(dim=(-2, -1))
    return sorted(width.argsort(descending=True, stable=True)[:count].tolist())
