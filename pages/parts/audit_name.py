"""The name of a new audit: that of what it is made of, with a number where an audit is called so already."""

from __future__ import annotations

import re

import streamlit as st

from core.datasets import Dataset
from core.errors import LoupeError
from core.runs import Run
from core.runs.shelf import NAME_CHARACTERS, set_label, shelf, shelf_id
from pages.parts import state

_NUMBERED = re.compile(r"(.+?) \d{1,2}")


def ask(dataset: Dataset, earlier: Run | None) -> str:
    """What the person calls the audit that is planned, by default after its dataset or the audit that it repeats."""
    usual = f"Audit of {state.dataset_name(dataset)}" if earlier is None else state.title_of(earlier)
    taken = names()
    key = _key(dataset, earlier)
    # Set here and not as the field's own default, which would follow every audit that is started meanwhile.
    st.session_state.setdefault(key, numbered(usual, taken))
    typed = st.text_input(
        "Name of the audit",
        key=key,
        max_chars=NAME_CHARACTERS,
        persist_state="session",
        help="It is the title of the report too, unless another one is declared below. In the list of audits it can "
        "be changed at any time.",
    )
    name = " ".join(typed.split()) or numbered(usual, taken)
    if name in taken:
        st.caption("Another audit has this name already; only the dates distinguish the two.")
    return name


def keep(run: Run, name: str, dataset: Dataset, earlier: Run | None) -> None:
    """Give the audit its name in the list where its report has another title; the next form proposes a name anew."""
    if name != run.plan.declared.title:
        set_label(shelf_id(run), name)
    for field in (_key(dataset, earlier), "title"):
        st.session_state.pop(field, None)


def names() -> set[str]:
    """What the listed audits are called; a damaged one has no name."""
    found = set()
    for run in shelf().values():
        try:
            found.add(state.title_of(run))
        except (LoupeError, OSError, ValueError):
            continue
    return found


def numbered(name: str, taken: set[str]) -> str:
    """The name, or the first number after it that no name of `taken` has."""
    name = name[: NAME_CHARACTERS - 3]
    if name not in taken:
        return name
    parted = _NUMBERED.fullmatch(name)
    stem = parted[1] if parted else name
    return next(f"{stem} {at}" for at in range(2, len(taken) + 3) if f"{stem} {at}" not in taken)


def _key(dataset: Dataset, earlier: Run | None) -> str:
    return f"audit-name-{dataset.id}-{'' if earlier is None else earlier.id}"
