"""The saved view that limits which images of a run the pages list: its choice, and the line that says so."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from core.content.words import plural
from core.runs import Run
from core.runs.saved_views import SavedView, saved_views
from pages.parts import address
from pages.parts.words import plain

NAME, USED = "saved", "saved_view_used"


def chosen(run: Run) -> SavedView | None:
    """The view that this session has chosen for the run, or that the address names; None without any."""
    views = saved_views(run)
    key = f"saved-view-{run.id}"
    address.enter(key, NAME, list(views), "", str)
    view = views.get(st.session_state[key])
    address.tell(NAME, [view.name] if view else [])
    return view


def choose(run: Run, name: str) -> None:
    """Limit every page to the images of this view, or to none with an empty name."""
    st.session_state[f"saved-view-{run.id}"] = name


def limited(run: Run, *, total: int | None = None) -> SavedView | None:
    """The chosen view, announced in a line with a button that removes it; None without any.

    total: of how many images, if not all of the audit.
    """
    view = chosen(run)
    if view is None:
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        of = plural(total or len(run.plan.images), "image")
        st.markdown(f":material/filter_alt: **{len(view.images):,} of {of}**: view {plain(view.name)}", width="content")
        st.button(
            "Remove", icon=":material/close:", key="remove-saved-view", on_click=choose, args=(run, ""),
            help="Show all images again. The view stays saved.",
        )  # fmt: skip
    return view


def note() -> None:
    """Called by a part of a page that leaves images out because of the chosen view."""
    st.session_state[USED] = True


def told(run: Run) -> None:
    """Announce the chosen view if a part of the page has left images out because of it; tables count all images."""
    if st.session_state.pop(USED, False):
        limited(run)
        st.caption("The view limits the images that are shown on this page. Its numbers are of all images.")


def whole(run: Run) -> None:
    """Called where a random sample of the whole audit is judged: the chosen view does not limit it."""
    if chosen(run) is not None:
        limited(run)
        st.caption("The view does not limit this sample: it is random over all images, so that it stands for them.")


def within(view: SavedView | None, images: Collection[str]) -> list[str]:
    """Those of `images` that the view has, in their order; all of them without a view."""
    if view is None:
        return list(images)
    kept = set(view.images)
    return [image for image in images if image in kept]
