"""Time stamps from a named server, and what is told of one that the roots do not vouch for."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from asn1crypto.core import ObjectIdentifier

from core.cli import main
from core.reporting.attestation import given_roots
from core.reporting.report import SHORT
from core.reporting.signatures import stamper
from core.reporting.signatures.check import read_pdf
from core.reporting.verdict import verify_pdf
from tests.support.stamp_server import stamp_server

pytestmark = pytest.mark.usefixtures("inspected_once")


@pytest.fixture(scope="module")
def stamped(sealed_folder: Path, signers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a run, signed by the preparer with a time stamp and by the reviewer without one."""
    folder = tmp_path_factory.mktemp("stamped") / "run"
    shutil.copytree(sealed_folder, folder)
    key = ["--pkcs12", str(signers / "jane.p12"), "--passphrase-file", str(signers / "passphrase")]
    pem = ["--key", str(signers / "robin.key"), "--certificate", str(signers / "robin.pem")]
    with pytest.MonkeyPatch.context() as patch, stamp_server(signers) as (address, asked):
        patch.setattr("core.signing._check", lambda run: None)
        assert main(["sign", str(folder), *key, "--timestamp-url", address]) == 0
        assert set(asked) == {""} or set(asked) == {"/"}
        count = len(asked)
        assert main(["sign", str(folder), "--as", "reviewer", *pem]) == 0
        assert len(asked) == count, "no server was named"
    return folder


@pytest.mark.parametrize("edition", ["report.pdf", SHORT])
def test_a_stamp_is_trusted_by_the_root_of_its_server_alone(edition: str, stamped: Path, signers: Path) -> None:
    pdf = stamped / "report" / edition
    roots = given_roots([signers / "root.pem", signers / "clock-root.pem"])
    first, second = read_pdf(pdf, roots).signatures
    assert (first.stamp, first.trusted) == ("trusted", True) and "(by time stamp)" in first.line(True)
    assert (second.stamp, second.trusted) == ("", True)
    assert verify_pdf(pdf, roots=roots).outcome == "sound"
    first, _ = read_pdf(pdf, given_roots([signers / "root.pem"])).signatures
    assert (first.stamp, first.state, first.trusted) == ("untrusted", "valid", True)
    assert "(by the clock of the signer; its time stamp was not issued by a given root)" in first.line(True)


def test_poppler_reads_the_stamped_signatures(stamped: Path) -> None:
    for edition in ("report.pdf", SHORT):
        done = subprocess.run(["pdfsig", "-nocert", str(stamped / "report" / edition)], capture_output=True, text=True)
        assert done.stdout.count("Signature Validation: Signature is Valid.") == 2, done.stdout


def test_a_stamp_of_something_else_in_a_signature_is_broken(stamped: Path, signers: Path, tmp_path: Path) -> None:
    data = (stamped / "report" / SHORT).read_bytes()
    place = re.search(rb"/ByteRange \[0 (\d+) (\d+)", data)
    assert place is not None
    start, end = int(place[1]) + 1, int(place[2]) - 1
    content = bytearray.fromhex(data[start:end].decode())
    # The policy of the test's server stands in the content of the token, which its own signature covers.
    policy = ObjectIdentifier("1.3.6.1.4.1.4146.2.2").dump()
    at = content.find(policy)
    assert at > 0
    content[at + len(policy) - 1] ^= 1
    (tmp_path / "report.pdf").write_bytes(data[:start] + content.hex().encode() + data[end:])
    roots = given_roots([signers / "root.pem", signers / "clock-root.pem"])
    first = read_pdf(tmp_path / "report.pdf", roots).signatures[0]
    assert first.stamp == "broken"
    assert any("time stamp" in line for line in verify_pdf(tmp_path / "report.pdf", roots=roots).problems)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/moved", "status 307"),
        ("/other", "a time stamp of something else"),
        ("/nonce", "not a time stamp of this request"),
        ("/refused", "not a time stamp of this request"),
        ("/page", "answered with text/html"),
        ("/noise", "not a time stamp"),
        ("/long", "too long"),
        ("/broken", "status 500"),
    ],
)
def test_a_server_that_answers_wrongly_is_one_line_and_nothing_is_written(
    path: str, told: str, sealed_folder: Path, signers: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("core.signing._check", lambda run: None)
    before = {file: file.read_bytes() for file in sealed_folder.rglob("*") if file.is_file()}
    key = ["--pkcs12", str(signers / "jane.p12"), "--passphrase-file", str(signers / "passphrase")]
    with stamp_server(signers) as (address, asked):
        assert main(["sign", str(sealed_folder), *key, "--timestamp-url", address + path]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path}: no time stamp was given" in line and told in line
    assert asked == [path], "only the address that was given is asked"
    assert {file: file.read_bytes() for file in sealed_folder.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/", "stamps.example", "http://127.0.0.1:1/"])
def test_an_address_that_is_no_server_is_one_line(
    address: str,
    sealed_folder: Path,
    signers: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("core.signing._check", lambda run: None)
    key = ["--pkcs12", str(signers / "jane.p12"), "--passphrase-file", str(signers / "passphrase")]
    assert main(["sign", str(sealed_folder), *key, "--timestamp-url", address]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert address in line


def test_a_proxy_of_the_environment_is_not_asked(signers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    with stamp_server(signers) as (address, asked):
        token = asyncio.run(stamper.NamedServer(address).async_timestamp(b"\1" * 32, "sha256"))
    assert len(asked) == 1 and token["content"] is not None
