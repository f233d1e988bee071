"""Models whose weights are drawn anew, part by part, to ask whether an explanation depends on what was learned.

Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018: the cascade starts at the last block and goes down.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from core.models.image_tower import image_tower
from core.models.model import Model
from core.models.text_tower import text_tower

# Each step of the cascade keeps what the step before it has drawn anew.
CASCADE = ("last_block", "upper_half", "image_tower")
TEXT = "text_tower"


class Randomised:
    """Randomised versions of `model`, one at a time, on one copy of its network. `model` itself is never written to.

    Each tensor is drawn from a normal distribution with its own mean and standard deviation; single numbers and
    running statistics stay. Work on the versions is counted by the model's own meter.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        # A black box has no weights that could be drawn anew.
        self.possible = any(True for _ in model.net.parameters())
        self._net: nn.Module = copy.deepcopy(model.net) if self.possible else model.net

    def cascade(self, generator: torch.Generator) -> Iterator[tuple[str, Model]]:
        """Yields each step of `CASCADE` with its model, which is only good until the next one is asked for.

        A tower whose blocks are not known gives the last step alone, a model without weights none.
        """
        if not self.possible:
            return
        self._restore()
        model = self._wrapped()
        visual: nn.Module = self._net.visual  # type: ignore[assignment]
        depth = model.image.depth if "image_layers" in model.capabilities else 0
        drawn: set[int] = set()
        if depth:
            for step, first in zip(CASCADE, (depth - 1, depth // 2), strict=False):
                for block in range(depth - 1, first - 1, -1):
                    redraw(model.image.part(block).parameters(), generator, drawn)
                # Wrapped anew, because a tower may keep a faster form of its weights.
                yield step, self._wrapped()
        redraw(visual.parameters(), generator, drawn)
        yield CASCADE[-1], self._wrapped()

    def text(self, generator: torch.Generator) -> Model | None:
        """The model with its text tower, and all else that is not the image tower, drawn anew; None without weights."""
        if not self.possible:
            return None
        self._restore()
        visual: nn.Module = self._net.visual  # type: ignore[assignment]
        kept = {id(value) for value in visual.parameters()}
        redraw(self._net.parameters(), generator, kept)
        # Its texts mean something else, so that nothing kept for the model's own texts may be taken for them.
        return replace(self._wrapped(), digest=f"text tower drawn anew from {self._model.digest}")

    def _restore(self) -> None:
        self._net.load_state_dict(self._model.net.state_dict())

    def _wrapped(self) -> Model:
        return replace(
            self._model,
            net=self._net,
            image=image_tower(self._net.visual),
            text=text_tower(self._net, self._model.text.tokenizer),
        )


def redraw(parameters: Iterable[Tensor], generator: torch.Generator, drawn: set[int]) -> None:
    """Draw every tensor that is not in `drawn` (by `id`) anew with its own mean and spread, and add it to `drawn`."""
    with torch.no_grad():
        for value in parameters:
            if id(value) in drawn:
                continue
            drawn.add(id(value))
            if value.numel() > 1 and value.is_floating_point():
                noise = torch.randn(value.shape, generator=generator).to(value)
                value.copy_(noise * value.std() + value.mean())
