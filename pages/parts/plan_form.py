"""The form of a new audit: model, texts, methods, trust, what is declared. Gives a validated plan."""

from __future__ import annotations

import os
from typing import Any

import streamlit as st

from core.datasets import Dataset, read_texts
from core.methods.presets import EFFORTS, Effort
from core.models.listing import architectures, embedded_models
from core.runs import AGAIN, Declared, ModelSpec, Plan, TextPlan, TrustPlan, make_plan
from core.settings import runs_folder
from pages.parts import applications, methods, sample
from pages.parts.capabilities import capability_table
from pages.parts.words import plain, tab

MODEL_KINDS = {"embedded": "Comes with Loupe", "open_clip": "open_clip name and tag", "files": "My own weights"}
REMOVALS = {
    "auto": "left out where the model allows it, otherwise its mean colour",
    "mean": "the model's mean colour",
    "black": "black",
    "blur": "a blurred picture",
}


def plan_form(dataset: Dataset) -> Plan:
    """The form. Raises `InputError` if what is chosen makes no plan."""
    st.header("1 · Model", anchor=False)
    model, capabilities = _model()
    st.header("2 · Texts", anchor=False)
    texts = _texts(dataset)
    st.header("3 · Methods", anchor=False)
    names = methods.choose(capabilities)
    with st.expander("Which method runs on which kind of model"):
        capability_table()
    effort = methods.effort()
    planned = methods.options(names, effort)
    st.header("4 · Concepts, regions and uses", anchor=False)
    uses = applications.choose(capabilities, effort)
    st.header("5 · Scope and trust", anchor=False)
    images, trust, seed = _scope(dataset, EFFORTS[effort])
    st.header("6 · What you declare", anchor=False)
    declared = _declared()
    return make_plan(
        dataset=dataset.id,
        # From a run's folder, so that the workspace can be moved, and no plan tells where it lies.
        dataset_root=os.path.relpath(dataset.root.resolve(), (runs_folder() / "run").resolve()),
        images=images,
        model=model,
        texts=texts,
        methods=planned,
        applications=uses,
        trust=trust,
        seed=seed,
        declared=declared,
    )


def _model() -> tuple[ModelSpec, tuple[str, ...] | None]:
    kind = st.segmented_control(
        "Where the model comes from",
        list(MODEL_KINDS),
        default="embedded",
        required=True,
        format_func=lambda kind: tab(MODEL_KINDS[kind]),
        key="model_kind",
        persist_state="session",
    )
    if kind == "embedded":
        known = {model.name: model for model in embedded_models()}
        name = st.selectbox(
            "Model", list(known), format_func=lambda name: known[name].title, key="model", persist_state="session"
        )
        if name is None:
            st.caption("No embedded model in this installation.")
            return ModelSpec(), None
        st.caption(plain(known[name].summary))
        return ModelSpec(name=name), known[name].capabilities
    left, right = st.columns(2)
    if kind == "open_clip":
        found = architectures()
        at = found.index("ViT-B-32") if "ViT-B-32" in found else 0
        with left:
            name = st.selectbox("Architecture", found, index=at, key="architecture", persist_state="session")
        tag = right.text_input("Pretrained tag", value="laion2b_s34b_b79k", key="tag", persist_state="session")
        st.caption("Weights are read from the local cache, or fetched once by the worker if it may use the network.")
        return ModelSpec(name=name or "ViT-B-32", pretrained=tag.strip() or None), None
    config = left.text_input(
        "Configuration file on this machine", placeholder="/models/config.json", key="config", persist_state="session"
    )
    weights = right.text_input(
        "Weights on this machine", placeholder="/models/weights.safetensors", key="weights", persist_state="session"
    )
    st.caption("An open_clip configuration with .safetensors, or a state dict read without running code from it.")
    return ModelSpec(name=config.strip() or "config.json", weights=weights.strip() or "weights.safetensors"), None


