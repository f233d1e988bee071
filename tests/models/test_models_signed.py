"""Signatures of models: what the reference implementation of OpenSSF Model Signing signed, and what was changed."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError, ModelError, Refused
from core.models.signed import SIGNATURE, ModelSignature, checked_signature, signature_in, vouched
from core.models.signed.signature import given_signers
from tests.support.model_signer import ModelSigner

MADE = Path(__file__).parents[1] / "support" / "signed_model"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MADE / "model", tmp_path / "model"))


def signed(model: Path, by: str) -> ModelSignature:
    shutil.copyfile(MADE / f"{by}.sig", model / SIGNATURE)
    found = signature_in(model, [model / "weights.bin", *([] if by == "of_file" else [model / "config.json"])])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("by", "signer", "name"),
    [
        ("by_key", "key.pub", ""),
        ("by_shards", "other.pub", ""),
        ("by_blake2", "key.pub", ""),
        ("of_file", "key.pub", ""),
        ("by_certificate", "root.pem", "Model Release"),
    ],
)
def test_what_the_reference_implementation_signed_is_verified_with_its_key_or_issuer_alone(
    model: Path, by: str, signer: str, name: str
) -> None:
    found = signed(model, by)
    assert (found.state, found.signer) == ("unverified", name) and found.why
    verified = vouched(found, given_signers([MADE / signer]))
    assert verified is not None and (verified.state, verified.why) == ("verified", "")
    for other in {"key.pub", "other.pub", "root.pem"} - {signer}:
        with pytest.raises(ModelError, match="was not made by a signer"):
            vouched(found, given_signers([MADE / other]))


def test_a_folder_without_a_signature_has_none_and_cannot_be_required_to_have_one(model: Path) -> None:
    assert signature_in(model, [model / "weights.bin"]) is None
    assert vouched(None, ()) is None
    with pytest.raises(ModelError, match="requires one"):
        vouched(None, given_signers([MADE / "key.pub"]))


def test_hashes_that_cannot_be_computed_are_told_and_never_pass_as_verified(model: Path) -> None:
    found = signed(model, "by_blake3")
    assert found.state == "unreadable" and "blake3" in found.why
    with pytest.raises(ModelError, match="blake3"):
        vouched(found, given_signers([MADE / "key.pub"]))


def _changed(model: Path) -> None:
    (model / "weights.bin").write_bytes(b"x" + (model / "weights.bin").read_bytes()[1:])


def _longer(model: Path) -> None:
    with (model / "weights.bin").open("ab") as file:
        file.write(b"x")


def _shorter(model: Path) -> None:
    (model / "weights.bin").write_bytes((model / "weights.bin").read_bytes()[:500])


def _missing(model: Path) -> None:
    (model / "parts" / "more.bin").unlink()


def _added(model: Path) -> None:
    (model / "tokenizer.json").write_text("{}")


@pytest.mark.parametrize("by", ["by_key", "by_shards", "by_certificate"])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_changed, "weights.bin differs"),
        (_longer, "weights.bin differs"),
        (_shorter, "weights.bin differs"),
        (_missing, "more.bin is missing"),
        (_added, "tokenizer.json is not signed"),
    ],
)
def test_a_model_that_is_not_the_one_that_was_signed_is_refused(
    model: Path, by: str, change: Callable[[Path], None], told: str
) -> None:
    change(model)
    with pytest.raises(ModelError, match=told):
        signed(model, by)


def test_hidden_and_ignored_files_and_those_of_git_are_never_read_and_do_not_count(model: Path) -> None:
    (model / ".cache").mkdir()
    (model / ".cache" / "lock").write_text("")
    (model / ".gitattributes").write_text("")
    assert signed(model, "by_key").state == "unverified"


def test_files_that_lie_elsewhere_are_not_covered(model: Path, tmp_path: Path) -> None:
    shutil.copyfile(MADE / "by_key.sig", model / SIGNATURE)
    other = tmp_path / "weights.bin"
    shutil.copyfile(model / "weights.bin", other)
    found = signature_in(model, [other, model / "config.json"])
    assert found is not None and found.state == "uncovered" and "weights.bin" in found.why
    with pytest.raises(ModelError, match="does not cover"):
        vouched(found, given_signers([MADE / "key.pub"]))
    shutil.copyfile(MADE / "of_file.sig", model / SIGNATURE)
    found = signature_in(model, [model / "weights.bin", model / "config.json"])
    assert found is not None and found.state == "uncovered" and "config.json" in found.why


def _bundle(by: str = "by_key") -> dict[str, Any]:
    return dict(json.loads((MADE / f"{by}.sig").read_text()))


def _statement(bundle: dict[str, Any], change: Callable[[dict[str, Any]], None]) -> bytes:
    value = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    change(value)
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(value).encode()).decode()
    return json.dumps(bundle).encode()


def test_a_changed_statement_no_longer_fits_its_signature() -> None:
    forged = _statement(_bundle("by_certificate"), lambda value: value["subject"][0].update(name="another"))
    with pytest.raises(Refused, match="broken"):
        checked_signature(forged)
    forged = _statement(_bundle(), lambda value: value["subject"][0].update(name="another"))
    # Without its key nothing can be said of it, with the key it is broken.
    assert checked_signature(forged)[0].state == "unverified"
    with pytest.raises(Refused, match="broken"):
        checked_signature(forged, given_signers([MADE / "key.pub"]))


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value["predicate"]["resources"].pop(),
        lambda value: value["predicate"]["resources"][0].update(digest="0" * 64),
        lambda value: value["predicate"]["resources"][0].update(name="../config.json"),
        lambda value: value["predicate"]["resources"][0].update(name="/etc/passwd"),
        lambda value: value["predicate"]["serialization"].update(method="other"),
        lambda value: value.update(predicateType="https://model_signing/Digests/v0.1"),
        lambda value: value.update(subject=[]),
    ],
)
def test_a_statement_that_contradicts_itself_or_leads_elsewhere_is_refused(change: Callable[[Any], None]) -> None:
    with pytest.raises(Refused):
        checked_signature(_statement(_bundle(), change))


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"mediaType": "x"}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_signature_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(Refused) as refused:
        checked_signature(data)
    assert "\n" not in str(refused.value)


def test_what_a_transparency_log_would_have_to_confirm_is_never_verified() -> None:
    bundle = _bundle("by_certificate")
    bundle["verificationMaterial"]["tlogEntries"] = [{"logIndex": "1"}]
    found, _ = checked_signature(json.dumps(bundle).encode(), given_signers([MADE / "root.pem"]))
    assert found.state == "unverified" and "log" in found.why


def test_signers_are_keys_and_certificates_in_pem(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes((MADE / "key.pub").read_bytes() + (MADE / "root.pem").read_bytes())
    assert len(given_signers([both])) == 2
    both.write_text("no key")
    with pytest.raises(InputError, match="neither a public key nor a certificate"):
        given_signers([both])


def test_the_signer_of_the_tests_writes_the_format_of_the_reference_implementation(model: Path) -> None:
    signer = ModelSigner()
    ours, theirs = json.loads(signer.sign(model).read_text()), _bundle()
    assert ours.keys() == theirs.keys() and ours["verificationMaterial"].keys() == theirs["verificationMaterial"].keys()
    inner = [json.loads(base64.b64decode(each["dsseEnvelope"]["payload"])) for each in (ours, theirs)]
    assert inner[0]["subject"] == inner[1]["subject"]
    assert inner[0]["predicate"]["resources"] == inner[1]["predicate"]["resources"]
