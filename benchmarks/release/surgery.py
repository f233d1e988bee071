"""CLIP Surgery's feature part as released: a tensor of every place, label and channel, less its mean over labels."""

from __future__ import annotations

from torch import Tensor


def literal(features: Tensor, texts: Tensor, temperature: float = 2.0) -> Tensor:
    """Similarity `(places, labels)` without what the labels share.

    `features` (1 + places, channels) begins with the class token, `texts` is (labels, channels); rows are unit vectors.
    """
    share = (temperature * features[:1] @ texts.T).softmax(dim=-1)
    weight = share / share.mean(dim=-1, keepdim=True)
    products = features[None, :, None, :] * texts[None, None, :, :]
    products = products * weight.reshape(1, 1, -1, 1)
    redundant = products.mean(dim=2, keepdim=True)
    return (products - redundant).sum(dim=-1)[0, 1:]
