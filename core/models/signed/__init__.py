"""The signature of a model (`model.sig`, OpenSSF Model Signing): what it covers, whose it is, whether it fits."""

from __future__ import annotations

from core.models.signed.files import signature_in
from core.models.signed.signature import SIGNATURE, SIGNERS, ModelSignature, checked_signature, signers_of, vouched

__all__ = ["SIGNATURE", "SIGNERS", "ModelSignature", "checked_signature", "signature_in", "signers_of", "vouched"]
