"""The tokenizer of a configuration, made from checked files, without code from anywhere but the libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.errors import ModelError, first_line
from core.models.hub import offline
from core.models.loading.tokenizer_trial import read_tokenizer, try_tokenizer

if TYPE_CHECKING:
    from torch import Tensor

_CONTEXT = 77


class HubTokenizer:
    """A tokenizer of transformers as transformers itself applies it: no cleaning of texts beyond its own.

    `context_length` is that of the text tower, or less where the tokenizer's files say so: texts are padded to it and
    cut at it.
    """

    def __init__(self, folder: str, context_length: int) -> None:
        self.tokenizer, self.notes = read_tokenizer(folder)
        self.context_length = min(context_length, int(min(self.tokenizer.model_max_length, 2**31)))

    def __call__(self, texts: list[str]) -> Tensor:
        """Token ids `(texts, context_length)`."""
        ids: Tensor = self.tokenizer(
            list(texts), return_tensors="pt", max_length=self.context_length, padding="max_length", truncation=True
        ).input_ids
        return ids


def tokenizer(text: dict[str, Any], name: str, folder: str | None, *, tried: bool = True, hub: bool = False) -> Any:
    """The tokenizer of a checked `text_cfg`; `folder` is the checked copy of its files, if it names some.

    With `tried` False the files are Loupe's own; with `hub` texts are read as by transformers rather than open_clip.
    Raises `ModelError` in one line.
    """
    if folder is not None and tried:
        tokens = (text.get("tokenizer_kwargs") or {}).get("additional_special_tokens")
        try_tokenizer(folder, name, text.get("context_length", _CONTEXT), tokens)
    return _made(text, folder, name, hub)


def _made(text: dict[str, Any], folder: str | None, name: str, hub: bool) -> Any:
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

    options = dict(text.get("tokenizer_kwargs") or {})
    if text.get("tokenizer_mode") and "tokenizer_mode" not in options and folder is not None:
        options["tokenizer_mode"] = text["tokenizer_mode"]
    options["context_length"] = text.get("context_length", _CONTEXT)
    make: Callable[[], Any]
    if hub and folder is not None:
        make = lambda: HubTokenizer(folder, options["context_length"])  # noqa: E731
    elif folder is None:
        make = lambda: SimpleTokenizer(**options)  # noqa: E731
    else:
        make = lambda: HFTokenizer(folder, trust_remote_code=False, **options)  # noqa: E731
    try:
        with offline():
            return make()
    except Exception as error:
        raise ModelError(f"the tokenizer of {name} cannot be created: {first_line(error)[:200]}") from error
