"""The text side of a model as a chain: tokenize, enter, blocks, leave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from core.models.blocks import Attend, BertBlock, Block, OpenClipBlock


class TextTower(ABC):
    """One text tower. States are `(texts, tokens, width)`; a mask is added to the attention scores."""

    family: str = "text tower"
    depth: int = 0
    blocks: Sequence[Block] = ()
    capabilities: frozenset[str] = frozenset({"embeddings", "text_layers", "text_attention"})

    def __init__(self, module: Any, tokenizer: Any, context: int) -> None:
        self.module = module
        self.tokenizer = tokenizer
        self.context = context

    @abstractmethod
    def plain(self, ids: Tensor) -> Tensor:
        """The library's own forward on untrimmed ids: `(texts, context)` -> `(texts, embedding)`."""

    @abstractmethod
    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Token ids `(texts, tokens)`, trimmed where that can't change the result."""

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
    """open_clip's own text transformer, as part of `CLIP` or as a `TextTransformer`."""

    family = "text transformer (open_clip)"

    def __init__(self, module: Any, tokenizer: Any, context: int, plain: Any) -> None:
        super().__init__(module, tokenizer, context)
        self._plain = plain
        self.pool = getattr(module, "text_pool_type", None) or getattr(module, "pool_type", "argmax")
        self.end_id = getattr(module, "text_eos_id", None) or getattr(module, "eos_id", None)
        self.blocks = [OpenClipBlock(block) for block in module.transformer.resblocks]
        self.depth = len(self.blocks)

    def plain(self, ids: Tensor) -> Tensor:
        return self._plain(ids)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        ids = self.full(texts)
        if self.module.attn_mask is None or self.pool not in ("argmax", "eos"):
            return ids
        # Causal: what follows the token that is read can't reach it.
        return ids[:, : int(self._end(ids).max()) + 1]

    def truncated(self, text: str) -> bool:
        encoder = getattr(self.tokenizer, "encode", None)
        if encoder is not None:
            return len(encoder(text)) + 2 > self.context
        return len(self.tokenizer.tokenizer(text)["input_ids"]) > self.context

    def content(self, ids: Tensor) -> tuple[list[int], list[str]]:
        row = ids.tolist()
        if hasattr(self.tokenizer, "byte_decoder"):
            if self.pool in ("argmax", "eos"):
                positions = list(range(1, int(self._end(ids[None])[0])))
            else:
                special = {self.tokenizer.sot_token_id, self.tokenizer.eot_token_id, 0}
                positions = [p for p, token in enumerate(row) if token not in special]
            return positions, [self._piece(row[p]) for p in positions]
        inner = self.tokenizer.tokenizer
        special = set(inner.all_special_ids)
        positions = [p for p, token in enumerate(row) if token not in special]
        return positions, [str(piece) for piece in inner.convert_ids_to_tokens([row[p] for p in positions])]

    def enter(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        module, length = self.module, ids.shape[1]
        state = module.token_embedding(ids) + module.positional_embedding[:length]
        mask = None if module.attn_mask is None else module.attn_mask[:length, :length]
        return state, mask

    def leave(self, state: Tensor, ids: Tensor) -> Tensor:
        normed = self.module.ln_final(state)
        pooled = (self.readout(ids).to(normed.dtype).unsqueeze(1) @ normed).squeeze(1)
        projection = self.module.text_projection
        if projection is None:
            return pooled
        return projection(pooled) if isinstance(projection, torch.nn.Linear) else pooled @ projection

    def readout(self, ids: Tensor) -> Tensor:
        if self.pool in ("argmax", "eos"):
            where = self._end(ids)
        else:
            where = torch.full((ids.shape[0],), 0 if self.pool == "first" else ids.shape[1] - 1, device=ids.device)
        return torch.nn.functional.one_hot(where, ids.shape[1]).float()

    def _end(self, ids: Tensor) -> Tensor:
        if self.pool == "eos" and self.end_id is not None:
            return (ids == self.end_id).int().argmax(dim=-1)
        return ids.argmax(dim=-1)

    def _piece(self, token: int) -> str:
        raw = self.tokenizer.decoder[token].replace("</w>", "")
        return bytearray(self.tokenizer.byte_decoder[letter] for letter in raw).decode("utf-8", errors="replace")


class BertText(TextTower):
    """A Hugging Face BERT-like encoder inside open_clip's `HFTextEncoder`.

    There is no causal mask; the last state is pooled by its mean or its first token.
    """

    family = "text encoder (Hugging Face)"

    def __init__(self, module: Any, tokenizer: Any, context: int) -> None:
        super().__init__(module, tokenizer, context)
        self.blocks = [BertBlock(layer) for layer in module.transformer.encoder.layer]
        self.depth = len(self.blocks)
        self.pad = int(module.config.pad_token_id)
        self.mean = type(module.pooler).__name__ == "MeanPooler"

    def plain(self, ids: Tensor) -> Tensor:
        return self.module(ids)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        ids = self.full(texts)
        # Padding is masked everywhere, so columns that are padding in every row can go.
        return ids[:, : int((ids != self.pad).sum(dim=1).max())]

    def truncated(self, text: str) -> bool:
        return len(self.tokenizer.tokenizer(text)["input_ids"]) > self.context

    def content(self, ids: Tensor) -> tuple[list[int], list[str]]:
        inner = self.tokenizer.tokenizer
        row = ids.tolist()
        special = set(inner.all_special_ids) - {inner.unk_token_id}
        positions = [p for p, token in enumerate(row) if token not in special]
        return positions, [str(piece) for piece in inner.convert_ids_to_tokens([row[p] for p in positions])]

    def enter(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        state = self.module.transformer.embeddings(input_ids=ids)
        mask = torch.zeros(ids.shape, dtype=state.dtype, device=ids.device)
        mask = mask.masked_fill(ids == self.pad, torch.finfo(state.dtype).min)
        return state, mask[:, None, None, :]

    def leave(self, state: Tensor, ids: Tensor) -> Tensor:
        pooled = (self.readout(ids).to(state.dtype).unsqueeze(1) @ state).squeeze(1)
        pooler = getattr(self.module.transformer, "pooler", None)
        if not self.mean and pooler is not None and getattr(self.module.pooler, "use_pooler_output", False):
            pooled = pooler(state)
        return self.module.proj(pooled)

    def readout(self, ids: Tensor) -> Tensor:
        valid = (ids != self.pad).float()
        if not self.mean:
            return torch.nn.functional.one_hot(torch.zeros_like(ids[:, 0]), ids.shape[1]).float()
        return valid / valid.sum(dim=1, keepdim=True)


class OpaqueText(TextTower):
    """Any other text tower: it embeds texts and offers nothing inside."""

    family = "text tower of another kind"
    capabilities = frozenset({"embeddings"})

    def __init__(self, module: Any, tokenizer: Any, context: int, plain: Any) -> None:
        super().__init__(module, tokenizer, context)
        self._plain = plain

    def plain(self, ids: Tensor) -> Tensor:
        out = self._plain(ids)
        return out[0] if isinstance(out, tuple) else out

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
        raise NotImplementedError("this tower can't be read position by position")


def text_tower(model: Any, tokenizer: Any) -> TextTower:
    """The tower that fits an open_clip model's text side; an opaque one if its inside isn't known."""
    import open_clip.transformer as native

    context = int(getattr(tokenizer, "context_length", 77) or 77)
    own = getattr(model, "text", None)
    if own is None:
        if all(type(block) is native.ResidualAttentionBlock for block in model.transformer.resblocks):
            return OpenClipText(model, tokenizer, context, model.encode_text)
        return OpaqueText(model, tokenizer, context, model.encode_text)
    if type(own) is native.TextTransformer:
        simple = own.cls_emb is None and not own.use_pad_mask and own.pool_type in ("argmax", "eos", "first", "last")
        if simple and all(type(block) is native.ResidualAttentionBlock for block in own.transformer.resblocks):
            return OpenClipText(own, tokenizer, context, own)
        return OpaqueText(own, tokenizer, context, own)
    config = getattr(own, "config", None)
    known = getattr(config, "model_type", None) in ("bert", "roberta", "xlm-roberta")
    pooler = type(getattr(own, "pooler", None)).__name__
    if known and pooler in ("MeanPooler", "ClsPooler", "ClsLastHiddenStatePooler"):
        return BertText(own, tokenizer, context)
    return OpaqueText(own, tokenizer, context, own)
