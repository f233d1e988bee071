"""A bundle carries the marks of a spot check, so that the finding on accuracy can be judged again from it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from core.applications.predictions.record import PredictionsRecord
from core.applications.spot_check import draw
from core.evaluation.summary import summarise
from core.findings import judge
from core.reporting.evidence import write_evidence
from core.reporting.verdict import verify_bundle
from core.runs.results import file_sha256
from core.runs.spot_check import SPOT_CHECK, add_marks, start_spot_check
from tests.support.made_predictions import record_of
from tests.support.made_run import made_run
from tests.support.tampering import Files, forge


def test_a_bundle_with_a_spot_check_is_sound_until_a_mark_is_changed(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=14, methods=("raw",))
    folder = PredictionsRecord.folder_of(run)
    record_of(14, 4, ids=[image.id for image in run.dataset.images]).save(folder)
    files = {path.relative_to(run.folder).as_posix(): file_sha256(path) for path in sorted(folder.iterdir())}
    run.update_manifest(state="done", applications={"predictions": {"options": {}, "files": files}})
    check = start_spot_check(run, draw(run, 14))
    add_marks(run, "Ada", {entry.image: "right" for entry in check.sample}, at="2026-01-15T09:41:30+00:00")
    summary = summarise(run)
    findings = judge(run, summary)
    assert any(finding.id == "predictions.accuracy" and finding.status == "passed" for finding in findings)
    path = tmp_path / "evidence.zip"
    write_evidence(run, summary, findings, path)
    with zipfile.ZipFile(path) as bundle:
        assert json.loads(bundle.read(SPOT_CHECK))["marks"][0]["judge"] == "Ada"
    problems = verify_bundle(path).data["problems"]
    assert not [line for line in problems if "predictions.accuracy" in line or SPOT_CHECK in line]

    def change(files: Files) -> None:
        files[SPOT_CHECK] = files[SPOT_CHECK].replace(b'"right"', b'"wrong"')

    forge(path, change)
    assert any("predictions.accuracy" in line for line in verify_bundle(path).data["problems"])
