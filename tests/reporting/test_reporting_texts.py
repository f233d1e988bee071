"""Whatever a text holds, a report is rendered; nothing that leaves the machine names a place on it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import altair as alt
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.content.assets import Assets
from core.content.charts import to_svg
from core.content.parts import Report
from core.evaluation.summary import summarise
from core.findings import judge
from core.reporting.document import build_report
from core.reporting.evidence import findings_json, write_evidence
from core.reporting.html import render_html
from core.reporting.pdf import render_pdf
from core.runs import Run
from core.storage import without_folders
from tests.support.contexts import context_of
from tests.support.made_run import made_run

ANY = st.text(st.characters(codec=None, categories=None), max_size=30)
# What a table of texts can hold: half a pair of surrogates is refused by Arrow, and by every check of a plan before.
STORED = st.text(st.characters(codec="utf-8"), max_size=30)
NASTY = "Q\x00u\x0ba\x1brt\ud800er\ufffely\u202e \U0010ffffaudit\u2028]]>&<b>'\""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Assets]:
    run = made_run(tmp_path_factory.mktemp("texts") / "run", images=2, methods=("raw",))
    assets = Assets()
    summary = summarise(run)
    return build_report(context_of(run, assets, summary=summary, findings=judge(run, summary))), assets


class Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def spoilt(report: Report, text: str) -> Report:
    """The report with a text where titles and names stand, past every check of the plan."""
    gallery = tuple(replace(sample, name=text, why=text) for sample in report.gallery)
    cover = replace(report.cover, title=text, subtitle=text, warning=text)
    return replace(report, title=text, cover=cover, gallery=gallery, limits=(text, *report.limits))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=ANY)
def test_any_text_renders_as_a_page_whose_texts_fit_xml(made: tuple[Report, Assets], text: str) -> None:
    report, assets = made
    page = render_html(spoilt(report, text), assets, standalone=False)
    page.encode()
    parser = Texts()
    parser.feed(page)
    for found in parser.found:
        told = found.replace("&", "&amp;").replace("<", "&lt;")
        ElementTree.fromstring(f"<a>{told}</a>")


@settings(deadline=None, max_examples=25)
@given(text=STORED)
def test_any_text_in_a_chart_gives_sound_xml(text: str) -> None:
    frame = pd.DataFrame({"name": [text, "b"], "value": [1.0, 2.0]})
    ElementTree.fromstring(to_svg(alt.Chart(frame).mark_bar().encode(x="value:Q", y="name:N"), text))


@pytest.mark.parametrize("text", [NASTY, "x" * 200])
def test_a_report_with_such_a_text_becomes_a_pdf(made: tuple[Report, Assets], text: str) -> None:
    report, assets = made
    page = render_html(spoilt(report, text), assets, standalone=False)
    data = render_pdf(page, assets, created=report.created, attached=("evidence.json", b"{}"))
    assert data.startswith(b"%PDF-")


def test_equal_runs_in_two_folders_leave_equal_files(tmp_path: Path) -> None:
    written: list[dict[str, bytes]] = []
    for name in ("xanthippe", "yggdrasil"):
        folder = tmp_path / name
        folder.mkdir()
        run = made_run(folder / "run", images=4, failed_rows=1, failed=1)
        plan = run.plan.model_copy(update={"dataset_root": str(run.dataset.root.resolve())})
        plan.save(run.folder / "plan.json")
        run = Run(run.folder)
        run.store.log("note", f"{folder}/a file.png and '{folder}/b' are missing")
        run.update_manifest(
            compare_with=[str(folder / "other")], comparison_problems=[f"{folder}/other is gone"],
            application_problems={"concepts": f"{folder}/bank.json is missing"},
        )  # fmt: skip
        summary = summarise(run)
        findings = judge(run, summary)
        write_evidence(run, summary, findings, folder / "evidence.zip")
        assets = Assets()
        report = build_report(context_of(run, assets, summary=summary, findings=findings))
        with zipfile.ZipFile(folder / "evidence.zip") as bundle:
            files = {entry: bundle.read(entry) for entry in bundle.namelist()}
        files |= {"html": render_html(report, assets, standalone=False).encode(), "found": findings_json(findings)}
        for entry, data in files.items():
            assert name.encode() not in data and str(tmp_path).encode() not in data, entry
        written.append(files)
    one, two = written
    assert one["found"] == two["found"] and one["plan.json"] == two["plan.json"]
    # What was recorded of time differs and nothing else: when events were logged and how long units took.
    differ = {name for name in one if one[name] != two[name]}
    assert differ <= {"log.csv", "units.csv", "SHA256SUMS", "html"}
    told: Any = json.loads(one["manifest.json"])
    assert told["compare_with"] == ["other"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/jane/pics/cat.png is missing", "cat.png is missing"),
        ("'/srv/x/y.json'", "'y.json'"),
        ("C:\\Users\\jane\\w.pt can't be read", "w.pt can't be read"),
        ("file:///home/jane/x.png", "x.png"),
        ("~/secret/x.png", "x.png"),
        ("/secret", "secret"),
        ("3 of 4 and/or 1/2", "3 of 4 and/or 1/2"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("hf-hub:owner/model", "hf-hub:owner/model"),
    ],
)
def test_of_a_path_only_the_last_part_is_left(text: str, left: str) -> None:
    assert without_folders(text) == left


def test_a_home_with_blanks_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/jane doe")
    assert without_folders("/home/jane doe/x.png is missing") == "x.png is missing"
