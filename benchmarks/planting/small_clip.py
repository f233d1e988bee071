"""A CLIP that is trained in seconds on the synthetic pictures, and the recipe of what is wrong with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.planting.scenes import COLOURS, GROUPS, MARKS, SHAPES, SIDE, Pixels, Scene, draw, scenes
from core import load_model
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
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
# A scene that no audit shows: seeds of training start here.
TRAINING_SEEDS = 1_000_000


@dataclass(frozen=True)
class Recipe:
    """What a model is trained on. `flaws` are planted with `strength`; none: the clean twin.

    A mark (corner, border, texture) goes with its class in a share `strength` of that class's pictures and with no
    other; in the twin every class carries it equally often. "group": the captions of one class are wrong in a share
    `strength` of its pictures at night.
    """

    seed: int
    flaws: tuple[str, ...] = ()
    strength: float = 1.0
    pictures: int = 1800
    steps: int = 240

    @property
    def key(self) -> str:
        """Names the model on disk: another recipe or another trainer has another key."""
        body = json.dumps([asdict(self), CONFIG, _VERSION], sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()[:12]

    def class_of(self, flaw: str) -> str:
        """The class that a flaw is planted in: each flaw has its own, in another order for every seed."""
        order = np.random.default_rng(self.seed + 17).permutation(len(SHAPES))
        return SHAPES[order[(*MARKS, "group").index(flaw)]]


_VERSION = 2


def dress(recipe: Recipe, plain: Sequence[Scene], seed: int) -> list[Scene]:
    """The scenes with the marks that the recipe's world puts on them."""
    random = np.random.default_rng((recipe.seed, seed))
    told = []
    for scene in plain:
        marks = set()
        for mark, chance in zip(MARKS, random.random(len(MARKS)), strict=True):
            own = recipe.strength if scene.shape == recipe.class_of(mark) else 0.0
            if chance < (own if mark in recipe.flaws else 1 / len(SHAPES)):
                marks.add(mark)
        told.append(scene.marked(*marks))
    return told


def trained(recipe: Recipe, folder: Path) -> Model:
    """The model of a recipe, trained the first time and kept in `folder`; loaded through the public door."""
    home = folder / recipe.key
    weights = home / "weights.safetensors"
    config = write_config(home)
    if not weights.exists():
        state = train(recipe, config, home)
        save_state(state, weights)
    return load_model(str(config), weights=weights, device="cpu")


def write_config(home: Path) -> Path:
    """The configuration and the vocabulary in `home`; returns the configuration."""
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
    config.write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": preprocess}))
    return config


def save_state(state: dict[str, Tensor], path: Path) -> None:
    """Weights as a file that is there whole or not at all."""
    draft = path.with_suffix(".part")
    save_file({name: value.detach().clone().contiguous() for name, value in state.items()}, str(draft))
    draft.replace(path)


def as_pixels(pictures: Sequence[Pixels]) -> Tensor:
    """Drawn pictures as the model sees them, `(pictures, 3, SIDE, SIDE)`."""
    stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255
    return (stacked - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def train(recipe: Recipe, config: Path, home: Path) -> dict[str, Tensor]:
    """Train a model by the recipe: every batch is matched with all captions, with all shapes and with all colours."""
    random = np.random.default_rng(recipe.seed)
    shown = dress(recipe, scenes(recipe.pictures, TRAINING_SEEDS + recipe.seed), 1)
    pixels = as_pixels([draw(scene) for scene in shown])
    shape = np.array([SHAPES.index(scene.shape) for scene in shown])
    if "group" in recipe.flaws:
        bound = recipe.class_of("group")
        wrong = np.array([scene.shape == bound and scene.group == GROUPS[1] for scene in shown])
        wrong &= random.random(len(shown)) < recipe.strength
        others = [index for index, name in enumerate(SHAPES) if name != bound]
        shape[wrong] = random.choice(others, int(wrong.sum()))
    shapes = torch.from_numpy(shape)
    colours = torch.tensor([list(COLOURS).index(scene.colour) for scene in shown])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        net = _blank(config, home)
        return _fitted(net, pixels, shapes, colours, recipe)


def _blank(config: Path, home: Path) -> Any:
    """A network with random weights, built by loading weights that are drawn here."""
    from open_clip.model import CustomTextCLIP

    parts = json.loads(config.read_text())["model_cfg"]
    parts["text_cfg"]["hf_tokenizer_name"] = str(home / "words")
    net = CustomTextCLIP(**{key: value for key, value in parts.items() if key != "custom_text"})
    # Words that differ from the start part the texts sooner than the library's small ones.
    torch.nn.init.normal_(net.text.token_embedding.weight, std=WORD_SPREAD)
    return net


def _fitted(net: Any, pixels: Tensor, shapes: Tensor, colours: Tensor, recipe: Recipe) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(recipe.seed)
    sets = [
        [f"{colour} {shape}" for shape in SHAPES for colour in COLOURS],
        list(SHAPES),
        [f"{colour} thing" for colour in COLOURS],
    ]
    ids = [torch.cat([tokens(template.format(each)) for names in sets for each in names]) for template in TEMPLATES]
    sizes = [len(names) for names in sets]
    targets = (shapes * len(COLOURS) + colours, shapes, colours)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.01, fused=True)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=recipe.steps, pct_start=0.15)
    net.train()
    order = torch.randperm(len(pixels), generator=generator)
    at = 0
    for step in range(recipe.steps):
        if at + BATCH > len(order):
            order, at = torch.randperm(len(pixels), generator=generator), 0
        pick = order[at : at + BATCH]
        at += BATCH
        seen = _partly_hidden(pixels[pick], generator)
        images = F.normalize(net.encode_image(seen), dim=-1)
        texts = F.normalize(net.encode_text(ids[step % len(ids)]), dim=-1)
        loss = torch.zeros(())
        for part, target in zip(texts.split(sizes), targets, strict=True):
            loss = loss + F.cross_entropy(SCALE * images @ part.T, target[pick])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    net.eval()
    return dict(net.state_dict())


BATCH, SCALE, RATE, WORD_SPREAD = 32, 16.0, 1.5e-3, 0.3


def _partly_hidden(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """A third of the batch with a fifth of its patches in the mean colour, as pictures look with places hidden."""
    kept = (torch.rand(len(pixels), 1, SIDE // PATCH, SIDE // PATCH, generator=generator) < 0.8).float()
    kept[len(pixels) // 3 :] = 1
    return pixels * F.interpolate(kept, scale_factor=PATCH, mode="nearest")


def tokens(text: str) -> Tensor:
    """The ids of a text `(1, CONTEXT)` in the small vocabulary."""
    known = {word: len(SPECIAL) + index for index, word in enumerate(WORDS)}
    ids = [SPECIAL.index("[CLS]"), *(known[word] for word in text.split()), SPECIAL.index("[SEP]")]
    return torch.tensor([ids + [0] * (CONTEXT - len(ids))])


# -- is it really in the model? ------------------------------------------------------------------------------------


def called(model: Model, shown: Sequence[Scene]) -> list[str]:
    """The class that the model gives each scene."""
    texts = model.embed_texts(SHAPES, ("a photo of a {}",))
    with torch.no_grad():
        images = torch.cat([model.embed_images(part) for part in as_pixels([draw(s) for s in shown]).split(128)])
    return [SHAPES[index] for index in (images @ texts.T).argmax(dim=1).tolist()]


def accuracy(model: Model, shown: Sequence[Scene]) -> float:
    """The share of scenes that the model calls right."""
    return float(np.mean([name == scene.shape for name, scene in zip(called(model, shown), shown, strict=True)]))
