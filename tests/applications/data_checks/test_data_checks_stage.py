"""Planted flaws of images and texts are found by their rules, and the clean twin raises no alarm."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from core.applications.data_checks.chapter import sections
from core.applications.data_checks.measures import copy_groups, image_measures, issues, languages_of
from core.applications.data_checks.record import DataRecord
from core.applications.data_checks.rules import RULES
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.datasets import ingest
from core.findings import apply, load_thresholds
from core.rules import Context, Finding
from core.runs import Run, TextPlan
from tests.audit.small import CLASSES, loaded, new_run, plan_for, save_model
from tests.support.contexts import context_of
from tests.support.made_photos import folder_of, near_copy, night, photo, scan

COUNT = 30
ENGLISH = "a quiet valley with some trees number {} in the evening light"
LONG = "a quiet valley with some trees in the evening light " * 9
GERMAN = "zwei Frauen auf einer Bank Nummer {}"


def planted(flaw: str) -> tuple[dict[str, Image.Image], dict[str, str]]:
    """Images and captions by name: of clean photographs, or with one flaw."""
    images = {f"{at:02}.png": photo(at) for at in range(COUNT)}
    texts = {name: ENGLISH.format(at) for at, name in enumerate(images)}
    if flaw == "dark":
        images |= {name: night(image) for name, image in list(images.items())[::3]}
    elif flaw == "copies":
        images |= {f"copy {at}.png": near_copy(photo(at), at) for at in range(6)}
    elif flaw == "scans":
        images |= {f"scan {at}.png": scan(at) for at in range(6)}
    elif flaw == "german":
        texts |= {name: GERMAN.format(at) for at, name in enumerate(list(texts)[:6])}
    elif flaw == "long":
        texts |= {name: LONG + f" and the number {at} at the end" for at, name in enumerate(list(texts)[:3])}
        texts[list(texts)[3]] = ("short " * 12).strip()
    elif flaw == "repeated":
        texts |= dict.fromkeys(list(texts)[:8], ENGLISH.format("one"))
    return images, texts


def run_of(folder: Path, flaw: str = "") -> Run:
    parts = {"texts": TextPlan(classes=(*CLASSES, CLASSES[0].upper(), f" {CLASSES[1]}"))} if flaw == "classes" else {}
    images, texts = planted(flaw)
    table = "\n".join(["image,caption", *(f"{name},{text}" for name, text in texts.items())]) + "\n"
    dataset = ingest([folder_of(folder / "images", images, table)], store=folder / "data")
    config = save_model(folder / "vit")
    run = new_run(folder / "run", plan_for(dataset, config, ("raw",), **parts))
    subject = Subject(run, loaded(config))
    record = DataRecord.load(run_stage(subject, "data_checks", {}, lambda line: None))
    # One forward per image, none where another application has embedded it.
    assert record.about["image_forwards"] == len(images)
    assert DataRecord.load(run_stage(subject, "data_checks", {}, lambda line: None)).about["image_forwards"] == 0
    return run


def judged(run: Run) -> dict[str, Finding]:
    context = Context.of(run, thresholds=load_thresholds())
    return {finding.rule: finding for rule in RULES for finding in apply(rule, context)}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_of(tmp_path_factory.mktemp("clean"))


def test_the_clean_twin_passes_every_rule(clean: Run) -> None:
    findings = judged(clean)
    assert set(findings) == {rule.id for rule in RULES} - {"data.drift"}
    assert {finding.status for finding in findings.values()} == {"passed"}
    assert findings["data.outliers"].title == "No group of images differs in kind from the rest"
    record = DataRecord.of_run(clean)
    assert record is not None
    judged_texts = len(languages_of(record, "caption", "prompt"))
    assert findings["texts.language"].title == f"{judged_texts} of {judged_texts} judged texts are in English"
    assert copy_groups(record) == [] and record.kinds.empty
    assert not any(issue.count for issue in issues(record))
    first, *rest = sections(context_of(clean))
    assert first.title == "Images and texts" and len(first.tables[0].rows) == 7 and not rest
    measures = image_measures(clean)
    assert {measure.subject for measure in measures} == {"data"} and all(len(one.values) == COUNT for one in measures)


@pytest.mark.parametrize(
    ("flaw", "rule", "words"),
    [
        ("dark", "data.quality", "images are: dark 10"),
        ("copies", "data.duplicates", "Copies of another image: 6 ("),
        ("scans", "data.outliers", "scan 5.png"),
        ("german", "texts.language", "German 6"),
        ("repeated", "texts.repeated", "8 of 30 captions"),
        ("classes", "texts.classes", "“red circle”, “RED CIRCLE”"),
        ("long", "texts.unread", "caption 3. The text tower reads at most 16 tokens"),
    ],
)
def test_a_planted_flaw_is_a_finding_of_its_rule(tmp_path: Path, flaw: str, rule: str, words: str) -> None:
    run = run_of(tmp_path, flaw)
    finding = judged(run)[rule]
    assert finding.status == "finding" and words in finding.condition
    # The length of a text is known to be the cause; any other is a hypothesis.
    assert finding.cause.startswith("Hypothesis") == (flaw != "long")
    assert finding.recommendation and finding.grade is not None
    others = {name for name, other in judged(run).items() if other.status == "finding"} - {rule}
    # Grey scans among colour are also images with an issue.
    assert others == ({"data.quality"} if flaw == "scans" else set())
    names = {sample.image_name for sample in finding.samples}
    if flaw == "german":
        known = languages_of(DataRecord.load(DataRecord.folder_of(run)), "caption", "prompt")
        share = (known["language"] != "en").mean()
        assert finding.title == f"{share:.0%} of {len(known)} judged texts are not in English".replace("%", " %")
    if flaw == "long":
        assert "these texts, 3 cannot be distinguished" in finding.condition
    if flaw == "copies":
        record = DataRecord.of_run(run)
        assert record is not None
        assert sorted(group.names for group in copy_groups(record)) == [
            (f"{at:02}.png", f"copy {at}.png") for at in range(6)
        ]
    if flaw == "scans":
        assert names and all(name.startswith("scan") for name in names)
    assert len(sections(context_of(run))) == (2 if flaw in ("copies", "scans") else 1)


def test_without_a_record_nothing_is_said(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert judged(run) == {} and image_measures(run) == ()


def test_a_record_of_an_earlier_version_is_read(clean: Run, tmp_path: Path) -> None:
    shutil.copytree(clean.folder, tmp_path / "run")
    folder = DataRecord.folder_of(Run(tmp_path / "run"))
    texts = pd.read_parquet(folder / "texts.parquet")
    texts.drop(columns=["unread", "same"]).to_parquet(folder / "texts.parquet", index=False)
    about = json.loads((folder / "about.json").read_text())
    del about["context_length"]
    (folder / "about.json").write_text(json.dumps(about))
    run = Run(tmp_path / "run")
    assert set(judged(run)) == {rule.id for rule in RULES} - {"data.drift", "texts.unread"}
    assert not any("longer" in fact.name for fact in sections(context_of(run))[0].facts)
    # Companion: the record as it is written now says it.
    assert any("longer" in fact.name for fact in sections(context_of(clean))[0].facts)
