"""Images of a dataset in rows, each with a line of text below it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.runs import Run
from pages.parts import maps, saved_views
from pages.parts.words import plain


def show(run: Run, entries: Sequence[tuple[str, str]], *, across: int, most: int) -> None:
    """The first `most` images that the dataset still has, with their lines, in the order of reading.

    entries: the id of an image and its line. Of a saved view that is chosen, its images alone; the page says so once.
    """
    kept = set(saved_views.within(saved_views.chosen(run), [image for image, _ in entries]))
    if len(kept) < len({image for image, _ in entries}):
        saved_views.note()
        entries = [(image, line) for image, line in entries if image in kept]
        if not entries:
            st.caption("No image of the saved view is among these.")
    known = {image.id: image for image in run.dataset.images}
    present = [(known[image], line) for image, line in entries if image in known]
    for start in range(0, min(len(present), most), across):
        # A row of columns for each row of images: images of different heights would otherwise part.
        for column, (image, line) in zip(st.columns(across), present[start : min(start + across, most)], strict=False):
            with column:
                maps.original(run, image)
                st.caption(plain(line))
    if len(present) > most:
        st.caption(f"The first {most} of {len(present)} images are shown.")
