"""Printed numbers, with and without labels, follow from the bundle alone, by code that shares nothing with ours."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from core.datasets import read_annotations
from core.findings import apply_rules, save_findings
from core.methods import METHODS
from core.reporting import render_report
from core.reporting.evidence import used_annotations
from core.reporting.unbundling import open_bundle
from core.reporting.verdict import verify_bundle, verify_run
from core.rules import Context
from core.runs import Run
from core.runs.seal import seal
from tests.reporting.test_reporting_localisation import annotated
from tests.support.recomputed import TABLES, printed, recomputed

NUMBERS, SEED = 24, 20261130
TITLES = {name: info.title for name, info in METHODS.items()} | {
    "random": "Random map (control)", "centre": "Centre Gaussian (control)", "edge": "Edge map (control)",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A reported run with annotated objects."""
    run = annotated(tmp_path_factory.mktemp("labels"))
    run.update_manifest(state="done")
    findings = apply_rules(Context(run))
    save_findings(run, findings)
    render_report(run, findings)
    return run


def test_printed_numbers_follow_from_the_bundle(run: Run) -> None:
    got = recomputed(run.report / "evidence.zip", run.report / "report.html", TITLES, NUMBERS, SEED)
    assert len(got) == NUMBERS
    assert {one.caption for one, _ in got} >= {"Mean with 95 % interval", "Areas and correlation"}
    wrong = [(one, value) for one, value in got if value is None or not one.agrees(value)]
    assert not wrong


def test_numbers_of_another_run_do_not_follow(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    told = (run.report / "report.html").read_text(encoding="utf-8")
    first = next(one for one in printed(run.report / "report.html") if one.caption == "Areas and correlation")
    page.write_text(told.replace(f">{first.text}", ">7.31"), encoding="utf-8")
    got = recomputed(run.report / "evidence.zip", page, TITLES, 10_000, SEED)
    assert any(value is not None and not one.agrees(value) for one, value in got)
    assert set(TABLES) >= {one.caption for one, _ in got}


def test_the_bundle_holds_the_annotations_of_the_audited_images_alone_and_is_sound(run: Run, tmp_path: Path) -> None:
    assert verify_bundle(run.report / "evidence.zip").outcome == "sound"
    with zipfile.ZipFile(run.report / "evidence.zip") as bundle:
        data = bundle.read("annotations.json")
        assert not any(name.endswith((".png", ".jpg")) and "masks/" not in name for name in bundle.namelist())
    kept = tmp_path / "annotations.json"
    kept.write_bytes(data)
    ours, theirs = read_annotations(kept), read_annotations(run.dataset.annotations or Path())
    assert ours.objects == theirs.objects and ours.original == theirs.original
    fewer = json.loads(ours.only(run.dataset.images[:2]))
    assert [image["file_name"] for image in fewer["images"]] == sorted(one.name for one in run.dataset.images[:2])
    assert len(fewer["annotations"]) == 2 and json.loads(used_annotations(run)) == json.loads(data)


def test_an_opened_bundle_has_its_annotations(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    opened = open_bundle(Path(shutil.copy(run.report / "evidence.zip", tmp_path / "evidence.zip")))
    assert opened.dataset.annotations is not None
    assert (
        read_annotations(opened.dataset.annotations).objects
        == read_annotations(run.dataset.annotations or Path()).objects
    )


def test_annotations_that_were_changed_since_the_report_are_detected(run: Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run.folder, tmp_path / "run"))
    data = Path(shutil.copytree(run.dataset.root, tmp_path / "data"))
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**plan, "dataset_root": str(data)}))
    told = json.loads((data / "annotations.json").read_text())
    told["annotations"][0]["segmentation"][0][0] += 1
    (data / "annotations.json").write_text(json.dumps(told))
    seal(Run(folder))
    problems = verify_run(Run(folder)).problems
    assert any("annotations.json is not that of this run" in line for line in problems), problems
