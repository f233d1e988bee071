"""Sanity checks of the planned methods: does a map change with the weights and the text, and with nothing else?

Each method explains the drawn images of the run in the states of `core.applications.sanity.work.states`. What it does
without an own image, a text or within its budget is told in the record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray

from core.applications.sanity.card import CARD, MOST_IMAGES, SanityOptions
from core.applications.sanity.record import SanityRecord
from core.applications.sanity.work import checks as sanity_checks
from core.applications.sanity.work.states import (
    Allotment,
    State,
    allotted,
    allowance,
    images_paid,
    moved_share,
    states,
    subject,
)
from core.applications.work.drawing import drawn_images
from core.applications.work.own_texts import own_texts, with_texts, wrong_texts
from core.applications.work.planned import maps_images, maps_of
from core.applications.work.subject import Subject, Tell
from core.datasets import DatasetImage
from core.errors import ScopeError
from core.methods import METHODS
from core.models.geometry import Geometry
from core.models.randomised import Randomised

Maps = dict[str, NDArray[Any]]


@dataclass
class _Checked:
    """What is collected over images."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[list[str]] = field(default_factory=list)


def work(subject_: Subject, options: SanityOptions, out: Path, tell: Tell) -> None:
    """Check every planned method that maps images on this model; write `checks.parquet` and `about.json`.

    The model's weights are the same afterwards. Raises `InputError` if no method maps images or no image has a
    text.
    """
    model, seed = subject_.model, subject_.run.plan.seed
    planned = {
        part.name: part.options for part in subject_.run.plan.methods if maps_images(part.name, model.capabilities)
    }
    if not planned:
        raise ScopeError("sanity needs a planned method with image maps on this model")
    eligible = with_texts(subject_)
    most = min(len(eligible), options.images or MOST_IMAGES)
    least = CARD.measured(options, len(eligible))
    count = images_paid(planned, model, options, least, max(least, most))
    draw = drawn_images(subject_, CARD, options, eligible, count=count)
    own, rule = _own(subject_, options, (*draw.images, *draw.rest), count)
    images = [image for image in draw.images if image.id in own]
    if not images:
        raise ScopeError("sanity needs a text: give captions, prompts or classes")
    wrong = wrong_texts(own, options.wrong, seed)
    room = allowance(planned, options, len(images), least)
    chosen = {name: allotted(METHODS[name], planned[name], model, room) for name in planned}
    checked = _Checked()
    copy = Randomised(model)
    with model.meter.measuring() as spent:
        for at, image in enumerate(images, start=1):
            tell(f"sanity checks: image {at} of {len(images)}")
            mine = {name: given for name, given in chosen.items() if at <= given.images}
            _image(subject_, options, copy, image, own[image.id][0], wrong[image.id], mine, checked)
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "images": len(images),
        "images_left_out": len(subject_.images) - len(images),
        "design": draw.about,
        "own": rule,
        "wrong_texts": any(wrong.values()),
        "seeds": list(range(seed, seed + options.seeds)),
        "methods": {name: _told(name, given) for name, given in chosen.items()},
        "budget": round(room.options.budget, 1),
        "problems": checked.problems,
        "image_forwards": round(spent.image, 1),
        "text_forwards": round(spent.text, 1),
    }
    SanityRecord(about, SanityRecord.frame("checks", checked.rows)).save(out)


def _own(
    given: Subject, options: SanityOptions, order: Sequence[DatasetImage], measured: int
) -> tuple[dict[str, list[str]], str]:
    """The own texts of the images in the order of drawing: the measured ones, and as many more as wrong ones take.

    A single prompt or class serves all images, without wrong ones.
    """
    own, rule = own_texts(given, order[: max(measured, options.wrong + 2)])
    plan = given.run.plan.texts
    only = [*plan.prompts, *(plan.templates[0].format(name) for name in plan.classes)]
    if not own and only:
        return {image.id: only[:1] for image in order[:measured]}, "the only text"
    return own, rule


def _told(name: str, given: Allotment) -> dict[str, Any]:
    info = METHODS[name]
    about = {"options": given.options, "images": given.images, "all": given.all}
    return {**about, "text_free": info.text_free, "deterministic": info.deterministic}


def _image(
    given: Subject,
    options: SanityOptions,
    copy: Randomised,
    image: DatasetImage,
    own: str,
    wrong: list[str],
    chosen: dict[str, Allotment],
    checked: _Checked,
) -> None:
    model = given.model
    pixels, geometry = model.preprocess([given.open(image)])
    texts = subject(pixels, own, wrong)
    with torch.no_grad():
        embedded = model.embed_texts([*texts.texts, *texts.more_texts])
        scores = (embedded @ model.embed_images(pixels).T)[:, 0].cpu().numpy()
    maps: dict[str, Maps] = {name: {} for name in chosen}
    for state in states(model, copy, texts, options, given.run.plan.seed):
        for name, allotment in chosen.items():
            # Without a map of the own text there is nothing to compare with.
            if not allotment.wants(state.name, METHODS[name]) or (state.name != "texts" and "texts" not in maps[name]):
                continue
            for problem in _explained(state, name, allotment, geometry, maps[name]):
                checked.problems.append([name, image.name, state.name, problem])
    about = {"image": image.id, "image_name": image.name, "text": own}
    roles = (*texts.roles, *texts.more_roles)
    for name, found in maps.items():
        if "texts" in found:
            for check, variant, value in sanity_checks.values(found, roles, scores, moved_share(pixels)):
                checked.rows.append({**about, "method": name, "check": check, "variant": variant, "value": value})


def _explained(state: State, name: str, allotment: Allotment, geometry: list[Geometry], found: Maps) -> Iterator[str]:
    """Adds the method's maps in this state to `found`; yields why there are none."""
    maps, problem = maps_of(state.work, name, geometry, allotment.options)
    if maps is None:
        yield problem
    else:
        found[state.name] = maps
