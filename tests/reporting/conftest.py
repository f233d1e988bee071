"""One made run and its report, shared by the tests of this folder because a report takes seconds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pydyf
import pytest
from weasyprint.svg import Node

from core.cli import main
from core.evaluation.summary import summarise
from core.findings import judge, save_findings
from core.reporting import render_report, verdict
from core.reporting import report as report_module
from core.reporting.exports.record import ReportRecord
from core.reporting.inspection import Inspection, inspect_bundle
from core.runs import Run, open_run
from core.runs.results import file_sha256
from core.runs.seal import seal
from tests.support.export_checks import problems
from tests.support.made_run import made_run
from tests.support.signers import made_signers

PRIVATE = "zq7private"

HOSTILE = "<script>alert(1)</script>"
HOSTILE_IMAGE = '<img src="file:///etc/passwd">'


@pytest.fixture(autouse=True)
def library() -> Iterator[None]:
    """WeasyPrint and pydyf as they are: what renders in the process of the tests changes two of their properties."""
    kept = Node.text, pydyf.PDF.page_references
    yield
    Node.text, pydyf.PDF.page_references = kept


@pytest.fixture(scope="session", autouse=True)
def every_report_has_valid_exports() -> Iterator[None]:
    """Whatever report a test of this folder renders, each of its exports is checked by its own tool."""
    whole = report_module.export_files

    def checked(record: ReportRecord) -> dict[str, bytes]:
        files = whole(record)
        assert problems(files) == []
        return files

    report_module.export_files = checked
    yield
    report_module.export_files = whole


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A partly failed run whose file names and captions are markup and spreadsheet formulas."""
    folder = tmp_path_factory.mktemp("hostile")
    return made_run(
        folder / "run",
        images=6,
        methods=("raw", "m2ib"),
        failed=1,
        failed_rows=1,
        prefix="=<b>name",
        note=f" {HOSTILE}{HOSTILE_IMAGE}",
    )


@pytest.fixture(scope="session")
def report(hostile_run: Run) -> Path:
    """The folder of its report."""
    return render_report(hostile_run).parent


@pytest.fixture(scope="session")
def sealed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its dataset inside, its report and its seal, below a folder whose name must not leak."""
    folder = tmp_path_factory.mktemp(PRIVATE) / "run"
    run = made_run(folder, images=2, methods=("raw",))
    root = folder / "dataset" / run.plan.dataset
    shutil.copytree(run.dataset.root, root)
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**plan, "dataset_root": f"dataset/{run.plan.dataset}"}))
    run = open_run(folder)
    run.update_manifest(state="done", compare_with=[f"/home/{PRIVATE}/other"])
    findings = judge(run, summarise(run))
    render_report(run, findings)
    save_findings(run, findings)
    seal(run)
    return folder


@pytest.fixture(scope="session")
def inspected() -> Callable[[Path], Inspection]:
    """`inspect_bundle`, which depends on the bytes alone and takes seconds, once for the same bytes."""
    known: dict[str, Inspection] = {}

    def inspect(path: Path) -> Inspection:
        digest = file_sha256(path)
        if digest not in known:
            known[digest] = inspect_bundle(path)
        return known[digest]

    return inspect


@pytest.fixture
def inspected_once(inspected: Callable[[Path], Inspection], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bundle is inspected once in all tests that use this."""
    monkeypatch.setattr(verdict, "inspect_bundle", inspected)


@pytest.fixture(scope="session")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and certificates (see `made_signers`)."""
    return made_signers(tmp_path_factory.mktemp("signers"))


@pytest.fixture(scope="session")
def signed_folder(
    sealed_folder: Path,
    signers: Path,
    inspected: Callable[[Path], Inspection],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A copy of that run, signed by the preparer and then by the reviewer."""
    folder = tmp_path_factory.mktemp(PRIVATE) / "run"
    shutil.copytree(sealed_folder, folder)
    key = ["--pkcs12", str(signers / "jane.p12"), "--passphrase-file", str(signers / "passphrase")]
    pem = ["--key", str(signers / "robin.key"), "--certificate", str(signers / "robin.pem")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdict, "inspect_bundle", inspected)
        assert main(["sign", str(folder), *key, "--reason", "I prepared it"]) == 0
        assert main(["sign", str(folder), "--as", "reviewer", *pem]) == 0
    return folder
