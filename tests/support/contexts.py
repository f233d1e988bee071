"""The context of a chapter, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from core.content.assets import Assets
from core.content.context import ReportContext
from core.evaluation.summary import Summary
from core.findings import Finding
from core.rules import Context
from core.runs import Run


def context_of(
    run: Run, assets: Assets | None = None, *, summary: Summary | None = None, findings: Sequence[Finding] = ()
) -> ReportContext:
    """What a chapter on `run` is given; its own summary unless another is."""
    return ReportContext(Context.of(run, summary), tuple(findings), Assets() if assets is None else assets)
