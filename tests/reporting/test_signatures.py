"""Signatures: read by independent programs, kept by a later one, and refused where they fit nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest

from core.cli import main
from core.reporting.attestation import Attestation, given_roots, unsigned_name
from core.reporting.report import SHORT
from core.reporting.signatures.check import check_pdf, read_pdf, read_statement
from core.reporting.signatures.field import HEIGHT, ROLES, ROWS
from core.reporting.signatures.statement import STATEMENT
from core.reporting.verdict import verify_bundle, verify_pdf, verify_run
from core.runs import Run
from core.runs.seal import seal
from pages.parts.signature import line_of
from tests.support.tampering import redrawn

pytestmark = pytest.mark.usefixtures("inspected_once")


@pytest.fixture
def pdf(signed_folder: Path) -> Path:
    return signed_folder / "report" / "report.pdf"


EDITIONS = ("report.pdf", SHORT)


@pytest.mark.parametrize("edition", EDITIONS)
def test_poppler_finds_two_valid_signatures(edition: str, signed_folder: Path) -> None:
    pdf = signed_folder / "report" / edition
    done = subprocess.run(["pdfsig", "-nocert", str(pdf)], capture_output=True, text=True)
    told = done.stdout
    assert re.findall(r"Signer Certificate Common Name: (.*)", told) == ["Jane Doe", "Robin Roe"]
    assert told.count("Signature Validation: Signature is Valid.") == 2
    assert told.count("Signature Type: ETSI.CAdES.detached") == 2 and told.count("- Total document signed") == 1


def test_openssl_verifies_the_signature_of_the_pdf_against_the_root(pdf: Path, signers: Path, tmp_path: Path) -> None:
    data = pdf.read_bytes()
    found = list(re.finditer(rb"/ByteRange \[(\d+) (\d+) (\d+) (\d+)\s*\]", data))
    assert len(found) == 2
    for at, place in enumerate(found):
        start, length, after, rest = (int(number) for number in place.groups())
        (tmp_path / "signed").write_bytes(data[start : start + length] + data[after : after + rest])
        inner = data[start + length + 1 : after - 1].decode()
        size = 4 + int(inner[4:8], 16)
        (tmp_path / "cms").write_bytes(bytes.fromhex(inner)[:size])
        command = [
            "openssl",
            "cms",
            "-verify",
            "-binary",
            "-inform",
            "DER",
            "-purpose",
            "any",
            "-in",
            "cms",
            "-content",
        ]
        command += ["signed", "-CAfile", str(signers / "root.pem"), "-out", "/dev/null"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, (at, done.stderr)
        command[command.index(str(signers / "root.pem"))] = str(signers / "other.pem")
        assert subprocess.run(command, capture_output=True, cwd=tmp_path).returncode != 0


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_signature_is_appended_and_the_structure_stays_whole(
    edition: str, signed_folder: Path, sealed_folder: Path
) -> None:
    pdf = signed_folder / "report" / edition
    data, before = pdf.read_bytes(), (sealed_folder / "report" / edition).read_bytes()
    assert data.startswith(before) and len(data) > len(before)
    with pikepdf.open(pdf) as signed:
        fields = {str(field.T): field for field in signed.Root.AcroForm.Fields}
        assert {name: "/V" in field for name, field in fields.items()} == {
            "PreparedBy": True, "ReviewedBy": True, "ApprovedBy": False,
        }  # fmt: skip
        numbers = signed.Root.StructTreeRoot.ParentTree.Nums
        parents = {int(numbers[at]): numbers[at + 1] for at in range(0, len(numbers), 2)}
        for field in fields.values():
            element = parents[int(field.StructParent)]
            assert element.S == "/Form" and element.K.Obj.objgen == field.objgen and "/AP" in field and int(field.F) & 4
            assert field.TU and not {"/JS", "/AA", "/A"} & set(field.keys())
            shown = signed.pages[ROWS[edition].page]
            assert field.P.objgen == shown.objgen and [int(end) for end in field.Rect] == [
                *next(ROWS[edition].box(role) for role in ROLES.values() if role.field == str(field.T))
            ]
        assert b"<pdfaid:part>3" in signed.Root.Metadata.read_bytes().replace(b'pdfaid:part="3', b"<pdfaid:part>3")
    done = subprocess.run(
        [sys.executable, "-m", "pdfua", "check", "--format", "json", str(pdf)], capture_output=True, text=True
    )
    assert '"findings": []' in done.stdout or done.returncode == 0, done.stdout[:600]
    fonts = subprocess.run(["pdffonts", str(pdf)], capture_output=True, text=True).stdout.splitlines()[2:]
    assert fonts and all(line.split()[-5] == "yes" for line in fonts), "every font of the page is embedded"
    assert subprocess.run(["qpdf", "--check", str(pdf)], capture_output=True).returncode == 0


def test_verify_names_the_signers_and_trusts_only_what_the_roots_issued(
    signed_folder: Path, signers: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(signed_folder), "--roots", str(signers / "root.pem")]) == 0
    out = capsys.readouterr().out
    assert out.count("issued by a given root") == 6 and "signed: report.pdf by Jane Doe, Example Audits on " in out
    assert f"signed: {SHORT} by Robin Roe, Example Audits on " in out
    assert "it covers the whole document" in out and "only a signature" not in out
    other = given_roots([signers / "other.pem"])
    assert verify_pdf(signed_folder / "report" / "report.pdf", roots=other).outcome == "not_trusted"
    assert any("--roots" in line for line in verify_run(Run(signed_folder)).unchecked)
    assert main(["verify", str(signed_folder), "--roots", str(signers / "robin.key")]) == 2
    assert "contains no certificate in PEM" in capsys.readouterr().err


def test_a_signed_pdf_that_was_changed_is_told(pdf: Path, signers: Path, tmp_path: Path) -> None:
    roots = given_roots([signers / "root.pem"])
    data = pdf.read_bytes()
    copy = tmp_path / "report.pdf"
    for at in (1000, len(data) // 3):
        copy.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert verify_pdf(copy, roots=roots).outcome == "changed"
    # The second signature taken away: the first is still sound.
    first = data.index(b"%%EOF", data.index(b"/ByteRange")) + len(b"%%EOF\n")
    copy.write_bytes(data[:first])
    (one,) = read_pdf(copy, roots).signatures
    assert (one.state, one.trusted, one.whole) == ("valid", True, True)
    # Another page content as a further update, which no signature permits.
    from io import BytesIO

    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    writer = IncrementalPdfFileWriter(BytesIO(data))
    writer.add_stream_to_page(0, writer.add_object(generic.StreamObject(stream_data=b"1 0 0 rg 0 0 99 99 re f")))
    out = BytesIO()
    writer.write(out)
    copy.write_bytes(out.getvalue())
    verdict = verify_pdf(copy, roots=roots)
    assert any("was changed after Jane Doe, Example Audits signed it" in line for line in verdict.problems)


def test_a_check_that_runs_out_of_memory_finds_no_fault_with_the_signature(
    pdf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind, expected in ((MemoryError, None), (ValueError, "broken")):

        def fails(*arguments: object, kind: type[Exception] = kind, **more: object) -> None:
            raise kind

        monkeypatch.setattr("pyhanko.sign.validation.async_validate_pdf_signature", fails)
        if expected is None:
            with pytest.raises(MemoryError):
                check_pdf(b"", str(pdf), [])
        else:
            found, _ = check_pdf(b"", str(pdf), [])
            assert {each["state"] for each in found["signatures"]} == {expected}


def test_a_statement_names_the_bundle_and_fits_no_other(signed_folder: Path, signers: Path, tmp_path: Path) -> None:
    roots = given_roots([signers / "root.pem"])
    shutil.copytree(signed_folder / "report", tmp_path / "report")
    path = tmp_path / "report" / STATEMENT
    subjects, signatures = read_statement(path, roots)
    assert {"evidence.zip", "report.html", "findings.json", *map(unsigned_name, EDITIONS)} == set(subjects)
    assert [(one.signer.split(",")[0], one.state, one.trusted) for one in signatures] == [
        ("Jane Doe", "valid", True), ("Robin Roe", "valid", True),
    ]  # fmt: skip
    assert verify_bundle(tmp_path / "report" / "evidence.zip", roots=roots).outcome == "sound"
    whole = json.loads(path.read_text())
    forged = {**whole, "payload": whole["payload"].replace("e", "f", 1)}
    path.write_text(json.dumps({**whole, "signatures": [{**each, "sig": "AAAA"} for each in whole["signatures"]]}))
    assert any("does not fit" in line for line in Attestation().statement(path, {}))
    for text in (json.dumps(forged), "{}", "[" * 100_000, json.dumps({**whole, "signatures": [{}]})):
        path.write_text(text)
        assert list(Attestation().statement(path, {}))


def greys(pdf: Path, page: int, box: tuple[int, int, int, int]) -> set[int]:
    """The greys of a part of a page: left, top, width and height in points from its upper left corner."""
    x, y, width, height = map(str, box)
    command = ["pdftoppm", "-r", "72", "-gray", "-f", str(page), "-l", str(page), "-x", x, "-y", y]
    done = subprocess.run([*command, "-W", width, "-H", height, str(pdf)], capture_output=True, check=True)
    return set(done.stdout[-int(width) * int(height) :])


@pytest.mark.parametrize("edition", EDITIONS)
def test_nothing_is_printed_where_the_fields_are(edition: str, sealed_folder: Path, signed_folder: Path) -> None:
    row = ROWS[edition]
    with pikepdf.open(sealed_folder / "report" / edition) as pdf:
        page, height = row.page % len(pdf.pages) + 1, round(float(pdf.pages[row.page].mediabox[3]))
    first, last = (row.box(ROLES[role]) for role in ("preparer", "approver"))
    box = (first[0] - 2, height - first[3] - 2, last[2] - first[0] + 4, HEIGHT + 4)
    assert len(greys(sealed_folder / "report" / edition, page, box)) == 1
    assert len(greys(signed_folder / "report" / edition, page, box)) > 1


def test_a_page_says_who_signed_in_which_role_and_what_was_changed_since(
    signed_folder: Path, sealed_folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "report.pdf"
    shutil.copy2(signed_folder / "report" / "report.pdf", path)
    found = read_pdf(path).signatures
    assert [each.role for each in found] == ["preparer", "reviewer"]
    line = line_of(found[0])
    assert line.startswith("Signed by Jane Doe, Example Audits as preparer, 20") and line.endswith(
        " by the clock of the signer."
    )
    # The companions: one that was changed, and one that nobody signed.
    broken = replace(found[0], state="broken", role="")
    assert line_of(broken).startswith(
        "Signed by Jane Doe, Example Audits, 20"
    ) and "does not fit what it covers" in line_of(broken)
    assert read_pdf(sealed_folder / "report" / "report.pdf").signatures == ()


def test_an_edition_without_its_signatures_is_told_by_the_statement_or_the_roots(
    signed_folder: Path, sealed_folder: Path, signers: Path, tmp_path: Path
) -> None:
    roots = given_roots([signers / "root.pem"])
    shutil.copytree(signed_folder, tmp_path / "run")
    run, original = Run(tmp_path / "run"), sealed_folder / "report" / SHORT
    target = tmp_path / "run" / "report" / SHORT
    # The statement names the edition as it was before any signature, so that this much is known.
    shutil.copy2(original, target)
    seal(run)
    assert verify_run(run, roots=roots).outcome == "sound"
    redrawn(digest=True, name=SHORT)(tmp_path / "run")
    seal(run)
    assert verify_run(run, roots=roots).problems == (f"the statement was signed for another report/{SHORT}",)
    (tmp_path / "run" / "report" / STATEMENT).unlink()
    seal(run)
    verdict = verify_run(run, roots=roots)
    assert verdict.outcome == "not_trusted"
    assert verdict.problems == (f"report/{SHORT} is not signed, and no signed statement names it",)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "give one key"),
        (["--pkcs12", "jane.p12"], "cannot be opened without a passphrase"),
        (["--pkcs12", "jane.p12", "--passphrase-file", "root.pem"], "cannot be opened with this passphrase"),
        (["--key", "robin.key"], "--key needs --certificate"),
        (["--key", "robin.key", "--certificate", "root.pem"], "the certificate belongs to another key"),
        (["--key", "root.pem", "--certificate", "root.pem"], "is not a private key in PEM"),
        (["--pkcs12", "none.p12"], "none.p12"),
    ],
)
def test_a_key_that_cannot_be_used_is_one_line_and_nothing_is_written(
    arguments: list[str], told: str, sealed_folder: Path, signers: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(signers)
    monkeypatch.setattr("core.signing._check", lambda run: None)
    before = (sealed_folder / "seal.json").read_bytes()
    assert main(["sign", str(sealed_folder), *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert (sealed_folder / "seal.json").read_bytes() == before and not (sealed_folder / "report" / STATEMENT).exists()


def test_a_field_is_signed_once_and_a_changed_run_never(
    signed_folder: Path, signers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(signed_folder, tmp_path / "run")
    key = ["--pkcs12", str(signers / "jane.p12"), "--passphrase-file", str(signers / "passphrase")]
    assert main(["sign", str(tmp_path / "run"), *key]) == 2
    assert "is signed as preparer already" in capsys.readouterr().err
    before = (tmp_path / "run" / "report" / "report.pdf").read_bytes()
    assert main(["sign", str(tmp_path / "run"), "--as", "approver", *key]) == 2
    assert "has signed this report as preparer and cannot sign it as approver" in capsys.readouterr().err
    assert (tmp_path / "run" / "report" / "report.pdf").read_bytes() == before
    # Who did not prepare it may sign, and is told what the review log lacks.
    pem = ["--key", str(signers / "robin.key"), "--certificate", str(signers / "robin.pem")]
    assert main(["sign", str(tmp_path / "run"), "--as", "approver", *pem]) == 0
    told = capsys.readouterr().out
    assert "note: the review log has version 1 as draft" in told and "enters that it was approved" in told
    (tmp_path / "run" / "findings.json").write_text("[]")
    assert main(["sign", str(tmp_path / "run"), "--as", "approver", *key]) == 2
    assert "is not as it was sealed and is not signed: findings.json was changed" in capsys.readouterr().err
