"""Tiny seeded models that transformers itself makes and saves, one of each family that is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.support.tiny import enliven
from core.models.hub import silence

TEXTS = (
    "a cat",
    "dog &amp; cat!",
    "  Caf\u00e9  \n\u732b dogs ",
    "a very long text in which many more letters stand than any of these towers reads, dog dog dog cat " * 3,
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WORDS = (
    "a",
    "cat",
    "dog",
    "very",
    "long",
    "text",
    "in",
    "which",
    "many",
    "of",
    "these",
    "##s",
    "&",
    ";",
    "!",
    "\u732b",
)
_TOWER = {"hidden_size": 32, "intermediate_size": 90, "num_hidden_layers": 2, "num_attention_heads": 4}
_IMAGE = {**_TOWER, "hidden_size": 48, "image_size": 32, "patch_size": 8}


class Saved(NamedTuple):
    """A folder and what transformers makes of it."""

    folder: Path
    model: Any
    tokenizer: Any
    images: Any

    def text_ids(self, texts: tuple[str, ...] = TEXTS) -> dict[str, Tensor]:
        """What its tokenizer gives the model; masks where its texts are read with one."""
        length = min(self.tokenizer.model_max_length, self.model.config.text_config.max_position_embeddings)
        found = self.tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=length, return_tensors="pt"
        )
        if "siglip" in self.model.config.model_type:
            # It is trained on padding that is read like words.
            return {"input_ids": found.input_ids}
        return dict(found)


def clip_words(**options: Any) -> Any:
    """A tokenizer of CLIP's kind with few merges; its end is not its highest id."""
    from transformers import CLIPTokenizer

    vocabulary = {"<|startoftext|>": 0, "<|endoftext|>": 1}
    merges = [("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g</w>"), ("do", "g")]
    for entry in (*_LETTERS, *(letter + "</w>" for letter in _LETTERS), *(first + last for first, last in merges)):
        vocabulary[entry] = len(vocabulary)
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=20, **options)


def clip_old_words() -> Any:
    """The same with the end as its highest id, as OpenAI has it."""
    from transformers import CLIPTokenizer

    vocabulary: dict[str, int] = {}
    merges = [("c", "a"), ("ca", "t</w>")]
    for entry in (
        *_LETTERS, *(letter + "</w>" for letter in _LETTERS), *(first + last for first, last in merges),
        "<|startoftext|>", "<|endoftext|>",
    ):  # fmt: skip
        vocabulary[entry] = len(vocabulary)
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=77)


def piece_words(kind: str = "Siglip2Tokenizer") -> Any:
    """A byte-pair tokenizer of Gemma's kind, as SigLIP 2 has."""
    import transformers

    vocabulary = {"<pad>": 0, "<eos>": 1, "<bos>": 2, "<unk>": 3, "<mask>": 4, "\u2581": 5}
    merges = [("c", "a"), ("ca", "t"), ("\u2581", "cat"), ("d", "o"), ("do", "g")]
    for entry in (*_LETTERS, *(first + last for first, last in merges)):
        vocabulary[entry] = len(vocabulary)
    return getattr(transformers, kind)(vocab=vocabulary, merges=merges, model_max_length=16, padding_side="right")


def bert_words() -> Any:
    """A WordPiece tokenizer, as Chinese-CLIP has."""
    from transformers import BertTokenizer

    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *_WORDS]
    return BertTokenizer(vocab={entry: at for at, entry in enumerate(entries)}, model_max_length=30)


def roberta_words() -> Any:
    """A unigram tokenizer, as AltCLIP has."""
    from transformers import XLMRobertaTokenizer

    entries = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0), ("\u2581cat", -3.0)]
    entries += [(letter, -6.0) for letter in _LETTERS]
    return XLMRobertaTokenizer(vocab=entries, model_max_length=30)


def _saved(folder: Path, kind: str, config: Any, tokenizer: Any, images: Any, seed: int) -> Saved:
    import transformers

    with torch.random.fork_rng(devices=[]), silence():
        torch.manual_seed(seed)
        model = getattr(transformers, kind)(config).eval()
        enliven(model, seed)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        images.save_pretrained(folder)
        # What was saved is what counts: the tokenizer as anyone else reads it.
        read = transformers.AutoTokenizer.from_pretrained(folder)
    return Saved(folder, model, read, images)


