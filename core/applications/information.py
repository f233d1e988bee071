"""How much information a picture and a text keep: own text against texts of other pictures, over seeds and prices.

For each picture the bottleneck of M2IB is optimised for its own text and for texts of other pictures, with every seed
at once, on the picture's side and on the text's. The narrowing bottleneck is read at the same state.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from core.applications.information_record import ABOUT, MAP_COLUMNS, MAPS, PAIR_COLUMNS, PAIRS
from core.applications.stage import Subject, Tell
from core.attribution import m2ib, nib
from core.attribution.context import estimate_context
from core.attribution.contract import Context, Work
from core.attribution.m2ib import Bottlenecks, Pair, bottleneck_layer
from core.datasets import Picture
from core.errors import ScopeError
from core.methods.applications.information import NIB_STEPS, InformationOptions
from core.methods.bottleneck import M2ibOptions, NibOptions
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.statistics import spearman

# As in an audit's own maps: the prior of a convolutional tower is estimated on the first pictures of the plan.
CONTEXT_IMAGES, CONTEXT_BATCH = 64, 8
FEWEST_PLACES = 3
Row = dict[str, Any]


def work(subject: Subject, options: InformationOptions, out: Path, tell: Tell) -> None:
    """Measure the first pictures of the run and write `pairs.parquet`, `maps.parquet` and `about.json`.

    Raises `InputError` if fewer than two pictures have a text or all have the same.
    """
    model, seed = subject.model, subject.run.plan.seed
    own, rule = own_texts(subject, options.pictures)
    wrong = wrong_texts(own, options.wrong, seed)
    pictures = [picture for picture in subject.pictures if wrong.get(picture.id)]
    if not pictures:
        raise ScopeError("information needs two pictures whose texts differ; give captions, prompts or classes")
    seeds = tuple(range(seed, seed + options.seeds))
    context = _context(subject, options)
    pairs: list[Row] = []
    maps: list[Row] = []
    with model.meter.measuring() as spent:
        for at, picture in enumerate(pictures, start=1):
            tell(f"information: picture {at} of {len(pictures)}")
            pixels, _ = model.preprocess([subject.open(picture)])
            texts = [own[picture.id][0], *wrong[picture.id]]
            shared = Work(model, ImageTrunk(model, pixels), TextTrunk(model, texts), seed, context)
            for pair, shown in measured(shared, options, seeds):
                pairs += [{"image": picture.id, "image_name": picture.name, **row} for row in pair]
                maps.append({"image": picture.id, "image_name": picture.name, **shown})
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "pictures": len(pictures),
        "pictures_left_out": len(subject.pictures) - len(pictures),
        "own": rule,
        "seeds": list(seeds),
        "layer": bottleneck_layer(options.layer, model.image.depth, "image"),
        "text_layer": bottleneck_layer(options.text_layer, model.text.depth, "text") if _has_text(model) else None,
        "prior": "channel" if _per_channel(model, options) else "standard",
        "text_prior": "channel" if options.prior == "channel" else "standard",
        "text_reason": "" if _has_text(model) else "the text tower can't be run from a chosen layer onwards",
        "image_forwards": spent.image,
        "text_forwards": spent.text,
    }
    pd.DataFrame(pairs, columns=list(PAIR_COLUMNS)).to_parquet(out / PAIRS, index=False)
    pd.DataFrame(maps, columns=list(MAP_COLUMNS)).to_parquet(out / MAPS, index=False)
    (out / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


# -- texts -------------------------------------------------------------------------------------------------------


def own_texts(subject: Subject, most: int) -> tuple[dict[str, list[str]], str]:
    """For at most `most` pictures the texts that are their own, the one to measure first, and how they were chosen.

    Captions are a picture's own. Without captions it is the prompt or class that the model itself ranks first.
    """
    plan = subject.run.plan.texts
    if plan.captions:
        captioned = {picture.id: list(picture.captions) for picture in subject.pictures if picture.captions}
        if captioned:
            return dict(list(captioned.items())[:most]), "captions"
    candidates = list(dict.fromkeys([*plan.prompts, *(plan.templates[0].format(name) for name in plan.classes)]))
    if len(candidates) < 2:
        return {}, "the model's choice"
    known = subject.model.embed_texts(candidates)
    chosen = {}
    for picture in subject.pictures[:most]:
        pixels, _ = subject.model.preprocess([subject.open(picture)])
        with torch.no_grad():
            chosen[picture.id] = [candidates[int((subject.model.embed_images(pixels) @ known.T).argmax())]]
    return chosen, "the model's choice"


def wrong_texts(own: dict[str, list[str]], count: int, seed: int) -> dict[str, list[str]]:
    """For each picture up to `count` first texts of other pictures, none of them one of its own.

    Each round is a derangement drawn with `seed`: every text is used once, as far as that is possible; a picture that
    it leaves over gets any text that isn't its own.
    """
    images, firsts = list(own), [texts[0] for texts in own.values()]
    mine = [{_plain(text) for text in texts} for texts in own.values()]
    barred = np.array([[_plain(text) in taken for text in firsts] for taken in mine], dtype=bool).reshape(
        len(own), len(own)
    )
    random = np.random.default_rng(seed)
    found: dict[str, list[str]] = {image: [] for image in images}
    for _ in range(count):
        draws = random.random(barred.shape)
        # A barred text costs more than all others together, so it is taken only where no derangement exists.
        _, columns = linear_sum_assignment(draws + barred * (len(own) + 1.0))
        for row, column in enumerate(columns):
            if barred[row, column]:
                column = int(np.where(barred[row], np.inf, draws[row]).argmin())
            if not barred[row, column]:
                found[images[row]].append(firsts[column])
                barred[row] |= [_plain(text) == _plain(firsts[column]) for text in firsts]
    return found


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


# -- one picture ---------------------------------------------------------------------------------------------------


def measured(shared: Work, options: InformationOptions, seeds: Sequence[int]) -> Iterator[tuple[list[Row], Row]]:
    """For one picture, whose own text is the first of `shared`, the rows of each text, side and price.

    Yields the rows of the seeds (as in `PAIR_COLUMNS`) and that of their maps (`MAP_COLUMNS`).
    """
    runs = [Pair(0, text, seed) for text in range(len(shared.texts)) for seed in seeds]
    scores = shared.scores[0].double().tolist()
    for side in ("image", "text") if _has_text(shared.model) else ("image",):
        narrow = _narrow(shared, options, side)
        for price in options.prices:
            layer = options.layer if side == "image" else options.text_layer
            chosen = M2ibOptions(
                layer=layer, beta=price, steps=options.steps, samples=options.samples, prior=options.prior
            )
            optimise = m2ib.image_bottlenecks if side == "image" else m2ib.text_bottlenecks
            found = optimise(shared, chosen, runs, floor=True)
            for text, words in enumerate(shared.texts.texts):
                rows = range(text * len(seeds), (text + 1) * len(seeds))
                about = {"side": side, "kind": "wrong" if text else "own", "text": words, "price": price}
                yield (
                    [{**about, **_numbers(shared, found, row, runs[row]), "score": scores[text]} for row in rows],
                    {**about, **_shown(shared, side, text, found.places[list(rows)], narrow[text])},
                )


def _numbers(shared: Work, found: Bottlenecks, row: int, run: Pair) -> Row:
    assert found.floor is not None
    state = found.places[row]
    places = state.numel() if state.ndim == 2 else shared.texts.own_ids(run.text).shape[1]
    return {
        "seed": run.seed,
        "nats": float(found.total[row]),
        "places": places,
        "cosine": float(found.cosine[row]),
        "floor": float(found.floor[row]),
    }


def _shown(shared: Work, side: str, text: int, values: Tensor, narrow: Tensor) -> Row:
    tokens: list[str] = []
    if side == "text":
        positions, tokens = shared.texts.content[text]
        values, narrow = values[:, None, positions], narrow[None, positions]
    each = values.flatten(1).double().cpu().numpy()
    mean = each.mean(axis=0)
    between = [rank_correlation(each[a], each[b]) for a, b in combinations(range(len(each)), 2)]
    known = [value for value in between if value is not None]
    other = narrow.flatten().double().cpu().numpy()
    return {
        "rows": values.shape[1],
        "columns": values.shape[2],
        "tokens": tokens,
        "map": mean.astype(np.float32).tolist(),
        "spread": each.std(axis=0, ddof=1).astype(np.float32).tolist(),
        "agreement": float(np.mean(known)) if known else None,
        "nib": other.astype(np.float32).tolist(),
        "nib_agreement": rank_correlation(mean, other),
    }


def rank_correlation(a: NDArray[Any], b: NDArray[Any]) -> float | None:
    """Spearman's correlation; None for fewer than three places or where either is constant."""
    return spearman(a, b) if len(a) >= FEWEST_PLACES else None


