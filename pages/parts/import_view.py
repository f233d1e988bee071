"""Imports on a page: the progress of each, a button to stop it, and its result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from core.characters import brief
from core.datasets import Upload, job
from core.errors import InputError
from core.runs.access import check
from core.storage import without_folders
from pages.parts import entry, identity, imports, state
from pages.parts.words import LONGEST, plain, problems_shown

PAGE = "pages/dataset.py"
EVERY = 1.0  # seconds between two looks at a running import


def begin(sources: Sequence[Path | Upload], name: str | None, then: str | None = None) -> None:
    """Start an import for this session and show it on the page of datasets; at its end `then`, if given."""
    # A new key empties the uploader first: a second run of the page must not take the same files again.
    st.session_state["upload_turn"] = st.session_state.get("upload_turn", 0) + 1
    st.session_state["after_import"] = then
    st.session_state.pop("import_message", None)
    try:
        check(identity.actor(), "reviewer", identity.IMPORT)
        with st.spinner("Storing the upload …"):
            begun = imports.begin(sources, name)
        _own().append(begun)
        st.query_params["import"] = begun
    except InputError as error:
        st.session_state["import_message"] = ("error", str(error))
    if st.session_state.get("page_shown") != PAGE:
        st.switch_page(PAGE, query_params=st.query_params.to_dict())
    st.rerun()


def show() -> None:
    """All imports of this workspace. The result of one that this session started is shown until it is closed."""
    asked = st.query_params.get("import")
    listed = imports.imports()
    for found in listed:
        if not found.report.over:
            st.fragment(_watch, run_every=EVERY)(found.id)
        elif found.id in _own() or found.id == asked:
            _settle(found)
    if asked is not None and asked not in {found.id for found in listed}:
        del st.query_params["import"]
    imports.sweep()
    kind, line = st.session_state.get("import_message", ("", ""))
    if line:
        if kind == "error":
            st.error(plain(brief(without_folders(line), LONGEST)), icon=":material/error:")
        else:
            st.info(line, icon=":material/info:")
        st.button("Close", key="close_import", on_click=st.session_state.pop, args=("import_message",))


def _watch(id: str) -> None:
    """One running import."""
    found = next((found for found in imports.imports() if found.id == id), None)
    if found is None or found.report.over:
        entry.run_again(PAGE)
        return
    if found.stopping:
        # A second request ends a process that did not follow the first.
        imports.stop(found)
    with st.container(border=True):
        st.markdown(f"**Importing {plain(found.label)}**")
        done, total = found.report.done, found.report.total
        progress = f"{done:,} of {total:,} files read" if total else "Starting …"
        st.progress(min(done / max(total, 1), 1.0), text="Stopping …" if found.stopping else progress)
        if identity.button(
            "Cancel the import", identity.IMPORT, key=f"stop-{id}", icon=":material/cancel:", disabled=found.stopping
        ):
            imports.stop(found)
            # Whoever cancels it is told of its end as well.
            _own().append(id)
            st.rerun(scope="fragment")


def _settle(found: imports.Import) -> None:
    """Show this session the result of its import, and remove the import."""
    _own()[:] = [id for id in _own() if id != found.id]
    if st.query_params.get("import") == found.id:
        del st.query_params["import"]
    report = found.report
    if report.state == "done":
        with problems_shown():
            # What was refused is told once, by this import; the stored copy may stem from an earlier one.
            st.session_state["just_stored"] = dataset = job.dataset(found.folder)
            state.show_dataset(dataset.id)
    elif report.state == "failed":
        st.session_state["import_message"] = ("error", report.error)
    else:
        st.session_state["import_message"] = ("info", "The import was cancelled; nothing was stored.")
    imports.remove(found)
    then = st.session_state.pop("after_import", None)
    if then and report.state == "done":
        st.switch_page(then)
    st.rerun()


def _own() -> list[str]:
    """The imports that this session has started."""
    found: list[str] = st.session_state.setdefault("imports", [])
    return found
