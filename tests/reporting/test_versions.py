"""Versions of a report, and builds that give the same bytes on another day, host, time zone, locale and in another
folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pikepdf
import pytest

from core.cli import main
from core.errors import RunError
from core.findings import apply_rules
from core.reporting import render_report
from core.reporting.attachment import read_attached
from core.reporting.report import FILES
from core.reporting.report_log import entries_since
from core.reporting.signatures.statement import STATEMENT
from core.reporting.verdict import verify_run
from core.rules import Context
from core.runs import Run, break_seal, open_run
from core.runs.manifest import environment
from core.runs.packages import installed
from core.runs.results import file_sha256
from core.runs.review import Kind, add_entry
from core.runs.seal import SEAL, seal
from core.settings import ROOT
from tests.reporting.conftest import PRIVATE

# `report` in a process whose clock is ten years ahead, on a host and for a user with other names.
ELSEWHERE = f"""
import getpass, platform, socket, sys, time
real = time.time
time.time = lambda: real() + 10 * 365 * 86400.0
time.time_ns = lambda: int(time.time() * 1e9)
socket.gethostname = socket.getfqdn = platform.node = getpass.getuser = lambda *a: "{PRIVATE}"
from core.cli import main
from core.findings import apply_rules
raise SystemExit(main(["report", sys.argv[1]]))
"""


@pytest.fixture
def signed_copy(signed_folder: Path, tmp_path: Path) -> Path:
    """A signed run to change."""
    return Path(shutil.copytree(signed_folder, tmp_path / "run"))


@pytest.fixture(scope="module")
def german_folder(sealed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose reports are German in both editions, the second version of its report."""
    folder = tmp_path_factory.mktemp(PRIVATE) / "run"
    shutil.copytree(sealed_folder, folder)
    assert main(["report", str(folder), "--language", "de"]) == 0
    assert '<html lang="de">' in (folder / "report" / "report.html").read_text(encoding="utf-8")
    return folder


