"""The whole report: what is in the PDF, that nothing hostile gets through, and that it is reproducible."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pikepdf
import pytest

from core.content.assets import Assets
from core.errors import RunError
from core.findings import Finding
from core.reporting import render_report
from core.reporting import report as report_module
from core.reporting.document import build_report
from core.reporting.html import render_html
from core.rules.writing import NO_BREAK
from core.runs import Run
from tests.reporting.conftest import HOSTILE, HOSTILE_IMAGE
from tests.support.contexts import context_of
from tests.support.made_run import made_run


def text_of(pdf: Path) -> str:
    return subprocess.run(
        ["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True, check=True
    ).stdout.replace(NO_BREAK, " ")


def page_of(run: Run, findings: tuple[Finding, ...] = ()) -> str:
    assets = Assets()
    page = render_html(build_report(context_of(run, assets, findings=findings)), assets, standalone=False)
    return page.replace(NO_BREAK, " ")


def opinion_is(word: str) -> str:
    """What a page of this opinion has; the word alone is in every glossary."""
    return f'<p class="word">{word}</p>'


def finding(**parts: object) -> Finding:
    base = {
        "id": "made.one",
        "rule": "made",
        "subject": "model",
        "title": "Made finding",
        "status": "finding",
        "severity": "high",
        "condition": "Seen.",
        "criterion": "Wanted.",
        "threshold": "made = 1",
    }
    return Finding.model_validate({**base, **parts})


def test_pdf_says_what_it_must(report: Path) -> None:
    text = text_of(report / "report.pdf")
    for phrase in (
        "Overall opinion",
        "Incomplete run",
        "1 unit of 3 failed",
        "Reliability of the explanations",
        "95 % interval",
        "Raw similarity",
        "Limits and uncertainty",
        "No labels were used",
        "Labels used",
        "Sign-off",
        "A. Settings",
        "I. Glossary",
        "J. Evidence files",
        "the gradient is not finite",
        "Holm",
        "kinds of text",
        "Page 2 of",
    ):
        assert phrase in text, phrase
    # The glossary defines a family of tests by these words.
    assert "adjusted together" not in text.rpartition("I. Glossary")[0]
    assert "n/a, n" not in text
    assert "nan" not in text.lower().split()


def test_pdf_is_tagged_archivable_and_passive(report: Path) -> None:
    with pikepdf.open(report / "report.pdf") as pdf:
        root = pdf.Root
        assert root.MarkInfo.Marked
        assert str(root.Lang) == "en"
        assert root.ViewerPreferences.DisplayDocTitle
        assert "Audit of the made model" in str(pdf.docinfo["/Title"])
        assert len(root.OutputIntents) == 1
        with pdf.open_metadata() as meta:
            assert (meta["pdfaid:part"], meta["pdfaid:conformance"], meta["pdfuaid:part"]) == ("3", "A", "1")
        assert list(pdf.attachments) == ["evidence.json"]
        attached = json.loads(pdf.attachments["evidence.json"].get_file().read_bytes())
        assert attached["run"] == "run" and attached["tables"]["trust"]
        assert all(spec.AFRelationship == "/Data" for spec in root.AF)
        assert "/OpenAction" not in root and "/AA" not in root and "/JavaScript" not in root.Names
        fonts = descriptors = figures = 0
        for thing in pdf.objects:
            if not isinstance(thing, pikepdf.Dictionary):
                continue
            fonts += thing.get("/Type") == "/Font"
            if thing.get("/Type") == "/FontDescriptor":
                descriptors += 1
                assert "/FontFile2" in thing or "/FontFile3" in thing
                assert "Plex" in str(thing.FontName), thing.FontName
            if thing.get("/S") == "/Figure":
                figures += 1
                assert str(thing.get("/Alt", "")), "a figure without alternate text"
            if thing.get("/Type") == "/Action" or (
                "/S" in thing and thing.get("/S") in ("/URI", "/Launch", "/JavaScript")
            ):
                raise AssertionError(f"the PDF holds an action: {thing}")
        assert fonts and descriptors and figures


def test_markup_in_names_and_captions_is_printed_as_text(report: Path) -> None:
    html = (report / "report.html").read_text().replace(NO_BREAK, " ")
    assert HOSTILE not in html and HOSTILE_IMAGE not in html and "<b>name" not in html
    assert "&lt;script&gt;alert(1)" in html and "=&lt;b&gt;name" in html
    text = " ".join(text_of(report / "report.pdf").split())
    assert "<script>alert(1)" in text and "=<b>name" in text


def test_standalone_page_asks_for_nothing(report: Path) -> None:
    html = (report / "report.html").read_text().replace(NO_BREAK, " ")
    assert "default-src 'none'" in html
    assert "audit://" not in html and 'src="http' not in html
    assert "&#34;" not in html[: html.index("</style>")]


def test_two_builds_are_byte_identical(hostile_run: Run, report: Path) -> None:
    before = {name: (report / name).read_bytes() for name in report_module.FILES}
    render_report(hostile_run)
    for name, data in before.items():
        assert (report / name).read_bytes() == data, name
    assert sorted(path.name for path in report.iterdir()) == sorted(report_module.FILES)


def test_date_comes_from_the_epoch_if_it_is_set(hostile_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = page_of(hostile_run)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    second = page_of(hostile_run)
    assert "2026-01-15" in first and 'content="1970-01-02T00:00:00Z"' in second
    assert first != second


def test_run_without_a_finished_unit_is_refused_in_one_line(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",), failed=1)
    with pytest.raises(RunError, match="no finished unit") as caught:
        render_report(run)
    assert "\n" not in str(caught.value)
    assert not run.report.exists()


def test_cancelled_run_says_so_and_cannot_conclude(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=4, methods=("raw",), finished=False)
    page = page_of(run, (finding(status="passed", severity="note"),))
    assert "This run is cancelled: 1 of 2 (50 %) units are completed." in page
    assert opinion_is("Cannot conclude") in page
    whole = made_run(tmp_path / "whole", images=4, methods=("raw",))
    page = page_of(whole, (finding(status="passed", severity="note"),))
    assert opinion_is("No material concern") in page and "Incomplete run" not in page


def test_no_findings_at_all_is_cannot_conclude_and_a_severe_one_a_concern(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",))
    empty = page_of(run)
    assert opinion_is("Cannot conclude") in empty and 'id="findings"' not in empty and 'id="passed"' not in empty
    severe = page_of(run, (finding(),))
    assert (
        opinion_is("Concerns") in severe
        and opinion_is("Cannot conclude") not in severe
        and 'href="#finding-made-one"' in severe
    )


def test_samples_and_counter_evidence_are_shown_even_if_a_image_is_unknown(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw", "m2ib"))
    known = {"image": run.plan.images[0], "image_name": "shown.png", "text": "red circle"}
    gone = {"image": "0" * 16, "image_name": "gone.png", "note": "no longer there"}
    page = page_of(
        run,
        (
            finding(
                samples=({**known, "methods": ("raw",), "note": "lowest"}, gone),
                rule_of_samples="lowest first",
                counter=({**known, "methods": ("raw", "m2ib")},),
                counter_note="highest first",
                evidence=({"name": "share", "value": 0.5, "low": 0.4, "high": 0.6, "n": 2},),
            ),
        ),
    )
    for told in ("Selected by: lowest first.", "Selected by: highest first.", "gone.png", "no longer there", "n = 2"):
        assert told in page, told
    assert page.count('class="sample third') == 2 and "0.50 [0.40, 0.60], n = 2" in page


def test_failed_render_leaves_the_report_before_untouched(
    hostile_run: Run, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: (report / name).read_bytes() for name in report_module.FILES}

    def broken(*arguments: object, **options: object) -> list[bytes]:
        raise RunError("made to fail")

    monkeypatch.setattr(report_module, "render_pdfs", broken)
    with pytest.raises(RunError, match="made to fail"):
        render_report(hostile_run, findings=())
    assert {name: (report / name).read_bytes() for name in report_module.FILES} == before
    assert sorted(path.name for path in report.iterdir()) == sorted(report_module.FILES)


def test_bare_manifest_and_constant_maps_still_print(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",))
    (run.folder / "manifest.json").write_text("{}")
    page = page_of(run)
    assert "not recorded" in page and 'id="subject"' in page
