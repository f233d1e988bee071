"""The ground truth of a dataset, where there is any: a file of annotations, and labels in a metadata column."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import streamlit as st

from core.content.words import plural
from core.datasets import Dataset, column_labels, drop_annotations, labels_column, load_dataset
from core.errors import InputError
from core.settings import LIMITS
from pages.parts import identity, truth
from pages.parts.words import plain, problems_shown

MOST_PROBLEMS = 20
FIRST_ROWS = 200


def show(dataset: Dataset) -> None:
    """Annotations and metadata of the dataset, and the upload of annotations. Labels are never required."""
    st.markdown(
        "An audit needs no labels. Where they are given, the analyses that can use them also measure how well masks "
        "overlap with annotated objects (mIoU) and how well a ranking finds the labels of an image (mAP)."
    )
    st.page_link(
        "pages/audit.py", label="Class names? Enter them under “Texts” when you plan an audit.", icon=":material/edit:"
    )
    st.subheader("Annotations", anchor=False)
    # A damaged file must not hide the uploader.
    with problems_shown():
        stored(dataset)
    upload(dataset)
    st.subheader("Metadata", anchor=False)
    metadata(dataset)


def stored(dataset: Dataset) -> None:
    """The annotations stored with the images, and a button to remove them."""
    path = dataset.annotations
    if path is None:
        st.text("No annotations are stored with this dataset.")
        return
    found = _looked(str(dataset.root), path.stat().st_mtime_ns)
    st.success(
        f"{plural(found.objects, 'object')} in {found.images:,} of {plural(len(dataset.images), 'image')}. Audits "
        "of this dataset use them unless an option names another file.",
        icon=":material/check:",
    )
    if found.elsewhere:
        st.caption(f"Ignored: {plural(found.elsewhere, 'image')} of the file that this dataset does not contain.")
    for doubt in found.doubts[:MOST_PROBLEMS]:
        st.warning(plain(f"{doubt[:1].upper()}{doubt[1:]}."))
    if len(found.doubts) > MOST_PROBLEMS:
        st.warning(f"{len(found.doubts) - MOST_PROBLEMS} more remarks of other kinds.")
    st.dataframe(pd.DataFrame(found.categories, columns=["Label", "Objects"]), hide_index=True)
    part = f"The {len(found.categories)} most frequent of {found.different} labels are listed. "
    st.caption(
        "A label is matched with the class or prompt of an audit that has the same name. "
        + (part if found.different > len(found.categories) else "")
        + f"SHA-256 of the file: {found.sha256[:16]}…"
    )
    if identity.button("Remove these annotations", identity.IMPORT, icon=":material/delete:"):
        drop_annotations(dataset)
        st.rerun()


def upload(dataset: Dataset) -> None:
    """The uploader; a file is checked and stored at once, or refused with one line."""
    if problem := identity.reason("reviewer", identity.IMPORT):
        st.caption(plain(problem))
        return
    # A new key empties the uploader, so that a file isn't read again at every turn of the page.
    turn = st.session_state.setdefault("annotations_turn", 0)
    given = st.file_uploader(
        "Drop annotations here: COCO format (JSON), or a table of phrases with boxes",
        type=["json", "csv", "tsv", "parquet", "xlsx"],
        key=f"annotations-{dataset.id}-{turn}",
        max_upload_size=LIMITS.file_bytes // 2**20,
    )
    st.caption(
        "Categories with polygons, run lengths or boxes; a table needs the columns phrase, x, y, w, h, image_width and "
        "image_height. Images are matched by file name. A new file replaces the stored one."
    )
    if given is not None:
        try:
            with st.spinner("Reading the annotations …"):
                # What was left out is listed with what is stored.
                truth.keep(dataset, given.name, given.getvalue())
        except InputError as error:
            st.session_state["annotations_problems"] = [str(error)]
        st.session_state["annotations_turn"] = turn + 1
        st.rerun()
    # Shown once, after the page was run again with an empty uploader.
    problems = st.session_state.pop("annotations_problems", [])
    for problem in problems:
        st.error(plain(problem), icon=":material/error:")


def metadata(dataset: Dataset) -> None:
    """The metadata columns as a table, and which of them holds the true labels."""
    if not dataset.columns:
        st.text(
            "There is no metadata. To add it, import a table (CSV, Excel, JSON, Parquet) with the images, one column "
            "per field."
        )
        return
    column = labels_column(dataset)
    if column is None:
        st.text("No column is named labels, class or category, so that no column is used as true labels.")
    else:
        each = [found for image in dataset.images if (found := column_labels(image, column)) is not None]
        counts = Counter(label for found in each for label in found)
        first = ", ".join(f"{label} ({count})" for label, count in counts.most_common(8))
        st.success(
            plain(
                f"The column {column} is used as true labels: {plural(len(each), 'image')} with {len(counts)} "
                f"different labels ({first}{', …' if len(counts) > 8 else ''}). Semicolons separate labels, or commas "
                "where there are none."
            ),
            icon=":material/check:",
        )
    rows = [
        {"Image": image.name, **{name: image.metadata.get(name) for name in dataset.columns}}
        for image in dataset.images[:FIRST_ROWS]
    ]
    st.dataframe(pd.DataFrame(rows).astype("string"), hide_index=True)
    if len(dataset.images) > FIRST_ROWS:
        st.caption(f"The first {FIRST_ROWS} images of {len(dataset.images):,}.")


@st.cache_resource(max_entries=16, show_spinner="Reading the annotations …")
def _looked(root: str, changed: int) -> truth.Truth:
    return truth.look(load_dataset(Path(root)))
