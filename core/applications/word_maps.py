"""Which word of a text looks where: interactions of cells and words, and a map that is shared among the words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from core.applications.information import own_texts
from core.applications.planned import FAILURES
from core.applications.stage import Subject, Tell
from core.applications.word_maps_record import (
    ABOUT,
    INTERACTION,
    MAP_COLUMNS,
    MAPS,
    REST,
    SHARED,
    TEXT_COLUMNS,
    TEXTS,
)
from core.attribution.contract import Work
from core.attribution.draws import cell_grid
from core.attribution.fixlip import fitted
from core.attribution.meta_game import meta_game
from core.concepts.english import is_function
from core.errors import InputError, ScopeError, first_line
from core.methods import METHODS
from core.methods.applications.word_maps import WordMapsOptions
from core.methods.interaction import FixlipOptions
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.storage import without_folders

Row = dict[str, Any]
# Whose map is shared where the options leave it open: the first that the model can serve.
PREFERRED = ("maskclip", "raw")


def work(subject: Subject, options: WordMapsOptions, out: Path, tell: Tell) -> None:
    """Explain the first pictures with their own text; write `maps.parquet`, `texts.parquet` and `about.json`.

    A picture that fails is named in `about["problems"]`. Raises `InputError` if no picture has a text, none could be
    explained, or the model can't serve the method whose map is to be shared.
    """
    model = subject.model
    method = shared_method(model, options.method)
    own, rule = own_texts(subject, options.pictures)
    if not own:
        raise ScopeError("word maps need texts of the pictures' own; give captions, prompts or two classes")
    pictures = [picture for picture in subject.pictures if picture.id in own]
    maps: list[Row] = []
    texts: list[Row] = []
    problems: list[list[str]] = []
    with model.meter.measuring() as spent:
        for at, picture in enumerate(pictures, start=1):
            tell(f"word maps: picture {at} of {len(pictures)}")
            text = own[picture.id][0]
            pixels, _ = model.preprocess([subject.open(picture)])
            shared = Work(model, ImageTrunk(model, pixels), TextTrunk(model, [text]), subject.run.plan.seed)
            named = {"image": picture.id, "image_name": picture.name, "text": text}
            try:
                whole, words = measured(shared, options, method)
            except FAILURES as error:
                problems.append([picture.name, without_folders(first_line(error))])
                continue
            texts.append(named | whole)
            maps += [named | word for word in words]
    if not texts:
        raise InputError(f"no picture has maps of words: {problems[0][1]}")
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "method": method,
        "unit": METHODS[method].unit,
        "pictures": len(texts),
        "pictures_left_out": len(subject.pictures) - len(texts),
        "own": rule,
        "problems": problems,
        "image_forwards": round(spent.image, 1),
        "text_forwards": round(spent.text, 1),
    }
    pd.DataFrame(maps, columns=list(MAP_COLUMNS)).to_parquet(out / MAPS, index=False)
    pd.DataFrame(texts, columns=list(TEXT_COLUMNS)).to_parquet(out / TEXTS, index=False)
    (out / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def shared_method(model: Model, wanted: str) -> str:
    """The method whose map is shared. Raises `InputError` if the model can't serve it."""
    names = PREFERRED if wanted == "auto" else (wanted,)
    reasons = {name: METHODS[name].reasons(model.capabilities)["image"] for name in names}
    for name, reason in reasons.items():
        if reason is None:
            return name
    raise ScopeError(f"{names[-1]} can't be shared among words on {model.title}: it {reasons[names[-1]]}")


def measured(shared: Work, options: WordMapsOptions, method: str) -> tuple[Row, list[Row]]:
    """What is known of the one picture and text of `shared` as a whole, and of each of the text's words.

    Raises `InputError` for a text without words.
    """
    asked = FixlipOptions(masks=options.masks, words=options.words, cells=options.cells, removal=options.removal)
    # First: it says in one line that a text has no words.
    parts = meta_game(shared, method, budget=options.budget)[0]
    pairs = fitted(shared, asked)[0][0]
    words, functions = parts.words, [is_function(word) for word in parts.words]
    grid = cell_grid(shared, options.cells)
    whole = {
        "words": len(words),
        "functions": sum(functions),
        "score": float(shared.scores[0, 0]),
        "base": pairs.base,
        "r2": pairs.r2_first,
        "r2_pairs": pairs.r2_pairs,
        "exact": parts.exact,
    }
    rows = [
        {"way": INTERACTION, "effect": float(effect), **word, **told(values)}
        for effect, word, values in zip(
            pairs.words, _named(words, functions), pairs.pairs.T.unflatten(-1, grid), strict=True
        )
    ]
    rest = {"place": REST, "word": "", "function": False}
    rows += [
        {"way": SHARED, "effect": None, **word, **told(values)}
        for word, values in zip([rest, *_named(words, functions)], [parts.rest[0], *parts.maps[0]], strict=True)
    ]
    return whole, rows


def told(values: Tensor) -> Row:
    """A map `(rows, columns)` as a row keeps it."""
    return {"rows": values.shape[0], "columns": values.shape[1], "map": values.flatten().tolist()}


def _named(words: Sequence[str], functions: Sequence[bool]) -> Iterator[Row]:
    for place, (word, function) in enumerate(zip(words, functions, strict=True)):
        yield {"place": place, "word": word, "function": function}
