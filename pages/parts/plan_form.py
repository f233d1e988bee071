"""The form of a new audit: model and starting point first, every detail in a folded section. Returns a request."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from core.content.words import plural
from core.datasets import Dataset
from core.errors import InputError
from core.extents import DEFAULT_EXTENT, EXTENTS, inputs_of
from core.methods.presets import EFFORTS, Effort
from core.request import AuditRequest
from core.runs import AGAIN, Declared, ModelSpec
from pages.parts import again, applications, audit_name, declared, identity, methods, model_choice, presets, text_fields
from pages.parts.capabilities import capability_table
from pages.parts.fields import Fields, section
from pages.parts.words import plain

REMOVALS = {
    "auto": "dropped where the model allows it, otherwise the mean colour",
    "mean": "the model's mean colour",
    "black": "black",
    "blur": "a blurred image",
}


@dataclass
class Draft:
    """What the form says so far: the model and what it offers, the request, or why there is none yet."""

    model: ModelSpec = field(default_factory=ModelSpec)
    capabilities: Sequence[str] | None = None
    request: AuditRequest | None = None
    problem: str = ""
    workers: int = 0
    name: str = ""
    predecessor: again.Predecessor | None = None


def plan_form(dataset: Dataset, out: Path) -> Draft:
    """The form; the run goes to `out`."""
    draft = Draft()
    presets.wanted(dataset)
    again.wanted(dataset)
    draft.predecessor = again.predecessor(dataset)
    draft.name = audit_name.ask(dataset, draft.predecessor.run if draft.predecessor else None)
    draft.model, draft.capabilities, waiting = model_choice.choose(dataset)
    text_fields.unfold_once(dataset)
    box, fields = section("Texts", "texts")
    offers, notes = st.container(), st.container()
    try:
        with box:
            texts = text_fields.choose(dataset, fields)
        draft.request = _sections(dataset, out, draft, texts, offers, notes)
    except InputError as error:
        draft.problem = str(error)
    if waiting is not None:
        draft.request, draft.problem = None, waiting
    return draft


def _sections(
    dataset: Dataset, out: Path, draft: Draft, texts: dict[str, Any], offers: Any, notes: Any
) -> AuditRequest:
    capabilities = draft.capabilities
    st.header("Details", anchor=False)
    st.caption("Every choice of the preset can be changed here.")
    model_choice.details(draft.model)
    box, fields = section("Methods", "methods")
    with box:
        effort = methods.effort(fields)
        names = methods.choose(capabilities, fields)
        explained = methods.plans(names, effort, fields)
    box, fields = section("Methods by kind of model", "kinds")
    if fields.shown:
        with box:
            capability_table()
    box, fields = section("Declared concepts", "declared")
    with box:
        concepts, problem = declared.choose(dataset, texts, fields)
    box, fields = section("Dataset analyses", "analyses")
    inputs = inputs_of(texts, dataset, explained, capabilities)
    with box:
        chosen = applications.choose(capabilities, effort, inputs, fields, concepts)
    box, fields = section("Images, seed and tests of the maps", "scope")
    with box:
        scope = _scope(dataset, EFFORTS[effort], fields)
        draft.workers = _workers(fields)
    box, fields = section("Declarations for the report", "declarations")
    with box:
        declarations = _declared(fields, draft.name)
    if chosen.blocked:
        lines = "".join(f"\n- {plain(title)}: {plain(reason)}" for title, reason in chosen.blocked.items())
        with notes, st.expander(f"{plural(len(chosen.blocked), 'analysis', 'analyses')} cannot run in this audit"):
            st.markdown(lines)
    presets.offer(
        offers,
        presets.Subject(dataset, draft.model, capabilities, texts),
        presets.Chosen(effort, scope["limit"], names, [part.name for part in chosen.plans], tuple(inputs.items())),
    )
    if problem is not None:
        raise problem
    if not (explained or chosen.plans):
        raise InputError("choose at least one method or one analysis")
    parts = {"model": draft.model, "texts": texts, "methods": explained, "applications": chosen.plans, **scope}
    return AuditRequest.build(
        out=out, dataset=dataset.root, declared=declarations, **again.parts(draft.predecessor, dataset, parts)
    )


def _scope(dataset: Dataset, effort: Effort, fields: Fields) -> dict[str, Any]:
    one, two, three = fields.columns(3)
    count = len(dataset.images)
    wanted = fields.ask(
        "number_input",
        "Images",
        presets.count_key(dataset),
        EXTENTS[DEFAULT_EXTENT].count(count),
        1,
        count,
        where=one,
        help="A smaller number is drawn at random, by the seed, from each class and each group of the metadata.",
    )
    steps = fields.ask("number_input", "Steps per curve", f"steps-{effort.steps}", effort.steps, 2, 64, where=two)
    seed = fields.ask("number_input", "Seed", "seed", 0, 0, 2**31 - 1, where=three)
    left, right = fields.columns(2)
    curves = fields.ask(
        "toggle",
        "Test each map by deletion and insertion against random, centre and edge maps",
        "curves",
        True,
        where=left,
        wrap=True,
    )
    removal = fields.ask(
        "selectbox",
        "Removed patches become",
        "removal",
        "auto",
        list(REMOVALS),
        where=right,
        format_func=REMOVALS.__getitem__,
        disabled=not curves,
    )
    again = fields.ask(
        "multiselect",
        "Repeat the test with other removals",
        f"again-{'-'.join(effort.again)}",
        list(effort.again),
        list(AGAIN),
        format_func=AGAIN.__getitem__,
        disabled=not curves,
        help="Shows whether the ranking of the methods depends on the removal. Each step costs one forward pass.",
    )
    trust = {
        "curves": curves,
        "steps": steps,
        "coalitions": effort.coalitions,
        "removal": removal,
        "again": tuple(again),
    }
    return {"limit": int(wanted), "trust": trust, "seed": int(seed)}


def _workers(fields: Fields) -> int:
    """The processes that compute the maps; 0 for one that uses all cores."""
    most = os.cpu_count() or 1
    if most == 1:
        return 0
    help = (
        "1: one process that uses all cores. More: so many processes at the same time, each with its own model and one "
        "core; faster with many images, at the cost of memory."
    )
    wanted = int(fields.ask("number_input", "Worker processes", "workers", 1, 1, most, help=help))
    return wanted if wanted > 1 else 0


def _declared(fields: Fields, name: str) -> dict[str, str]:
    fields.caption("Printed in the report as declared, not verified.")
    default = Declared()
    who = identity.actor()
    preparer = who.name if who.verified else ""
    title = fields.ask("text_input", "Title of the report", "title", "", max_chars=120, placeholder=name)
    left, right = fields.columns(2)
    values = {"title": title.strip() or name}
    for where, part, label in (
        (left, "purpose", "Intended use of the model"),
        (right, "provenance", "Provenance of the images"),
        (left, "preparer", "Prepared by"),
        (right, "reviewer", "Reviewed by"),
        (left, "licence", "Licence of the images"),
        (right, "confidentiality", "Confidentiality"),
    ):
        known = preparer if part == "preparer" else getattr(default, part)
        value = fields.ask("text_input", label, part, known, where=where, max_chars=400)
        values[part] = value.strip()
    return values
