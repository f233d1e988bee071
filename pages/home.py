"""Home: what Loupe is, what it needs, and three ways to begin."""

from __future__ import annotations

import streamlit as st

from core.content.words import plural
from core.runs import FINISHED
from core.runs.shelf import shelf
from pages.parts import entry, examples, identity, import_view, presets, sample, state
from pages.parts.words import plain, problems_shown

DATASET, AUDIT, RUNS = "pages/dataset.py", "pages/audit.py", "pages/runs.py"
RECENT = 3


def about() -> None:
    """What it is, with an example of what comes out."""
    words, picture = st.columns(2, gap="large", vertical_alignment="center")
    with words:
        st.markdown(
            "Loupe audits vision-language models of the CLIP kind: models that score how well a text fits an image. It "
            "shows which parts of an image and which words a score rests on, tests how far these explanations can be "
            "trusted, and reports what it finds in a PDF that can be signed and checked."
        )
        st.markdown(
            "**What it needs:** images that represent the intended use, the texts that your product compares them "
            "with, and a model. Labels are not needed. Everything stays on this machine."
        )
    with picture:
        examples.picture("home")


def demo() -> None:
    """The bundled sample, ready for an audit."""
    count = sum(1 for _ in (sample.FOLDER / "images").glob("*"))
    st.header("Try the demo", anchor=False)
    st.markdown(
        f"{plural(count, 'photograph')} with captions and a bundled model. “Quick look” is selected: a first result "
        "takes minutes."
    )
    if identity.button("Try the demo", identity.IMPORT, type="primary", icon=":material/play_arrow:"):
        st.session_state[presets.WANTED] = "quick"
        stored = next((one for one in state.stored_datasets() if one.name == sample.NAME), None)
        if stored is not None:
            state.show_dataset(stored.id)
            open_form()
        st.session_state["wanted_view"] = "new"
        import_view.begin(sample.sources(), sample.NAME, then=AUDIT)


def own() -> None:
    """One's own images and model."""
    st.header("Audit my model", anchor=False)
    st.markdown(
        "Add your images, then name a model: one of those that come with Loupe, a name of "
        "open_clip, a folder on the server, an upload, or a table of stored scores."
    )
    if st.button("Add images", icon=":material/photo_library:"):
        st.switch_page(DATASET)
    if state.stored_datasets() and st.button("Plan an audit", icon=":material/play_circle:"):
        open_form()


def runs() -> None:
    """The latest audits."""
    st.header("Open an audit", anchor=False)
    found = shelf()
    if not found:
        st.markdown("Audits are listed here, the latest first. There is none yet.")
        st.page_link(RUNS, label="Open one that was made elsewhere", icon=":material/arrow_forward:")
        return
    st.markdown("The latest audits:")
    for key, run in list(found.items())[:RECENT]:
        with problems_shown():
            over = state.progress_of(run).state in FINISHED
            if st.button(plain(state.run_label(run)), key=f"open-{key}", icon=":material/folder_open:"):
                state.show_run(key)
                st.session_state["wanted_view"] = "progress"
                st.switch_page("pages/findings.py" if over else AUDIT)
    st.page_link(RUNS, label=f"All audits ({len(found)})", icon=":material/arrow_forward:")


def open_form() -> None:
    """The form of a new audit."""
    st.session_state["wanted_view"] = "new"
    st.switch_page(AUDIT)


entry.through_app("pages/home.py")
st.title("Loupe")
about()
for column, offer in zip(st.columns(3), (demo, own, runs), strict=True):
    with column, st.container(border=True, height="stretch"), problems_shown():
        offer()
