"""The tokenizer of a folder as transformers reads it, and its trial in a child: neither loads torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from core.errors import ModelError, first_line
from core.sandbox import Allowance, Failure, Sandbox
from core.settings import LIMITS, MODEL_LIMITS

# Files whose readers are large: what they hold is tried in a child first.
_TRIED = ("tokenizer.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model")
# The libraries look for a folder that they may write to, whether they write or not.
_ALLOWANCE = Allowance(
    seconds=MODEL_LIMITS.tokenizer_seconds, wall=MODEL_LIMITS.tokenizer_wall, memory=64 * 2**30, written=2**20
)
_PIECES = ("a", " ", "1", "!", "a b ", "\u00e9\u4e00 ", "aA1 ._-")
_BY_LIBRARY = (
    "The library that the class of the tokenizer requires is not installed; texts were read by its tokenizer.json.",
)
# A server of its own: it has transformers loaded, and it must not have torch.
_SANDBOX = Sandbox()


def read_tokenizer(folder: str, **options: Any) -> tuple[Any, tuple[str, ...]]:
    """The tokenizer of transformers in `folder`, and notes on how it was read."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **options), ()
    except ImportError:
        # The class of SigLIP's tokenizer needs sentencepiece; its tokenizer.json holds the same for `tokenizers`.
        if not (Path(folder) / "tokenizer.json").exists():
            raise
        return PreTrainedTokenizerFast.from_pretrained(folder, **options), _BY_LIBRARY


def try_tokenizer(folder: str, name: str, context: int, tokens: list[str] | None = None) -> None:
    """Make the tokenizer of `folder` in a child and let it read long texts, cut to `context` tokens.

    `tokens` are further special ones.

    Raises `ModelError` in one line if that fails, or costs more than a tokenizer may.
    """
    if not any((Path(folder) / file).exists() for file in _TRIED):
        return
    try:
        _SANDBOX.call(read_long_texts, folder, name, context, tokens, allowance=_ALLOWANCE)
    except Failure as error:
        raise ModelError(f"the tokenizer of {name} {error}") from error


def warm_up() -> None:
    """Load what reads tokenizers, without torch, which takes most of the seconds and is not needed for it."""
    sys.modules["torch"] = None  # type: ignore[assignment]  # what Python itself takes for "not installed"
    from transformers import AutoTokenizer, PreTrainedTokenizerFast  # noqa: F401 - to be loaded


def read_long_texts(_: bytes, folder: str, name: str, context: int, tokens: list[str] | None) -> tuple[Any, bytes]:
    """Task: make the tokenizer and give it long texts of every kind."""
    try:
        made, _notes = read_tokenizer(folder, **({} if tokens is None else {"additional_special_tokens": tokens}))
    except Exception as error:
        raise ModelError(f"the tokenizer of {name} cannot be created: {first_line(error)[:200]}") from error
    most = LIMITS.text_characters
    try:
        for piece in _PIECES:
            made([(piece * most)[:most]], max_length=context, padding="max_length", truncation=True)
    except Exception as error:
        raise ModelError(f"the tokenizer of {name} cannot read a text: {first_line(error)[:150]}") from error
    return None, b""
