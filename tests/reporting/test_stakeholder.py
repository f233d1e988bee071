"""The stakeholder edition: four pages that repeat the full report's opinion, findings and open questions."""

from __future__ import annotations

import json
from pathlib import Path

import pikepdf

from core.content.assets import Assets
from core.content.context import ReportContext
from core.findings import apply_rules, consensus_methods
from core.reporting.document import build_report
from core.reporting.html import STAKEHOLDER, render_html
from core.reporting.report import SHORT
from core.rules import Context
from core.rules.writing import NO_BREAK
from core.runs import Run
from tests.reporting.test_pdf_structure import faults

MOST_PAGES = 4


def test_it_has_four_pages_carries_the_evidence_and_is_tagged(report: Path) -> None:
    data = (report / SHORT).read_bytes()
    assert faults(data) == set()
    with pikepdf.open(report / SHORT) as pdf, pikepdf.open(report / "report.pdf") as full:
        assert 1 < len(pdf.pages) <= MOST_PAGES < len(full.pages)
        attached = [json.loads(each.attachments["evidence.json"].get_file().read_bytes()) for each in (pdf, full)]
    assert attached[0] == attached[1]


def test_it_says_what_the_full_report_says(hostile_run: Run) -> None:
    judged = Context(hostile_run)
    findings = tuple(apply_rules(judged))
    context = ReportContext(judged, findings, Assets(), consensus_methods(judged))
    made = build_report(context)
    page = render_html(made, context.assets, standalone=False, edition=STAKEHOLDER).replace(NO_BREAK, " ")
    assert made.overview.headlines and made.undecided
    escaped = page.replace("&#39;", "'").replace("&#34;", '"').replace("&amp;", "&")
    for headline in made.overview.headlines:
        for text in (headline.title, headline.effect, headline.recommendation):
            assert text and text.replace(NO_BREAK, " ") in escaped, text
    for row in made.undecided.rows[:6]:
        assert row[0].replace(NO_BREAK, " ") in escaped
    assert made.overview.opinion in page and "What is not known" in page and "<script>" not in page
