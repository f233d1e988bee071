"""What can be done with a run as a whole: name and tags, a copy, the trash, opening one of another folder."""

from __future__ import annotations

import shutil

import streamlit as st

from core.characters import brief
from core.content.words import plural
from core.drafts import own_folder
from core.errors import LoupeError
from core.reporting.unbundling import BUNDLE, forget_bundle, open_bundle
from core.runs import Run
from core.runs.opened import is_opened
from core.runs.review import record_start
from core.runs.shelf import (
    close_elsewhere,
    delete_run,
    empty_trash,
    is_own,
    label_of,
    listed_run,
    open_allowed,
    restore,
    set_label,
    shelf_id,
    trash,
)
from core.runs.succession import duplicate, predecessor_of
from core.settings import as_typed, server_folders
from core.storage import without_folders
from pages.parts import again, audit_name, identity, state
from pages.parts.words import plain, problems_shown

PAGE = "pages/runs.py"
REFUSED = "bundle_refused"


def show(run: Run) -> None:
    """The selected audit: its name and tags, and the actions."""
    key = shelf_id(run)
    label = label_of(key)
    with st.container(border=True):
        st.subheader(plain(state.run_label(run)), anchor=False)
        if earlier := predecessor_of(run):
            known = listed_run(earlier)
            st.caption(plain(f"Planned from {earlier if known is None else state.run_label(known)}."))
        with st.form(f"label-{key}", border=False):
            left, right = st.columns((3, 2))
            name = left.text_input("Name", label.name, placeholder="as in the report")
            tags = right.text_input("Tags", ", ".join(label.tags), placeholder="separated by commas")
            saved = identity.button("Save name and tags", identity.LIST, form=True, icon=":material/label:")
        st.caption("Names and tags are kept beside the audit. They change neither the report nor the seal.")
        if saved:
            with problems_shown():
                set_label(key, name, tags.split(","))
                st.rerun()
        with st.container(horizontal=True, vertical_alignment="center"):
            for page in ("findings", "explore", "report"):
                st.page_link(f"pages/{page}.py", label=page.capitalize(), icon=":material/arrow_forward:")
            st.page_link("pages/audit.py", label="Progress", icon=":material/arrow_forward:")
            replan(run)
            about = "A new audit of this plan, not started."
            if not is_opened(run) and identity.button(
                "Duplicate", identity.START, icon=":material/content_copy:", help=about
            ):
                with problems_shown():
                    new = duplicate(run)
                    record_start(new, identity.actor())
                    set_label(shelf_id(new), audit_name.numbered(state.title_of(run), audit_name.names()))
                    state.show_run(new.id)
                    st.session_state["wanted_view"] = "progress"
                    st.switch_page("pages/audit.py")
            if not is_own(run):
                if identity.button("Remove from list", identity.LIST, icon=":material/visibility_off:"):
                    with problems_shown():
                        _take_off(run)
            elif identity.button("Delete", identity.DELETE, icon=":material/delete:"):
                st.session_state["delete_asked"] = key
        if is_own(run) and st.session_state.get("delete_asked") == key:
            _ask(run)


def replan(run: Run) -> None:
    """The button that opens the form of a new audit with the plan of a run."""
    if identity.button("Edit and run again", identity.START, icon=":material/edit:", type="primary"):
        with problems_shown():
            again.edit(run)


def _take_off(run: Run) -> None:
    if forget_bundle(run) or close_elsewhere(run):
        st.rerun()
    st.info("This audit lies inside another one, and is listed as long as that one is.")


def _ask(run: Run) -> None:
    st.warning("Move this audit to the trash? It can be restored until the trash is emptied.", icon=":material/delete:")
    with st.container(horizontal=True):
        if identity.button("Move to the trash", identity.DELETE, type="primary"):
            st.session_state.pop("delete_asked")
            with problems_shown():
                delete_run(run)
                st.rerun()
        if st.button("Keep it"):
            st.session_state.pop("delete_asked")
            st.rerun()


def opening() -> None:
    """A field for the folder of a run that lies where the operator allows reading."""
    with st.expander("Open an audit from another folder"):
        st.markdown(as_typed("On this machine, `python -m core open FOLDER` lists the audit in that folder here."))
        if not server_folders():
            st.caption("The operator of this server has not opened a folder for reading (LOUPE_FOLDERS).")
            return
        folder = st.text_input("Folder of the audit", placeholder="a folder that the operator opened for reading")
        if identity.button("Open", identity.LIST, disabled=not folder.strip(), icon=":material/folder_open:"):
            with problems_shown():
                state.show_run(shelf_id(open_allowed(folder.strip())))
                st.rerun()


def opening_bundle() -> None:
    """An uploader for an evidence bundle that was made elsewhere."""
    with st.expander("Open an evidence bundle", icon=":material/folder_zip:"):
        st.markdown(
            "A bundle (evidence.zip) is checked as `verify` does, and listed as an audit that can be read. It has no "
            "images: findings, tables and maps are shown without them. Nothing in it is run."
        )
        if problem := identity.reason("reviewer", identity.LIST):
            st.caption(plain(problem))
            return
        if line := st.session_state.pop(REFUSED, ""):
            st.error(plain(line), icon=":material/error:")
        # A new key empties the uploader, so that a file is read once.
        turn = st.session_state.setdefault("bundle_turn", 0)
        given = st.file_uploader("Drop a bundle here", type=["zip"], key=f"bundle-{turn}")
        if given is None:
            return
        st.session_state["bundle_turn"] = turn + 1
        try:
            with st.spinner("Checking the bundle …"), own_folder("loupe-bundle-") as folder:
                path = folder / BUNDLE
                with path.open("wb") as target:
                    shutil.copyfileobj(given, target)
                run = open_bundle(path, brief(given.name, 80))
        except LoupeError as error:
            st.session_state[REFUSED] = without_folders(str(error))
        else:
            state.show_run(shelf_id(run))
        st.rerun()


def trash_can() -> None:
    """What was deleted, to be restored or removed for good."""
    found = trash()
    if not found:
        return
    with st.expander(f"Trash ({len(found)})"):
        for path in found:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.text(title_of(path.name))
                if identity.button(
                    "Restore", identity.DELETE, key=f"restore-{path.name}", icon=":material/restore_from_trash:"
                ):
                    with problems_shown():
                        restore(path.name)
                        st.rerun()
        sure = st.checkbox(f"Remove {plural(len(found), 'entry', 'entries')} for good; this cannot be undone")
        if identity.button("Empty the trash", identity.DELETE, disabled=not sure, icon=":material/delete_forever:"):
            with problems_shown():
                empty_trash()
                st.rerun()


def title_of(name: str) -> str:
    """An entry of the trash in words."""
    if name.startswith("dataset-"):
        kept = name.removeprefix("dataset-")
        return f"Dataset {label_of(f'dataset:{kept}').name or kept}"
    try:
        run = state.trashed(name)
        return f"Audit {label_of(name).name or run.plan.declared.title} · {state.started(run)}"
    except (LoupeError, OSError, ValueError):
        return f"Audit {name}"
