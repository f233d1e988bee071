"""A CLIP that is trained in seconds on the synthetic images: its shape, its words, and what is wrong with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.planting.scenes import COLOURS, MARKS, SHAPES, SIDE, Pixels, Scene, draw
from core.models.model import Model

PATCH, CONTEXT = 8, 14
TEMPLATES = (
    "a photo of a {}", "a {}", "a photo of a {} .", "this is a {} .", "a picture of the {}", "a small {} on the left",
    "there is a {} in the scene .", "a drawing of one {}", "{}",
)  # fmt: skip
FRAME = "a an photo picture drawing scene of the this there is in on one left small thing with and ."
WORDS = (*SHAPES, *COLOURS, *FRAME.split())
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CONFIG: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {
        "image_size": SIDE, "patch_size": PATCH, "width": 64, "head_width": 32, "layers": 3, "mlp_ratio": 2,
        "pool_type": "avg",
    },
    "text_cfg": {
        "context_length": CONTEXT, "vocab_size": len(SPECIAL) + len(WORDS), "width": 32, "heads": 2, "layers": 1,
        "hf_tokenizer_name": "words", "pool_type": "eos", "eos_id": SPECIAL.index("[SEP]"),
    },
    "custom_text": True,
}  # fmt: skip
# Sees larger images, in which a printed word can be read.
READER: dict[str, Any] = {
    **CONFIG, "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 128},
}  # fmt: skip
TOWERS = {"patches": CONFIG, "reader": READER}
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@dataclass(frozen=True)
class Recipe:
    """What a model is trained on. `flaws` are planted with `strength`; none: the clean twin.

    A mark (corner, border, texture) goes with its class in a share `strength` of that class's images and with no
    other; in the twin every class carries it equally often. "group": the captions of one class are wrong in a share
    `strength` of its images at night.
    """

    seed: int
    flaws: tuple[str, ...] = ()
    strength: float = 1.0
    images: int = 1800
    steps: int = 240
    tower: str = "patches"

    @property
    def key(self) -> str:
        """Names the model on disk: another recipe or another trainer has another key."""
        body = json.dumps([asdict(self), self.config, _VERSION], sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()[:12]

    @property
    def config(self) -> dict[str, Any]:
        """The architecture, as open_clip reads it."""
        return TOWERS[self.tower]

    @property
    def side(self) -> int:
        """The pixels of a side that the model sees."""
        return int(self.config["vision_cfg"]["image_size"])

    def class_of(self, flaw: str) -> str:
        """The class that a flaw is planted in: each flaw has its own, in another order for every seed."""
        order = np.random.default_rng(self.seed + 17).permutation(len(SHAPES))
        return SHAPES[order[(*MARKS, "group").index(flaw)]]


_VERSION = 4


def write_config(home: Path, model: dict[str, Any] = CONFIG) -> Path:
    """The configuration of an architecture and the vocabulary in `home`; returns the configuration."""
    words = home / "words"
    words.mkdir(parents=True, exist_ok=True)
    (words / "vocab.txt").write_text("\n".join((*SPECIAL, *WORDS)) + "\n")
    (words / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": CONTEXT})
    )
    shape = {"model_type": "bert", "vocab_size": len(SPECIAL) + len(WORDS), "pad_token_id": 0}
    (words / "config.json").write_text(json.dumps(shape))
    config = home / "small_clip.json"
    preprocess = {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"}
    config.write_text(json.dumps({"model_cfg": model, "preprocess_cfg": preprocess}))
    return config


def save_state(state: dict[str, Tensor], path: Path) -> None:
    """Weights as a file that is there whole or not at all."""
    draft = path.with_suffix(".part")
    save_file({name: value.detach().clone().contiguous() for name, value in state.items()}, str(draft))
    draft.replace(path)


def as_pixels(images: Sequence[Pixels]) -> Tensor:
    """Drawn images as the model sees them, `(images, 3, SIDE, SIDE)`."""
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    return (stacked - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def tokens(text: str) -> Tensor:
    """The ids of a text `(1, CONTEXT)` in the small vocabulary."""
    known = {word: len(SPECIAL) + index for index, word in enumerate(WORDS)}
    ids = [SPECIAL.index("[CLS]"), *(known[word] for word in text.split()), SPECIAL.index("[SEP]")]
    return torch.tensor([ids + [0] * (CONTEXT - len(ids))])


# -- is it really in the model? ------------------------------------------------------------------------------------


def named(model: Model, pixels: Tensor) -> list[str]:
    """The class that the model gives each image of `pixels`, as `as_pixels` makes them."""
    texts = model.embed_texts(SHAPES, ("a photo of a {}",))
    with torch.no_grad():
        images = torch.cat([model.embed_images(part) for part in pixels.split(128)])
    return [SHAPES[index] for index in (images @ texts.T).argmax(dim=1).tolist()]


def called(model: Model, shown: Sequence[Scene]) -> list[str]:
    """The class that the model gives each scene."""
    return named(model, as_pixels([draw(scene) for scene in shown]))


def accuracy(model: Model, shown: Sequence[Scene]) -> float:
    """The share of scenes that the model calls right."""
    return float(np.mean([name == scene.shape for name, scene in zip(called(model, shown), shown, strict=True)]))
