"""A box on the image of the playground: how the model scores what is in it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from PIL import ImageDraw

from core.audit.playground import Box, Region, Scores
from core.content.heat import fit
from core.datasets import Dataset, DatasetImage
from pages.parts import maps, state
from pages.parts.words import number, plain

EDGES = ("Left", "Top", "Right", "Bottom")


def choose(dataset: Dataset, image: DatasetImage) -> Box | None:
    """The box that is to be scored, set by its edges and shown on the image; None until that is asked for."""
    key = f"{dataset.id}-{image.id}"
    sides = (image.width, image.height, image.width, image.height)
    usual = (image.width // 4, image.height // 4, image.width * 3 // 4, image.height * 3 // 4)
    left, right = st.columns((2, 3))
    with left:
        edges = []
        for column, name, at in zip([*st.columns(2), *st.columns(2)], EDGES, range(4), strict=True):
            field = f"playground-box-{key}-{at}"
            st.session_state.setdefault(field, usual[at])
            edges.append(int(column.number_input(f"{name} (pixels)", 0, sides[at], key=field, step=8)))
        box = (edges[0], edges[1], edges[2], edges[3])
        empty = box[0] >= box[2] or box[1] >= box[3]
        if empty:
            st.warning("The box is empty: right must be above left, and bottom above top.")
        if st.button("Score this box", icon=":material/crop:", disabled=empty):
            st.session_state["playground_box"] = (key, box)
    with right:
        if not empty:
            st.image(_boxed(str(dataset.root), image.id, box), alt=f"{image.name} with the box {box}")
    asked = st.session_state.get("playground_box")
    return asked[1] if asked is not None and asked[0] == key and asked[1] == box and not empty else None


def show(region: Region, scores: Scores, texts: tuple[str, ...]) -> None:
    """The cosines of the texts with the image, the crop and the embedding learned for the box."""
    head = ["Text", "Whole image", "Box, cut out"] + (["Box, in its surroundings"] if region.inverted else [])
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    for at, text in enumerate(texts):
        values = [scores.cosines[at], region.crop[at], *region.inverted[at : at + 1]]
        lines.append(f"| {plain(text)} | {' | '.join(plain(number(value)) for value in values)} |")
    st.markdown("\n".join(lines))
    st.caption(
        "Cosines with each text. *Box, cut out*: the box alone, scaled like an image; the model sees no surroundings."
    )
    if region.inverted:
        st.caption(
            "*Box, in its surroundings*: an embedding learned so that its LeGrad map covers the box (MaskInversion). "
            "Its cosines may be compared with each other, not with those of images. Overlap of map and box: "
            f"{plain(number(region.fit))}, before learning {plain(number(region.fit_before))} (0 to 1)."
        )
        if region.fit <= region.fit_before:
            st.caption("No embedding covers the box better than that of the whole image: its order is the image's.")
    elif region.problem:
        st.caption(plain(f"Not scored in its surroundings: {region.problem}."))


@st.cache_data(max_entries=64, show_spinner=False)
def _boxed(root: str, image: str, box: Box) -> bytes:
    dataset = state.dataset_at(Path(root))
    assert dataset is not None
    entry = next(entry for entry in dataset.images if entry.id == image)
    shown = fit(dataset.open(entry), maps.SIDE)
    edges = [round(edge * shown.width / entry.width) for edge in box]
    draw = ImageDraw.Draw(shown)
    draw.rectangle(edges, outline="#ffffff", width=5)
    draw.rectangle([edges[0] + 1, edges[1] + 1, edges[2] - 1, edges[3] - 1], outline="#16202c", width=2)
    return maps.jpeg(shown)
