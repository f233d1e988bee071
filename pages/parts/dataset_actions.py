"""What can be done with a stored dataset as a whole: its date, its name, its removal."""

from __future__ import annotations

import streamlit as st

from core.content.words import plural
from core.datasets import Dataset
from core.runs.shelf import delete_dataset, label_of, set_label, users_of
from pages.parts import identity, state
from pages.parts.words import plain, problems_shown


def show(dataset: Dataset) -> None:
    """The date and the runs of the dataset, a field for its name, and its deletion."""
    added = state.added(dataset)
    users = users_of(dataset.root)
    with st.expander("Name, date and deletion"):
        date = f"Added {added} · " if added else ""
        used = f"used by {plural(len(users), 'audit')}" if users else "used by no audit"
        st.caption(plain(f"{date}{used} · {dataset.id}"))
        key = f"dataset:{dataset.root.name}"
        with st.form(f"name-{dataset.id}", border=False):
            name = st.text_input("Name", label_of(key).name, placeholder=dataset.name)
            if identity.button("Save the name", identity.LIST, form=True, icon=":material/label:"):
                with problems_shown():
                    set_label(key, name)
                    st.rerun()
        if users:
            st.caption("Audits use this dataset; it can be deleted once they are gone, also from the trash.")
            return
        sure = st.checkbox("Delete this dataset; it can be restored on the page All audits", key=f"sure-{dataset.id}")
        if identity.button(
            "Move to the trash",
            identity.DELETE,
            disabled=not sure,
            icon=":material/delete:",
            key=f"delete-{dataset.id}",
        ):
            with problems_shown():
                delete_dataset(dataset)
                st.session_state.pop("dataset_id", None)
                st.rerun()
