"""The stakeholder edition: four pages that repeat the full report's opinion, findings and open questions."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pikepdf
import pytest

from core.content.assets import Assets
from core.content.context import ReportContext
from core.findings import Finding, apply_rules, consensus_methods, every_rule
from core.reporting.document import build_report
from core.reporting.html import STAKEHOLDER, render_html
from core.reporting.report import SHORT
from core.reporting.stakeholder import MOST_QUESTIONS, for_stakeholders, open_questions, open_sentence
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
            assert text and for_stakeholders(text).replace(NO_BREAK, " ") in escaped, text
    assert 0 < len(made.open_questions) <= MOST_QUESTIONS and made.open_sentence in escaped
    for question in made.open_questions:
        assert question in escaped
    assert "python -m" not in escaped and "Inconclusive:" not in escaped and "Not tested" in escaped
    assert made.overview.opinion in page and "What is not known" in page and "<script>" not in page


# What the edition does not have: commands, chapters, annexes and lists.
ABSENT = re.compile(r"python -m|\bchapter\b|\bannex\b|\bsection on\b|\bthe listed (?!.* that the full report lists)")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Estimate it by a spot check (python -m core spot-check RUN --sheet).", "Estimate it by a spot check."),
        ("Read it; the chapter on predictions lists the errors.", "Read it; the full report lists the errors."),
        ("Inspect the listed images and captions.", "Inspect the images and captions that the full report lists."),
        ("Given in annex C.1.", "Given in the full report."),
        ("Compare images of the same subjects.", "Compare images of the same subjects."),
    ],
)
def test_it_refers_to_the_full_report_alone(text: str, told: str) -> None:
    assert for_stakeholders(text) == told and not ABSENT.search(told)


def test_no_rule_sends_its_reader_to_what_the_edition_lacks() -> None:
    texts = [text for rule in every_rule() for text in (rule.effect, rule.recommendation)]
    assert any(ABSENT.search(text) for text in texts)
    for text in texts:
        assert not ABSENT.search(for_stakeholders(text)), text


def open_check(rule: str, subject: str, title: str = "Inconclusive: made") -> Finding:
    return Finding.model_validate(
        {
            "id": f"{rule}.{title}", "rule": rule, "subject": subject, "title": title, "status": "cannot_conclude",
            "severity": "note", "condition": "c", "criterion": "c", "threshold": "",
        }
    )  # fmt: skip


def test_open_questions_are_few_each_once_and_those_on_the_model_first() -> None:
    asked = {rule.id: rule.question for rule in every_rule()}
    checks = [
        open_check("information.texts", "explanations", "Inconclusive: too few images (image side)"),
        open_check("information.texts", "explanations", "Inconclusive: too few images (text side)"),
        open_check("pairs.captions", "data"),
        *(open_check(f"reliance.{name}", "model") for name in ("border", "background", "concept", "dominant")),
    ]
    questions = open_questions(checks)
    # Two of one application, and the outcomes of one rule are one question.
    assert questions == tuple(
        asked[name] for name in ("reliance.border", "reliance.background", "pairs.captions", "information.texts")
    )
    told = open_sentence(checks)
    assert told.startswith("7 checks could not be decided; 2 of them on how far the heat maps")
    assert "; 2 with too few images or other data. " in told
    assert "; 1 with too few" in open_sentence([open_check("additive.share", "model", "Too few images to assess")])
    assert "too few" not in open_sentence([open_check("additive.share", "model", "Inconclusive")])
    assert open_questions([]) == () and open_sentence([]) == ""
    many = [open_check(name, "model") for name in asked]
    assert len(open_questions(many)) == MOST_QUESTIONS
