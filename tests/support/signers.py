"""A certificate authority and two signers, made for a test."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PASSPHRASE = b"open sesame"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def made_signers(folder: Path) -> Path:
    """A folder with root.pem, other.pem (another root), Jane.p12 (EC) and Robin's key and chain in PEM (RSA).

    clock.key and clock.pem are of a server of time stamps, and clock-root.pem issued them. `passphrase` opens the
    PKCS #12 file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root_key = ec.generate_private_key(ec.SECP256R1())
    root = _certificate("Example Root", root_key, None, root_key)
    (folder / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
    other = ec.generate_private_key(ec.SECP256R1())
    (folder / "other.pem").write_bytes(_certificate("Other Root", other, None, other).public_bytes(Encoding.PEM))
    jane = ec.generate_private_key(ec.SECP256R1())
    chain = [root]
    data = serialize_key_and_certificates(
        b"jane", jane, _certificate("Jane Doe", jane, root, root_key), chain, BestAvailableEncryption(PASSPHRASE)
    )
    (folder / "jane.p12").write_bytes(data)
    (folder / "passphrase").write_bytes(PASSPHRASE + b"\n")
    robin = rsa.generate_private_key(65537, 2048)
    pem = robin.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "robin.key").write_bytes(pem)
    certificates = [_certificate("Robin Roe", robin, root, root_key), root]
    (folder / "robin.pem").write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
    authority, clock = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    issuer = _certificate("Time Root", authority, None, authority)
    (folder / "clock-root.pem").write_bytes(issuer.public_bytes(Encoding.PEM))
    (folder / "clock.key").write_bytes(clock.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    stamping = _certificate("Example Clock", clock, issuer, authority, stamps=True)
    (folder / "clock.pem").write_bytes(stamping.public_bytes(Encoding.PEM))
    return folder


def _certificate(
    name: str, key: Key, issuer: x509.Certificate | None, issuer_key: Key, *, stamps: bool = False
) -> x509.Certificate:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example Audits")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), organisation])
    now = datetime.datetime.now(datetime.UTC)
    ca = issuer is None
    usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(authority, critical=False)
    )
    if stamps:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return builder.sign(issuer_key, hashes.SHA256())
