"""The states in which a method explains one image for the sanity checks, and what each of them costs.

A state is a model, an image and texts. All methods share its work: one forward of the trunk, one pool of masked
images. States of the same image tower and image share masked images too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.applications.sanity.card import FLOOR, LEAST_IMAGES, SanityOptions
from core.applications.sanity.work.checks import SHIFT, paraphrases
from core.applications.work.planned import options_of
from core.attribution.contract import BY_CONTENT, BY_IMAGE, Work
from core.methods import METHODS, MethodInfo
from core.models.model import Model
from core.models.randomised import CASCADE, TEXT, Randomised
from core.models.trunk import ImageTrunk, TextTrunk

Role = tuple[str, str]
# What the judged checks need, whatever it costs; states of seeds are added for methods that draw.
JUDGED = ("texts", "flip", CASCADE[-1], TEXT)


@dataclass(frozen=True)
class State:
    """One state by name, with the work that all methods share in it."""

    name: str
    work: Work


@dataclass(frozen=True)
class Subject:
    """One image's pixels `(1, 3, height, width)` with its texts, the own one first, and what each text is for."""

    pixels: Tensor
    texts: tuple[str, ...]
    roles: tuple[Role, ...]
    more_texts: tuple[str, ...]
    more_roles: tuple[Role, ...]


def subject(pixels: Tensor, own: str, wrong: Sequence[str]) -> Subject:
    """The texts of one image: its own, a wrong one and a reworded one; then the empty one, further wrong and reworded
    ones, which only cheap methods explain.
    """
    others = [("text", f"wrong {number}", text) for number, text in enumerate(wrong, start=1)]
    reworded = [("paraphrase", name, text) for name, text in paraphrases(own).items()]
    first = [("own", "", own), *others[:1], *reworded[:1]]
    more = [("empty", "", ""), *others[1:], *reworded[1:]]
    return Subject(
        pixels,
        tuple(text for *_, text in first),
        tuple((check, variant) for check, variant, _ in first),
        tuple(text for *_, text in more),
        tuple((check, variant) for check, variant, _ in more),
    )


def states(model: Model, copy: Randomised, given: Subject, options: SanityOptions, seed: int) -> Iterator[State]:
    """Every state of one image. Those of randomised models are only good until the next one is asked for."""
    images = ImageTrunk(model, given.pixels)
    own = given.texts[:1]
    first = Work(model, images, TextTrunk(model, given.texts), seed)
    yield State("texts", first)
    yield State("more_texts", Work(model, images, TextTrunk(model, given.more_texts), seed, pools=first.pools))
    for number in range(1, options.seeds):
        pools = shared(first.pools, BY_CONTENT)
        yield State(f"seed {number}", Work(model, images, TextTrunk(model, own), seed + number, pools=pools))
    draw = first.generator("sanity", first.image_keys[0])
    for name, pixels in changed(model, given.pixels, options, draw):
        yield State(name, Work(model, ImageTrunk(model, pixels), TextTrunk(model, own), seed))
    for step, other in copy.cascade(draw):
        yield State(step, Work(other, ImageTrunk(other, given.pixels), TextTrunk(other, own), seed))
    anew = copy.text(draw)
    if anew is None:
        return
    pools = shared(first.pools, BY_IMAGE)
    yield State(TEXT, Work(anew, images, TextTrunk(anew, own), seed, pools=pools))


def changed(
    model: Model, pixels: Tensor, options: SanityOptions, generator: torch.Generator
) -> Iterator[tuple[str, Tensor]]:
    """The image mirrored, moved to the right, replaced by noise, and slightly disturbed `options.draws` times."""
    yield "flip", pixels.flip(-1)
    yield "shift", moved(pixels)
    mean, spread = (
        torch.tensor(values, device=pixels.device)[:, None, None]
        for values in (model.preprocessing.mean, model.preprocessing.std)
    )
    noise = torch.rand(pixels.shape, generator=generator).to(pixels)
    yield "noise", (noise - mean) / spread
    for number in range(1, options.draws + 1):
        noise = 2 * torch.rand(pixels.shape, generator=generator).to(pixels) - 1
        yield f"disturbed {number}", pixels + options.noise * noise / spread


