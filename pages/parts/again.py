"""An earlier audit as the start of a new one: the form is filled with its plan, and what no longer exists is named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from core.applications.registry import APPLICATIONS
from core.datasets import Dataset
from core.methods import METHODS, method_info
from core.methods.presets import EFFORTS
from core.models.listing import architecture_table, embedded_name
from core.models.places import models_below
from core.models.uploads import uploaded
from core.replanning import earlier_plan
from core.request import REFERENCE, THRESHOLDS, trust_at
from core.runs import Declared, ModelSpec, Plan, Run
from core.runs.shelf import listed_run, shelf_id
from pages.parts import identity, options, state
from pages.parts.words import plain

WANTED, SUBJECT, KEPT, ADDED = "wanted_plan", "earlier_audit", "earlier_thresholds", "wanted_analysis"
# What the form asks for; a plan of the command line may have more.
_ASKED = ("curves", "steps", "removal", "again")
FORM = "pages/audit.py"


@dataclass(frozen=True)
class Predecessor:
    """The audit from which a new one was planned."""

    run: Run
    plan: Plan

    @property
    def thresholds(self) -> Path | None:
        """Its own thresholds file, where it has one."""
        path = self.run.folder / THRESHOLDS
        return path if path.is_file() else None

    @property
    def has_reference(self) -> bool:
        """Whether it compares its images with others, which lie in its folder."""
        return (self.run.folder / REFERENCE).is_dir()


def edit(run: Run, adding: str = "") -> None:
    """Open the form of a new audit with the plan of a run, and with the application `adding` where one is named.

    Raises `RunError` if nothing of it can be repeated.
    """
    found = earlier_plan(run)
    stored = next((one for one in state.stored_datasets() if one.id == found.plan.dataset), None)
    if stored is not None:
        state.show_dataset(stored.id)
    st.session_state[WANTED] = shelf_id(run)
    st.session_state[ADDED] = adding
    st.session_state["wanted_view"] = "new"
    st.switch_page(FORM)


def without_dataset() -> None:
    """Say which audit was to be planned again where this workspace has no dataset at all."""
    run = listed_run(st.session_state.get(WANTED, ""))
    if run is not None:
        st.warning(plain(_gone(earlier_plan(run).plan)), icon=":material/link_off:")


def _gone(plan: Plan) -> str:
    return f"The dataset {plan.dataset[:8]} of that audit no longer exists here; choose another one."


def wanted(dataset: Dataset) -> None:
    """Fill the form with the plan that was asked for, once; before its fields are drawn."""
    key = st.session_state.pop(WANTED, None)
    run = None if key is None else listed_run(key)
    if run is None:
        return
    found = earlier_plan(run)
    lacks = [*found.lacks, *_fill(found.plan, dataset)]
    if added := st.session_state.pop(ADDED, ""):
        st.session_state[f"application-{added}"] = True
    st.session_state[SUBJECT] = (key, lacks)
    st.session_state[KEPT] = True


def predecessor(dataset: Dataset) -> Predecessor | None:
    """The audit from which the form was filled, shown with what no longer exists of it; None if there is none."""
    key, lacks = st.session_state.get(SUBJECT, (None, ()))
    run = None if key is None else listed_run(key)
    if run is None:
        return None
    found = Predecessor(run, earlier_plan(run).plan)
    with st.container(border=True):
        st.markdown(f"**Planned from {plain(state.run_label(run))}**")
        for line in lacks:
            st.warning(plain(line), icon=":material/link_off:")
        if found.thresholds is not None:
            st.checkbox("Judge by the thresholds file of that audit", key=KEPT, persist_state="session")
        if found.has_reference:
            st.caption("Its reference images are used again.")
        if st.button("Plan an audit without it", icon=":material/close:"):
            forget()
            st.rerun()
    return found


def forget() -> None:
    """The next new audit is planned from none."""
    st.session_state.pop(SUBJECT, None)


def parts(found: Predecessor | None, dataset: Dataset, given: dict[str, Any]) -> dict[str, Any]:
    """The parts of a request by the form, with what it takes over beyond its fields.

    That is the thresholds, the order of methods and analyses, another name of the same model, and the very same images
    where the dataset, their number and the seed are those of the earlier plan.
    """
    if found is None:
        return given
    given = dict(given)
    names = {
        "methods": [part.name for part in found.plan.methods],
        "applications": [part.name for part in found.plan.applications],
    }
    for name, before in names.items():
        order = {each: at for at, each in enumerate(before)}
        given[name] = tuple(sorted(given[name], key=lambda part: order.get(part.name, len(order))))
    if given["model"] == found.plan.model.model_copy(update={"name": embedded_name(found.plan.model.name)}):
        given["model"] = found.plan.model
    if found.thresholds is not None and st.session_state.get(KEPT, True):
        given["thresholds"] = found.thresholds
    if (level := found.run.manifest.get("fail_on")) in ("low", "medium", "high"):
        given["fail_on"] = level
    same = (dataset.id, given["limit"], given["seed"]) == (
        found.plan.dataset,
        len(found.plan.images),
        found.plan.seed,
    )
    if same:
        # Files that options name may be others now, so that their hashes are taken again.
        given["repeats"] = found.plan.model_copy(update={"files": {}})
    return given


def _fill(plan: Plan, dataset: Dataset) -> list[str]:
    """Set every field of the form; returns a line about each value that the form cannot have."""
    lacks = []
    if dataset.id != plan.dataset:
        lacks.append(_gone(plan))
    lacks += _model(plan.model)
    _texts(plan, dataset)
    effort = _effort(plan)
    set_ = st.session_state.__setitem__
    set_("effort", effort)
    methods = {part.name: part.options for part in plan.methods}
    for name, info in METHODS.items():
        set_(f"method-{name}", name in methods)
        if name in methods:
            options.fill(info, effort, methods[name])
    analyses = {part.name: part.options for part in plan.applications}
    for name, application in APPLICATIONS.items():
        card = application.card
        set_(f"application-{name}", name in analyses)
        if name in analyses:
            options.fill(card, effort, {key: v for key, v in analyses[name].items() if key not in card.declared})
    lines = {line for name, given in analyses.items() for line in _declared(name, given)}
    set_(f"declared-concepts-{dataset.id}", "\n".join(sorted(lines)))
    count = min(len(plan.images), len(dataset.images))
    set_(f"count-{dataset.id}", count)
    trust = plan.trust
    set_("curves", trust.curves)
    set_(f"steps-{EFFORTS[effort].steps}", trust.steps)
    set_("removal", trust.removal if trust.removal != "drop" else "auto")
    set_(f"again-{'-'.join(EFFORTS[effort].again)}", list(trust.again))
    usual = trust_at(effort, **{name: getattr(trust, name) for name in _ASKED})
    if trust.removal == "drop" or trust.model_dump(exclude={"resamples"}) != usual.model_dump(exclude={"resamples"}):
        lacks.append("Tests of the maps that only the command line can set take their usual values.")
    if plan.seed < 2**31:
        set_("seed", plan.seed)
    else:
        lacks.append(f"The seed {plan.seed} is larger than the form accepts; 0 is used.")
        set_("seed", 0)
    for name in Declared.model_fields:
        set_(name, getattr(plan.declared, name))
    # Whoever plans this audit prepares it, whoever prepared the other.
    who = identity.actor()
    set_("preparer", who.name if who.verified else plan.declared.preparer)
    return lacks


def _texts(plan: Plan, dataset: Dataset) -> None:
    texts = plan.texts
    for key, value in {
        f"captions-{dataset.id}": texts.captions and any(image.captions for image in dataset.images),
        "captions_each": texts.captions_each,
        "prompt_sets": [],
        f"prompts-{dataset.id}": "\n".join(texts.prompts),
        f"classes-{dataset.id}": "\n".join(texts.classes),
        "templates": "\n".join(texts.templates),
        "top_classes": texts.top_classes,
    }.items():
        st.session_state[key] = value


def _model(spec: ModelSpec) -> list[str]:
    """Choose the model; a line if it can no longer be chosen."""
    chosen: dict[str, Any] = {}
    own = embedded_name(spec.name)
    table = architecture_table()
    place = uploaded(spec.name)
    if own is not None and not (spec.pretrained or spec.weights):
        chosen = {"model_kind": "embedded", "model": own}
    elif spec.name in table and spec.pretrained in table[spec.name].tags and not spec.weights:
        chosen = {"model_kind": "open_clip", "architecture": spec.name, f"tag-{spec.name}": spec.pretrained}
    elif place is not None and place.exists():
        is_table = place.is_file()
        chosen = {
            "model_kind": "table" if is_table else "upload",
            "uploaded_table" if is_table else "uploaded_model": spec.name,
        }
    elif spec.name in map(str, models_below()):
        weights = "as usual" if spec.weights is None else Path(spec.weights).name
        chosen = {"model_kind": "folder", "model_folder": spec.name, f"weights-{spec.name}": weights}
    if not chosen:
        return [f"The model {spec.title} cannot be chosen here; choose another one."]
    st.session_state.update(chosen)
    return [] if spec.device == "auto" else [f"The device {spec.device} is chosen on the command line only."]


def _effort(plan: Plan) -> str:
    """The effort whose presets fit the plan best: a plan records the options, not the effort."""

    def fit(name: str) -> int:
        effort = EFFORTS[name]
        same = sum(part.options == effort.of(method_info(part.name).name) for part in plan.methods)
        return same + sum(
            getattr(plan.trust, name) == getattr(effort, name) for name in ("steps", "coalitions", "again")
        )

    return max(EFFORTS, key=fit)


def _declared(name: str, given: dict[str, Any]) -> Iterable[str]:
    """The lines of declared concepts in the options of an analysis."""
    for key in APPLICATIONS[name].card.declared:
        value = given.get(key, ())
        yield from (value,) if isinstance(value, str) else map(str, value or ())
