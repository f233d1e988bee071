"""Data set: bring pictures, see what was taken in, what was refused and why."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from core.datasets import Dataset, Picture, Upload
from core.settings import LIMITS
from pages.parts import entry, import_view, labels, sample, state
from pages.parts.words import plain, problems_shown, short, size, tab

PER_PAGE = 24
ACROSS = 6
SOURCES = {
    "files": "Files, ZIP or table",
    "folder": "A folder",
    "sample": "The bundled sample",
    "server": "A folder on the server",
}


def bring() -> None:
    """The ways to bring pictures; whatever is brought is taken in at once, by a process of its own."""
    roots = server_roots()
    kinds = [kind for kind in SOURCES if kind != "server" or roots]
    kind = st.segmented_control(
        "Bring pictures from",
        kinds,
        default="files",
        format_func=lambda kind: tab(SOURCES[kind]),
        required=True,
        key="source",
    )
    # A new key empties the uploader, so that the browser's copies don't stay in memory once they are stored.
    turn = st.session_state.setdefault("upload_turn", 0)
    if kind == "sample":
        st.caption("A few dozen photographs with captions, free to use; enough to see everything work.")
        if st.button("Use the bundled sample", type="primary"):
            import_view.begin(sample.sources(), sample.NAME)
    elif kind == "server":
        chosen = st.selectbox("Folder on the server", folders_below(roots), format_func=str)
        if chosen is not None and st.button("Take in this folder", type="primary"):
            import_view.begin([chosen], chosen.name)
    elif kind == "folder":
        given = st.file_uploader(
            "Drop a folder of pictures here", accept_multiple_files="directory", key=f"folder-{turn}"
        )
        if given:
            import_view.begin([Upload(file.name, file) for file in given], None)
    else:
        given = st.file_uploader(
            "Drop pictures, a ZIP, or a table of captions here", accept_multiple_files=True, key=f"files-{turn}"
        )
        st.caption(
            "PNG, JPEG, WebP and other still pictures; a ZIP of them; a CSV or Parquet table with a column of file "
            f"names and one of captions goes together with its pictures. Up to {size(LIMITS.file_bytes)} a picture."
        )
        if given:
            import_view.begin([Upload(file.name, file) for file in given], None)


def server_roots() -> list[Path]:
    """The folders that the person who runs the server has opened for reading."""
    return [Path(part).resolve() for part in os.environ.get("LOUPE_FOLDERS", "").split(":") if part]


def folders_below(roots: Sequence[Path]) -> list[Path]:
    """The opened folders and the folders in them, links left out."""
    found = []
    for root in roots:
        if root.is_dir():
            found.append(root)
            found += sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())
    return found


def shown(dataset: Dataset) -> None:
    """What is in the data set and what is not."""
    exact = sum(duplicate.kind == "exact" for duplicate in dataset.duplicates)
    with st.container(horizontal=True):
        st.metric("Pictures", len(dataset.pictures), border=True)
        st.metric("With a caption", sum(bool(picture.captions) for picture in dataset.pictures), border=True)
        st.metric("Refused", len(dataset.refusals), border=True)
        st.metric("Exact copies left out", exact, border=True)
        st.metric("Near copies kept", len(dataset.duplicates) - exact, border=True)
    st.page_link("pages/audit.py", label="Audit a model on this data set", icon=":material/arrow_forward:")
    pictures, known, refused, copies = st.tabs(
        [
            tab(f"Pictures ({len(dataset.pictures)})"),
            tab("Labels"),
            tab(f"Refused ({len(dataset.refusals)})"),
            tab(f"Copies ({len(dataset.duplicates)})"),
        ]
    )
    with pictures:
        gallery(dataset)
    with known:
        labels.show(dataset)
    with refused:
        if dataset.refusals:
            table = pd.DataFrame([(item.name, item.reason) for item in dataset.refusals], columns=["File", "Why"])
            st.dataframe(table, hide_index=True)
        else:
            st.text("Every file was taken in.")
    with copies:
        if dataset.duplicates:
            table = pd.DataFrame(
                [(copy.name, copy.of, copy.kind, copy.distance) for copy in dataset.duplicates],
                columns=["File", "Shows the same as", "Kind", "Bits that differ"],
            )
            st.dataframe(table, hide_index=True)
            st.caption("Exact copies are kept once. Near copies are kept: leaving them out is a person's decision.")
        else:
            st.text("No picture was found twice.")


def gallery(dataset: Dataset) -> None:
    """Thumbnails with name and first caption, a page at a time."""
    wanted = st.text_input("Find by name or caption", placeholder="part of a name or caption").casefold().strip()
    found = [
        picture for picture in dataset.pictures if wanted in " ".join((picture.name, *picture.captions)).casefold()
    ]
    if not found:
        st.text("No picture has this in its name or caption.")
        return
    pages = -(-len(found) // PER_PAGE)
    number = st.pagination(pages, key=f"gallery-{dataset.id}-{pages}") if pages > 1 else 1
    part = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    for start in range(0, len(part), ACROSS):
        for column, picture in zip(st.columns(ACROSS), part[start : start + ACROSS], strict=False):
            with column:
                card(dataset, picture)


def card(dataset: Dataset, picture: Picture) -> None:
    """One thumbnail."""
    st.image(str(dataset.thumbnail(picture)), width="stretch", alt=picture.name)
    lines = [f"**{plain(short(picture.name, 28))}**"]
    if picture.captions:
        more = f" (+{len(picture.captions) - 1})" if len(picture.captions) > 1 else ""
        lines.append(plain(short(picture.captions[0], 90)) + more)
    st.caption("  \n".join([*lines, f"{picture.width} × {picture.height}"]))


entry.through_app("pages/dataset.py")
st.title("Data set")
st.markdown(
    "Bring the pictures that the model will meet in use, with captions if you have them. No labels are needed. "
    "Pictures are checked, turned upright, stripped of camera data and stored by content on this machine."
)
with problems_shown(), st.container(border=True):
    bring()
with problems_shown():
    import_view.show()
with problems_shown():
    chosen = state.choose_dataset("Stored data set")
    if chosen is None:
        st.info("No data set yet: drop pictures above, or take the bundled sample to look around.")
    else:
        just = st.session_state.get("just_stored")
        shown(just if just is not None and just.id == chosen.id else chosen)
