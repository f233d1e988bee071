"""Images of a dataset in rows, each with a line of text below it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.runs import Run
from pages.parts import maps, saved_views
from pages.parts.words import plain


def show(run: Run, entries: Sequence[tuple[str, str]], *, across: int, most: int, key: str) -> None:
    """The images that the dataset still has, with their lines, in the order of reading: `most` at a time.

    entries: the id of an image and its line. Of a saved view that is chosen, its images alone; the page says so once.
    key: tells the galleries of one page apart.
    """
    kept = set(saved_views.within(saved_views.chosen(run), [image for image, _ in entries]))
    if len(kept) < len({image for image, _ in entries}):
        saved_views.note()
        entries = [(image, line) for image, line in entries if image in kept]
        if not entries:
            st.caption("No image of the saved view is among these.")
    known = {image.id: image for image in run.dataset.images}
    present = [(known[image], line) for image, line in entries if image in known]
    above, pages = st.container(), -(-len(present) // most)
    # Another number of pages is another choice: the page that was open may not exist any more.
    number = st.pagination(pages, key=f"gallery-{key}-{pages}", max_visible_pages=7) if pages > 1 else 1
    shown = present[(number - 1) * most : number * most]
    for start in range(0, len(shown), across):
        # A row of columns for each row of images: images of different heights would otherwise part.
        for column, (image, line) in zip(above.columns(across), shown[start : start + across], strict=False):
            with column:
                maps.original(run, image)
                st.caption(plain(line))
    if pages > 1:
        first = (number - 1) * most + 1
        above.caption(f"Images {first} to {first + len(shown) - 1} of {len(present)}.")
