"""The bottleneck at several blocks of both towers, and what each map keeps of the score when it is applied."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.applications.layer_sweep.card import CARD, LayerSweepOptions
from core.applications.layer_sweep.measures import highlighted
from core.applications.layer_sweep.record import LayerSweepRecord
from core.applications.work.channels import channel_context, per_channel
from core.applications.work.drawing import drawn_images
from core.applications.work.own_texts import own_texts, with_texts
from core.applications.work.subject import Subject, Tell
from core.attribution import m2ib
from core.attribution.contract import Work
from core.attribution.m2ib import Pair
from core.errors import InputError, ScopeError
from core.evaluation.agreement import common_grid
from core.evaluation.confidence import confidence, faded_embeddings
from core.methods.bottleneck import M2ibOptions, block_of, m2ib_misfit
from core.methods.info import Side
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.models.word_pool import WordPool
from core.models.words import sum_words, text_words

Row = dict[str, Any]
Floats = NDArray[np.float64]
NO_TEXT_LAYERS = "the text tower cannot be run from a chosen layer onwards"


def work(subject: Subject, options: LayerSweepOptions, out: Path, tell: Tell) -> None:
    """Measure the drawn images with their own text and write `blocks.parquet` and `about.json`.

    Raises `InputError` if no image has a text, or if no side has the blocks that the options name.
    """
    model, seed = subject.model, subject.run.plan.seed
    blocks, reasons = chosen_blocks(model, options)
    draw = drawn_images(subject, CARD, options, with_texts(subject))
    own, rule = own_texts(subject, draw.images)
    images = [image for image in draw.images if image.id in own]
    if not images:
        raise ScopeError("the sweep needs texts that belong to the images; give captions, prompts or two classes")
    context = channel_context(subject, options.prior, blocks.get("image", ()))
    rows: list[Row] = []
    with model.meter.measuring() as spent:
        for at, image in enumerate(images, start=1):
            tell(f"information by layer: image {at} of {len(images)}")
            pixels, _ = model.preprocess([subject.open(image)])
            text = own[image.id][0]
            shared = Work(model, ImageTrunk(model, pixels), TextTrunk(model, [text]), seed, context)
            named = {"image": image.id, "image_name": image.name, "text": text}
            rows += [{**named, **row} for row in measured(shared, options, blocks)]
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "images": len(images),
        "images_left_out": len(subject.images) - len(images),
        "design": draw.about,
        "own": rule,
        "blocks": blocks,
        "default": {side: block_of(None, depth) for side, depth in _depths(model).items()},
        "depths": _depths(model),
        "reasons": reasons,
        "prior": "channel" if per_channel(model, options.prior) else "standard",
        "text_prior": "channel" if options.prior == "channel" else "standard",
        "image_forwards": spent.image,
        "text_forwards": spent.text,
    }
    LayerSweepRecord(about, LayerSweepRecord.frame("blocks", rows)).save(out)


# -- blocks ------------------------------------------------------------------------------------------------------


def chosen_blocks(model: Model, options: LayerSweepOptions) -> tuple[dict[Side, list[int]], dict[Side, str]]:
    """The blocks of each side in order, the default one among them, and the reason for each side that is not run.

    Raises `InputError` in one line if neither side can be run.
    """
    named: dict[Side, tuple[int, ...]] = {"image": options.layers, "text": options.text_layers}
    blocks: dict[Side, list[int]] = {}
    reasons: dict[Side, str] = {} if "text_layers" in model.capabilities else {"text": NO_TEXT_LAYERS}
    for side, depth in _depths(model).items():
        misfits = [reason for layer in named[side] if (reason := m2ib_misfit(layer, depth, side))]
        if misfits:
            reasons[side] = misfits[0]
            continue
        default = block_of(None, depth)
        own = {block_of(layer, depth) for layer in named[side]} or spread(default, options.blocks)
        blocks[side] = sorted(own | {default})
    if not blocks:
        raise InputError("layers: " + "; ".join(reasons.values()))
    return blocks, reasons


def spread(default: int, count: int) -> set[int]:
    """At most `count` blocks, evenly spaced up to `default`, which is one of them."""
    return {round(default * step / count) for step in range(1, count + 1)}


def _depths(model: Model) -> dict[Side, int]:
    found: dict[Side, int] = {"image": model.image.depth}
    return {**found, "text": model.text.depth} if "text_layers" in model.capabilities else found


# -- one image ---------------------------------------------------------------------------------------------------


def measured(shared: Work, options: LayerSweepOptions, blocks: Mapping[Side, Sequence[int]]) -> Iterator[Row]:
    """For the one image and text of `shared`, a row of each side and block."""
    score = float(shared.scores[0, 0])
    for side, own in blocks.items():
        default = block_of(None, shared.model.image.depth if side == "image" else shared.model.text.depth)
        for block, row in zip(own, (_image_rows if side == "image" else _text_rows)(shared, options, own), strict=True):
            seen = row.pop("seen")
            yield {
                "side": side,
                "block": block,
                "default": block == default,
                "score": score,
                **row,
                **_kept(score, seen),
            }


def on_grid(values: Floats, shape: tuple[int, int]) -> Floats:
    """A map of information on a coarser grid: a cell holds the nats of all patches in it, the sum is the same."""
    return common_grid(values, shape) * (values.size / math.prod(shape))


def _image_rows(shared: Work, options: LayerSweepOptions, blocks: Sequence[int]) -> list[Row]:
    found = [m2ib.image_bottlenecks(shared, _asked(options, block), [Pair(0, 0, shared.seed)]) for block in blocks]
    # Controls of one grain: a fine map in random positions is noise that fades another way than a coarse one.
    shape = min(((int(one.places.shape[-2]), int(one.places.shape[-1])) for one in found), key=math.prod)
    maps = [on_grid(one.places[0].double().cpu().numpy(), shape) for one in found]
    orders = _orders(shared, "image", maps[0].size, options.controls)
    faded: dict[tuple[str, int], Floats] = {}
    for block, values in zip(blocks, maps, strict=True):
        faded["map", block] = values
        for at, order in enumerate(orders):
            faded[f"random {at}", block] = values.ravel()[order].reshape(values.shape)
    embedded = faded_embeddings(shared.model, shared.images.pixels[0], faded)
    scores = {key: float(one @ shared.texts.embeddings[0]) for key, one in embedded.items()}
    return [
        {
            "nats": float(one.total[0]),
            "cosine": float(one.cosine[0]),
            "rows": shape[0],
            "columns": shape[1],
            "words": [],
            "map": values.ravel().tolist(),
            "seen": [
                scores[key]
                for key in [("map", block), *((f"random {at}", block) for at in range(len(orders)))]
                if key in scores
            ],
        }
        for block, one, values in zip(blocks, found, maps, strict=True)
    ]


def _text_rows(shared: Work, options: LayerSweepOptions, blocks: Sequence[int]) -> list[Row]:
    pool, words = WordPool(shared.model, shared.texts.texts[0]), text_words(shared.texts)[0]
    positions, _ = shared.texts.content[0]
    orders = _orders(shared, "text", len(words), options.controls)
    rows = []
    for block in blocks:
        found = m2ib.text_bottlenecks(shared, _asked(options, block), [Pair(0, 0, shared.seed)])
        values = sum_words(found.places[0, positions].double().cpu().numpy(), words)
        rows.append(
            {
                "nats": float(found.total[0]),
                "cosine": float(found.cosine[0]),
                "rows": 1,
                "columns": len(words),
                "words": [word for word, _ in words],
                "map": values.tolist(),
                "seen": _shortened(pool, shared.images.embeddings[0], values, orders),
            }
        )
    return rows


def _shortened(pool: WordPool, image: Tensor, values: Floats, orders: Sequence[NDArray[np.intp]]) -> list[float]:
    """The cosine of the highlighted words alone, and of those of each random map; empty where none can be left out."""
    if len(values) < 2 or np.ptp(values) == 0:
        return []
    stays = highlighted(values)
    sets = torch.from_numpy(np.stack([stays, *(stays[order] for order in orders)]))
    return [float(one) for one in pool.embeddings(sets) @ image.to(sets.device)]


def _kept(score: float, seen: Sequence[float]) -> Row:
    """The measures of confidence of a map, whose cosine is the first of `seen`, and of the random maps behind it."""
    names = ("highlighted", "random", "drop", "random_drop", "increase", "random_increase")
    if not seen:
        return dict.fromkeys(names)
    first, *others = [confidence(score, one) for one in seen]
    values = (
        seen[0],
        float(np.mean(seen[1:])),
        first.drop,
        float(np.mean([one.drop for one in others])),
        first.increase,
        float(np.mean([one.increase for one in others])),
    )
    return dict(zip(names, values, strict=True))


def _asked(options: LayerSweepOptions, block: int) -> M2ibOptions:
    return M2ibOptions(
        layer=block, beta=options.beta, steps=options.steps, samples=options.samples, prior=options.prior
    )


def _orders(shared: Work, side: Side, places: int, count: int) -> list[NDArray[np.intp]]:
    """Random orders of the positions of a map: the same for every block, so that blocks are compared pairwise."""
    generator = shared.generator("layer_sweep", side, shared.image_keys[0], shared.texts.texts[0])
    return [torch.randperm(places, generator=generator).numpy() for _ in range(count)]
