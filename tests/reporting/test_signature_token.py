"""A key on a PKCS #11 token, SoftHSM's: it signs both editions, and its secrets are asked for in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from core.reporting.report import SHORT

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("**/libsofthsm2.so"))), Path("libsofthsm2.so"))
PIN = "4711"
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(not LIBRARY.exists(), reason="needs SoftHSM, Debian's package softhsm2"),
]

_STORE = """
import sys
import pkcs11
from pathlib import Path
from pkcs11 import Attribute
from pkcs11.util.x509 import decode_x509_certificate
library, label, pin, certificate = sys.argv[1:]
token = pkcs11.lib(library).get_token(token_label="audits")
with token.open(rw=True, user_pin=pin) as session:
    parts = decode_x509_certificate(Path(certificate).read_bytes())
    session.create_object({**parts, Attribute.LABEL: label, Attribute.ID: b"\\x01", Attribute.TOKEN: True})
"""


@pytest.fixture(scope="module")
def token(signers: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which SoftHSM has a token with Robin's key and certificate."""
    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    environment = {**os.environ, "SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
    key = load_pem_private_key((signers / "robin.key").read_bytes(), None)
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (certificate, *_) = x509.load_pem_x509_certificates((signers / "robin.pem").read_bytes())
    (folder / "robin.der").write_bytes(certificate.public_bytes(Encoding.DER))
    (folder / "pin").write_text(f"{PIN}\n")
    (folder / "wrong").write_text("1234\n")
    util = ["softhsm2-util", "--module", str(LIBRARY)]
    pins = ["--pin", PIN, "--so-pin", "0815"]
    begin = [*util, "--init-token", "--free", "--label", "audits", *pins]
    load = [
        *util,
        "--import",
        str(folder / "key.pem"),
        "--token",
        "audits",
        "--label",
        "robin",
        "--id",
        "01",
        "--pin",
        PIN,
    ]
    store = [sys.executable, "-c", _STORE, str(LIBRARY), "robin", PIN, str(folder / "robin.der")]
    for command in (begin, load, store):
        subprocess.run(command, env=environment, check=True, capture_output=True)
    return {**environment, "PINS": str(folder)}


def sign(run: Path, token: dict[str, str], *changes: str) -> subprocess.CompletedProcess[str]:
    given = [
        "--pkcs11",
        str(LIBRARY),
        "--token",
        "audits",
        "--label",
        "robin",
        "--passphrase-file",
        f"{token['PINS']}/pin",
    ]
    for at in range(0, len(changes), 2):
        given[given.index(changes[at]) + 1] = changes[at + 1]
    command = [sys.executable, "-m", "core", "sign", str(run), "--as", "approver", *given]
    return subprocess.run(command, env=token, capture_output=True, text=True)


def test_a_token_signs_both_editions_beside_the_signatures_that_are_there(
    token: dict[str, str], signed_folder: Path, signers: Path, tmp_path: Path
) -> None:
    shutil.copytree(signed_folder, tmp_path / "run")
    done = sign(tmp_path / "run", token)
    assert done.returncode == 0, done.stderr
    assert "signed as approver by Robin Roe, Example Audits" in done.stdout
    for edition in ("report.pdf", SHORT):
        told = subprocess.run(["pdfsig", "-nocert", str(tmp_path / "run" / "report" / edition)], capture_output=True)
        assert told.stdout.count(b"Signature Validation: Signature is Valid.") == 3
    verify = ["verify", str(tmp_path / "run"), "--roots", str(signers / "root.pem")]
    done = subprocess.run([sys.executable, "-m", "core", *verify], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    # The statement keeps one signature of a key: Robin has signed as the reviewer already.
    assert done.stdout.count("issued by a given root") == 8


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (("--passphrase-file", "wrong"), "PinIncorrect"),
        (("--token", "none"), "--pkcs11"),
        (("--label", "nobody"), "nobody"),
        (("--pkcs11", "/no/such/library.so"), "--pkcs11 /no/such/library.so"),
    ],
)
def test_what_a_token_lacks_is_one_line(
    changes: tuple[str, str], told: str, token: dict[str, str], signed_folder: Path
) -> None:
    option, value = changes
    value = f"{token['PINS']}/{value}" if option == "--passphrase-file" else value
    before = (signed_folder / "seal.json").read_bytes()
    done = sign(signed_folder, token, option, value)
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert told in line
    assert (signed_folder / "seal.json").read_bytes() == before
