"""The coalition pool: one image with some of its cells hidden, every set of cells embedded once.

Perturbation methods, Shapley values and faithfulness measures all ask for such embeddings; none of them depends on a
text. A set that was asked for before costs nothing.
"""

from __future__ import annotations

from collections import defaultdict

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.coalitions import Removal, cell_masks, embed_coalitions
from core.models.model import Model

CHUNK = 32


def removal_of(model: Model, wanted: Removal) -> Removal:
    """The operator that is used: "auto" drops tokens where the tower allows it, otherwise shows the mean colour.

    "drop" on a tower that needs its whole grid becomes the mean colour too; ask here to be able to say so.
    """
    if wanted in ("auto", "drop"):
        return "drop" if model.image.droppable else "mean"
    return wanted


class CoalitionPool:
    """Unit embeddings of one image `(3, height, width)` for sets of kept cells, remembered by set.

    With removal "drop" the tokens of hidden cells leave the image before the first block, so a coalition costs as
    much as it keeps. A tower that reads out its places alone has nothing left when all are dropped: there the empty
    coalition is the image in the mean colour.
    """

    def __init__(self, model: Model, pixels: Tensor, removal: Removal = "auto") -> None:
        self.model = model
        self.pixels = pixels
        self.removal = removal_of(model, removal)
        self._where: dict[bytes, int] = {}
        self._known: list[Tensor] = []
        self._tokens: Tensor | None = None

    def __len__(self) -> int:
        """How many different coalitions have been embedded."""
        return len(self._where)

    @property
    def token_grid(self) -> tuple[int, int]:
        """Rows and columns of the tower's tokens for this image."""
        height, width = self.pixels.shape[-2:]
        return self.model.image.grid(self.pixels.new_zeros(1, 0, 0), height, width)

    def embeddings(self, kept: Tensor) -> Tensor:
        """Unit embeddings `(coalitions, embedding)` of the kept cells `(coalitions, rows, columns)`, bool."""
        kept = kept.bool().cpu()
        if self.removal == "drop":
            # What counts is which tokens stay, whatever the cells they were asked by.
            kept = cell_masks(kept, *self.token_grid).bool()
        # Cells of another grid are other sets.
        shape = repr(tuple(kept.shape[1:])).encode()
        keys = [shape + row.numpy().tobytes() for row in kept]
        new = {key: row for row, key in enumerate(keys) if key not in self._where}
        if new:
            self._remember(list(new), kept[list(new.values())])
        found = torch.cat(self._known)
        self._known = [found]
        return found[[self._where[key] for key in keys]]

    def _remember(self, keys: list[bytes], kept: Tensor) -> None:
        first = len(self._where)
        made = self._dropped(kept) if self.removal == "drop" else self._masked(kept)
        self._known.append(made)
        self._where.update({key: first + number for number, key in enumerate(keys)})

    def _masked(self, kept: Tensor) -> Tensor:
        height, width = self.pixels.shape[-2:]
        masks = (cell_masks(part, height, width) for part in kept.split(CHUNK))
        return embed_coalitions(self.model, self.pixels, masks, self.removal)

    def _dropped(self, kept: Tensor) -> Tensor:
        tower, flat = self.model.image, kept.flatten(1)
        found: Tensor | None = None
        groups: dict[int, list[int]] = defaultdict(list)
        for number, count in enumerate(flat.sum(dim=1).tolist()):
            groups[int(count)].append(number)
        batch = self.model.image_batch(self.pixels.shape[-2:])
        for count, numbers in sorted(groups.items()):
            # Short sequences are as cheap together as few long ones.
            step = max(1, batch * flat.shape[1] // max(count, 1)) if count else len(numbers)
            for start in range(0, len(numbers), step):
                some = numbers[start : start + step]
                made = self._forward(flat[some], count)
                found = made.new_empty(len(flat), made.shape[1]) if found is None else found
                found[some] = made
        assert found is not None
        self.model.meter.image += float((flat.sum(dim=1) + tower.prefix_tokens).sum()) / (
            flat.shape[1] + tower.prefix_tokens
        )
        return found

    def _forward(self, kept: Tensor, count: int) -> Tensor:
        tower = self.model.image
        if count == 0 and not tower.reads_prefix:
            hidden = embed_coalitions(self.model, self.pixels, [torch.zeros(1, *self.pixels.shape[-2:])], "mean")
            return hidden.expand(len(kept), -1)
        if self._tokens is None:
            with torch.no_grad():
                self._tokens = tower.enter(self.pixels[None])
        places = kept.nonzero()[:, 1].reshape(len(kept), count) + tower.prefix_tokens
        prefix = torch.arange(tower.prefix_tokens).expand(len(kept), -1)
        index = torch.cat([prefix, places], dim=1).to(self.pixels.device)
        return F.normalize(self.model.bulk.tokens(self._tokens[0], index), dim=-1)
