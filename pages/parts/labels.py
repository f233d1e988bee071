"""What is known to be true of a data set's pictures: drawn objects in a file, and labels in a metadata column."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import streamlit as st

from core.datasets import (
    Annotations,
    Dataset,
    Upload,
    column_labels,
    drop_annotations,
    keep_annotations,
    labels_column,
    matched,
    read_annotations,
)
from core.errors import InputError
from core.reporting.words import plural
from core.settings import LIMITS
from pages.parts.words import plain, problems_shown

MOST_CATEGORIES = 50
MOST_PROBLEMS = 20
FIRST_ROWS = 200


def show(dataset: Dataset) -> None:
    """Annotations and metadata of the data set, and the way to bring annotations. No label is ever needed."""
    st.markdown(
        "Nothing here is needed for an audit. With true labels, the segmentation also tells how well its masks overlap "
        "with what people drew (mIoU) and how well its ranking finds what is in a picture (mAP)."
    )
    st.subheader("Drawn objects", anchor=False)
    # A damaged file must not hide the way to bring another.
    with problems_shown():
        kept(dataset)
    bring(dataset)
    st.subheader("Metadata", anchor=False)
    metadata(dataset)


def kept(dataset: Dataset) -> None:
    """The annotations that are kept with the pictures, and a button to forget them."""
    path = dataset.annotations
    if path is None:
        st.text("No annotations are kept with this data set.")
        return
    annotations = _read(str(path), path.stat().st_mtime_ns)
    found = matched(dataset, annotations)
    st.success(
        f"{plural(found.objects, 'object')} in {found.pictures:,} of {plural(len(dataset.pictures), 'picture')}. Every "
        "segmentation of this data set uses them, unless its option names another file.",
        icon=":material/check:",
    )
    if found.elsewhere:
        st.caption(f"Left out: {plural(found.elsewhere, 'picture')} of the file that this data set doesn't hold.")
    for doubt in found.doubts:
        st.warning(plain(f"{doubt[:1].upper()}{doubt[1:]}."))
    listed = list(found.categories.items())[:MOST_CATEGORIES]
    st.dataframe(pd.DataFrame(listed, columns=["Label", "Objects"]), hide_index=True)
    st.caption(
        "A label counts for a class or prompt of an audit that has the same name. "
        + (f"The {MOST_CATEGORIES} commonest of {len(found.categories)} are shown. " if _more(found.categories) else "")
        + f"SHA-256 of the file: {annotations.original[:16]}…"
    )
    if st.button("Forget these annotations", icon=":material/delete:"):
        drop_annotations(dataset)
        st.rerun()


def bring(dataset: Dataset) -> None:
    """The uploader; what is brought is checked and kept at once, or refused with one line for each problem."""
    # A new key empties the uploader, so that a file isn't read again at every turn of the page.
    turn = st.session_state.setdefault("annotations_turn", 0)
    given = st.file_uploader(
        "Drop a file of annotations in COCO's form here (JSON)",
        type=["json"],
        key=f"annotations-{dataset.id}-{turn}",
        max_upload_size=LIMITS.file_bytes // 2**20,
    )
    st.caption(
        "Categories with polygons, run lengths or boxes; pictures are found by file "
        "name. A new file takes the place of the one that is kept."
    )
    if given is not None:
        try:
            st.session_state["annotations_problems"] = _take(dataset, Upload(given.name, given.getvalue()))
        except InputError as error:
            st.session_state["annotations_problems"] = [str(error)]
        st.session_state["annotations_turn"] = turn + 1
        st.rerun()
    # Told once, after the page has begun anew with an empty uploader.
    problems = st.session_state.pop("annotations_problems", [])
    for problem in problems[:MOST_PROBLEMS]:
        st.error(plain(problem), icon=":material/error:")
    if len(problems) > MOST_PROBLEMS:
        st.error(f"{len(problems) - MOST_PROBLEMS} more problems of other kinds.", icon=":material/error:")


def metadata(dataset: Dataset) -> None:
    """The metadata columns as a table, and which of them is taken for true labels."""
    if not dataset.columns:
        st.text("No metadata came with the pictures. A CSV or Parquet table brings them, one column each.")
        return
    column = labels_column(dataset)
    if column is None:
        st.text("No column is named labels, class or category, so none is taken for true labels.")
    else:
        each = [found for picture in dataset.pictures if (found := column_labels(picture, column)) is not None]
        counts = Counter(label for found in each for label in found)
        first = ", ".join(f"{label} ({count})" for label, count in counts.most_common(8))
        st.success(
            plain(
                f"The column {column} is taken for true labels: {plural(len(each), 'picture')} with {len(counts)} "
                f"different ones ({first}{', …' if len(counts) > 8 else ''}). Semicolons part several."
            ),
            icon=":material/check:",
        )
    rows = [
        {"Picture": picture.name, **{name: picture.metadata.get(name) for name in dataset.columns}}
        for picture in dataset.pictures[:FIRST_ROWS]
    ]
    st.dataframe(pd.DataFrame(rows).astype("string"), hide_index=True)
    if len(dataset.pictures) > FIRST_ROWS:
        st.caption(f"The first {FIRST_ROWS} pictures of {len(dataset.pictures):,}.")


def _take(dataset: Dataset, upload: Upload) -> list[str]:
    """Check and keep a file; what is wrong with it, one line each, and then nothing is kept."""
    annotations = read_annotations(upload)
    if annotations.problems:
        return [f"{annotations.name}: {problem}" for problem in annotations.problems]
    keep_annotations(dataset, annotations)
    return []


def _more(categories: dict[str, int]) -> bool:
    return len(categories) > MOST_CATEGORIES


@st.cache_resource(max_entries=4, show_spinner="Reading the annotations …")
def _read(path: str, changed: int) -> Annotations:
    return read_annotations(Path(path))
