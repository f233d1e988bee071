"""How much information an image and a text keep: own text against texts of other images, over seeds and prices.

For each image the bottleneck of M2IB is optimised for its own text and for texts of other images, with every seed
at once, on the image's side and on the text's. The narrowing bottleneck is read at the same state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from core.applications.information.card import CARD, NIB_STEPS, InformationOptions
from core.applications.information.record import InformationRecord
from core.applications.work.channels import channel_context, per_channel
from core.applications.work.drawing import drawn_images
from core.applications.work.own_texts import own_texts, with_texts, wrong_texts
from core.applications.work.subject import Subject, Tell
from core.attribution import m2ib, nib
from core.attribution.contract import Work
from core.attribution.m2ib import Bottlenecks, Pair, bottleneck_layer
from core.errors import ScopeError
from core.methods.bottleneck import M2ibOptions, NibOptions
from core.methods.info import Side
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.statistics import spearman

FEWEST_PLACES = 3
Row = dict[str, Any]


def work(subject: Subject, options: InformationOptions, out: Path, tell: Tell) -> None:
    """Measure the drawn images of the run and write `pairs.parquet`, `maps.parquet` and `about.json`.

    Raises `InputError` if fewer than two images have a text or all have the same.
    """
    model, seed = subject.model, subject.run.plan.seed
    draw = drawn_images(subject, CARD, options, with_texts(subject))
    own, rule = own_texts(subject, draw.images)
    wrong = wrong_texts(own, options.wrong, seed)
    images = [image for image in draw.images if wrong.get(image.id)]
    if not images:
        raise ScopeError("information needs two images whose texts differ; give captions, prompts or classes")
    seeds = tuple(range(seed, seed + options.seeds))
    layer = bottleneck_layer(options.layer, model.image.depth, "image")
    context = channel_context(subject, options.prior, [layer])
    pairs: list[Row] = []
    maps: list[Row] = []
    with model.meter.measuring() as spent:
        for at, image in enumerate(images, start=1):
            tell(f"information: image {at} of {len(images)}")
            pixels, _ = model.preprocess([subject.open(image)])
            texts = [own[image.id][0], *wrong[image.id]]
            shared = Work(model, ImageTrunk(model, pixels), TextTrunk(model, texts), seed, context)
            for pair, shown in measured(shared, options, seeds):
                pairs += [{"image": image.id, "image_name": image.name, **row} for row in pair]
                maps.append({"image": image.id, "image_name": image.name, **shown})
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "images": len(images),
        "images_left_out": len(subject.images) - len(images),
        "design": draw.about,
        "own": rule,
        "seeds": list(seeds),
        "layer": layer,
        "text_layer": bottleneck_layer(options.text_layer, model.text.depth, "text") if _has_text(model) else None,
        "prior": "channel" if per_channel(model, options.prior) else "standard",
        "text_prior": "channel" if options.prior == "channel" else "standard",
        "text_reason": "" if _has_text(model) else "the text tower cannot be run from a chosen layer onwards",
        "image_forwards": spent.image,
        "text_forwards": spent.text,
    }
    frame = InformationRecord.frame
    InformationRecord(about, frame("pairs", pairs), frame("maps", maps)).save(out)


# -- one image ---------------------------------------------------------------------------------------------------


def measured(shared: Work, options: InformationOptions, seeds: Sequence[int]) -> Iterator[tuple[list[Row], Row]]:
    """For one image, whose own text is the first of `shared`, the rows of each text, side and price.

    Yields the rows of the seeds and that of their maps.
    """
    runs = [Pair(0, text, seed) for text in range(len(shared.texts)) for seed in seeds]
    scores = shared.scores[0].double().tolist()
    sides: tuple[Side, ...] = ("image", "text") if _has_text(shared.model) else ("image",)
    for side in sides:
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


def _narrow(shared: Work, options: InformationOptions, side: Side) -> Tensor:
    """The narrowing bottleneck's values of every text, read at the state that the other bottleneck mixes with noise."""
    image = side == "image"
    depth = shared.model.image.depth if image else shared.model.text.depth
    layer = bottleneck_layer(options.layer if image else options.text_layer, depth, side)
    chosen = NibOptions(layer=min(layer + 1, depth - 1), steps=NIB_STEPS)
    return nib.attribute_image(shared, chosen)[0] if image else nib.attribute_text(shared, chosen)[0]


# -- the model -----------------------------------------------------------------------------------------------------


def _has_text(model: Model) -> bool:
    return "text_layers" in model.capabilities
