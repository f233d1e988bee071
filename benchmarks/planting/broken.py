"""Attribution methods that are broken on purpose, registered for as long as a run lasts.

They pass for ordinary methods: a card in the catalogue and a module behind it. What makes each wrong is its title.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

import torch
from pydantic import Field
from torch import Tensor

from core.attribution.contract import Measured, Work
from core.attribution.draws import pool_of
from core.attribution.registry import method_module
from core.evaluation.controls import control_maps
from core.methods import METHODS, Cost, MethodInfo, Options

# Without chance, as the cards of the broken methods say of themselves.
HOST = "occlusion"
HOST_OPTIONS = {"cells": 7}


class BrokenOptions(Options):
    """How much of the method is broken: each map is this share of the broken one and the rest of a sound one."""

    share: float = Field(1.0, ge=0, le=1, description="share of the broken map")


Breaking = Callable[[Work, Tensor], Tensor]


@dataclass(frozen=True)
class Broken:
    """One way to be wrong: `breaking` gets the work and the sound maps `(images, texts, rows, columns)`."""

    name: str
    title: str
    breaking: Breaking


def _shuffled(work: Work, sound: Tensor) -> Tensor:
    """The right values at places by chance."""
    flat = sound.flatten(2).clone()
    for image, key in enumerate(work.image_keys):
        for text in range(flat.shape[1]):
            generator = work.generator("shuffled", key, text)
            flat[image, text] = flat[image, text][torch.randperm(flat.shape[-1], generator=generator)]
    return flat.view_as(sound)


def _constant(work: Work, sound: Tensor) -> Tensor:
    """One value everywhere."""
    return torch.ones_like(sound)


def _edges(work: Work, sound: Tensor) -> Tensor:
    """An edge detector: it never sees the model."""
    rows, columns = sound.shape[-2:]
    maps = [
        control_maps(pixels, rows, columns, work.generator("edges"))["edge"].to(sound) for pixels in work.images.pixels
    ]
    return torch.stack(maps)[:, None].expand_as(sound).contiguous()


def _one_for_all(work: Work, sound: Tensor) -> Tensor:
    """What matters for the image's embedding, whatever the text: the norm of what each place leaves behind."""
    rows, columns = sound.shape[-2:]
    maps = []
    for index in range(len(work.images)):
        pool = pool_of(work, index, "auto")
        kept = torch.ones(rows * columns + 1, rows * columns, dtype=torch.bool)
        kept[torch.arange(rows * columns), torch.arange(rows * columns)] = False
        found = pool.embeddings(kept.unflatten(1, (rows, columns)))
        maps.append((found[:-1] - found[-1]).norm(dim=-1).cpu().unflatten(0, (rows, columns)))
    return torch.stack(maps)[:, None].to(sound).expand_as(sound).contiguous()


WAYS = (
    Broken("planted_shuffled", "Planted: shuffled places", _shuffled),
    Broken("planted_constant", "Planted: constant", _constant),
    Broken("planted_edges", "Planted: edge detector", _edges),
    Broken("planted_text_blind", "Planted: blind to the text", _one_for_all),
)


def _cost(options: BrokenOptions, depth: int) -> Cost:
    host = METHODS[HOST]
    return host.cost(host.parse(HOST_OPTIONS), depth)


def card(way: Broken) -> MethodInfo:
    """The card of a broken method; it asks for what its sound host asks for."""
    return MethodInfo(
        name=way.name,
        title=way.title,
        paper="none: broken on purpose",
        year=2026,
        family="perturbation",
        idea="Broken on purpose, to see whether an audit finds out.",
        assumes="Nothing.",
        fails="Always.",
        differs="Not a method.",
        unit="cosine, from hidden to seen",
        sides={"image": ("embeddings",)},
        schema=BrokenOptions,
        cost_model=_cost,
        deterministic=True,
        signed=True,
    )


def _standardised(maps: Tensor) -> Tensor:
    centred = maps - maps.mean(dim=(-2, -1), keepdim=True)
    return centred / centred.flatten(2).norm(dim=-1).clamp_min(1e-9)[..., None, None]


def module_of(way: Broken) -> ModuleType:
    """The module behind the card."""

    def attribute_image(work: Work, options: BrokenOptions) -> Measured:
        host, code = method_module(HOST)
        sound: Tensor = code.attribute_image(work, host.parse(HOST_OPTIONS))
        wrong = way.breaking(work, sound)
        if options.share >= 1:
            return Measured(wrong)
        return Measured(options.share * _standardised(wrong) + (1 - options.share) * _standardised(sound))

    made = ModuleType(f"core.attribution.{way.name}", way.title)
    made.attribute_image = attribute_image  # type: ignore[attr-defined]
    return made


@contextmanager
def registered(*ways: Broken) -> Iterator[tuple[str, ...]]:
    """The names of broken methods, known to the catalogue inside the block only."""
    taken = [way.name for way in ways if way.name in METHODS]
    if taken:
        raise ValueError(f"{taken[0]} is registered already")
    try:
        for way in ways:
            METHODS[way.name] = card(way)
            sys.modules[f"core.attribution.{way.name}"] = module_of(way)
        yield tuple(way.name for way in ways)
    finally:
        for way in ways:
            METHODS.pop(way.name, None)
            sys.modules.pop(f"core.attribution.{way.name}", None)
