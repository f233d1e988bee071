"""The selected images beside the embedding map, and what can be done with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from core.characters import brief
from core.content.words import plural, shorten
from core.datasets import DatasetImage, subset
from core.runs import Run
from core.runs.saved_views import delete_view, save_view, saved_views
from core.runs.shelf import NAME_CHARACTERS
from core.settings import datasets_folder
from pages.parts import layout_held, maps, state
from pages.parts import saved_views as views
from pages.parts.words import plain, problems_shown

ACROSS, PER_PAGE = 3, 12


def show(run: Run, images: Sequence[str], *, lasso: bool) -> None:
    """The images, a page at a time, and the buttons; what to do where none is selected.

    lasso: the images were selected on the map, not by a search alone.
    """
    known = {image.id: image for image in state.dataset_of(run).images}
    present = [known[image] for image in images if image in known]
    st.subheader("Selected images" if lasso or present else "No image is selected", anchor=False)
    choose_view(run)
    if not present:
        st.caption(
            "Draw around points with the lasso or the box of the map's toolbar, or search. A double-click on the map "
            "removes the selection."
        )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(plural(len(present), "image"), width="content")
        if lasso:
            st.button("Clear the selection", icon=":material/deselect:", on_click=layout_held.forget, args=(run,))
    thumbnails(run, present)
    save(run, [image.id for image in present])
    audit(run, [image.id for image in present])


def choose_view(run: Run) -> None:
    """The saved views of the run; the choice limits every page."""
    saved = saved_views(run)
    if not saved:
        return
    key, now = f"choose-view-{run.id}", views.chosen(run)
    st.session_state[key] = now.name if now else ""
    st.selectbox(
        "Saved view",
        ["", *saved],
        format_func=lambda name: f"{name} ({len(saved[name].images):,})" if name else "all images",
        key=key,
        on_change=_chosen,
        args=(run, key),
    )
    if now and st.button("Delete this view", icon=":material/delete:", key=f"delete-view-{run.id}"):
        with problems_shown():
            delete_view(run, now.name)
            views.choose(run, "")
            st.rerun()


def thumbnails(run: Run, images: Sequence[DatasetImage]) -> None:
    """Small images with their names; each name leads to the maps of its image."""
    pages = -(-len(images) // PER_PAGE)
    number = st.pagination(pages, key=f"selected-{run.id}-{pages}", max_visible_pages=5) if pages > 1 else 1
    part = images[(number - 1) * PER_PAGE : number * PER_PAGE]
    for start in range(0, len(part), ACROSS):
        for column, image in zip(st.columns(ACROSS, gap="small"), part[start : start + ACROSS], strict=False):
            with column:
                maps.thumbnail(run, image)
                name = plain(shorten(Path(image.name).stem, 14))
                if st.button(name, key=f"open-{image.id}", type="tertiary", help=f"Maps of {plain(image.name)}"):
                    st.session_state["wanted_image"] = image.id
                    st.switch_page("pages/explore.py", query_params={"run": str(st.session_state["run_id"])})


def save(run: Run, images: Sequence[str]) -> None:
    """The form that stores the images as a view, which then limits every page."""
    with st.form(f"save-view-{run.id}", border=False):
        name = st.text_input("Name of a view", max_chars=NAME_CHARACTERS, placeholder="for example: blurred")
        asked = st.form_submit_button("Save as a view", icon=":material/bookmark:")
    if asked:
        with problems_shown():
            views.choose(run, save_view(run, name, images).name)
            st.rerun()


def audit(run: Run, images: Sequence[str]) -> None:
    """The button to a new audit of the images: they become a dataset, and its form has the texts of this audit."""
    if not st.button(
        "Audit these images",
        icon=":material/play_circle:",
        key=f"audit-selected-{run.id}",
        help="Stores the images as a dataset of their own and opens the form of a new audit with these texts.",
    ):
        return
    with problems_shown():
        dataset, view = state.dataset_of(run), views.chosen(run)
        whole = view is not None and set(view.images) == set(images)
        name = view.name if view is not None and whole else f"{plural(len(images), 'image')} of {dataset.name}"
        with st.spinner("Storing the images …"):
            stored = subset(dataset, images, datasets_folder(), brief(name, NAME_CHARACTERS))
        for kind, texts in (("prompts", run.plan.texts.prompts), ("classes", run.plan.texts.classes)):
            if texts:
                st.session_state[f"{kind}-{stored.id}"] = "\n".join(texts)
        st.session_state["wanted_view"] = "new"
        state.show_dataset(stored.id)
        st.switch_page("pages/audit.py")


def _chosen(run: Run, key: str) -> None:
    views.choose(run, str(st.session_state[key]))
