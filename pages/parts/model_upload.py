"""Uploads of a model's files, or of a table that stands in for a model."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.characters import brief
from core.datasets import Dataset
from core.errors import InputError
from core.models.stored_file import ENDINGS as TABLES
from core.models.stored_file import read_stored, rows_by_name, without_row
from core.models.uploads import ENDINGS, store_table, store_upload, sweep_uploads, uploaded
from core.runs import ModelSpec, list_runs
from core.runs.shelf import shelf, trash_folder
from core.settings import LIMITS, upload_megabytes
from pages.parts import identity
from pages.parts.words import LONGEST, plain

KIND_TITLES = {"embeddings": "Embeddings", "scores": "Scores"}
_LISTED = 12


def upload_model() -> ModelSpec | None:
    """The model whose files were uploaded. Raises `InputError` in one line for files that are not one."""
    most = upload_megabytes()
    if not most:
        _refuse()
        return None
    with st.form("model-upload", border=True):
        files = st.file_uploader(
            "The files of one model: configuration, safetensors or two ONNX towers, tokenizer, preprocessing",
            type=list(ENDINGS),
            accept_multiple_files=True,
            key="model_files",
            max_upload_size=most,
        )
        title = st.text_input("Name of the model in the report", max_chars=60, key="model_title")
        st.caption(
            "The files of a folder of transformers or open_clip, or visual.onnx and textual.onnx with the "
            f"configuration, preprocessing and tokenizer files of the model they were exported from; {most:,} MB at "
            "most together. They are data: no code in them is run. They stay on the server for as long as an audit "
            "names them."
        )
        if identity.button("Upload this model", identity.UPLOAD, form=True, icon=":material/upload:"):
            _sweep()
            with st.spinner("Storing the upload …"):
                st.session_state["uploaded_model"] = str(
                    store_upload([(file.name, file) for file in files or ()], title)
                )
    return _spec(st.session_state.get("uploaded_model"))


def upload_table(dataset: Dataset) -> ModelSpec | None:
    """The table that was uploaded in the place of a model.

    Raises `InputError` in one line if it cannot be used for the images of `dataset`.
    """
    if not upload_megabytes():
        _refuse()
        return None
    with st.form("table-upload", border=True):
        kind = st.radio(
            "The table contains", list(KIND_TITLES), format_func=KIND_TITLES.__getitem__, horizontal=True,
            key="table_kind",
        )  # fmt: skip
        file = st.file_uploader(
            "One table (CSV, Parquet or .npz)",
            type=[ending.removeprefix(".") for ending in TABLES],
            key="table_file",
            max_upload_size=LIMITS.table_bytes // 10**6,
        )
        st.caption(
            "Embeddings: the columns image and text, of which each row fills one, and a column for each dimension. "
            "Scores: a column image, and one with the cosine similarity for each text. In .npz: image_names, "
            "text_names, and images and texts, or scores. No model is loaded and no map is made."
        )
        if identity.button("Upload this table", identity.UPLOAD, form=True, icon=":material/upload:"):
            if file is None:
                raise InputError("choose a table first")
            _sweep()
            with st.spinner("Storing the upload …"):
                st.session_state["uploaded_table"] = store_table(
                    file.name, file, "scores" if kind == "scores" else "embeddings"
                )
    spec = _spec(st.session_state.get("uploaded_table"))
    if spec is not None:
        _check_rows(spec.name, dataset)
    return spec


def _check_rows(name: str, dataset: Dataset) -> None:
    """Show what the table has for this dataset. Raises `InputError` for an image without a row."""
    known, texts = _names(name)
    rows = rows_by_name(known, [image.name for image in dataset.images])
    missing = [image.name for image in dataset.images if image.name not in rows]
    if missing:
        raise InputError(without_row(missing, Path(name).name))
    more = len(texts) - _LISTED
    listed = brief(", ".join(texts[:_LISTED]), LONGEST) + (f" and {more:,} more" if more > 0 else "")
    st.caption(
        plain(
            f"All {len(dataset.images):,} images of the dataset have a row. Captions, prompts and classes are scored "
            f"if the table names them as they are or in a template. Texts in the table: {listed}"
        )
    )


@st.cache_data(max_entries=4, show_spinner="Reading the table …")
def _names(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the images and texts of a table. Its path names its content, so that the answer never ages."""
    kind, _, path = name.partition(":")
    table = read_stored(Path(path), "scores" if kind == "scores" else "embeddings")
    return table.image_names, table.text_names


def _spec(name: str | None) -> ModelSpec | None:
    path = uploaded(name) if name else None
    if name is None or path is None or not path.exists():
        return None
    st.caption(plain(f"Uploaded: {path.name}"))
    return ModelSpec(name=name)


def _sweep() -> None:
    sweep_uploads([run.plan.model.name for run in (*shelf().values(), *list_runs(trash_folder()))])


def _refuse() -> None:
    st.info("The operator of this server does not accept uploads of models.")
