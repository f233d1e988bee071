"""Pictures of what a page shows once an audit has run: our own screenshots of an audit of the bundled sample."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.settings import ROOT

FOLDER = ROOT / "templates" / "app" / "examples"


def picture(page: str) -> None:
    """The example of a page; nothing where there is none."""
    path = FOLDER / f"{Path(page).stem}.webp"
    if path.exists():
        st.image(str(path), width="stretch", alt=f"Example of the page {Path(page).stem.replace('_', ' ')}")
        st.caption("Example: an audit of the bundled sample.")
