"""A bundle is checked with every record that its report rests on, also of an application without rules."""

from __future__ import annotations

import json
from pathlib import Path

from core.applications.registry import APPLICATIONS
from core.reporting import render_report
from core.reporting.verdict import verify_evidence
from core.runs.results import file_sha256
from tests.support.made_run import made_run
from tests.support.made_segmentation import made_segmentation


def test_labels_that_an_application_without_rules_used_do_not_make_a_bundle_unsound(tmp_path: Path) -> None:
    assert not APPLICATIONS["segmentation"].rules()
    run = made_run(tmp_path / "run", images=3)
    made_segmentation(run)
    folder = run.folder / "applications" / "segmentation"
    stored = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(run.folder).as_posix(): file_sha256(path) for path in stored}
    run.update_manifest(state="done", applications={"segmentation": {"options": {}, "files": files}})
    render_report(run)
    report = json.loads((run.report / "report.json").read_text(encoding="utf-8"))
    assert report["summary"]["limits"][0].startswith("Labels were used as the truth only for the accuracy of")
    assert verify_evidence(run.report / "evidence.zip") == []
