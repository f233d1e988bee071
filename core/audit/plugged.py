"""Which parts of plug-ins an audit goes without. No torch."""

from __future__ import annotations

from core.applications.registry import APPLICATIONS
from core.methods import METHODS
from core.plugins import active, faults


def plugin_problems() -> list[str]:
    """One line for each part of an allowed plug-in that cannot be used; every group is asked for."""
    if active():
        # What judges and reports is loaded here only where somebody's rules and frameworks may be among it.
        from core.findings.judgement import every_rule
        from core.reporting.requirements import frameworks

        _ = len(METHODS), len(APPLICATIONS), every_rule(), frameworks()
    return [fault.line for fault in faults()]
