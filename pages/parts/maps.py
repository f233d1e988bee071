"""Heat maps on a page: a result row laid over its picture, with its scale and raw range below."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from core.datasets import Picture, load_dataset
from core.methods import METHODS
from core.models.geometry import Geometry, Preprocessing
from core.reporting.heat import bar_ends, colour_bar, fit, overlay, value_range
from core.runs import Run
from pages.parts import state
from pages.parts.words import plain, short

SIDE = 420


def picture_of(run: Run, image: str) -> Picture | None:
    """The run's picture with this id."""
    return next((picture for picture in state.dataset_of(run).pictures if picture.id == image), None)


def title(method: str) -> str:
    """A method as people name it."""
    return METHODS[method].title if method in METHODS else method


def is_signed(method: str) -> bool:
    """Whether the sign of the method's values means something."""
    return method in METHODS and METHODS[method].signed


def native(row: Any) -> NDArray[np.float32] | None:
    """The row's raw map (rows, columns), or None if it has none."""
    if row.map is None or (isinstance(row.map, float) and np.isnan(row.map)):
        return None
    return np.asarray(row.map, dtype=np.float32).reshape(int(row.rows), int(row.columns))


def original(run: Run, picture: Picture, alt: str = "") -> None:
    """The picture as it was brought."""
    st.image(_original(str(state.dataset_of(run).root), picture.id), width="stretch", alt=alt or picture.name)


def heat(
    run: Run, picture: Picture, values: NDArray[Any], *, signed: bool, opacity: float, smooth: bool, alt: str
) -> None:
    """The values over the picture."""
    preprocessing = run.manifest.get("model", {}).get("preprocessing")
    if preprocessing is None:
        st.text("The run doesn't say how pictures were prepared, so the map can't be placed.")
        return
    geometry = Preprocessing.from_dict(preprocessing).geometry(picture.width, picture.height)
    root = str(state.dataset_of(run).root)
    data = _overlay(root, picture.id, np.asarray(values, np.float32), geometry, opacity, signed, smooth)
    st.image(data, width="stretch", alt=alt)


def scale(values: NDArray[Any], *, signed: bool, unit: str) -> None:
    """The colour scale with the raw values at its ends."""
    found = value_range(values)
    if found.constant:
        st.caption("The same everywhere: shows nothing.")
        return
    low, high = bar_ends(found, signed=signed)
    st.image(_bar(signed), width="stretch", alt=f"Colour scale from {low:.3g} to {high:.3g}")
    ends = f"scale {low:.3g} to {high:.3g} · " if signed else ""
    st.caption(plain(f"{ends}raw {found.low:.3g} to {found.high:.3g}") + f"  \n{plain(unit)}")


def thumbnail(run: Run, picture: Picture) -> None:
    """A small square cut from the middle of the picture."""
    st.image(_square(str(state.dataset_of(run).thumbnail(picture, 320))), width="stretch", alt=picture.name)


def method_card(run: Run, picture: Picture, row: Any, *, opacity: float, smooth: bool) -> None:
    """One method's map with title, scale and trust, or why there is none."""
    st.markdown(f"**{plain(short(title(row.method), 24))}**")
    if row.status != "ok":
        st.warning(f"{plain(row.status)}: {plain(row.message or 'no reason given')}")
        return
    values = native(row)
    if values is None:
        st.caption("No image map: this method explains the words only.")
        return
    signed = is_signed(row.method)
    about = f"{title(row.method)} map of {picture.name} for the text {row.text}"
    heat(run, picture, values, signed=signed, opacity=opacity, smooth=smooth, alt=about)
    scale(values, signed=signed, unit=METHODS[row.method].unit if row.method in METHODS else "")
    trust = "not tested" if pd.isna(row.faithfulness) else f"{row.faithfulness:+.3f}"
    st.caption(f"Faithfulness {plain(trust)} · {int(row.rows)} × {int(row.columns)} cells")


@st.cache_data(max_entries=64, show_spinner=False)
def _original(root: str, image: str) -> bytes:
    dataset = load_dataset(Path(root))
    found = next(picture for picture in dataset.pictures if picture.id == image)
    return jpeg(fit(dataset.open(found), SIDE))


@st.cache_data(max_entries=512, show_spinner=False)
def _square(path: str) -> bytes:
    with Image.open(path) as image:
        return jpeg(ImageOps.fit(image, (144, 144)))


@st.cache_data(max_entries=600, show_spinner=False)
def _overlay(
    root: str, image: str, values: NDArray[np.float32], geometry: Geometry, opacity: float, signed: bool, smooth: bool
) -> bytes:
    dataset = load_dataset(Path(root))
    found = next(picture for picture in dataset.pictures if picture.id == image)
    shown = overlay(dataset.open(found), values, geometry, opacity=opacity, signed=signed, smooth=smooth, side=SIDE)
    return jpeg(shown)


@st.cache_data(max_entries=2, show_spinner=False)
def _bar(signed: bool) -> bytes:
    return encoded(colour_bar(420, 12, signed=signed), "PNG")


def jpeg(picture: Image.Image) -> bytes:
    """A photograph for the page."""
    return encoded(picture, "JPEG", quality=90)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a picture as a file of this kind, with Pillow's options for it."""
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()
