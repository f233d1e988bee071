"""Why a planned application gave no record, as the report's chapter and the application's page print it. No torch."""

from __future__ import annotations

from core.languages import say
from core.methods.capability import reason_told
from core.runs import Run


def absent(run: Run) -> dict[str, str]:
    """`not run: …` or `failed: …` for each planned application without a record, by its name, with the reason."""
    not_run, failed = run.manifest.get("not_run", []), run.manifest.get("application_problems", {})
    reasons = {
        name: say("not run: {reason}", reason=reason_told(reason))
        for name, side, reason in not_run
        if side == "data set"
    }
    return {name: say("failed: {reason}", reason=reason) for name, reason in failed.items()} | reasons
