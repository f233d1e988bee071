"""The mosaic pointing game: the planned methods explain mosaics of the audit's pictures with the text of each tile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.information import own_texts
from core.applications.mosaic_picture import mosaic
from core.applications.mosaic_record import ABOUT, COLUMNS, MAPS
from core.applications.planned import maps_of, maps_pictures, options_of
from core.applications.stage import Subject, Tell
from core.attribution.contract import Work
from core.datasets import Picture
from core.errors import ScopeError
from core.methods import METHODS
from core.methods.applications.mosaic import MosaicOptions
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk

Row = dict[str, Any]
# Of a mosaic, so that its tiles are those of the map; rounding may take a pixel.
LEAST_SEEN = 0.98


def work(subject: Subject, options: MosaicOptions, out: Path, tell: Tell) -> None:
    """Play the game with every planned method that maps pictures on this model; write `maps.parquet` and `about.json`.

    Raises `InputError` if no method maps pictures or too few pictures have texts that differ.
    """
    model, run = subject.model, subject.run
    planned = {part.name: part.options for part in run.plan.methods if maps_pictures(part.name, model.capabilities)}
    if not planned:
        raise ScopeError("mosaic needs a planned method that maps pictures on this model")
    own, rule = own_texts(subject, len(subject.pictures))
    pictures = [picture for picture in subject.pictures if picture.id in own]
    drawn = draw([own[picture.id][0] for picture in pictures], options, run.plan.seed)
    if not drawn:
        raise ScopeError(f"mosaic needs {options.tiles} pictures whose texts differ; give captions, prompts or classes")
    chosen = {name: options_of(METHODS[name], given, options.effort) for name, given in planned.items()}
    many = {name: allotted(name, given, model, options, len(drawn)) for name, given in chosen.items()}
    rows: list[Row] = []
    problems: list[list[Any]] = []
    with model.meter.measuring() as spent:
        for number, places in enumerate(drawn):
            tell(f"mosaics: {number + 1} of {len(drawn)}")
            shown = [pictures[at] for at in places]
            texts = [own[picture.id][0] for picture in shown]
            mine = {name: given for name, given in chosen.items() if number < many[name]}
            found, failed = _explained(subject, shown, texts, options.side, mine)
            problems += [[name, number, reason] for name, reason in failed]
            for name, maps in found.items():
                rows += [
                    {"mosaic": number, "tile": tile, "image": picture.id, "image_name": picture.name, "text": text}
                    | {"method": name, "rows": grid.shape[0], "columns": grid.shape[1], "map": grid.ravel().tolist()}
                    for tile, (picture, text, grid) in enumerate(zip(shown, texts, maps, strict=True))
                ]
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "mosaics": len(drawn),
        "tiles": options.tiles,
        "pictures": len({at for places in drawn for at in places}),
        "own": rule,
        "methods": {name: {"options": chosen[name], "mosaics": many[name]} for name in chosen},
        "problems": problems,
        "image_forwards": round(spent.image, 1),
    }
    pd.DataFrame(rows, columns=list(COLUMNS)).to_parquet(out / MAPS, index=False)
    (out / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def draw(texts: Sequence[str], options: MosaicOptions, seed: int) -> list[tuple[int, ...]]:
    """Which pictures each mosaic has, by their places in `texts`: no two of a mosaic have the same text.

    Every picture is used once before any is used again, as far as that is possible.
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
    subject: Subject, shown: Sequence[Picture], texts: list[str], side: int, chosen: dict[str, dict[str, Any]]
) -> tuple[dict[str, list[NDArray[Any]]], list[tuple[str, str]]]:
    """The maps `(rows, columns)` of each method for each text, and those that gave none with the reason."""
    model = subject.model
    made = mosaic([subject.open(picture) for picture in shown], side)
    pixels, geometry = model.preprocess([made])
    left, top, right, bottom = geometry[0].seen()
    if (right - left) * (bottom - top) < LEAST_SEEN * side * side:
        raise ScopeError("the model cuts a part of a square picture off, so that mosaics have no equal tiles for it")
    # One work for all methods: they share its forward and its masked pictures.
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
