"""Hugging Face encoders inside open_clip's `HFTextEncoder`: BERT and RoBERTa, T5 (mT5) and M2M-100 (NLLB)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from core.models.blocks import BertBlock, Block, M2MBlock, T5Block
from core.models.towers.text import TextTower, first_of

POOLERS = ("MeanPooler", "ClsPooler", "ClsLastHiddenStatePooler")


class HuggingFaceText(TextTower):
    """What the encoders share: no causal mask, padding that nothing looks at, and a last state that is pooled by its
    mean or its first token.
    """

    family = "text encoder (Hugging Face)"

    def __init__(self, module: Any, tokenizer: Any, context: int, blocks: Sequence[Block]) -> None:
        super().__init__(module, tokenizer, context)
        self.blocks = blocks
        self.depth = len(blocks)
        self.pad = int(module.config.pad_token_id)
        self.mean = type(module.pooler).__name__ == "MeanPooler"

    def plain(self, ids: Tensor) -> Tensor:
        return first_of(self.module(ids))

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

    def padding(self, ids: Tensor, state: Tensor) -> Tensor:
        """What keeps every token from looking at padding, `(texts, 1, 1, tokens)`, added to the scores."""
        mask = torch.zeros(ids.shape, dtype=state.dtype, device=ids.device)
        return mask.masked_fill(ids == self.pad, torch.finfo(state.dtype).min)[:, None, None, :]

    def leave(self, state: Tensor, ids: Tensor) -> Tensor:
        pooled = (self.readout(ids).to(state.dtype).unsqueeze(1) @ state).squeeze(1)
        return self.module.proj(pooled)

    def readout(self, ids: Tensor) -> Tensor:
        valid = (ids != self.pad).float()
        if not self.mean:
            return torch.nn.functional.one_hot(torch.zeros_like(ids[:, 0]), ids.shape[1]).float()
        return valid / valid.sum(dim=1, keepdim=True)


class BertText(HuggingFaceText):
    """BERT, RoBERTa and XLM-RoBERTa."""

    def __init__(self, module: Any, tokenizer: Any, context: int) -> None:
        super().__init__(module, tokenizer, context, [BertBlock(layer) for layer in module.transformer.encoder.layer])

    def enter(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        state = self.module.transformer.embeddings(input_ids=ids)
        return state, self.padding(ids, state)

    def leave(self, state: Tensor, ids: Tensor) -> Tensor:
        pooler = getattr(self.module.transformer, "pooler", None)
        if not self.mean and pooler is not None and getattr(self.module.pooler, "use_pooler_output", False):
            return self.module.proj(pooler(state))
        return super().leave(state, ids)


class T5Text(HuggingFaceText):
    """The encoder of T5 and mT5: positions are a bias on the scores, the same in all blocks."""

    family = "T5 text encoder (Hugging Face)"

    def __init__(self, module: Any, tokenizer: Any, context: int) -> None:
        super().__init__(module, tokenizer, context, [T5Block(layer) for layer in module.transformer.block])

    def enter(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        encoder, length = self.module.transformer, ids.shape[1]
        state = encoder.embed_tokens(ids)
        bias = encoder.block[0].layer[0].SelfAttention.compute_bias(length, length, device=ids.device)
        return state, bias + self.padding(ids, state)

    def leave(self, state: Tensor, ids: Tensor) -> Tensor:
        return super().leave(self.module.transformer.final_layer_norm(state), ids)


class M2MText(HuggingFaceText):
    """The encoder of M2M-100 and NLLB: pre-norm, positions from sines, the language's token first."""

    family = "M2M-100 text encoder (Hugging Face)"

    def __init__(self, module: Any, tokenizer: Any, context: int) -> None:
        super().__init__(module, tokenizer, context, [M2MBlock(layer) for layer in module.transformer.layers])

    def enter(self, ids: Tensor) -> tuple[Tensor, Tensor | None]:
        encoder = self.module.transformer
        words = encoder.embed_tokens(ids)
        state = words + encoder.embed_positions(ids, words).to(words)
        return state, self.padding(ids, state)

    def leave(self, state: Tensor, ids: Tensor) -> Tensor:
        return super().leave(self.module.transformer.layer_norm(state), ids)


ENCODERS: dict[str, Callable[[Any, Any, int], HuggingFaceText]] = {
    "bert": BertText,
    "roberta": BertText,
    "xlm-roberta": BertText,
    "t5": T5Text,
    "mt5": T5Text,
    "m2m_100": M2MText,
}
