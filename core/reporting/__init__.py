"""Run and findings -> charts, heat maps, HTML, PDF and evidence bundle. No torch.

The names below are loaded when they are first used, so that the PDF process starts light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.content.heat import overlay
    from core.reporting.pdf import check_renderer
    from core.reporting.report import render_report
    from core.reporting.verdict import verify_evidence

__all__ = ["check_renderer", "overlay", "render_report", "verify_evidence"]

_WHERE = {"overlay": "heat", "check_renderer": "pdf", "render_report": "report", "verify_evidence": "verdict"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"core.reporting has no {name!r}")
    return getattr(import_module(f"core.reporting.{_WHERE[name]}"), name)
