"""The report's charts on a page: in the page's own typeface, and in colours for its theme."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from core.content.charts import FONT, INK

PAGE_FONT = "Source Sans"
# As in .streamlit/config.toml.
BACKGROUNDS = {"light": "#ffffff", "dark": "#11171d"}
# A colour on paper, and the same on the dark background of the page: contrast 3 for marks, 4.5 for words.
DARK = {
    "#16202c": "#e7edf2",
    "#5b6878": "#b3bfca",
    "#e3e8ee": "#2a3541",
    "#b6c0cc": "#5b6a78",
    "#0b4f8a": "#5aa9e6",
    "#0072b2": "#3d9be0",
    "#56b4e9": "#a5d8f3",
    "#8a6d00": "#c9a227",
    "#6b7280": "#a3adb8",
    "#7b8794": "#94a1ae",
}


def show(chart: Any, alt: str) -> None:
    """Draw an Altair chart; `alt` describes it. The typeface of the report is not sent to browsers."""
    spec = json.loads(chart.to_json().replace(json.dumps(FONT), json.dumps(PAGE_FONT)))
    st.vega_lite_chart(spec=on_page(spec, dark=st.context.theme.type == "dark"), theme=None, alt=alt)


def on_page(spec: dict[str, Any], *, dark: bool) -> dict[str, Any]:
    """The chart on the background of the page, and with its colours for the dark theme where that is shown.

    The background is not left out: a browser that changes its theme draws the chart again only at the next click.
    """
    drawn: dict[str, Any] = _lit(spec) if dark else dict(spec)
    config = drawn.get("config", {})
    # Without it, what a legend says of kinds of lines is black.
    legend = {**config.get("legend", {}), "symbolBaseStrokeColor": DARK[INK] if dark else INK}
    drawn["config"] = {**config, "legend": legend, "background": BACKGROUNDS["dark" if dark else "light"]}
    return drawn


def _lit(node: Any) -> Any:
    if isinstance(node, dict):
        # A colour with a condition is that of words on the cells of a chart, which are the same in both themes.
        return node if "condition" in node else {name: _lit(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_lit(value) for value in node]
    return DARK.get(node, node) if isinstance(node, str) else node
