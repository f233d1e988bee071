"""The library's own towers, and a count of what a loop asks of them, taken by watching their blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.model import Meter, Model
from core.models.text_tower import BertText


@contextmanager
def counting(model: Model) -> Iterator[Meter]:
    """A meter that counts while the block runs, in forward-equivalents of each tower.

    An image that passes one of n blocks counts 1/n; a gradient that comes back to a block's output counts 2/n, because
    it walks that block once for the input and once for the weights.
    """
    spent = Meter()
    hooks = []
    for side, blocks in (("image", image_blocks(model)), ("text", text_blocks(model))):
        hooks += [block.register_forward_hook(_noting(spent, side, len(blocks))) for block in blocks]
    try:
        yield spent
    finally:
        for hook in hooks:
            hook.remove()


def image_blocks(model: Model) -> list[Any]:
    """The library's own blocks of the image tower."""
    tower: Any = model.image
    if tower.layout == "tokens":
        return [block.module for block in tower.blocks]
    trunk = tower.module.trunk
    for name in ("blocks", "stages"):
        if hasattr(trunk, name):
            return list(getattr(trunk, name))
    return [trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4]


def text_blocks(model: Model) -> list[Any]:
    """The library's own blocks of the text tower."""
    return [block.module for block in model.text.blocks]


def encoded(model: Model, ids: Tensor) -> Tensor:
    """The text tower's embedding `(texts, embedding)` of unpadded ids, not normalised, through the library's blocks."""
    if isinstance(model.text, BertText):
        return model.text.plain(ids)
    state, mask = model.text.enter(ids)
    return model.text.leave(model.text.run(state, mask, 0), ids)


def unit_texts(model: Model, texts: Sequence[str]) -> Tensor:
    """Unit embeddings `(texts, embedding)`, one text after another."""
    with torch.no_grad():
        found = [encoded(model, model.text.tokenize([text]).to(model.device))[0] for text in texts]
    return F.normalize(torch.stack(found), dim=-1)


def _noting(spent: Meter, side: str, depth: int) -> Any:
    def note(module: Any, given: Any, out: Any) -> None:
        state: Tensor = out[0] if isinstance(out, tuple) else out
        share = len(state) / depth
        setattr(spent, side, getattr(spent, side) + share)
        if state.requires_grad:
            state.register_hook(lambda grad: setattr(spent, side, getattr(spent, side) + 2 * share))

    return note
