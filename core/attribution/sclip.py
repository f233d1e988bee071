"""SCLIP (Wang, Mei, Yuille, ECCV 2024, eq. 5): softmax(q q) + softmax(k k) in the last block."""

from __future__ import annotations

from torch import Tensor

from core.attribution.contract import Work
from core.attribution.self_attention import correlative, reattended
from core.methods.dense import KeptOptions


def attribute_image(work: Work, options: KeptOptions) -> Tensor:
    """Cosines `(images, texts, rows, columns)` after correlative self-attention of the last block.

    The two softmaxes are added, not averaged, as in the paper; skip connection and feed-forward part are kept unless
    the options say otherwise.
    """
    return reattended(work, lambda q, k, v, scale: correlative(q, k, scale) @ v, options.residual, options.mlp)
