"""The choice of a model, or of a table in its place, and what was recognised of it before the audit starts."""

from __future__ import annotations

import streamlit as st

from core.audit import preview
from core.content.recognition import recognition_lines
from core.datasets import Dataset
from core.errors import InputError, ModelError
from core.models.listing import architecture_table, embedded_models
from core.models.places import allowed, models_below
from core.runs import ModelSpec
from core.settings import model_folders
from core.storage import without_folders
from pages.parts import entry
from pages.parts.fields import section
from pages.parts.model_upload import upload_model, upload_table
from pages.parts.words import plain, problems_shown, tab

KINDS = {
    "embedded": "Bundled model",
    "open_clip": "open_clip's list",
    "folder": "A folder on the server",
    "upload": "Upload a model",
    "table": "Stored embeddings or scores",
}
PAGE = "pages/audit.py"
EVERY = 1.0  # seconds between two looks at a process that loads a model
USUAL, USUAL_TAG = "ViT-B-32", "laion2b_s34b_b79k"


def choose(dataset: Dataset | None, key: str = "model_kind") -> tuple[ModelSpec, tuple[str, ...] | None, str | None]:
    """The chosen model, what it offers methods (None: not known yet), and why an audit cannot start (None: it can).

    A table of stored values is offered for the images of a dataset. `key` is the field of the source of the model.
    """
    # Set here and not as the field's own default: an earlier audit writes the same keys.
    st.session_state.setdefault(key, "embedded")
    kind = st.segmented_control(
        "Source of the model",
        [kind for kind in KINDS if kind != "table" or dataset is not None],
        required=True,
        format_func=lambda kind: tab(KINDS[kind]),
        key=key,
        persist_state="session",
    )
    if kind == "embedded":
        return _embedded()
    if kind == "open_clip":
        spec = _listed()
        capabilities, _ = _recognition(spec, at_once=False)
        return spec, capabilities, None
    try:
        found = _folder() if kind == "folder" else upload_model() if kind == "upload" else _table(dataset)
    except (InputError, ModelError) as error:
        st.error(plain(without_folders(str(error))), icon=":material/error:")
        found = None
    if found is None:
        return ModelSpec(), None, "choose or upload a model or a table first"
    capabilities, problem = _recognition(found, at_once=True)
    return found, capabilities, problem


def _table(dataset: Dataset | None) -> ModelSpec | None:
    return None if dataset is None else upload_table(dataset)


def _embedded() -> tuple[ModelSpec, tuple[str, ...] | None, str | None]:
    known = {model.name: model for model in embedded_models()}
    name = st.selectbox(
        "Model", list(known), format_func=lambda name: known[name].title, key="model", persist_state="session"
    )
    if name is None:
        return ModelSpec(), None, "this installation has no bundled model"
    st.caption(plain(f"{known[name].summary} Its id, for the command line: {name}."))
    return ModelSpec(name=name), known[name].capabilities, None


def details(spec: ModelSpec) -> None:
    """A folded section that says what is recognised of a bundled model; of any other it is said with the choice."""
    if st.session_state.get("model_kind") != "embedded":
        return
    box, fields = section("What Loupe detected about this model", "recognised")
    if fields.shown:
        with box:
            _recognition(spec, at_once=False)


def _listed() -> ModelSpec:
    table = architecture_table()
    names = list(table)
    st.session_state.setdefault("architecture", USUAL if USUAL in names else names[0])
    left, right = st.columns(2)
    with left:
        name = st.selectbox(
            "Architecture (type to search)",
            names,
            format_func=lambda name: f"{name} · {table[name].size}",
            key="architecture",
            persist_state="session",
        )
    row = table[name or names[0]]
    if row.tags:
        st.session_state.setdefault(f"tag-{row.name}", USUAL_TAG if USUAL_TAG in row.tags else row.tags[0])
    with right:
        tag = st.selectbox(
            "Pretrained weights",
            row.tags,
            key=f"tag-{row.name}",
            persist_state="session",
        )
    st.caption(
        plain(
            f"{row.size}, texts of at most {row.context} tokens. Weights are read from the local cache; they are "
            "downloaded once if the server may use the network."
        )
    )
    return ModelSpec(name=row.name, pretrained=tag)


def _folder() -> ModelSpec | None:
    if not model_folders():
        st.info("The operator of this server has not allowed a folder with models (LOUPE_MODELS).")
        return None
    names = [str(path) for path in models_below()]
    if not names:
        st.info("The folders that the operator of this server allows hold no model.")
        return None
    left, right = st.columns(2)
    with left:
        name = st.selectbox("Folder of the model (type to search)", names, key="model_folder", persist_state="session")
    if name is None:
        return None
    path = allowed(name)
    files = ["as usual", *sorted(file.name for file in path.iterdir() if file.suffix in (".safetensors", ".pt"))]
    with right:
        weights = st.selectbox("Weights", files, key=f"weights-{name}", persist_state="session")
    return ModelSpec(name=str(path), weights=None if weights in (None, files[0]) else str(allowed(path) / weights))


# -- what was recognised -----------------------------------------------------------------------------------------


def _recognition(spec: ModelSpec, *, at_once: bool) -> tuple[tuple[str, ...] | None, str | None]:
    """What was recognised, shown; capabilities if they are known, and why an audit cannot start yet.

    With `at_once` the model is loaded without being asked; otherwise a button does it.
    """
    found = preview.preview(spec)
    if found.state == "none" and not at_once and not st.button("Show what Loupe detects", icon=":material/search:"):
        return None, None
    if found.state == "none":
        with problems_shown():
            preview.begin(spec)
        found = preview.preview(spec)
    if found.state == "running":
        st.fragment(_watch, run_every=EVERY)(spec, st.session_state.get("page_shown", PAGE))
        return None, "wait until the model has been recognised"
    if found.state == "failed":
        st.error(plain(f"This model cannot be used: {found.error}"), icon=":material/error:")
        if st.button("Try again", icon=":material/refresh:"):
            preview.forget(spec)
            st.rerun()
        return None, "the chosen model cannot be used"
    if found.state == "none":
        return None, "wait until the model has been recognised"
    _show(found)
    return tuple(found.data["model"]["capabilities"]), None


def _watch(spec: ModelSpec, page: str) -> None:
    if preview.preview(spec).state != "running":
        entry.run_again(page)
        return
    with st.container(border=True):
        st.markdown("**Loading the model to see what it is …**")
        if st.button("Cancel", key="cancel_preview", icon=":material/cancel:"):
            preview.cancel(spec)


def _show(found: preview.Preview) -> None:
    with st.container(border=True):
        st.markdown("**Recognised**")
        lines = [f"| {plain(label)} | {plain(value)} |" for label, value in recognition_lines(found.data["model"])]
        st.markdown("\n".join(["| property | value |", "| --- | --- |", *lines]))
        lacking = [
            *((f"{entry['title']}, {entry['side']} side", entry["reason"]) for entry in found.data["not_run"]),
            *((entry["title"], entry["reason"]) for entry in found.data["applications_not_run"]),
        ]
        if not lacking:
            st.markdown("Every method and every analysis can run on this model.")
            return
        reasons: dict[str, list[str]] = {}
        for title, reason in lacking:
            reasons.setdefault(reason, []).append(title)
        st.markdown("**Cannot run on this model**")
        st.markdown("\n".join(f"- {plain('; '.join(titles))}: {plain(why)}" for why, titles in reasons.items()))