def _texts(dataset: Dataset) -> TextPlan:
    with_captions = sum(bool(picture.captions) for picture in dataset.pictures)
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        captions = st.toggle(
            f"Explain with each picture's own captions ({with_captions} of {len(dataset.pictures)} pictures have one)",
            wrap=True,
            value=with_captions > 0,
            disabled=with_captions == 0,
            key=f"captions-{dataset.id}",
            persist_state="session",
        )
    with right:
        each = st.number_input("Captions a picture", 1, 10, 1, key="captions_each", persist_state="session")
    left, right = st.columns(2)
    with left:
        prompts = _list(dataset, "prompts", "Prompts, used for every picture, one a line")
    with right:
        classes = _list(dataset, "classes", "Classes, of which the best are explained, one a line")
    with left:
        templates = st.text_area(
            "Templates for classes, one a line, with {} for the class",
            value="a photo of a {}.",
            height=90,
            key="templates",
            persist_state="session",
        )
    with right:
        top = st.number_input("Best classes explained a picture", 0, 20, 1, key="top_classes", persist_state="session")
    parts: dict[str, Any] = {
        "captions": captions and with_captions > 0,
        "captions_each": each,
        "prompts": prompts,
        "classes": classes,
        "templates": read_texts(templates) or ("{}",),
        "top_classes": top,
    }
    return parts  # type: ignore[return-value]  # validated by make_plan, which names the part that is wrong


def _list(dataset: Dataset, kind: str, label: str) -> tuple[str, ...]:
    suggested = sample.texts(kind) if dataset.name == sample.NAME else ()
    typed = st.text_area(
        label, value="\n".join(suggested), height=140, key=f"{kind}-{dataset.id}", persist_state="session"
    )
    given = st.file_uploader(
        f"… or a file of {kind} (TXT, CSV)", type=["txt", "csv", "tsv"], key=f"{kind}-file", max_upload_size=5
    )
    found = read_texts(typed)
    if given is not None:
        found = tuple(dict.fromkeys((*found, *read_texts(given.getvalue(), name=given.name))))
        st.caption(f"{len(found)} {kind} with those of the file.")
    return found


def _scope(dataset: Dataset, effort: Effort) -> tuple[tuple[str, ...], dict[str, Any], int]:
    one, two, three = st.columns(3)
    count = len(dataset.pictures)
    wanted = one.number_input(
        "Pictures",
        1,
        count,
        count,
        help="Fewer than all: spread evenly over the pictures in the order of their names.",
        key=f"count-{dataset.id}",
        persist_state="session",
    )
    steps = two.number_input(
        "Steps of a curve", 2, 64, effort.steps, key=f"steps-{effort.steps}", persist_state="session"
    )
    seed = three.number_input("Seed", 0, 2**31 - 1, 0, key="seed", persist_state="session")
    left, right = st.columns(2, vertical_alignment="bottom")
    curves = left.toggle(
        "Test each map by deletion and insertion against random, centre and edge maps",
        wrap=True,
        value=True,
        key="curves",
        persist_state="session",
    )
    removal = right.selectbox(
        "What a removed place becomes",
        list(REMOVALS),
        format_func=REMOVALS.__getitem__,
        disabled=not curves,
        key="removal",
        persist_state="session",
    )
    again = st.multiselect(
        "Test each map once more with places hidden otherwise",
        list(AGAIN),
        default=list(effort.again),
        format_func=AGAIN.__getitem__,
        disabled=not curves,
        help="Shows whether the order of the methods hangs on how places are hidden. Each step is a whole forward.",
        key=f"again-{'-'.join(effort.again)}",
        persist_state="session",
    )
    images = tuple(dataset.pictures[at * count // int(wanted)].id for at in range(int(wanted)))
    trust = TrustPlan(curves=curves, steps=steps, removal=removal, again=tuple(again))
    return images, trust.model_dump(), int(seed)


def _declared() -> dict[str, str]:
    st.caption("Printed in the report as declared; nobody checks it.")
    default = Declared()
    title = st.text_input("Title", value=default.title, max_chars=120, key="title", persist_state="session")
    left, right = st.columns(2)
    values = {"title": title.strip() or default.title}
    fields = (
        (left, "purpose", "Purpose of the model in use"),
        (right, "provenance", "Where the pictures come from"),
        (left, "preparer", "Prepared by"),
        (right, "reviewer", "Reviewed by"),
        (left, "licence", "Licence of the pictures"),
        (right, "confidentiality", "Confidentiality"),
    )
    for column, name, label in fields:
        value = getattr(default, name)
        values[name] = column.text_input(label, value=value, max_chars=400, key=name, persist_state="session").strip()
    return values