def save_clip(folder: Path, seed: int = 0, *, old: bool = False, image: Any = None, text: Any = None) -> Saved:
    """CLIPModel; `old` reads the highest id, as models did that were saved until 2023."""
    from transformers import CLIPConfig, CLIPImageProcessor

    words = clip_old_words() if old else clip_words()
    ends = {"eos_token_id": 2 if old else 1, "bos_token_id": 0, "pad_token_id": 1}
    config = CLIPConfig(
        text_config={**_TOWER, "vocab_size": len(words), "max_position_embeddings": 20, **ends, **(text or {})},
        vision_config={**_IMAGE, **(image or {})},
        projection_dim=24,
    )
    images = CLIPImageProcessor(size={"shortest_edge": 37}, crop_size={"height": 32, "width": 32})
    return _saved(folder, "CLIPModel", config, words, images, seed)


def save_siglip(folder: Path, seed: int = 0) -> Saved:
    """SiglipModel."""
    from transformers import SiglipConfig, SiglipImageProcessor

    words = piece_words()
    config = SiglipConfig(
        text_config={
            **_TOWER, "vocab_size": len(words), "max_position_embeddings": 16, "projection_size": 48, "pad_token_id": 0,
            "bos_token_id": 2, "eos_token_id": 1,
        },
        vision_config=_IMAGE,
    )  # fmt: skip
    return _saved(folder, "SiglipModel", config, words, SiglipImageProcessor(size={"height": 32, "width": 32}), seed)


def save_siglip2(folder: Path, seed: int = 0) -> Saved:
    """Siglip2Model (NaFlex)."""
    from transformers import Siglip2Config, Siglip2ImageProcessor

    words = piece_words("GemmaTokenizer")
    image = {key: value for key, value in _IMAGE.items() if key != "image_size"}
    config = Siglip2Config(
        text_config={
            **_TOWER, "vocab_size": len(words), "max_position_embeddings": 16, "projection_size": 48, "pad_token_id": 0,
            "bos_token_id": 2, "eos_token_id": 1,
        },
        vision_config={**image, "num_patches": 16},
    )  # fmt: skip
    return _saved(folder, "Siglip2Model", config, words, Siglip2ImageProcessor(patch_size=8, max_num_patches=16), seed)


def save_chinese_clip(folder: Path, seed: int = 0) -> Saved:
    """ChineseCLIPModel."""
    from transformers import ChineseCLIPConfig, ChineseCLIPImageProcessor

    words = bert_words()
    config = ChineseCLIPConfig(
        text_config={**_TOWER, "vocab_size": len(words), "max_position_embeddings": 30, "pad_token_id": 0},
        vision_config=_IMAGE,
        projection_dim=24,
    )
    images = ChineseCLIPImageProcessor(size={"height": 40, "width": 36}, crop_size={"height": 32, "width": 32})
    return _saved(folder, "ChineseCLIPModel", config, words, images, seed)


def save_altclip(folder: Path, seed: int = 0) -> Saved:
    """AltCLIPModel."""
    from transformers import AltCLIPConfig, CLIPImageProcessor

    words = roberta_words()
    config = AltCLIPConfig(
        text_config={
            **_TOWER, "vocab_size": len(words), "max_position_embeddings": 34, "pad_token_id": 1, "project_dim": 20,
        },
        vision_config=_IMAGE,
        projection_dim=24,
    )  # fmt: skip
    images = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, resample=2)
    return _saved(folder, "AltCLIPModel", config, words, images, seed)


SAVE: dict[str, Callable[[Path], Saved]] = {
    "clip": save_clip,
    "clip_old": lambda folder: save_clip(folder, old=True),
    "clip_mixed": lambda folder: save_clip(
        folder, image={"hidden_act": "gelu", "layer_norm_eps": 1e-3}, text={"hidden_act": "gelu_new"}
    ),
    "siglip": save_siglip,
    "siglip2": save_siglip2,
    "chinese_clip": save_chinese_clip,
    "altclip": save_altclip,
}
