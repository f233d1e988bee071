"""Heat maps on a page: a result row laid over its image, with its scale and raw range below."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.content.heat import bar_ends, colour_bar, fit, overlay, value_range
from core.content.map_files import encoded
from core.datasets import Dataset, DatasetImage, load_dataset
from core.evaluation.metrics import BY_NAME
from core.methods import METHODS
from core.models.geometry import Geometry, Preprocessing
from core.runs import Run
from core.runs.results import ResultRow
from pages.parts import state
from pages.parts.words import figure, plain, tab

SIDE = 420
TILE = (144, 144)
GREY = (150, 150, 150)


@dataclass(frozen=True)
class Look:
    """How maps are drawn: how strong the colour is (0 to 1), and whether cells are smoothed."""

    opacity: float
    smooth: bool


def image_of(run: Run, image: str) -> DatasetImage | None:
    """The run's image with this id."""
    return next((entry for entry in state.dataset_of(run).images if entry.id == image), None)


def title(method: str) -> str:
    """A method as people name it."""
    return METHODS[method].title if method in METHODS else method


def is_signed(method: str) -> bool:
    """Whether the sign of the method's values is meaningful."""
    return method in METHODS and METHODS[method].signed


def native(row: ResultRow) -> NDArray[np.float32] | None:
    """The row's raw map (rows, columns), or None if it has none."""
    if row.map is None or (isinstance(row.map, float) and np.isnan(row.map)):
        return None
    return np.asarray(row.map, dtype=np.float32).reshape(int(row.rows), int(row.columns))


def original(run: Run, image: DatasetImage, alt: str = "") -> None:
    """The image as it was imported."""
    stored(state.dataset_of(run).root, image, alt)


def stored(root: Path, image: DatasetImage, alt: str = "") -> None:
    """An image of the dataset stored in `root`."""
    st.image(_original(str(root), image.id), width="stretch", alt=alt or image.name)


def heat(
    run: Run, image: DatasetImage, values: NDArray[Any], *, signed: bool, opacity: float, smooth: bool, alt: str
) -> None:
    """The values over the image."""
    preprocessing = run.manifest.get("model", {}).get("preprocessing")
    if preprocessing is None:
        st.text("The run does not record the preprocessing of its images, so that the map cannot be aligned.")
        return
    look = Look(opacity, smooth)
    laid(state.dataset_of(run).root, image, values, preprocessing, look, signed=signed, alt=alt)


def method_heat(run: Run, image: DatasetImage, row: Any, values: NDArray[Any], *, opacity: float, smooth: bool) -> None:
    """The values of a result row over its image."""
    about = f"{title(row.method)} map of {image.name} for the text {row.text}"
    heat(run, image, values, signed=is_signed(row.method), opacity=opacity, smooth=smooth, alt=about)


def laid(
    root: Path,
    image: DatasetImage,
    values: NDArray[Any],
    preprocessing: dict[str, Any],
    look: Look,
    *,
    signed: bool,
    alt: str,
) -> None:
    """The values over an image of the dataset stored in `root`, by the way the model has seen it."""
    geometry = Preprocessing.from_dict(preprocessing).geometry(image.width, image.height)
    raw = np.asarray(values, np.float32)
    data = _overlay(str(root), image.id, raw, geometry, look.opacity, signed, look.smooth)
    st.image(data, width="stretch", alt=alt)


def choose_look(*columns: Any) -> Look:
    """The fields for opacity and cells in two columns; their values hold on every page."""
    left, right = columns
    opacity = left.slider(
        "Opacity of the maps", 0.0, 1.0, 0.55, 0.05, format=tab("%.2f"), key="opacity", persist_state="session"
    )
    cells = right.toggle(
        "Native cells", key="cells", persist_state="session", help="Show each cell as computed, without smoothing."
    )
    return Look(opacity, not cells)


def scale(values: NDArray[Any], *, signed: bool, unit: str) -> None:
    """The colour scale with the raw values at its ends."""
    found = value_range(values)
    if found.constant:
        st.caption("Constant map: uninformative.")
        return
    low, high = bar_ends(found, signed=signed)
    st.image(_bar(signed), width="stretch", alt=f"Colour scale from {figure(low)} to {figure(high)}")
    ends = f"scale {figure(low)} to {figure(high)} · " if signed else ""
    st.caption(plain(f"{ends}raw {figure(found.low)} to {figure(found.high)}") + f"  \n{plain(unit)}")


def pixels(dataset: Dataset, image: DatasetImage) -> Image.Image:
    """The image, or a grey one of its size where only its description is here."""
    if dataset.has_images:
        return dataset.open(image)
    # Scaled: what a stranger's file says of a size must not fill the memory.
    scale = SIDE / max(image.width, image.height, 1)
    return Image.new("RGB", (_side(image.width * scale), _side(image.height * scale)), GREY)


def _side(length: float) -> int:
    return min(max(round(length), 1), SIDE)


def thumbnail(run: Run, image: DatasetImage) -> None:
    """A small square cut from the middle of the image."""
    dataset = state.dataset_of(run)
    small = _square(str(dataset.thumbnail(image, 320))) if dataset.has_images else jpeg(Image.new("RGB", TILE, GREY))
    st.image(small, width="stretch", alt=image.name)


def method_card(run: Run, image: DatasetImage, row: Any, *, opacity: float, smooth: bool) -> None:
    """One method's map with title, scale and trust, or why there is none."""
    st.markdown(f"**{plain(title(row.method))}**")
    if row.status != "ok":
        st.warning(f"{plain(row.status)}: {plain(row.message or 'no reason recorded')}")
        return
    values = native(row)
    if values is None:
        st.caption("This method computes no image map, only attributions of words.")
        return
    method_heat(run, image, row, values, opacity=opacity, smooth=smooth)
    scale(values, signed=is_signed(row.method), unit=METHODS[row.method].unit if row.method in METHODS else "")
    trust = "not tested" if pd.isna(row.faithfulness) else figure(row.faithfulness, "+.3f")
    about = BY_NAME["faithfulness"].help
    st.caption(f"Faithfulness {plain(trust)} · {int(row.rows)} × {int(row.columns)} cells", help=plain(about))


@st.cache_resource(max_entries=32, show_spinner=False)
def _small(root: str, image: str) -> Image.Image:
    """The image as all maps of it are laid over it: decoded once, not once for each map."""
    dataset = state.dataset_at(Path(root)) or load_dataset(Path(root))
    found = next(entry for entry in dataset.images if entry.id == image)
    return fit(pixels(dataset, found), SIDE)


@st.cache_data(max_entries=64, show_spinner=False)
def _original(root: str, image: str) -> bytes:
    return jpeg(_small(root, image))


@st.cache_data(max_entries=512, show_spinner=False)
def _square(path: str) -> bytes:
    with Image.open(path) as image:
        return jpeg(ImageOps.fit(image, TILE))


@st.cache_data(max_entries=600, show_spinner=False)
def _overlay(
    root: str, image: str, values: NDArray[np.float32], geometry: Geometry, opacity: float, signed: bool, smooth: bool
) -> bytes:
    return jpeg(
        overlay(_small(root, image), values, geometry, opacity=opacity, signed=signed, smooth=smooth, side=SIDE)
    )


@st.cache_data(max_entries=2, show_spinner=False)
def _bar(signed: bool) -> bytes:
    return encoded(colour_bar(420, 12, signed=signed), "PNG")


def jpeg(image: Image.Image) -> bytes:
    """A photograph for the page."""
    return encoded(image, "JPEG", quality=90)
