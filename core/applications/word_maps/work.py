"""Which word of a text looks where: interactions of cells and words, and a map that is shared among the words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from core.applications.word_maps.card import CARD, WordMapsOptions
from core.applications.word_maps.record import (
    INTERACTION,
    REST,
    SHARED,
    WordMapsRecord,
)
from core.applications.work.drawing import drawn_images
from core.applications.work.own_texts import own_texts, with_texts
from core.applications.work.planned import FAILURES
from core.applications.work.subject import Subject, Tell
from core.attribution.contract import Work
from core.attribution.draws import cell_grid
from core.attribution.fixlip import fitted
from core.attribution.meta_game import meta_game
from core.concepts.english import is_function
from core.errors import InputError, ScopeError, first_line
from core.methods import METHODS
from core.methods.interaction import FixlipOptions
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.storage import without_folders

Row = dict[str, Any]
# Whose map is shared where the options leave it open: the first that the model can serve.
PREFERRED = ("maskclip", "raw")


def work(subject: Subject, options: WordMapsOptions, out: Path, tell: Tell) -> None:
    """Explain the drawn images with their own text; write `maps.parquet`, `texts.parquet` and `about.json`.

    An image that fails is named in `about["problems"]`. Raises `InputError` if no image has a text, none could be
    explained, or the model can't serve the method whose map is to be shared.
    """
    model = subject.model
    method = shared_method(model, options.method)
    draw = drawn_images(subject, CARD, options, with_texts(subject))
    own, rule = own_texts(subject, draw.images)
    if not own:
        raise ScopeError("word maps need texts that belong to the images; give captions, prompts or two classes")
    images = [image for image in draw.images if image.id in own]
    maps: list[Row] = []
    texts: list[Row] = []
    problems: list[list[str]] = []
    with model.meter.measuring() as spent:
        for at, image in enumerate(images, start=1):
            tell(f"word maps: image {at} of {len(images)}")
            text = own[image.id][0]
            pixels, _ = model.preprocess([subject.open(image)])
            shared = Work(model, ImageTrunk(model, pixels), TextTrunk(model, [text]), subject.run.plan.seed)
            named = {"image": image.id, "image_name": image.name, "text": text}
            try:
                whole, words = measured(shared, options, method)
            except FAILURES as error:
                problems.append([image.name, without_folders(first_line(error))])
                continue
            texts.append(named | whole)
            maps += [named | word for word in words]
    if not texts:
        raise InputError(f"no image has maps of words: {problems[0][1]}")
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "method": method,
        "unit": METHODS[method].unit,
        "images": len(texts),
        "images_left_out": len(subject.images) - len(texts),
        "design": draw.about,
        "own": rule,
        "problems": problems,
        "image_forwards": round(spent.image, 1),
        "text_forwards": round(spent.text, 1),
    }
    frame = WordMapsRecord.frame
    WordMapsRecord(about, frame("maps", maps), frame("texts", texts)).save(out)


def shared_method(model: Model, wanted: str) -> str:
    """The method whose map is shared. Raises `InputError` if the model can't serve it."""
    names = PREFERRED if wanted == "auto" else (wanted,)
    reasons = {name: METHODS[name].reasons(model.capabilities)["image"] for name in names}
    for name, reason in reasons.items():
        if reason is None:
            return name
    raise ScopeError(f"{names[-1]} cannot be shared among words on {model.title}: it {reasons[names[-1]]}")


def measured(shared: Work, options: WordMapsOptions, method: str) -> tuple[Row, list[Row]]:
    """What is known of the one image and text of `shared` as a whole, and of each of the text's words.

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
        **{f"{name}_share": share for name, share in pairs.shares._asdict().items()},
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
