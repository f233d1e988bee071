"""The spot check on a page: one image after the other, each marked with a key or a button."""

from __future__ import annotations

import streamlit as st

from core.applications.spot_check import SIZE, draw, outdated
from core.characters import folded
from core.content.words import plural
from core.runs import Run
from core.runs.access import Actor
from core.runs.spot_check import PROTOCOL, VERDICTS, DrawnImage, SpotCheck, add_marks, load_spot_check, start_spot_check
from pages.parts import identity, maps, saved_views
from pages.parts.words import empty, plain

# Yes and no: the browser and Streamlit use R themselves.
KEYS = {"right": "y", "wrong": "n", "unsure": "u"}
ICONS = {"right": ":material/check:", "wrong": ":material/close:", "unsure": ":material/question_mark:"}
SMALLEST, LARGEST = 10, 2_000


def show(run: Run) -> None:
    """Draw a sample, or mark the images of the one that exists."""
    saved_views.whole(run)
    check = load_spot_check(run)
    if check is None:
        start(run)
        return
    if outdated(run, check):
        st.warning(
            "The predictions have changed since this sample was drawn. Remove spot_check.json from the folder of the "
            "audit to draw another one."
        )
        return
    st.caption(
        plain(
            f"{len(check.sample)} of {plural(check.population, 'image')}, drawn at random (seed {check.seed}) "
            f"from each of {plural(len(check.strata), 'group')} by plausibility and class."
        )
    )
    judge = judge_of_session(run, check)
    if judge.name:
        mark(run, check, judge)
    results(run, check)


def judge_of_session(run: Run, check: SpotCheck) -> Actor:
    """Who marks images in this session; without a name until one is given.

    The field is gone while images are marked: what is typed while it has the focus is no shortcut.
    """
    who = identity.actor()
    if who.name:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(plain(f"Marked by {who.name}"))
            identity.rename_button("spot-check-rename")
        return who
    with st.form("spot-check-name", border=False):
        typed = st.text_input("Your name", key="spot-check-judge", max_chars=100, help="The report prints it.")
        if identity.button("Start marking", identity.MARK, form=True, type="primary") and typed.strip():
            identity.keep_name(typed)
            st.rerun()
    for name in check.judges:
        if st.button(plain(f"Continue as {name}"), key=f"spot-check-continue-{name}"):
            identity.keep_name(name)
            st.rerun()
    return who


def start(run: Run) -> None:
    """The form that draws the sample."""
    st.text(
        "A random sample of images is drawn and people mark each prediction as right, wrong or unsure. The report then "
        "states the accuracy with its interval."
    )
    most = min(LARGEST, len(run.plan.images))
    least = min(SMALLEST, most)
    size = least if most == least else st.number_input("Images", least, most, min(SIZE, most), key="spot-check-size")
    if identity.button("Draw the sample", "draw a spot check", type="primary", icon=":material/casino:"):
        start_spot_check(run, draw(run, int(size)), identity.actor())
        st.rerun()


def mark(run: Run, check: SpotCheck, judge: Actor) -> None:
    """The first image that this judge has not marked, or the one that they went back to."""
    given = next((check.verdicts(name) for name in check.judges if folded(name) == folded(judge.name)), {})
    waiting = [at for at, entry in enumerate(check.sample) if entry.image not in given]
    key = f"spot-check-at-{run.id}"
    at = st.session_state.get(key)
    if at is None or not 0 <= at < len(check.sample):
        at = waiting[0] if waiting else None
    st.progress(len(given) / len(check.sample), text=f"{len(given)} of {len(check.sample)} marked by you")
    if at is None:
        st.success("You have marked every image of the sample.")
        if st.button("Back to the last image", icon=":material/arrow_back:"):
            st.session_state[key] = len(check.sample) - 1
            st.rerun()
        return
    entry = check.sample[at]
    left, right = st.columns([3, 2])
    with left:
        drawn_image(run, entry)
    with right:
        st.markdown(f"Image {at + 1} of {len(check.sample)}. Predicted class:")
        st.subheader(plain(entry.statement), anchor=False)
        for verdict in VERDICTS:
            chosen = given.get(entry.image) == verdict
            if identity.button(
                verdict.capitalize(),
                identity.MARK,
                key=f"spot-check-{verdict}",
                icon=ICONS[verdict],
                shortcut=KEYS[verdict],
                type="primary" if chosen else "secondary",
                width="stretch",
            ):
                add_marks(run, judge, {entry.image: verdict})
                st.session_state.pop(key, None)
                st.rerun()
        if at and st.button("Back", key="spot-check-back", icon=":material/arrow_back:", shortcut="b", width="stretch"):
            st.session_state[key] = at - 1
            st.rerun()
        st.caption(plain(PROTOCOL))


def drawn_image(run: Run, entry: DrawnImage) -> None:
    """The image to be marked."""
    found = maps.image_of(run, entry.image)
    if found is None:
        empty("This image is missing from the dataset.", "pages/dataset.py", "Dataset")
        return
    # The name of a file may give the class away.
    maps.original(run, found, alt="The image to be marked")


def results(run: Run, check: SpotCheck) -> None:
    """How many marks there are; not what they show, which could influence who marks next."""
    if not check.marks:
        return
    counted = "; ".join(f"{judge}: {len(check.verdicts(judge))} of {len(check.sample)}" for judge in check.judges)
    st.caption(plain(f"Marked so far: {counted}. The report states the accuracy once it has been generated again."))
    st.page_link("pages/report.py", label="Generate the report again", icon=":material/description:")
