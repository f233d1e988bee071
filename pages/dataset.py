"""Dataset: add images, see which were imported, which were refused and why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from core.content.words import shorten, size
from core.datasets import Dataset, DatasetImage, Upload
from core.reporting.tables import DUPLICATES, REFUSED, REMARKS
from core.settings import LIMITS, server_folders
from pages.parts import dataset_actions, dataset_versions, entry, identity, import_view, labels, sample, state, tables
from pages.parts.words import plain, problems_shown, tab

PER_PAGE = 24
ACROSS = 6
SOURCES = {
    "files": "Files, ZIP or table",
    "folder": "A folder",
    "sample": "The bundled sample",
    "server": "A folder on the server",
}


def add() -> None:
    """The ways to add images; an import starts at once, in a separate process."""
    if problem := identity.reason("reviewer", identity.IMPORT):
        st.info(plain(problem), icon=":material/lock:")
        return
    roots = server_folders()
    kinds = [kind for kind in SOURCES if kind != "server" or roots]
    kind = st.segmented_control(
        "Add images from",
        kinds,
        default="files",
        format_func=lambda kind: tab(SOURCES[kind]),
        required=True,
        key="source",
    )
    # A new key empties the uploader, so that the browser's copies don't stay in memory once they are stored.
    turn = st.session_state.setdefault("upload_turn", 0)
    if kind == "sample":
        st.caption("A few dozen freely licensed photographs with captions; enough to try every feature.")
        if st.button("Use the bundled sample", type="primary"):
            import_view.begin(sample.sources(), sample.NAME)
    elif kind == "server":
        chosen = st.selectbox("Folder on the server", folders_below(roots), format_func=str)
        if chosen is not None and st.button("Import this folder", type="primary"):
            import_view.begin([chosen], chosen.name)
    elif kind == "folder":
        given = st.file_uploader(
            "Drop a folder of images here", accept_multiple_files="directory", key=f"folder-{turn}"
        )
        if given:
            import_view.begin([Upload(file.name, file) for file in given], None)
    else:
        given = st.file_uploader(
            "Drop images, a ZIP file or a table of captions here", accept_multiple_files=True, key=f"files-{turn}"
        )
        st.caption(
            "PNG, JPEG, WebP and other still images, or a ZIP or tar of them. A table (CSV, Excel, JSON, Parquet) with "
            "a column of file names and a column of captions can be dropped with its images, and so can a list of "
            f"class names, one per line. An image may have up to {size(LIMITS.file_bytes)}, a ZIP or tar as much as "
            "the field names."
        )
        if given:
            import_view.begin([Upload(file.name, file) for file in given], None)


def folders_below(roots: Sequence[Path]) -> list[Path]:
    """The opened folders and the folders in them, links left out."""
    folders = []
    for root in roots:
        if root.is_dir():
            folders.append(root)
            folders += sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())
    return folders


def overview(dataset: Dataset) -> None:
    """The contents of the dataset, and the files that were refused."""
    exact = sum(duplicate.kind == "exact" for duplicate in dataset.duplicates)
    with st.container(horizontal=True):
        st.metric("Images", len(dataset.images), border=True)
        st.metric("With a caption", sum(bool(image.captions) for image in dataset.images), border=True)
        st.metric("Refused", len(dataset.refusals), border=True)
        st.metric("Exact duplicates removed", exact, border=True)
        st.metric("Near duplicates kept", len(dataset.duplicates) - exact, border=True)
    if st.button("Audit a model on this dataset", type="primary", icon=":material/arrow_forward:"):
        st.session_state["wanted_view"] = "new"
        st.switch_page("pages/audit.py")
    versions = dataset_versions.of_name(dataset)
    images, truth, refusals, remarks, duplicates, earlier = st.tabs(
        [
            tab(f"Images ({len(dataset.images)})"),
            tab("Labels"),
            tab(f"Refused ({len(dataset.refusals)})"),
            tab(f"Remarks ({len(dataset.remarks)})"),
            tab(f"Duplicates ({len(dataset.duplicates)})"),
            tab(f"Versions ({len(versions)})"),
        ]
    )
    with images:
        gallery(dataset)
    with truth:
        labels.show(dataset)
    with refusals:
        if dataset.refusals:
            tables.show(REFUSED, dataset.refusals)
        else:
            st.text("Every file was imported.")
    with remarks:
        if dataset.remarks:
            tables.show(REMARKS, dataset.remarks)
            st.caption("These files were imported. Each remark states a choice that was made in reading the file.")
        else:
            st.text("Every file could be read in one way only.")
    with duplicates:
        if dataset.duplicates:
            tables.show(DUPLICATES, dataset.duplicates)
            st.caption(
                "Exact duplicates are stored once. Near duplicates are kept; remove them yourself if they are unwanted."
            )
        else:
            st.text("There are no duplicates.")
    with earlier:
        dataset_versions.show(dataset, versions)


def gallery(dataset: Dataset) -> None:
    """Thumbnails with name and first caption, a page at a time."""
    wanted = st.text_input("Search names and captions", placeholder="part of a name or caption").casefold().strip()
    matches = [image for image in dataset.images if wanted in " ".join((image.name, *image.captions)).casefold()]
    if not matches:
        st.text("No name or caption contains this text.")
        return
    pages = -(-len(matches) // PER_PAGE)
    number = st.pagination(pages, key=f"gallery-{dataset.id}-{pages}") if pages > 1 else 1
    part = matches[(number - 1) * PER_PAGE : number * PER_PAGE]
    for start in range(0, len(part), ACROSS):
        for column, image in zip(st.columns(ACROSS), part[start : start + ACROSS], strict=False):
            with column:
                card(dataset, image)


def card(dataset: Dataset, image: DatasetImage) -> None:
    """One thumbnail."""
    st.image(str(dataset.thumbnail(image)), width="stretch", alt=image.name)
    lines = [f"**{plain(shorten(image.name, 28))}**"]
    if image.captions:
        more = f" (+{len(image.captions) - 1})" if len(image.captions) > 1 else ""
        lines.append(plain(shorten(image.captions[0], 90)) + more)
    st.caption("  \n".join([*lines, f"{image.width} × {image.height}"]))


entry.through_app("pages/dataset.py")
st.title("Dataset")
st.markdown(
    "Add images that represent the intended use of the model, with captions if available. Labels are not needed. "
    "Every image is checked, rotated upright, stripped of camera metadata and stored on this machine."
)
with problems_shown(), st.container(border=True):
    add()
with problems_shown():
    import_view.show()
with problems_shown():
    chosen = state.choose_dataset("Stored dataset")
    if chosen is None:
        st.info("There is no dataset yet: drop images above, or use the bundled sample to look around.")
    else:
        just = st.session_state.get("just_stored")
        dataset_actions.show(chosen)
        overview(just if just is not None and just.id == chosen.id else chosen)
