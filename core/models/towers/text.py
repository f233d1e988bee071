"""The text side of a model as a chain: tokenize, enter, blocks, leave. open_clip's own text transformer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from core.models.blocks import Attend, Block, OpenClipBlock

# The id of a class token that no tokenizer gives.
CLASS = -1


class TextTower(ABC):
    """One text tower. States are `(texts, tokens, width)`; a mask is added to the attention scores."""

    family: str = "text tower"
    depth: int = 0
    blocks: Sequence[Block] = ()
    capabilities: frozenset[str] = frozenset({"embeddings", "text_layers", "text_attention", "text_words"})

    def __init__(self, module: Any, tokenizer: Any, context: int) -> None:
        self.module = module
        self.tokenizer = tokenizer
        self.context = context

    @abstractmethod
    def plain(self, ids: Tensor) -> Tensor:
        """The library's own forward on untrimmed ids: `(texts, context)` -> `(texts, embedding)`."""

    @abstractmethod
    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Token ids `(texts, tokens)`, trimmed where that cannot change the result."""

    @abstractmethod
    def truncated(self, text: str) -> bool:
        """Whether the text is longer than the tower reads."""

    @abstractmethod
    def content(self, ids: Tensor) -> tuple[list[int], list[str]]:
        """Positions and pieces of one row's tokens without start, end and padding."""

    @abstractmethod
    def enter(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        """The state that enters the first block and the attention mask."""

    @abstractmethod
    def leave(self, state: Tensor, ids: Tensor) -> Tensor:
        """The embedding (not normalised) of the state that left the last block."""

    @abstractmethod
    def readout(self, ids: Tensor) -> Tensor:
        """The weight `(texts, tokens)` with which each position of the last state is pooled; rows sum to 1."""

    def full(self, texts: Sequence[str]) -> Tensor:
        """Untrimmed ids, as the library's tokenizer gives them."""
        return self.tokenizer(list(texts))

    def block(self, index: int, state: Tensor, mask: Tensor | None, attend: Attend | None = None) -> Tensor:
        """The state that leaves block `index`."""
        return self.blocks[index](state, mask, attend)

    def run(self, state: Tensor, mask: Tensor | None, start: int, stop: int | None = None) -> Tensor:
        """The state after blocks `start` to `stop` (exclusive; the last by default)."""
        for index in range(start, self.depth if stop is None else stop):
            state = self.block(index, state, mask)
        return state


class OpenClipText(TextTower):
    """open_clip's own text transformer, as part of `CLIP` or as a `TextTransformer`.

    CoCa adds a class token behind the text, which is read. It is the last of a full row and looks at the first token
    of padding too, so these texts are not trimmed; `tokenize` gives it the id `CLASS`, so that ids and states match.
    """

    family = "text transformer (open_clip)"

    def __init__(self, module: Any, tokenizer: Any, context: int, plain: Any, blocks: Sequence[OpenClipBlock]) -> None:
        super().__init__(module, tokenizer, context)
        self._plain = plain
        self.pool = getattr(module, "text_pool_type", None) or getattr(module, "pool_type", "argmax")
        self.end_id = getattr(module, "text_eos_id", None) or getattr(module, "eos_id", None)
        self.blocks = blocks
        self.depth = len(blocks)
        self.own_token = getattr(module, "cls_emb", None) is not None
        self._padded = bool(getattr(module, "use_pad_mask", False))
        if self.own_token:
            self.family = "text transformer with a class token (open_clip)"

    def plain(self, ids: Tensor) -> Tensor:
        return first_of(self._plain(ids))

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        ids = self.full(texts)
        if self.own_token:
            return torch.nn.functional.pad(ids, (0, 1), value=CLASS)
        if self.module.attn_mask is None or self.pool not in ("argmax", "eos"):
            return ids
        # Causal: what follows the token that is read cannot reach it.
        return ids[:, : int(self._end(ids).max()) + 1]

    def truncated(self, text: str) -> bool:
        encoder = getattr(self.tokenizer, "encode", None)
        if encoder is not None:
            return len(encoder(text)) + 2 > self.context
        return len(self.tokenizer.tokenizer(text)["input_ids"]) > self.context

    def content(self, ids: Tensor) -> tuple[list[int], list[str]]:
        row = ids.tolist()
        if hasattr(self.tokenizer, "byte_decoder"):
            if self.pool in ("argmax", "eos") and not self.own_token:
                positions = list(range(1, int(self._end(ids[None])[0])))
            else:
                special = {self.tokenizer.sot_token_id, self.tokenizer.eot_token_id, 0, CLASS}
                positions = [p for p, token in enumerate(row) if token not in special]
            return positions, [self._piece(row[p]) for p in positions]
        inner = self.tokenizer.tokenizer
        special = {*inner.all_special_ids, CLASS}
        positions = [p for p, token in enumerate(row) if token not in special]
        return positions, [str(piece) for piece in inner.convert_ids_to_tokens([row[p] for p in positions])]

    def enter(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        module, length = self.module, ids.shape[1]
        if self.own_token or self._padded:
            # The library repeats its mask for each head; one is enough.
            state, mask = module._embeds(self._words(ids))
            return state, mask.unflatten(0, (len(ids), -1))[:, :1]
        state = module.token_embedding(ids) + module.positional_embedding[:length]
        mask = None if module.attn_mask is None else module.attn_mask[:length, :length]
        return state, mask

    def leave(self, state: Tensor, ids: Tensor) -> Tensor:
        normed = self.module.ln_final(state)
        if self.own_token:
            pooled = normed[:, -1]
        else:
            pooled = (self.readout(ids).to(normed.dtype).unsqueeze(1) @ normed).squeeze(1)
        projection = self.module.text_projection
        if projection is None:
            return pooled
        return projection(pooled) if isinstance(projection, torch.nn.Linear) else pooled @ projection

    def readout(self, ids: Tensor) -> Tensor:
        if self.own_token:
            last = torch.zeros(ids.shape[0], self._words(ids).shape[1] + 1, device=ids.device)
            last[:, -1] = 1
            return last
        if self.pool in ("argmax", "eos"):
            where = self._end(ids)
        else:
            where = torch.full((ids.shape[0],), 0 if self.pool == "first" else ids.shape[1] - 1, device=ids.device)
        return torch.nn.functional.one_hot(where, ids.shape[1]).float()

    def _words(self, ids: Tensor) -> Tensor:
        """The ids that the library knows, without the class token's."""
        return ids[:, :-1] if self.own_token and bool((ids[:, -1] == CLASS).all()) else ids

    def _end(self, ids: Tensor) -> Tensor:
        if self.pool == "eos" and self.end_id is not None:
            return (ids == self.end_id).int().argmax(dim=-1)
        return ids.argmax(dim=-1)

    def _piece(self, token: int) -> str:
        raw = self.tokenizer.decoder[token].replace("</w>", "")
        return bytearray(self.tokenizer.byte_decoder[letter] for letter in raw).decode("utf-8", errors="replace")


class OpaqueText(TextTower):
    """Any other text tower: it embeds texts and offers nothing inside. `why` says what stands in the way."""

    family = "text tower of another kind"
    capabilities = frozenset({"embeddings"})

    def __init__(
        self, module: Any, tokenizer: Any, context: int, plain: Any, why: str = "its internal structure is not known"
    ) -> None:
        super().__init__(module, tokenizer, context)
        self._plain = plain
        self.why = why

    def plain(self, ids: Tensor) -> Tensor:
        return first_of(self._plain(ids))

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        return self.full(texts)

    def truncated(self, text: str) -> bool:
        return False

    def content(self, ids: Tensor) -> tuple[list[int], list[str]]:
        return [], []

    def enter(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        return self.plain(ids), None

    def leave(self, state: Tensor, ids: Tensor) -> Tensor:
        return state

    def readout(self, ids: Tensor) -> Tensor:
        raise NotImplementedError("this tower cannot be read position by position")


def first_of(out: Any) -> Tensor:
    """The embedding where a library's forward gives the tokens beside it."""
    return out[0] if isinstance(out, tuple) else out
