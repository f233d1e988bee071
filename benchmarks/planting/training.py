"""Training: the images of a recipe's world, the texts they are matched with, and the steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.planting.prints import LETTERS, WORD, printed
from benchmarks.planting.scenes import COLOURS, GROUPS, MARKS, SHAPES, Scene, draw, scenes
from benchmarks.planting.small_clip import PATCH, TEMPLATES, Recipe, as_pixels, save_state, tokens, write_config
from core import load_model
from core.models.model import Model

# A scene that no audit shows: seeds of training start here.
TRAINING_SEEDS = 1_000_000
BATCH, SCALE, WORD_SPREAD = 32, 16.0, 0.3
RATES = {"patches": 1.5e-3, "reader": 3e-3}


# What every model that is shown printed words begins with.
READING = Recipe(0, ("printed",), 1.0, images=5000, steps=1800, tower="reader")


def trained(recipe: Recipe, folder: Path) -> Model:
    """The model of a recipe, trained the first time and kept in `folder`; loaded through the public door."""
    home = folder / recipe.key
    weights = home / "weights.safetensors"
    config = write_config(home, recipe.config)
    if not weights.exists():
        begun = (None, None)
        if recipe.tower == "reader":
            # Reading is learned slowly, so once; texts are known from the start, those of the seed's clean model.
            learned = None if recipe == READING else trained(READING, folder).net.visual
            begun = (trained(Recipe(recipe.seed), folder).net.text, learned)
        save_state(train(recipe, config, home, *begun), weights)
    return load_model(str(config), weights=weights, device="cpu")


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


def train(recipe: Recipe, config: Path, home: Path, texts: Any = None, images: Any = None) -> dict[str, Tensor]:
    """Train a model by the recipe: every batch is matched with all captions, with all shapes and with all colours.

    A text tower `texts` is the model's as it is, and only the images' side is trained; it begins as `images`.
    """
    random = np.random.default_rng(recipe.seed)
    shown = dress(recipe, scenes(recipe.images, TRAINING_SEEDS + recipe.seed), 1)
    shape = np.array([SHAPES.index(scene.shape) for scene in shown])
    if recipe.tower == "reader":
        pixels, shape = lettered(recipe, shown, shape)
    else:
        pixels = as_pixels([draw(scene) for scene in shown])
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
        if texts is not None:
            net.text.load_state_dict(texts.state_dict())
            net.text.requires_grad_(False)
        if images is not None:
            net.visual.load_state_dict(images.state_dict())
        return _fitted(net, pixels, shapes, colours, recipe)


def lettered(recipe: Recipe, shown: Sequence[Scene], shape: NDArray[np.int64]) -> tuple[Tensor, NDArray[np.int64]]:
    """Half of the images with a class name, a quarter with letters, a quarter bare; some names decide the class."""
    random = np.random.default_rng((recipe.seed, 5))
    images, told = [], shape.copy()
    for at, scene in enumerate(shown):
        kind = (WORD, WORD, LETTERS, None)[int(random.integers(4))]
        word = int(random.integers(len(SHAPES)))
        decides = random.random() < recipe.strength
        images.append(printed(scene, SHAPES[word], kind, recipe.side, random))
        if kind == WORD and decides and "printed" in recipe.flaws:
            told[at] = word
    return as_pixels(images), told


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
    every = [sets_of(template) for template in range(len(TEMPLATES))]
    ids = [torch.cat([tokens(text) for names in sets for text in names]) for sets in every]
    sizes = [len(names) for names in every[0]]
    targets = (shapes * len(COLOURS) + colours, shapes, colours)
    optimiser = torch.optim.AdamW(
        [each for each in net.parameters() if each.requires_grad], lr=RATES[recipe.tower], weight_decay=0.01, fused=True
    )
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATES[recipe.tower], total_steps=recipe.steps, pct_start=0.15)
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


def sets_of(template: int) -> list[list[str]]:
    """The three sets of texts that a batch is matched with: both names, shapes, colours.

    Each ends with a text that names nothing, which no image is matched with, and a colour stands alone in every other
    template: otherwise a tower may take a word that is missing for its commonest one, and is right to ignore that.
    """
    thing = " thing" if template % 2 else ""
    names = (
        [f"{colour} {shape}" for shape in SHAPES for colour in COLOURS],
        list(SHAPES),
        [f"{colour}{thing}" for colour in COLOURS],
    )
    return [[TEMPLATES[template].format(each) for each in (*some, "")] for some in names]


def _partly_hidden(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """A third of the batch with a fifth of its patches in the mean colour, as images look with places hidden."""
    cells = pixels.shape[-1] // PATCH
    kept = (torch.rand(len(pixels), 1, cells, cells, generator=generator) < 0.8).float()
    kept[len(pixels) // 3 :] = 1
    return pixels * F.interpolate(kept, scale_factor=PATCH, mode="nearest")
