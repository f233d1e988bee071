"""The image of the playground: of the sample, of a dataset, uploaded or from the camera; and what is kept of it."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import streamlit as st

from core.datasets import Dataset, DatasetImage, Upload, ingest
from core.datasets.store import copied
from core.errors import InputError
from core.settings import LIMITS, datasets_folder, playground_folder
from pages.parts import address, sample, state
from pages.parts.words import plain, tab

SOURCES = {
    "sample": "Bundled sample",
    "dataset": "A dataset",
    "upload": "Upload",
    "camera": "Camera",
}
USUAL = "macaw.jpg"
ENDINGS = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif", "avif", "heic", "heif", "dcm"]
KEPT_SECONDS = 24 * 3600.0  # of images that belong to no dataset


def choose() -> tuple[Dataset, DatasetImage] | None:
    """The chosen image and the dataset that it is stored in; None while there is none. Raises `InputError`."""
    kinds = [kind for kind in SOURCES if kind != "dataset" or state.stored_datasets()]
    named = st.query_params.get("dataset") if st.query_params.get("item") else None
    usual = "dataset" if named and "dataset" in kinds else "sample"
    if st.session_state.get("playground_source") not in kinds:
        st.session_state["playground_source"] = usual
    kind = st.segmented_control(
        "Image from",
        kinds,
        required=True,
        format_func=lambda kind: tab(SOURCES[kind]),
        key="playground_source",
        persist_state="session",
    )
    if kind == "dataset":
        return _of_dataset()
    if kind == "sample":
        return _of_sample()
    address.tell("item", [])
    if kind == "upload":
        given = st.file_uploader(
            "Drop an image here", type=ENDINGS, key="playground_upload", max_upload_size=LIMITS.file_bytes // 2**20
        )
        st.caption("PNG, JPEG, WebP and other still images. It is checked, turned upright and kept for a day.")
    else:
        given = st.camera_input("Take a photograph", key="playground_camera")
        st.caption(
            "The browser asks for permission, and offers the camera only over HTTPS or on the machine of the server."
        )
    if given is None:
        return _last(kind)
    st.session_state[f"playground_{kind}_root"] = _taken(given.name, given.getvalue())
    return _last(kind)


def keep(dataset: Dataset) -> Dataset:
    """The dataset of the chosen image, stored among the others so that it can be audited. Raises `InputError`."""
    return dataset if dataset.root.parent == datasets_folder() else copied(dataset, datasets_folder())


def _of_dataset() -> tuple[Dataset, DatasetImage] | None:
    dataset = state.choose_dataset("Dataset")
    if dataset is None:
        return None
    images = {image.id: image for image in dataset.images}
    key = f"playground-item-{dataset.id}"
    address.enter(key, "item", list(images), next(iter(images)), str)
    chosen = st.selectbox(
        "Image (type to search)",
        list(images),
        format_func=lambda id: images[id].name,
        key=key,
        persist_state="session",
    )
    address.tell("item", [chosen])
    return dataset, images[chosen]


def _of_sample() -> tuple[Dataset, DatasetImage]:
    names = sorted(path.name for path in (sample.FOLDER / "images").glob("*.jpg"))
    if not names:
        raise InputError("this installation lacks the bundled sample; upload an image")
    address.enter("playground_sample", "item", names, USUAL if USUAL in names else names[0], str)
    chosen = st.selectbox(
        "Image of the sample (type to search)",
        names,
        format_func=lambda name: Path(name).stem.replace("_", " "),
        key="playground_sample",
        persist_state="session",
    )
    address.tell("item", [chosen])
    path = sample.FOLDER / "images" / chosen
    found = _stored(_taken(chosen, path.read_bytes()))
    assert found is not None
    return found


def _last(kind: str | None) -> tuple[Dataset, DatasetImage] | None:
    root = st.session_state.get(f"playground_{kind}_root")
    return None if root is None else _stored(root)


def _stored(root: str) -> tuple[Dataset, DatasetImage] | None:
    dataset = state.dataset_at(Path(root))
    return None if dataset is None else (dataset, dataset.images[0])


def _taken(name: str, data: bytes) -> str:
    """Where the one image in `data` is stored, after the checks of every import. Raises `InputError`."""
    store = playground_folder()
    root = Path(_ingested(str(store), name, data))
    if not (root / "dataset.json").exists():
        # Removed since: another session has swept the store, or a person has.
        _ingested.clear()
        root = Path(_ingested(str(store), name, data))
    # An image that is looked at is not old.
    with suppress(OSError):
        root.touch()
    return str(root)


@st.cache_data(max_entries=64, show_spinner="Reading the image …")
def _ingested(store: str, name: str, data: bytes) -> str:
    _sweep(Path(store))
    dataset = ingest([Upload(name, BytesIO(data))], store=Path(store), limits=replace(LIMITS, files=1))
    return str(dataset.root)


def _sweep(store: Path) -> None:
    """Remove images that nobody has looked at for a day."""
    for folder in store.glob("[0-9a-f]*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def about(dataset: Dataset, image: DatasetImage) -> str:
    """The line below the image."""
    return plain(f"{image.name} · {image.width} × {image.height}")
