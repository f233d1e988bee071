"""Signing a report's PDF: PAdES in a visible field, appended so that what was there stays as it is."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from core.content.words import shorten
from core.datasets.names import printable
from core.errors import InputError, RunError
from core.reporting.signatures.field import ROLES, ROWS, Row, add_fields, stamp

_DIGESTS = {"secp384r1": "sha384", "secp521r1": "sha512"}


def signed_pdf(
    data: bytes, signer: Any, *, role: str, row: Row = ROWS["report.pdf"], reason: str = "", timestamp_url: str = ""
) -> bytes:
    """The PDF with one more signature, by `signer` (see `Credentials.signer`) in the field of `role` of a `row`.

    The first signature permits nothing but further ones (DocMDP 2). A time stamp is fetched from `timestamp_url` if it
    is given; nothing else asks the network. Raises `InputError` if the field is signed, if the certificate signed as
    preparer and would review or approve (or the other way round), or if no time stamp is given, and `RunError` if the
    PDF cannot be signed.
    """
    from pyhanko.pdf_utils.content import ImportedPdfPage
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.pdf_utils.layout import (
        AxisAlignment,
        InnerScaling,
        LayoutError,
        Margins,
        SimpleBoxLayoutRule,
    )
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter, enumerate_sig_fields
    from pyhanko.sign.general import SigningError
    from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner
    from pyhanko.sign.timestamps import TimestampRequestError
    from pyhanko.stamp import StaticStampStyle

    from core.reporting.signatures.stamper import NamedServer

    part = ROLES[role]
    name = signer_name(signer.signing_cert)
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    try:
        writer = IncrementalPdfFileWriter(BytesIO(data))
        fields = {name: value for name, value, _ in enumerate_sig_fields(writer)}
        first = not any(value is not None for value in fields.values())
        if fields.get(part.field) is not None:
            raise InputError(f"the report is signed as {role} already; `report` makes a new version")
        _four_eyes(writer.prev, signer.signing_cert, role)
        if part.field not in fields:
            add_fields(writer, row)
        about = PdfSignatureMetadata(
            field_name=part.field,
            md_algorithm=digest_of(signer),
            subfilter=SigSeedSubFilter.PADES,
            name=name,
            reason=reason or None,
            certify=first,
            docmdp_permissions=MDPPerm.FILL_FORMS,
        )
        stamper = NamedServer(timestamp_url) if timestamp_url else None
        with tempfile.TemporaryDirectory(prefix="loupe-sign-") as folder:
            page = Path(folder) / "stamp.pdf"
            page.write_bytes(stamp(part, name, when))
            place = SimpleBoxLayoutRule(
                x_align=AxisAlignment.ALIGN_MIN,
                y_align=AxisAlignment.ALIGN_MIN,
                margins=Margins(0, 0, 0, 0),
                inner_content_scaling=InnerScaling.STRETCH_FILL,
            )
            style = StaticStampStyle(
                background=ImportedPdfPage(str(page)), background_layout=place, background_opacity=1.0, border_width=0
            )
            out = PdfSigner(about, signer, stamp_style=style, timestamper=stamper).sign_pdf(writer)
        return bytes(out.getvalue())
    except TimestampRequestError as error:
        told = shorten(printable(str(error)), 200)
        raise InputError(f"--timestamp-url {timestamp_url}: no time stamp was given ({told})") from error
    except (PdfError, SigningError, LayoutError, ValueError, KeyError) as error:
        raise RunError(f"the report cannot be signed ({type(error).__name__}: {error})") from error


def _four_eyes(pdf: Any, certificate: Any, role: str) -> None:
    """Raises `InputError` where the certificate signed the PDF in a role that does not go with this one."""
    roles = {part.field: name for name, part in ROLES.items()}
    for earlier in pdf.embedded_regular_signatures:
        other = roles.get(str(earlier.field_name), "")
        if earlier.signer_cert.sha256 == certificate.sha256 and "preparer" in (role, other):
            raise InputError(
                f"{signer_name(certificate)} has signed this report as {other} and cannot sign it as {role}: whoever "
                "prepared a report neither reviews nor approves it"
            )


def signer_name(certificate: Any) -> str:
    """Whom a certificate names: common name and organisation, as far as it has them."""
    names = certificate.subject.native
    parts = [names.get("common_name"), names.get("organization_name")]
    return ", ".join(str(part) for part in parts if part) or certificate.subject.human_friendly


def digest_of(signer: Any) -> str:
    """The digest that goes with the signer's key."""
    key = signer.signing_cert.public_key
    return _DIGESTS.get(key.curve[1], "sha256") if key.algorithm == "ec" else "sha256"
