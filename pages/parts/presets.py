"""The starting points of a new audit, each with its images, its cost and its time on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.applications.registry import APPLICATIONS
from core.audit import preview
from core.audit.cost import Estimate, estimate
from core.content.words import duration, plural
from core.datasets import Dataset
from core.errors import InputError
from core.extents import EXTENTS, Extent
from core.methods import METHODS
from core.models.listing import embedded_name
from core.request import AuditRequest, applications_at, methods_at, plan_of, trust_at
from core.runs import ModelSpec
from pages.parts import applications, methods, text_fields
from pages.parts.words import plain

# The name of a starting point that the next form begins with.
WANTED = "wanted_extent"
# In place of the texts where there is none yet, so that the cost can be said.
ANY_TEXT = "a text"


@dataclass(frozen=True)
class Subject:
    """What is audited: images, model and texts."""

    dataset: Dataset
    model: ModelSpec
    capabilities: Sequence[str] | None
    texts: dict[str, Any]


@dataclass(frozen=True)
class Chosen:
    """What the form has now, and how many of each input it gives applications."""

    effort: str
    images: int
    methods: Sequence[str]
    applications: Sequence[str]
    inputs: tuple[tuple[str, int], ...]


def count_key(dataset: Dataset) -> str:
    """The key of the number of images."""
    return f"count-{dataset.id}"


def wanted(dataset: Dataset) -> None:
    """Fill the form with the starting point that another page asked for, once."""
    extent = EXTENTS.get(st.session_state.pop(WANTED, ""))
    if extent is not None:
        take(extent, dataset)


def offer(box: Any, subject: Subject, chosen: Chosen) -> None:
    """A card for each starting point; its button fills the form."""
    with box:
        for column, extent in zip(st.columns(len(EXTENTS)), EXTENTS.values(), strict=True):
            with column, st.container(border=True, height="stretch"):
                _card(extent, subject, chosen)


def _card(extent: Extent, subject: Subject, chosen: Chosen) -> None:
    total = len(subject.dataset.images)
    count = extent.count(total)
    explained, analyses = contents(extent, subject, chosen)
    same = (chosen.effort, chosen.images, set(chosen.methods), set(chosen.applications)) == (
        extent.effort,
        count,
        set(explained),
        set(analyses),
    )
    expected = cost(extent, subject, explained, analyses)
    rough = "" if text_fields.has_text(subject.texts) else " with one text per image"
    st.markdown(f"**{extent.title}**{' :green-badge[selected]' if same else ''}")
    st.markdown(f"**{time_of(expected, subject.model)}**{rough}" if expected else "Time not known")
    st.caption(
        f"{images_of(count, total)} · {plural(len(explained), 'method')} · "
        f"{plural(len(analyses), 'analysis', 'analyses')}"
        + (f" · at most {expected.image_forwards:,.0f} image forward passes" if expected else "")
    )
    timed = expected is not None and expected.seconds is not None
    st.caption(plain(extent.summary if timed or not extent.untimed else f"{extent.summary} {extent.untimed}"))
    st.button(f"Use “{extent.title}”", key=f"preset-{extent.name}", on_click=take, args=(extent, subject.dataset))


def contents(extent: Extent, subject: Subject, chosen: Chosen) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The methods and the applications of a starting point that this model and these inputs serve."""
    usable = [name for name, info in METHODS.items() if methods.blocked_by(info, subject.capabilities) is None]
    explained, inputs = extent.methods(usable), dict(chosen.inputs)
    inputs["maps"] = max(inputs["maps"], len(explained))
    analyses = tuple(
        name
        for name in extent.applications(len(subject.dataset.images))
        if applications.unavailable(APPLICATIONS[name].card, subject.capabilities, inputs) is None
    )
    return explained, analyses


def cost(extent: Extent, subject: Subject, explained: Sequence[str], analyses: Sequence[str]) -> Estimate | None:
    """What it would cost, with one text per image where there is none yet; None where the parts make no plan."""
    texts = subject.texts if text_fields.has_text(subject.texts) else {**subject.texts, "prompts": (ANY_TEXT,)}
    try:
        request = AuditRequest.build(
            out=Path("unused"),
            dataset=subject.dataset.root,
            model=subject.model,
            texts=texts,
            methods=methods_at(extent.effort, explained),
            applications=applications_at(extent.effort, analyses),
            trust=trust_at(extent.effort),
            limit=extent.count(len(subject.dataset.images)),
        )
        return estimate(plan_of(request, subject.dataset), subject.dataset, subject.capabilities)
    except InputError:
        return None


def images_of(count: int, total: int) -> str:
    """How many images of a dataset are audited, and how a part of them is chosen."""
    if count >= total:
        return plural(total, "image")
    return f"{count:,} of {plural(total, 'image')}, drawn at random"


def time_of(expected: Estimate, model: ModelSpec) -> str:
    """The estimated time in words, or when it will be known."""
    if expected.seconds is not None:
        return f"About {duration(expected.seconds)}"
    state = preview.preview(model).state
    if is_bundled(model) and state in ("none", "running"):
        return "Time known in a few seconds"
    return "Time known during the audit" if state in ("done", "failed") else "Time known once the model is recognised"


def is_bundled(model: ModelSpec) -> bool:
    """Whether a model comes with Loupe, so that it is timed without being asked for."""
    return bool(embedded_name(model.name)) and not (model.pretrained or model.weights)


def take(extent: Extent, dataset: Dataset) -> None:
    """Fill the form with a starting point; before its fields are drawn."""
    state = st.session_state
    state["effort"] = extent.effort
    state[count_key(dataset)] = extent.count(len(dataset.images))
    included = extent.methods(METHODS)
    for name in METHODS:
        state[f"method-{name}"] = name in included
    wanted = extent.applications(len(dataset.images))
    for name in APPLICATIONS:
        state[f"application-{name}"] = name in wanted