def _narrow(shared: Work, options: InformationOptions, side: str) -> Tensor:
    """The narrowing bottleneck's values of every text, read at the state that the other bottleneck mixes with noise."""
    image = side == "image"
    depth = shared.model.image.depth if image else shared.model.text.depth
    layer = bottleneck_layer(options.layer if image else options.text_layer, depth, side)
    chosen = NibOptions(layer=min(layer + 1, depth - 1), steps=NIB_STEPS)
    return nib.attribute_image(shared, chosen)[0] if image else nib.attribute_text(shared, chosen)[0]


# -- the model -----------------------------------------------------------------------------------------------------


def _has_text(model: Model) -> bool:
    return "text_layers" in model.capabilities


def _per_channel(model: Model, options: InformationOptions) -> bool:
    return options.prior == "channel" or (options.prior == "auto" and model.image.layout == "maps")


def _context(subject: Subject, options: InformationOptions) -> Context:
    """Mean and spread of the channels at the bottleneck, over the audited pictures, where the prior asks for them."""
    model = subject.model
    if not _per_channel(model, options):
        return Context()
    chosen: list[Picture] = list(subject.pictures[:CONTEXT_IMAGES])
    batches = (
        model.preprocess([subject.open(picture) for picture in chosen[start : start + CONTEXT_BATCH]])[0]
        for start in range(0, len(chosen), CONTEXT_BATCH)
    )
    return estimate_context(model, batches, [bottleneck_layer(options.layer, model.image.depth, "image")])
