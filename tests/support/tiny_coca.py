"""A tiny CoCa that really writes captions: built from an open_clip configuration and trained for some seconds.

It sees a grey image with one coloured block in its left or right half (or none) and writes what it sees. Its words
are the 20 of a small BERT vocabulary, so that its decoder stays small.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.support.tiny import network_of
from core import load_model
from core.models.model import Model

SIDE, PATCH = 32, 8
COLOURS = {"red": (214, 40, 40), "green": (40, 160, 70), "blue": (40, 70, 200)}
NOTHING = "there is nothing to see"
SENTENCES = (*(f"a {colour} block on the {side}" for colour in COLOURS for side in ("left", "right")), NOTHING)
WORDS = ("a", "red", "green", "blue", "block", "on", "the", "left", "right", "there", "is", "nothing", "to", "see")
CONTEXT = 12
_TEXT: dict[str, Any] = {
    "context_length": CONTEXT, "vocab_size": len(WORDS) + 5, "width": 32, "heads": 2, "layers": 1,
    "hf_tokenizer_name": "caption-words", "embed_cls": True, "output_tokens": True,
}  # fmt: skip
CONFIG: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": SIDE, "patch_size": PATCH, "width": 32, "head_width": 16, "layers": 1, "output_tokens": True,
        "attentional_pool": True, "attn_pooler_queries": 16, "attn_pooler_heads": 2,
    },
    "text_cfg": _TEXT,
    "multimodal_cfg": {
        "context_length": CONTEXT, "vocab_size": len(WORDS) + 5, "width": 32, "heads": 2, "layers": 1, "mlp_ratio": 2,
        "dim_head": 16, "n_queries": 16, "attn_pooler_heads": 2,
    },
    "custom_text": True,
}  # fmt: skip
STEPS, BATCH, SEEDS = 200, 28, 60


def scene(sentence: str, seed: int) -> Image.Image:
    """An image of what the sentence says; the seed moves the block inside its half and varies the grey."""
    random = np.random.default_rng(seed)
    pixels = random.normal(128, 10, (SIDE, SIDE, 3)) + random.uniform(-15, 15)
    words = sentence.split()
    for colour in COLOURS:
        if colour in words:
            top = PATCH * int(random.integers(0, 3))
            left = PATCH * (0 if "left" in words else 2)
            pixels[top : top + 2 * PATCH, left : left + 2 * PATCH] = COLOURS[colour]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), "RGB")


def half_hidden(pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images with some patches at 0, as they look with regions hidden, and whether enough of each is left."""
    kept = (torch.rand(len(pixels), 1, SIDE // PATCH, SIDE // PATCH, generator=generator) < 0.85).float()
    kept[: len(pixels) // 2] = 1
    return pixels * F.interpolate(kept, scale_factor=PATCH, mode="nearest"), kept.mean(dim=(1, 2, 3))


def write_coca(folder: Path, *, train: bool = True) -> tuple[Path, Path]:
    """The files (configuration, weights) of the tiny CoCa in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "coca.json"
    config.write_text(json.dumps(CONFIG))
    _write_words(folder / "caption-words")
    weights = folder / "coca.safetensors"
    with torch.random.fork_rng(devices=[]):
        net: Any = network_of(config)
        _spread(net)
        save_file(_state(net), str(weights))
        if train:
            _train(load_model(str(config), weights=weights, device="cpu"), net)
            save_file(_state(net), str(weights))
    return config, weights


_loaded: dict[bool, Model] = {}


def coca_model(folder: Path, *, train: bool = True) -> Model:
    """The tiny CoCa, loaded through the public door; made in `folder` the first time and kept for the session."""
    if train not in _loaded:
        config, weights = write_coca(folder, train=train)
        _loaded[train] = load_model(str(config), weights=weights, device="cpu")
    return _loaded[train]


def _spread(net: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, value in net.named_parameters():
            if value.ndim > 1:
                value.copy_(torch.randn(value.shape, generator=generator) * value[0].numel() ** -0.5)
            elif name.endswith(("bias", "cls_emb", "class_embedding")):
                # Drawn from the caller's generator, or not set at all: the same start each time needs them fixed.
                value.zero_()
        net.text_decoder.text_projection.mul_(0.2)


def _train(door: Model, net: Any) -> None:
    """Captioning and contrast together, as CoCa is trained; each batch shows every sentence equally often."""
    images = [door.preprocess([scene(sentence, seed) for seed in range(SEEDS)])[0] for sentence in SENTENCES]
    ids = door.text.full(SENTENCES)
    generator = torch.Generator().manual_seed(1)
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.0)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=STEPS)
    each = BATCH // len(SENTENCES)
    said = torch.arange(len(SENTENCES)).repeat_interleave(each)
    net.train()
    for _ in range(STEPS):
        pick = torch.randint(0, SEEDS, (len(SENTENCES), each), generator=generator)
        shown = torch.cat([images[row][pick[row]] for row in range(len(SENTENCES))])
        order = torch.randperm(len(shown), generator=generator)
        hidden, left = half_hidden(shown[order], generator)
        keep = left > 0.5
        out = net(hidden[keep], ids[said[order][keep]])
        writing = F.cross_entropy(out["logits"].flatten(0, 1), out["labels"].flatten(), ignore_index=0)
        meanings = net.encode_text(ids)
        logits = 14 * out["image_features"] @ meanings.T
        matching = F.cross_entropy(logits, said[order][keep])
        # Meanings of different sentences are kept apart, as many more of them would do.
        apart = (meanings @ meanings.T - torch.eye(len(ids))).relu().pow(2).mean()
        optimiser.zero_grad()
        (writing + 0.3 * matching + apart).backward()
        optimiser.step()
        rate.step()
    net.eval()


def _state(net: Any) -> dict[str, Tensor]:
    return {name: value.detach().clone().contiguous() for name, value in net.state_dict().items()}


def _write_words(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": CONTEXT})
    )
    shape = {"model_type": "bert", "vocab_size": len(words), "pad_token_id": 0}
    (folder / "config.json").write_text(json.dumps(shape))
