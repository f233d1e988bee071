"""Sanity checks of the planned methods: does a map change with the weights and the text, and with nothing else?

Each method explains the first pictures of the run in the states of `core.applications.sanity_states`. What it does
without an own picture, a text or within its budget is told in the record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from numpy.typing import NDArray

from core.applications import sanity_checks
from core.applications.information import own_texts, wrong_texts
from core.applications.planned import maps_of, maps_pictures
from core.applications.sanity_record import ABOUT, CHECKS, COLUMNS
from core.applications.sanity_states import Allotment, Allowance, State, allotted, moved_share, states, subject
from core.applications.stage import Subject, Tell
from core.datasets import Picture
from core.errors import ScopeError
from core.methods import METHODS
from core.methods.applications.sanity import SanityOptions
from core.models.geometry import Geometry
from core.models.randomised import Randomised

Maps = dict[str, NDArray[Any]]


@dataclass
class _Checked:
    """What is collected over pictures."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[list[str]] = field(default_factory=list)


def work(subject_: Subject, options: SanityOptions, out: Path, tell: Tell) -> None:
    """Check every planned method that maps pictures on this model; write `checks.parquet` and `about.json`.

    The model's weights are the same afterwards. Raises `InputError` if no method maps pictures or no picture has a
    text.
    """
    model, seed = subject_.model, subject_.run.plan.seed
    planned = {
        part.name: part.options for part in subject_.run.plan.methods if maps_pictures(part.name, model.capabilities)
    }
    if not planned:
        raise ScopeError("sanity needs a planned method that maps pictures on this model")
    own, rule = _own(subject_, options)
    pictures = [picture for picture in subject_.pictures if picture.id in own][: options.pictures]
    if not pictures:
        raise ScopeError("sanity needs a text: give captions, prompts or classes")
    wrong = wrong_texts(own, options.wrong, seed)
    sharing = sum(METHODS[name].cost(planned[name]).shared > 0 for name in planned)
    allowance = Allowance(options, len(pictures), 1 + 5 + options.wrong, sharing)
    chosen = {name: allotted(METHODS[name], planned[name], model, allowance) for name in planned}
    checked = _Checked()
    copy = Randomised(model)
    with model.meter.measuring() as spent:
        for at, picture in enumerate(pictures, start=1):
            tell(f"sanity checks: picture {at} of {len(pictures)}")
            mine = {name: given for name, given in chosen.items() if at <= given.pictures}
            _picture(subject_, options, copy, picture, own[picture.id][0], wrong[picture.id], mine, checked)
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "pictures": len(pictures),
        "pictures_left_out": len(subject_.pictures) - len(pictures),
        "own": rule,
        "wrong_texts": any(wrong.values()),
        "seeds": list(range(seed, seed + options.seeds)),
        "methods": {name: _told(name, given) for name, given in chosen.items()},
        "problems": checked.problems,
        "image_forwards": round(spent.image, 1),
        "text_forwards": round(spent.text, 1),
    }
    pd.DataFrame(checked.rows, columns=list(COLUMNS)).to_parquet(out / CHECKS, index=False)
    (out / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _own(given: Subject, options: SanityOptions) -> tuple[dict[str, list[str]], str]:
    """The own texts of the pictures, and of as many more as it takes to have wrong ones.

    A single prompt or class serves all pictures, without wrong ones.
    """
    own, rule = own_texts(given, max(options.pictures, options.wrong + 2))
    plan = given.run.plan.texts
    only = [*plan.prompts, *(plan.templates[0].format(name) for name in plan.classes)]
    if not own and only:
        return {picture.id: only[:1] for picture in given.pictures[: options.pictures]}, "the only text"
    return own, rule


def _told(name: str, given: Allotment) -> dict[str, Any]:
    info = METHODS[name]
    about = {"options": given.options, "pictures": given.pictures, "all": given.all}
    return {**about, "text_free": info.text_free, "deterministic": info.deterministic}


def _picture(
    given: Subject,
    options: SanityOptions,
    copy: Randomised,
    picture: Picture,
    own: str,
    wrong: list[str],
    chosen: dict[str, Allotment],
    checked: _Checked,
) -> None:
    model = given.model
    pixels, geometry = model.preprocess([given.open(picture)])
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
                checked.problems.append([name, picture.name, state.name, problem])
    about = {"image": picture.id, "image_name": picture.name, "text": own}
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
