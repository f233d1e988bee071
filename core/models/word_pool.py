"""The coalition pool of a text: the text with some of its words left out, every set of words embedded once.

The tokens of a hidden word leave the sequence and those behind them move up, as if the shorter text had been tokenized.
No embedding depends on an image, so one pool serves all images and all methods.
"""

from __future__ import annotations

from collections import defaultdict

import torch
import torch.nn.functional as F
from torch import Tensor

from core.models.model import TEXT_BATCH, Model
from core.models.words import Word, word_groups


class WordPool:
    """Unit embeddings of one text for sets of kept words, remembered by set. Templates play no part in it."""

    def __init__(self, model: Model, text: str) -> None:
        self.model = model
        self.text = text
        self.ids = model.text.tokenize([text])[0]
        self.words: list[Word] = word_groups(model.text, self.ids)
        self._where: dict[bytes, int] = {}
        self._known: list[Tensor] = []
        # Where the tower reads to the end of its context, no text is trimmed, and a shorter one is padded to it again;
        # a place that stands for the tower's own token stays the last.
        empty = model.text.tokenize([""])[0]
        self._length = len(self.ids) if len(empty) == len(self.ids) else None
        self._own = int(self.ids[-1]) < 0
        self._pad = int(empty[-2] if self._own else empty[-1])

    def __len__(self) -> int:
        """How many different coalitions have been embedded."""
        return len(self._where)

    def embeddings(self, kept: Tensor) -> Tensor:
        """Unit embeddings `(coalitions, embedding)` of the kept words `(coalitions, words)`, bool."""
        kept = kept.bool().cpu()
        keys = [row.numpy().tobytes() for row in kept]
        new = {key: row for row, key in enumerate(keys) if key not in self._where}
        if new:
            first = len(self._where)
            self._known.append(self._embed(kept[list(new.values())]))
            self._where.update({key: first + number for number, key in enumerate(new)})
        found = torch.cat(self._known)
        self._known = [found]
        return found[[self._where[key] for key in keys]]

    def _embed(self, kept: Tensor) -> Tensor:
        # Texts of one length share a batch, so that none needs padding that it would not have alone.
        groups: dict[int, list[int]] = defaultdict(list)
        rows = [self._left(one) for one in kept]
        for number, row in enumerate(rows):
            groups[len(row)].append(number)
        found: list[Tensor] = [self.ids] * len(rows)
        for numbers in groups.values():
            for start in range(0, len(numbers), TEXT_BATCH):
                some = numbers[start : start + TEXT_BATCH]
                made = self._forward(torch.stack([rows[number] for number in some]))
                for number, embedding in zip(some, made, strict=True):
                    found[number] = embedding
        self.model.meter.text += len(rows)
        return torch.stack(found)

    def _left(self, kept: Tensor) -> Tensor:
        gone: set[int] = set()
        for (_, places), stays in zip(self.words, kept.tolist(), strict=True):
            gone |= set() if stays else set(places)
        row = self.ids[[place for place in range(len(self.ids)) if place not in gone]]
        if self._length is None:
            return row
        body, own = (row[:-1], row[-1:]) if self._own else (row, row[:0])
        return torch.cat([F.pad(body, (0, self._length - len(row)), value=self._pad), own])

    def _forward(self, ids: Tensor) -> Tensor:
        tower = self.model.text
        ids = ids.to(self.model.device)
        with torch.no_grad():
            state, mask = tower.enter(ids)
            return F.normalize(tower.leave(tower.run(state, mask, 0), ids), dim=-1)