def moved(pixels: Tensor) -> Tensor:
    """The image moved to the right by `moved_share` of its width; what comes into view repeats its border."""
    step = round(SHIFT * pixels.shape[-1])
    return F.pad(pixels, (step, 0, 0, 0), mode="replicate")[..., : pixels.shape[-1]]


def moved_share(pixels: Tensor) -> float:
    """By which share of its width `moved` moves an image: whole pixels."""
    return round(SHIFT * pixels.shape[-1]) / pixels.shape[-1]


def shared(pools: Mapping[Any, Any], kinds: Sequence[str]) -> dict[Any, Any]:
    """The part of `pools` that another state may use: its keys begin with one of `kinds`."""
    return {key: value for key, value in pools.items() if isinstance(key, tuple) and key[0] in kinds}


# -- what it costs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Allotment:
    """On how many of the images a method is checked, and in all states or only in those that are judged.

    `forwards` is what that costs by its card, in image forward passes.
    """

    options: dict[str, Any]
    images: int
    all: bool
    forwards: float

    def wants(self, state: str, info: MethodInfo) -> bool:
        """Whether the method is run in this state."""
        if state.startswith("seed"):
            return not info.deterministic
        return self.all or state in JUDGED


def allotted(info: MethodInfo, planned: Mapping[str, Any], model: Model, given: Allowance) -> Allotment:
    """What a method may do within `budget` image forwards, by its card's cost.

    All states on all images if that fits; otherwise only the judged states, on as many images as fit, but on
    `LEAST_IMAGES` as long as those cost, seeds aside, no more than `FLOOR` times the budget. That may be on none.
    """
    options = options_of(info, planned, given.options.effort)
    cost = info.cost(options, model.image.depth)
    # What methods share is paid by each of them in part.
    kept = cost.kept if model.image.droppable else 1.0
    once = cost.image + kept * (cost.pool - cost.shared * (1 - 1 / max(given.sharing, 1)))
    whole = (7 + given.options.draws) * once + (given.texts + 7 + given.options.draws) * cost.pair
    seeds = 0.0 if info.deterministic else (given.options.seeds - 1) * (once + cost.pair)
    if whole * given.images <= given.options.budget:
        return Allotment(options, given.images, True, (whole + seeds) * given.images)
    # The text tower drawn anew leaves masked images as they were.
    judged = 3 * once + 6 * cost.pair
    fits = int(given.options.budget // (judged + seeds))
    if LEAST_IMAGES * judged <= FLOOR * given.options.budget:
        fits = max(fits, LEAST_IMAGES)
    fits = min(fits, given.images)
    return Allotment(options, fits, False, (judged + seeds) * fits)


def images_paid(
    planned: Mapping[str, Mapping[str, Any]], model: Model, options: SanityOptions, least: int, most: int
) -> int:
    """On how many images, from `least` to `most`, the planned methods are checked within `options.forwards`.

    `least` is what the price of thirty methods pays for. Fewer methods are checked on more images, as long as they
    cost no more than that together.
    """

    def spent(images: int) -> float:
        room = allowance(planned, options, images, least)
        return sum(allotted(METHODS[name], planned[name], model, room).forwards for name in planned)

    count = least
    while count < most and spent(count + 1) <= options.forwards:
        count += 1
    return count


def allowance(planned: Mapping[str, Mapping[str, Any]], options: SanityOptions, images: int, least: int) -> Allowance:
    """What the planned methods are allotted from. The budget of a method, for `least` images, grows with the images,
    so that none loses a state on more of them.
    """
    sharing = sum(METHODS[name].cost(planned[name]).shared > 0 for name in planned)
    options = options.model_copy(update={"budget": options.budget * max(images, least) / least})
    return Allowance(options, images, 1 + 5 + options.wrong, sharing)


@dataclass(frozen=True)
class Allowance:
    """What all methods are allotted from: images, texts of an image, and how many methods share masked images."""

    options: SanityOptions
    images: int
    texts: int
    sharing: int
