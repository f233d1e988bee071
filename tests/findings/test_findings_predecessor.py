"""The run from which another was planned: its findings are kept with the later one where it lies beside it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from core.errors import RunError
from core.findings.earlier import EARLIER, keep_predecessor, load_earlier, parse_earlier
from core.reporting import render_report
from core.reporting.verdict import verify_bundle
from core.runs import Run, open_run
from core.runs.succession import follow
from tests.support.made_run import made_run


@pytest.fixture
def earlier(tmp_path: Path) -> Run:
    return made_run(tmp_path / "first", images=4)


def again(earlier: Run, tmp_path: Path, **changes: object) -> Run:
    """A run planned from another one, with a changed part of its plan."""
    folder = Path(shutil.copytree(earlier.folder, tmp_path / "second"))
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**plan, **changes}))
    run = open_run(folder)
    run.update_manifest(plan_sha256=run.plan.digest)
    follow(run, earlier)
    return run


def test_a_run_of_the_same_plan_is_compared_with_the_one_before(earlier: Run, tmp_path: Path) -> None:
    run = again(earlier, tmp_path)
    keep_predecessor(run)
    kept = load_earlier(run)
    assert kept is not None and (kept.run, kept.differs) == ("first", ()) and kept.findings
    assert "predecessor_problem" not in run.manifest
    render_report(run)
    html = (run.report / "report.html").read_text(encoding="utf-8")
    assert "from whose plan this audit was planned" in html and "has the same plan" in html
    assert "in either run" in html
    assert verify_bundle(run.report / "evidence.zip").outcome == "sound"


def test_a_plan_that_was_edited_is_compared_and_says_what_differs(earlier: Run, tmp_path: Path) -> None:
    run = again(earlier, tmp_path, seed=7)
    keep_predecessor(run)
    kept = load_earlier(run)
    assert kept is not None and kept.differs == ("seed",)
    data = json.loads((run.folder / EARLIER).read_text())
    # Another plan is accepted only where the difference is stated.
    with pytest.raises(RunError, match="of another plan"):
        parse_earlier(json.dumps({**data, "differs": []}).encode(), run.plan.digest)
    with pytest.raises(RunError, match="of another plan"):
        parse_earlier(json.dumps(data).encode(), earlier.plan.digest)


def test_a_run_about_other_images_or_another_model_is_named_and_not_compared(earlier: Run, tmp_path: Path) -> None:
    run = again(earlier, tmp_path, images=earlier.plan.model_dump(mode="json")["images"][:2])
    keep_predecessor(run)
    assert load_earlier(run) is None and "different images" in run.manifest["predecessor_problem"]


def test_a_run_that_lies_elsewhere_is_named(earlier: Run, tmp_path: Path) -> None:
    run = again(earlier, tmp_path)
    shutil.move(earlier.folder, tmp_path / "elsewhere")
    keep_predecessor(run)
    assert run.manifest["predecessor_problem"] == "it does not lie beside this run"
    render_report(run)
    html = (run.report / "report.html").read_text(encoding="utf-8")
    assert "Findings are not compared: it does not lie beside this run" in html
    # It is found as soon as it is there.
    shutil.move(tmp_path / "elsewhere", tmp_path / "first")
    keep_predecessor(run)
    assert load_earlier(run) is not None and run.manifest["predecessor_problem"] == ""


def test_a_run_that_was_planned_from_none_keeps_nothing(earlier: Run) -> None:
    keep_predecessor(earlier)
    assert load_earlier(earlier) is None and "predecessor_problem" not in earlier.manifest
