"""ClearCLIP (Lan et al., ECCV 2024, section 3): the attention output of the last block alone, queries with queries."""

from __future__ import annotations

from torch import Tensor

from core.attribution.contract import Work
from core.attribution.self_attention import reattended
from core.methods.dense import ClearClipOptions


def attribute_image(work: Work, options: ClearClipOptions) -> Tensor:
    """Cosines `(images, texts, rows, columns)` of the last block's attention output, without skip and feed-forward."""

    def mix(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
        left, right = ({"q": q, "k": k, "v": v}[letter] for letter in options.attention)
        return (left * scale @ right.transpose(-2, -1)).softmax(dim=-1) @ v

    return reattended(work, mix, residual=False, mlp=False)
