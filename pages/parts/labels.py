"""What is known to be true of a data set's pictures: drawn objects in a file, and labels in a metadata column."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import streamlit as st

from core.datasets import Dataset, column_labels, drop_annotations, labels_column, load_dataset
from core.errors import InputError
from core.reporting.words import plural
from core.settings import LIMITS
from pages.parts import truth
from pages.parts.words import plain, problems_shown

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
    found = _looked(str(dataset.root), path.stat().st_mtime_ns)
    st.success(
        f"{plural(found.objects, 'object')} in {found.pictures:,} of {plural(len(dataset.pictures), 'picture')}. Every "
        "segmentation of this data set uses them, unless its option names another file.",
        icon=":material/check:",
    )
    if found.elsewhere:
        st.caption(f"Left out: {plural(found.elsewhere, 'picture')} of the file that this data set does not hold.")
    for doubt in found.doubts:
        st.warning(plain(f"{doubt[:1].upper()}{doubt[1:]}."))
    st.dataframe(pd.DataFrame(found.categories, columns=["Label", "Objects"]), hide_index=True)
    part = f"The {len(found.categories)} commonest of {found.different} are shown. "
    st.caption(
        "A label counts for a class or prompt of an audit that has the same name. "
        + (part if found.different > len(found.categories) else "")
        + f"SHA-256 of the file: {found.sha256[:16]}…"
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
            with st.spinner("Reading the annotations …"):
                problems = truth.keep(dataset, given.name, given.getvalue())
            st.session_state["annotations_problems"] = problems
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


@st.cache_resource(max_entries=16, show_spinner="Reading the annotations …")
def _looked(root: str, changed: int) -> truth.Truth:
    return truth.look(load_dataset(Path(root)))
