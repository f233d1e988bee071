"""What is computed once and shared: the residual states of images and of texts, and their embeddings.

Every gradient, attention and dense method starts from these, so that one forward an image and one a text serve all.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.model import Model, checked_templates


class ImageTrunk:
    """One forward of a batch of images, kept between its blocks. No gradient is recorded here."""

    def __init__(self, model: Model, pixels: Tensor) -> None:
        self.model = model
        self.pixels = pixels

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def _states(self) -> list[Tensor]:
        tower = self.model.image
        self.model.meter.image += len(self.pixels)
        with torch.no_grad():
            states = [tower.enter(self.pixels)]
            for index in range(tower.depth):
                states.append(tower.block(index, states[-1]))
        return states

    def entering(self, block: int) -> Tensor:
        """The state that enters `block`; `depth` gives the state that left the last one."""
        return self._states[block]

    @property
    def final(self) -> Tensor:
        """The state that left the last block."""
        return self._states[-1]

    @cached_property
    def embeddings(self) -> Tensor:
        """Unit embeddings `(images, embedding)`."""
        if "image_layers" not in self.model.capabilities:
            with torch.no_grad():
                return self.model.embed_images(self.pixels)
        with torch.no_grad():
            return F.normalize(self.model.image.leave(self.final), dim=-1)

    @cached_property
    def places(self) -> Tensor:
        """Unit features of each place `(images, places, embedding)`."""
        with torch.no_grad():
            return F.normalize(self.model.image.places(self.final), dim=-1)

    def grid(self, block: int | None = None) -> tuple[int, int]:
        """Rows and columns of the state that enters `block` (the final one by default)."""
        state = self.final if block is None else self.entering(block)
        return self.model.image.grid(state, *self.pixels.shape[-2:])


class TextTrunk:
    """One forward of some texts, kept between its blocks. With templates, `embeddings` are the ensemble's."""

    def __init__(self, model: Model, texts: Sequence[str], templates: Sequence[str] | str | None = None) -> None:
        self.model = model
        self.texts = list(texts)
        self.templates = checked_templates(templates)

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def ids(self) -> Tensor:
        """Token ids `(texts, tokens)`, trimmed."""
        return self.model.text.tokenize(self.texts).to(self.model.device)

    def own_ids(self, text: int) -> Tensor:
        """The ids of one text alone `(1, tokens)`: its own length, without what pads it to the others'."""
        length = self.model.text.tokenize([self.texts[text]]).shape[1]
        return self.ids[text : text + 1, :length]

    @cached_property
    def _states(self) -> tuple[list[Tensor], Tensor | None]:
        tower = self.model.text
        self.model.meter.text += len(self.texts)
        with torch.no_grad():
            state, mask = tower.enter(self.ids)
            states = [state]
            for index in range(tower.depth):
                states.append(tower.block(index, states[-1], mask))
        return states, mask

    def entering(self, block: int) -> Tensor:
        """The state that enters `block`; `depth` gives the state that left the last one."""
        return self._states[0][block]

    @property
    def mask(self) -> Tensor | None:
        """The attention mask that is added to the scores."""
        return self._states[1]

    @cached_property
    def embeddings(self) -> Tensor:
        """Unit embeddings `(texts, embedding)`."""
        with torch.no_grad():
            return self.model.embed_texts(self.texts, self.templates)

    @cached_property
    def content(self) -> list[tuple[list[int], list[str]]]:
        """For each text the positions and pieces of its tokens without special ones."""
        return [self.model.text.content(row) for row in self.ids]
