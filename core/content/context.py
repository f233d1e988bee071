"""What a chapter is given: the run as rules read it, the findings, and where its images and charts are collected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.content.assets import Assets
from core.evaluation.summary import Summary
from core.rules import Context, Finding, Thresholds
from core.runs import Run


@dataclass(frozen=True)
class ReportContext:
    """Made once for a report and passed down to every chapter.

    `consensus`: for each kind of text the methods that a consensus of maps is made of. `stored`: the findings as they
    are stored, in English; empty where `findings` are these.
    """

    judged: Context
    findings: tuple[Finding, ...] = ()
    assets: Assets = field(default_factory=Assets)
    consensus: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stored: tuple[Finding, ...] = ()

    @property
    def run(self) -> Run:
        """The run that is reported on."""
        return self.judged.run

    @property
    def summary(self) -> Summary:
        """The run's summary."""
        return self.judged.summary

    @property
    def thresholds(self) -> Thresholds:
        """The thresholds that the run was judged by."""
        return self.judged.thresholds
