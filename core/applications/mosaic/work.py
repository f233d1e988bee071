"""The mosaic pointing game: the planned methods explain mosaics of the audit's images with the text of each tile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.applications.mosaic.card import MosaicOptions
from core.applications.mosaic.layout import mosaic
from core.applications.mosaic.record import MosaicRecord
from core.applications.work.own_texts import own_texts, with_texts
from core.applications.work.planned import maps_images, maps_of, options_of
from core.applications.work.subject import Subject, Tell
from core.attribution.contract import Work
from core.datasets import DatasetImage
from core.errors import ScopeError
from core.methods import METHODS
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk

Row = dict[str, Any]
# Of a mosaic, so that its tiles are those of the map; rounding may take a pixel.
LEAST_SEEN = 0.98


def work(subject: Subject, options: MosaicOptions, out: Path, tell: Tell) -> None:
    """Play the game with every planned method that maps images on this model; write `maps.parquet` and `about.json`.

    Raises `InputError` if no method maps images or too few images have texts that differ.
    """
    model, run = subject.model, subject.run
    planned = {part.name: part.options for part in run.plan.methods if maps_images(part.name, model.capabilities)}
    if not planned:
        raise ScopeError("mosaic needs a planned method with image maps on this model")
    own, rule = own_texts(subject, with_texts(subject))
    images = [image for image in subject.images if image.id in own]
    drawn = draw([own[image.id][0] for image in images], options, run.plan.seed)
    if not drawn:
        raise ScopeError(f"mosaic needs {options.tiles} images whose texts differ; give captions, prompts or classes")
    chosen = {name: options_of(METHODS[name], given, options.effort) for name, given in planned.items()}
    many = {name: allotted(name, given, model, options, len(drawn)) for name, given in chosen.items()}
    rows: list[Row] = []
    problems: list[list[Any]] = []
    with model.meter.measuring() as spent:
        for number, places in enumerate(drawn):
            tell(f"mosaics: {number + 1} of {len(drawn)}")
            shown = [images[at] for at in places]
            texts = [own[image.id][0] for image in shown]
            mine = {name: given for name, given in chosen.items() if number < many[name]}
            found, failed = _explained(subject, shown, texts, options.side, mine)
            problems += [[name, number, reason] for name, reason in failed]
            for name, maps in found.items():
                rows += [
                    {"mosaic": number, "tile": tile, "image": image.id, "image_name": image.name, "text": text}
                    | {"method": name, "rows": grid.shape[0], "columns": grid.shape[1], "map": grid.ravel().tolist()}
                    for tile, (image, text, grid) in enumerate(zip(shown, texts, maps, strict=True))
                ]
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "mosaics": len(drawn),
        "tiles": options.tiles,
        "images": len({at for places in drawn for at in places}),
        "own": rule,
        "methods": {name: {"options": chosen[name], "mosaics": many[name]} for name in chosen},
        "problems": problems,
        "image_forwards": round(spent.image, 1),
    }
    MosaicRecord(about, MosaicRecord.frame("maps", rows)).save(out)


def draw(texts: Sequence[str], options: MosaicOptions, seed: int) -> list[tuple[int, ...]]:
    """Which images each mosaic has, by their places in `texts`: no two of a mosaic have the same text.

    Every image is used once before any is used again, as far as that is possible.
    """
    if len(set(texts)) < options.tiles:
        return []
    random = np.random.default_rng(seed)
    queue: list[int] = []
    drawn = []
    for _ in range(options.mosaics):
        chosen: list[int] = []
        while len(chosen) < options.tiles:
            at = next((at for at in queue if texts[at] not in {texts[other] for other in chosen}), None)
            if at is None:
                queue += random.permutation(len(texts)).tolist()
                continue
            queue.remove(at)
            chosen.append(at)
        drawn.append(tuple(chosen))
    return drawn


def allotted(name: str, given: dict[str, Any], model: Model, options: MosaicOptions, mosaics: int) -> int:
    """On how many mosaics a method is run within its budget, by its card's cost; at least one."""
    cost = METHODS[name].cost(given, model.image.depth)
    each = cost.image + cost.pool * (cost.kept if model.image.droppable else 1.0) + options.tiles * cost.pair
    return min(mosaics, max(1, int(options.budget // max(each, 1e-9))))


def _explained(
    subject: Subject, shown: Sequence[DatasetImage], texts: list[str], side: int, chosen: dict[str, dict[str, Any]]
) -> tuple[dict[str, list[NDArray[Any]]], list[tuple[str, str]]]:
    """The maps `(rows, columns)` of each method for each text, and those that gave none with the reason."""
    model = subject.model
    made = mosaic([subject.open(image) for image in shown], side)
    pixels, geometry = model.preprocess([made])
    left, top, right, bottom = geometry[0].seen()
    if (right - left) * (bottom - top) < LEAST_SEEN * side * side:
        raise ScopeError("the model crops a part of a square image, so that the tiles of a mosaic would not be equal")
    # One work for all methods: they share its forward and its masked images.
    work = Work(model, ImageTrunk(model, pixels), TextTrunk(model, texts), subject.run.plan.seed)
    found: dict[str, list[NDArray[Any]]] = {}
    failed = []
    for name, options in chosen.items():
        maps, problem = maps_of(work, name, geometry, options)
        if maps is None:
            failed.append((name, problem))
        else:
            found[name] = list(maps)
    return found, failed
