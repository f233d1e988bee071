"""What the wheel leaves to its extras: where packages are missing, one line names the extra."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core import cli
from core.datasets import dicom, medical
from core.errors import InputError, ModelError, Refused, missing
from core.models.onnx_file import session_of
from core.reporting.attestation import given_roots
from core.reporting.signatures.check import check_pdf, check_statement


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("onnxruntime", "pydicom", "pyhanko"):
        monkeypatch.setitem(sys.modules, name, None)


def test_what_is_installed_is_not_missing() -> None:
    assert missing("pydicom", "dicom") == ""


@pytest.mark.usefixtures("without")
def test_an_exported_model_names_its_extra() -> None:
    with pytest.raises(ModelError, match=r"^image.onnx needs packages .*'loupe-audit\[onnx\]'"):
        session_of("folder/image.onnx", 1)


@pytest.mark.usefixtures("without")
def test_a_dicom_file_is_refused_and_others_are_still_read() -> None:
    with pytest.raises(Refused, match=r"^is a DICOM file, and needs packages .*'loupe-audit\[dicom\]'"):
        dicom._read(b"")
    medical.warm_up()


@pytest.mark.usefixtures("without")
def test_signatures_name_their_extra(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain, signed = tmp_path / "plain.pdf", tmp_path / "signed.pdf"
    plain.write_bytes(b"%PDF-1.7")
    signed.write_bytes(b"%PDF-1.7 /ByteRange")
    assert check_pdf(b"", str(plain), [])[0]["signatures"] == []
    for task in (check_pdf, check_statement):
        with pytest.raises(Refused, match=r"signed, and the check of a signature needs .*'loupe-audit\[sign\]'"):
            task(b"", str(signed), [])
    with pytest.raises(InputError, match=r"^--roots needs"):
        given_roots([tmp_path / "roots.pem"])
    assert cli.main(["sign", "no-run", "--as", "preparer", "--pkcs12", "no-file"]) == cli.WRONG_INPUT
    assert capsys.readouterr().err.startswith("loupe: a signature needs packages that are not installed")