def remade(made: Path, tmp_path: Path, locale: str) -> Path:
    """A copy of a run whose report was made again elsewhere, with another clock, host, user, time zone and locale."""
    folder = tmp_path / PRIVATE / "run"
    shutil.copytree(made, folder)
    away = tmp_path / "away"
    away.mkdir()
    names = {"TZ": "Asia/Tokyo", "LC_ALL": locale, "LANG": locale, "HOME": str(away), "USER": PRIVATE}
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(folder)],
        cwd=away,
        env={**os.environ, **names, "HOSTNAME": PRIVATE, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_a_report_made_elsewhere_is_the_same_and_keeps_its_signatures(signed_folder: Path, tmp_path: Path) -> None:
    folder = remade(signed_folder, tmp_path, "de_DE.UTF-8")
    for name in (*FILES, STATEMENT):
        assert (folder / "report" / name).read_bytes() == (signed_folder / "report" / name).read_bytes(), name
    assert not (folder / "report" / "versions").exists()
    assert (folder / "seal.json").read_bytes() == (signed_folder / "seal.json").read_bytes()


def test_a_german_report_made_elsewhere_is_the_same(german_folder: Path, tmp_path: Path) -> None:
    folder = remade(german_folder, tmp_path, "en_US.UTF-8")
    for name in FILES:
        assert (folder / "report" / name).read_bytes() == (german_folder / "report" / name).read_bytes(), name
    assert [path.name for path in (folder / "report" / "versions").iterdir()] == ["1"]
    assert (folder / "seal.json").read_bytes() == (german_folder / "seal.json").read_bytes()


def test_the_comparison_sees_another_language(german_folder: Path, sealed_folder: Path) -> None:
    for name in ("report.pdf", "stakeholder.pdf", "report.html"):
        assert (german_folder / "report" / name).read_bytes() != (sealed_folder / "report" / name).read_bytes(), name


def contents(path: Path) -> list[bytes]:
    """The bytes of a file, and of whatever is packed in it."""
    data = [path.read_bytes()]
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as bundle:
            data += [bundle.read(name) for name in bundle.namelist()]
    if path.suffix == ".pdf":
        with pikepdf.open(path) as pdf:
            for item in pdf.objects:
                if isinstance(item, pikepdf.Stream):
                    try:
                        data.append(item.read_bytes())
                    except (pikepdf.PdfError, zlib.error):
                        data.append(item.read_raw_bytes())
                else:
                    data.append(repr(item).encode())
    return data


def test_nothing_that_leaves_the_machine_names_user_host_or_folder(
    signed_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run lies below a folder with a name of its own, and the run that it is compared with as well."""
    assert PRIVATE in str(signed_folder) and PRIVATE in (signed_folder / "manifest.json").read_text()
    for name in (*FILES, STATEMENT):
        for data in contents(signed_folder / "report" / name):
            assert PRIVATE.encode() not in data, name
            assert str(Path.home()).encode() + b"/" not in data and str(ROOT).encode() not in data, name
    assert any(PRIVATE.encode() in data for data in contents(signed_folder / "manifest.json")), "the search finds it"
    monkeypatch.setattr("platform.node", lambda: PRIVATE)
    monkeypatch.setenv("USER", PRIVATE)
    told = str(environment(open_run(signed_folder).plan, installed()))
    assert PRIVATE not in told and str(ROOT) not in told


def test_a_report_that_differs_is_a_new_version_that_names_the_one_it_replaces(
    signed_folder: Path, signed_copy: Path
) -> None:
    run = open_run(signed_copy)
    run.store.log("note", "something was added to the log")
    first = file_sha256(run.report / "report.pdf")
    render_report(run)
    seal(run)
    earlier = run.report / "versions" / "1"
    for name in (*FILES, STATEMENT):
        assert (earlier / name).read_bytes() == (signed_folder / "report" / name).read_bytes(), name
    told = read_attached(run.report / "report.pdf")
    assert (told["version"], told["predecessor"]) == (2, first)
    assert not (run.report / STATEMENT).exists(), "it was signed over the earlier bundle"
    html = (run.report / "report.html").read_text()
    assert first in html and "Revision 2 of this report replaces revision 1" in html
    assert re.search(r"Of \d+ findings? in either revision: \d+ unchanged\.|Neither revision has a finding\.", html)
    assert verify_run(run).outcome == "sound"
    (earlier / "report.pdf").write_bytes((run.report / "report.pdf").read_bytes())
    seal(run)
    assert "report/versions/1/report.pdf is not the report that report/report.pdf replaces" in verify_run(run).problems
    shutil.rmtree(run.report / "versions")
    seal(run)
    assert any("is revision 2, and report/versions contains 0" in line for line in verify_run(run).problems)


def test_a_decision_counts_as_a_change_and_outdates_the_report(signed_copy: Path) -> None:
    run = open_run(signed_copy)
    item = next(one for one in apply_rules(Context(run)) if one.status == "finding")
    assert entries_since(run) == 0
    kinds: tuple[Kind, ...] = ("dismiss", "comment")
    for kind in kinds:
        add_entry(run, "A. Auditor", kind, item.id, why="Known since March")
    run = open_run(signed_copy)
    assert entries_since(run) == 2
    render_report(run)
    seal(run)
    html = (run.report / "report.html").read_text()
    assert re.search(r"Of \d+ findings? in either revision: 1 with another decision", html)
    assert "Entries of the review log that were added since: 2." in html and "decision changed" in html
    # The version is that of the review log, the revision counts the reports.
    assert "2, counted over all reports of this audit" in html and "1, draft. Addressee" in html
    assert entries_since(run) == 0 and verify_run(run).outcome == "sound"
    # The companion: the decision is older than the revision before.
    add_entry(run, "B. Reviewer", "reviewed")
    render_report(open_run(signed_copy))
    html = (run.report / "report.html").read_text()
    assert "3, counted over all reports" in html and "with another decision" not in html
    assert "that were added since: 1." in html and "1, reviewed. Addressee" in html


def test_a_sealed_report_becomes_a_version_also_where_work_on_the_run_went_on(signed_copy: Path) -> None:
    run = open_run(signed_copy)
    assert not break_seal(run)
    run.store.log("note", "work went on")
    first = file_sha256(run.report / "report.pdf")
    render_report(run)
    assert file_sha256(run.report / "versions" / "1" / "report.pdf") == first
    # The new one is not sealed yet: an audit that is interrupted here makes it again.
    run.store.log("note", "interrupted and resumed")
    render_report(run)
    assert not (run.report / "versions" / "2").exists()
    told = read_attached(run.report / "report.pdf")
    assert (told["version"], told["predecessor"]) == (2, first)


@pytest.mark.parametrize("after", [0, 3, len(FILES) - 1, len(FILES)])
def test_a_new_version_that_ends_anywhere_is_made_by_the_next_command(
    after: int, signed_folder: Path, signed_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many of its files were in place; after all of them, before the run was sealed again."""
    run = open_run(signed_copy)
    item = next(one for one in apply_rules(Context(run)) if one.status == "finding")
    add_entry(run, "A. Auditor", "dismiss", item.id, why="Known since March")
    first = file_sha256(run.report / "report.pdf")
    places: list[str] = []

    def settle(draft: Path, target: Path) -> None:
        if len(places) == after:
            raise RunError("no space left on device")
        places.append(target.name)
        draft.replace(target)

    def fails(run: Run) -> str:
        raise RunError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("core.reporting.report._settle", settle)
        patch.setattr("core.commands.seal", fails)
        assert main(["report", str(signed_copy)]) != 0
    assert len(places) == after and (run.report / "versions" / "1").is_dir()
    assert verify_run(run).outcome in ("not_sealed", "changed")
    assert main(["report", str(signed_copy)]) == 0
    assert [path.name for path in (run.report / "versions").iterdir()] == ["1"]
    for name in (*FILES, STATEMENT):
        kept = run.report / "versions" / "1" / name
        assert kept.read_bytes() == (signed_folder / "report" / name).read_bytes(), name
    told = read_attached(run.report / "report.pdf")
    assert (told["version"], told["predecessor"]) == (2, first)
    assert verify_run(run).outcome == "sound"


def test_what_was_added_to_the_earlier_versions_is_refused_with_what_helps(
    signed_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unless it is the sealed report, which an interrupted command has set aside."""
    forged = signed_copy / "report" / "versions" / "1"
    forged.mkdir(parents=True)
    (forged / "report.pdf").write_bytes(b"%PDF-1.7 another")
    assert main(["report", str(signed_copy)]) == 2
    told = capsys.readouterr().err
    assert "report/versions/1/report.pdf was added after the run was sealed" in told
    assert "remove what was added" in told and "resume" not in told
    shutil.rmtree(forged.parent)
    assert main(["report", str(signed_copy)]) == 0


def test_a_report_that_was_never_sealed_is_not_a_version(signed_copy: Path) -> None:
    (signed_copy / SEAL).unlink()
    run = open_run(signed_copy)
    run.store.log("note", "interrupted between report and seal")
    render_report(run)
    assert not (run.report / "versions").exists()
