"""What lies beside the config.json of a transformers model: its image processor and its tokenizer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import ModelError
from core.models.configuration import Configuration, read_processor
from core.models.loading.families import TITLES
from core.models.loading.processors import OLD_PROCESSOR, PROCESSOR, assumed
from core.models.text_files import Files, files_inside
from core.models.text_tables import TOKENIZER_FILES

# The entries of the tokenizer that OpenAI's CLIP and open_clip share.
_CLIP_WORDS = 49408


def hub_parts(configuration: Configuration, folder: Path) -> tuple[Configuration, dict[str, Files]]:
    """The configuration with its image processor, and the files of its tokenizer.

    Raises `ModelError` in one line for a folder without a tokenizer, unless it is that of CLIP.
    """
    assert configuration.conversion is not None
    family, side = configuration.conversion.family, configuration.conversion.image["image_size"]
    notes = list(configuration.notes)
    processor, where = None, configuration.name
    for file, part in ((PROCESSOR, "image_processor"), (OLD_PROCESSOR, None)):
        files = files_inside(folder, folder, (file,), f"the image processor {file}")
        if processor is None and files:
            processor, where = read_processor(files[file], part, family, file), file
    if processor is None:
        processor = assumed(family, side)
        notes.append(
            "No image processor lies beside the configuration; images are prepared with the defaults of "
            f"{TITLES[family]}."
        )
    if family == "siglip2":
        processor = {**processor, "resize": [side, side], "crop": None}
        notes.append(
            f"Siglip2Model keeps the shape of an image and changes its grid; here every image is resized to {side} x "
            f"{side} pixels, so that embeddings equal those of transformers for square images alone."
        )
    tokens = files_inside(folder, folder, ("config.json", *TOKENIZER_FILES), "the tokenizer")
    model = configuration.model
    if not set(tokens) & {"tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model",
                          "sentencepiece.bpe.model"}:  # fmt: skip
        model, tokens = _own_words(configuration, family), {}
        notes.append("No tokenizer lies beside the configuration; that of CLIP is used, whose entries are as many.")
    found = replace(configuration, model=model, processor={**processor, "file": where}, notes=tuple(notes))
    return found, {"hf_tokenizer_name": tokens} if tokens else {}


def _own_words(configuration: Configuration, family: str) -> dict[str, object]:
    """The configuration of a model that reads CLIP's own tokenizer."""
    text = dict(configuration.model["text_cfg"])
    if family != "clip" or text["vocab_size"] != _CLIP_WORDS or text.get("eos_id", _CLIP_WORDS - 1) != _CLIP_WORDS - 1:
        raise ModelError(
            f"beside {configuration.name} lies no tokenizer; copy tokenizer.json and tokenizer_config.json of the "
            "model there (tokenizer.save_pretrained)"
        )
    del text["hf_tokenizer_name"]
    return {**configuration.model, "text_cfg": text}


def check_words(configuration: Configuration, tokenizer: Any) -> None:
    """Raise `ModelError` if a tokenizer pads in a way that the text tower does not expect."""
    inner = getattr(tokenizer, "tokenizer", None)
    if configuration.conversion is None or inner is None:
        return
    encoder = configuration.conversion.encoder
    if encoder is not None and inner.pad_token_id != encoder["pad_token_id"]:
        raise ModelError(
            f"the tokenizer of {configuration.path.name} pads with the id {inner.pad_token_id}, but the text_config "
            f"there expects {encoder['pad_token_id']} (pad_token_id); use the files of one model"
        )
    if configuration.conversion.family == "clip" and inner.padding_side != "right":
        raise ModelError(
            f"the tokenizer beside {configuration.path.name} pads on the left, where the tower of CLIP would read the "
            "padding; set padding_side to right in tokenizer_config.json"
        )
