"""The concepts that an auditor declares for a new audit: typed, or in a file."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.applications.declared import EVERY_TEXT, FORM, check_texts, declarations, declared_in
from core.datasets import Dataset
from core.errors import InputError
from pages.parts.fields import Fields
from pages.parts.text_fields import from_file
from pages.parts.words import plain


def choose(dataset: Dataset, texts: dict[str, Any], fields: Fields) -> tuple[tuple[str, ...], InputError | None]:
    """The lines of the declared concepts, or why they cannot be used with these texts.

    The reason is returned, so that the rest of the form stays on the page.
    """
    key = f"declared-concepts-{dataset.id}"
    area = None
    if fields.shown:
        st.markdown(
            "Concepts that scores should rest on, or must not. Each is tested on the regions of the images that show "
            "it."
        )
        area = st.container()
        from_file(
            fields,
            key,
            "or a file of declared concepts (CSV, TOML)",
            "declared-file",
            declared_in,
            type=["csv", "toml"],
            max_upload_size=1,
        )
    typed = fields.ask(
        "text_area",
        f"Declared concepts, one per line: {FORM}",
        key,
        "",
        where=area,
        placeholder=f"{EVERY_TEXT} | watermark | forbidden",
        help=f"The class is a class or prompt of this audit, or {EVERY_TEXT} for every text.",
        height=110,
    )
    lines = [line for line in (typed or "").splitlines() if line.strip()]
    try:
        found = tuple(each.line for each in declarations(lines))
        check_texts(found, [*texts["classes"], *texts["prompts"]])
    except InputError as error:
        if fields.shown:
            st.error(plain(error))
        return (), InputError(f"declared concepts: {error}")
    return found, None
