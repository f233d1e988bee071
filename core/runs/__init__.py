"""The record of an audit: plan, state, results, provenance. No torch."""

from core.runs.integrity import (
    SEALED_REPORT,
    break_seal,
    changed_files,
    check_before_rewriting,
    rewriting,
    sealed_problems,
)
from core.runs.manifest import environment
from core.runs.parts import (
    AGAIN,
    ApplicationPlan,
    Declared,
    MethodPlan,
    ModelSpec,
    TextPlan,
    TrustPlan,
)
from core.runs.plan import Plan, load_plan, make_plan
from core.runs.results import SCHEMA, read_results, write_unit
from core.runs.run import Run, create_run, list_runs, new_run_id, open_run, text_id
from core.runs.seal import load_seal
from core.runs.store import FINISHED, STOPPED, Progress, RunStore

__all__ = [
    "AGAIN",
    "FINISHED",
    "SCHEMA",
    "SEALED_REPORT",
    "STOPPED",
    "ApplicationPlan",
    "Declared",
    "MethodPlan",
    "ModelSpec",
    "Plan",
    "Progress",
    "Run",
    "RunStore",
    "TextPlan",
    "TrustPlan",
    "break_seal",
    "changed_files",
    "check_before_rewriting",
    "rewriting",
    "create_run",
    "environment",
    "list_runs",
    "load_plan",
    "load_seal",
    "make_plan",
    "new_run_id",
    "open_run",
    "read_results",
    "sealed_problems",
    "text_id",
    "write_unit",
]
