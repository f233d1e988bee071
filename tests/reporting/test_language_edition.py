"""Both editions in another language: every text of the product comes from a catalogue."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
from babel import Locale

from benchmarks import messages
from core.content.assets import Assets
from core.content.context import ReportContext
from core.content.house_style import in_language, keep_house_style
from core.findings import Finding, apply_rules, consensus_methods, every_rule
from core.languages import Catalogue, Voice, load_catalogue, offered, speaking, voice_of
from core.languages.catalogue import COUNT, fault, faults, known
from core.methods import METHODS
from core.reporting import render_report
from core.reporting.changes import since_version
from core.reporting.document import build_report
from core.reporting.html import FULL, STAKEHOLDER, render_html
from core.reporting.report import SHORT
from core.reporting.stakeholder import for_stakeholders
from core.reporting.versions import Version
from core.rules import Context
from core.runs import Run
from tests.reporting.test_pdf_structure import faults as structure_faults
from tests.support.made_run import made_run

OPEN, CLOSE = "\u27e6", "\u27e7"
_MARKED = re.compile(f"{OPEN}[^{OPEN}{CLOSE}]*{CLOSE}")
_SHOWN = re.compile(r'(?:alt|aria-label|data-title|data-run)="([^"]*)"|<title>([^<]*)</title>|>([^<>]+)<')
# What the product writes in every language: its name, file names, and the unit of time.
ALWAYS = {"Loupe", "evidence", "zip", "report", "pdf", "SHA", "UTC", "px", "kB", "MB"}
# What the full edition writes in every language besides: code, references to papers, names of files, rules and
# thresholds, which have points, and emphasis within a sentence, whose text is one message.
_KEPT = re.compile(
    r'<(td|th|span)[^>]*class="[^"]*\bcode\b[^"]*"[^>]*>.*?</\1>|<p class="paper">.*?</p>|</?em>'
    r"|(?<![\w.])[a-z_]+(?:\.[a-z_*]+)+|\b[0-9a-f]{64}\b",
    re.S,
)


def marked_voice() -> Voice:
    """A language in which every text of the catalogue stands in marks, so that any other text is seen."""
    found = messages.texts()
    singles = {text.english: f"{OPEN}{text.english}{CLOSE}" for text in found if not text.many}
    nouns = {
        (COUNT, text.english): (f"{OPEN}{text.english}{CLOSE}", f"{OPEN}{text.many}{CLOSE}")
        for text in found
        if text.many
    }
    return Voice(Catalogue("de", singles, nouns))


def edition(run: Run, voice: Voice, template: str = STAKEHOLDER) -> str:
    """An edition as `render_report` makes it: findings are written by the voice, what is stored of them is English."""
    stored = apply_rules(Context(run))
    with speaking(voice):
        judged = Context(run)
        context = ReportContext(judged, apply_rules(judged), Assets(), consensus_methods(judged), stored=stored)
        made = replace(build_report(context), fonts="")
        return render_html(made, context.assets, standalone=False, edition=template)


def unmarked(page: str) -> set[str]:
    """The words of a page that stand in no mark."""
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    words = set()
    for match in _SHOWN.finditer(page):
        text = html.unescape(next(part for part in match.groups() if part is not None))
        while _MARKED.search(text):
            text = _MARKED.sub(" ", text)
        words |= set(re.findall(r"[^\W\d_]{2,}", text))
    return words


def data_words(run: Run) -> set[str]:
    """Every word of what is no text of the product: the dataset, the plan, the manifest, names of methods."""
    parts = [
        (run.dataset.root / "dataset.json").read_text(encoding="utf-8"),
        json.dumps(run.plan.model_dump(mode="json"), ensure_ascii=False),
        json.dumps(run.manifest, ensure_ascii=False, default=str),
        run.id,
        *(method.title for method in METHODS.values()),
        "Januar",
    ]
    return ALWAYS | set(re.findall(r"[^\W\d_]{2,}", " ".join(parts)))


def kept_out(page: str) -> str:
    """A page of the full edition without what it writes in every language."""
    page = _KEPT.sub(" ", page)
    # A first sentence without values is left out, and the mark that opens the text with it.
    return re.sub(
        r">([^<>]+)(?=<)", lambda found: f">{OPEN * (found[1].count(CLOSE) - found[1].count(OPEN))}{found[1]}", page
    )


def recorded_words(run: Run) -> set[str]:
    """Every word of what was recorded while the audit ran, of references to papers, and of dates: no messages."""
    rows = run.results(["message"])
    parts = [
        *(str(part) for event in run.store.events() for part in event[1:]),
        *(unit["error"] or "" for unit in run.store.units()),
        *(str(message) for message in rows["message"].dropna()),
        *(refusal.reason for refusal in run.dataset.refusals),
        *(method.paper for method in METHODS.values()),
        *Locale.parse("de").months["format"]["wide"].values(),
    ]
    return set(re.findall(r"[^\W\d_]{2,}", " ".join(parts)))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    folder = tmp_path_factory.mktemp("languages")
    return [
        made_run(folder / "plain", images=8, methods=("raw", "m2ib", "rise", "gradcam"), further=True),
        made_run(folder / "failed", images=6, methods=("raw", "m2ib"), failed=1, failed_rows=1),
        made_run(folder / "stopped", images=4, methods=("raw",), finished=False),
    ]


def test_every_text_of_the_edition_comes_from_the_catalogue(runs: list[Run]) -> None:
    voice = marked_voice()
    for run in runs:
        assert unmarked(edition(run, voice)) - data_words(run) == set(), run.id


def test_the_check_sees_a_text_outside_the_catalogue(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    voice = marked_voice()
    without = {english: told for english, told in voice.catalogue.messages.items() if english != "Limitations"}
    told = unmarked(edition(runs[0], Voice(Catalogue("de", without, voice.catalogue.counted))))
    assert "Limitations" in told - data_words(runs[0])


def test_every_text_of_the_full_edition_comes_from_the_catalogue(runs: list[Run]) -> None:
    voice = marked_voice()
    for run in runs:
        page = kept_out(edition(run, voice, FULL))
        assert unmarked(page) - data_words(run) - recorded_words(run) == set(), run.id


def test_the_check_sees_a_text_of_the_full_edition_outside_the_catalogue(runs: list[Run]) -> None:
    voice = marked_voice()
    without = {english: told for english, told in voice.catalogue.messages.items() if english != "Document control"}
    page = kept_out(edition(runs[0], Voice(Catalogue("de", without, voice.catalogue.counted)), FULL))
    assert "Document" in unmarked(page) - data_words(runs[0]) - recorded_words(runs[0])


def test_the_german_catalogue_is_complete_and_fits() -> None:
    assert offered() == ("en", "de")
    found = messages.texts()
    lost = messages.lacking(found, "de")
    # A heading of the full edition, which stays English, may wait for its translation.
    assert [text.english for text in lost if not text.heading] == [], "translate them in core/locale/de"
    assert len(lost) < 0.05 * len(found)
    german = load_catalogue("de")
    assert faults(german, known()) == []
    for (_, one), forms in german.counted.items():
        assert all(forms), one
    assert "lacks {n}" in fault("{n} images", "Bilder")


def test_the_catalogue_is_as_the_script_writes_it() -> None:
    found = messages.texts()
    for language in offered()[1:]:
        file = messages.FOLDER / language / messages.FILE
        assert file.read_bytes() == messages.renewed(found, language), "run: PYTHONPATH=. python benchmarks/messages.py"


ABSENT = re.compile(r"python -m|\b(?:Kapitel|Anhang|Abschnitt)\b|\bdie aufgeführten\b")


def test_the_german_edition_refers_to_the_full_report_alone() -> None:
    with speaking(voice_of("de")) as _:
        german = load_catalogue("de").messages
        texts = [german[text] for rule in every_rule() for text in (rule.effect, rule.recommendation) if text]
        assert any(ABSENT.search(text) for text in texts)
        for text in texts:
            assert not ABSENT.search(for_stakeholders(text)), text


def test_a_run_in_german_keeps_english_evidence(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=8, methods=("raw", "rise"))
    keep_house_style(run, in_language("de"))
    folder = render_report(run).parent
    with pikepdf.open(folder / SHORT) as pdf, pikepdf.open(folder / "report.pdf") as full:
        assert str(pdf.Root.Lang) == "de" and str(full.Root.Lang) == "de"
    for name in (SHORT, "report.pdf"):
        assert structure_faults((folder / name).read_bytes()) == set(), name
    browsed = (folder / "report.html").read_text(encoding="utf-8")
    assert '<html lang="de">' in browsed and "Wie weit den Messungen" not in browsed and "Abzeichnung" in browsed
    findings = [Finding.model_validate(each) for each in json.loads((folder / "findings.json").read_bytes())]
    assert findings == list(apply_rules(Context(run)))
    assert "All planned work was done" in {finding.title for finding in findings}
    first = (folder / SHORT).read_bytes()
    assert (render_report(run).parent / SHORT).read_bytes() == first
    page = edition(run, voice_of("de"))
    assert 'lang="de"' in page and "Alle geplanten Arbeiten wurden ausgeführt" in page and "15. Januar 2026" in page
    assert "in englischer Sprache" not in page and "All planned work" not in page


def test_changes_are_found_between_stored_findings_and_told_in_words(runs: list[Run]) -> None:
    stored = apply_rules(Context(runs[0]))
    numbered = next(one for one in stored if one.evidence)
    shifted = numbered.evidence[0].model_copy(update={"value": 0.123})
    before = tuple(one.model_copy(update={"evidence": (shifted,)}) if one is numbered else one for one in stored)
    with speaking(voice_of("de")):
        judged = Context(runs[0])
        told = apply_rules(judged)
        context = ReportContext(judged, told, stored=stored)
        (same,) = since_version(context, Version(2, "0" * 64, stored))
        (other,) = since_version(context, Version(2, "0" * 64, before))
        (mixed,) = since_version(ReportContext(judged, told), Version(2, "0" * 64, stored))
    assert not same.tables and len(other.tables[0].rows) == 1
    row = " ".join(str(cell) for cell in other.tables[0].rows[0])
    words = next(one for one in told if one.id == numbered.id)
    assert words.title in row and row.count(words.evidence[0].name) == 2 and "0,12," in row and "Dateien" in row
    # Findings in two languages differ by their words alone.
    assert mixed.tables
