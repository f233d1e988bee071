"""The report's charts on a page, in the page's own typeface."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from core.content.charts import FONT

PAGE_FONT = "Source Sans"


def show(chart: Any, alt: str) -> None:
    """Draw an Altair chart; `alt` describes it. The typeface of the report is not sent to browsers."""
    spec = json.loads(chart.to_json().replace(json.dumps(FONT), json.dumps(PAGE_FONT)))
    st.vega_lite_chart(spec=spec, theme=None, alt=alt)
