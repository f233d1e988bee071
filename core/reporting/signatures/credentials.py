"""The key and certificates that sign: from PKCS #12, from PEM files, or on a token by PKCS #11."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InputError, missing
from core.sandbox.files import named_file

_MOST = 2**20


@dataclass(frozen=True)
class Credentials:
    """Where a key is found. Exactly one of `pkcs12`, `key` (with `certificate`) and `pkcs11` is given.

    `passphrase` is a file whose first line opens it. `pkcs11` is the library of a token, `token` and `label` name the
    token and the certificate on it.
    """

    pkcs12: Path | None = None
    key: Path | None = None
    certificate: Path | None = None
    pkcs11: Path | None = None
    token: str = ""
    label: str = ""
    passphrase: Path | None = None

    @contextmanager
    def signer(self) -> Iterator[Any]:
        """A signer of pyHanko. Raises `InputError` in one line for what is missing, damaged or locked."""
        given = [name for name in ("pkcs12", "key", "pkcs11") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError("give one key: --pkcs12 FILE, --key PEM with --certificate PEM, or --pkcs11 LIBRARY")
        if self.pkcs11 is not None:
            with self._session() as session, self._told():
                yield self._on_token(session)
        elif self.pkcs12 is not None:
            yield self._opened(self.pkcs12)
        else:
            yield self._from_pem()

    def _secret(self) -> bytes | None:
        if self.passphrase is None:
            return None
        lines = named_file(self.passphrase, _MOST).splitlines()
        if not lines or not lines[0]:
            raise InputError(f"{self.passphrase} has no passphrase in its first line")
        return lines[0]

    def _opened(self, path: Path) -> Any:
        from cryptography.hazmat.primitives.serialization import pkcs12

        data = named_file(path, _MOST)
        try:
            key, certificate, chain = pkcs12.load_key_and_certificates(data, self._secret())
        except (ValueError, TypeError) as error:
            told = "with this passphrase" if self.passphrase else "without a passphrase (--passphrase-file)"
            raise InputError(f"{path} cannot be opened {told}, or is not a PKCS #12 file") from error
        if key is None or certificate is None:
            raise InputError(f"{path} does not contain both a key and its certificate")
        return _signer(key, certificate, chain)

    def _from_pem(self) -> Any:
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        if self.certificate is None or self.key is None:
            raise InputError("--key needs --certificate: a PEM file with the certificate, then those of its issuers")
        certificates = certificates_in(self.certificate)
        try:
            key = load_pem_private_key(named_file(self.key, _MOST), self._secret())
        except (ValueError, TypeError) as error:
            told = "with this passphrase" if self.passphrase else "without a passphrase (--passphrase-file)"
            raise InputError(f"{self.key} cannot be opened {told}, or is not a private key in PEM") from error
        return _signer(key, certificates[0], certificates[1:])

    @contextmanager
    def _session(self) -> Iterator[Any]:
        try:
            from pyhanko.config.pkcs11 import TokenCriteria
            from pyhanko.sign.pkcs11 import open_pkcs11_session
        except ImportError as error:
            raise InputError(f"--pkcs11 {missing('pkcs11', 'sign') or 'cannot be used'}") from error
        from pkcs11.exceptions import PKCS11Error

        secret = self._secret()
        try:
            session = open_pkcs11_session(
                str(self.pkcs11),
                token_criteria=TokenCriteria(label=self.token) if self.token else None,
                user_pin=secret.decode() if secret else None,
            )
        except (PKCS11Error, RuntimeError, ValueError, OSError) as error:
            told = type(error).__name__ if isinstance(error, PKCS11Error) else str(error)
            raise InputError(f"--pkcs11 {self.pkcs11}: the token cannot be opened ({told})") from error
        try:
            yield session
        finally:
            session.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever a token lacks or refuses when it is read or signs, as one `InputError`."""
        from pkcs11.exceptions import PKCS11Error

        try:
            yield
        except PKCS11Error as error:
            told = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(f"--pkcs11 {self.pkcs11}, --label {self.label}: {told[0]}") from error

    def _on_token(self, session: Any) -> Any:
        from pyhanko.sign.pkcs11 import PKCS11Signer

        if not self.label:
            raise InputError("--pkcs11 needs --label, the label of the certificate and its key on the token")
        return PKCS11Signer(session, cert_label=self.label)


def certificates_in(path: Path) -> list[Any]:
    """The certificates of a PEM file, one or more. Raises `InputError`."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(named_file(path, _MOST))
    except ValueError as error:
        raise InputError(f"{path} contains no certificate in PEM") from error


def _signer(key: Any, certificate: Any, chain: Any) -> Any:
    from asn1crypto import keys, x509
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
    from pyhanko.sign.signers import SimpleSigner
    from pyhanko_certvalidator.registry import SimpleCertificateStore

    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise InputError("the certificate belongs to another key")
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    store = SimpleCertificateStore()
    store.register_multiple(x509.Certificate.load(each.public_bytes(Encoding.DER)) for each in chain or ())
    return SimpleSigner(
        signing_cert=x509.Certificate.load(certificate.public_bytes(Encoding.DER)),
        signing_key=keys.PrivateKeyInfo.load(private),
        cert_registry=store,
    )
