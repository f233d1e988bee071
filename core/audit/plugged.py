"""Which parts of plug-ins an audit goes without. No torch."""

from __future__ import annotations

from core.applications.registry import APPLICATIONS
from core.findings.judgement import every_rule
from core.methods import METHODS
from core.plugins import active, faults
from core.reporting.requirements import frameworks


def plugin_problems() -> list[str]:
    """One line for each part of an allowed plug-in that cannot be used; every group is asked for."""
    if active():
        _ = len(METHODS), len(APPLICATIONS), every_rule(), frameworks()
    return [fault.line for fault in faults()]
