"""The signature of the audited model, in the report and in its bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.models.signed import SIGNATURE, SIGNERS, checked_signature
from core.models.signed.signature import given_signers
from core.reporting import render_report
from core.reporting.verdict import verify_bundle
from core.runs import Run
from tests.models.test_models_signed import MADE
from tests.support.made_run import made_run


def signed_run(folder: Path, change: Callable[[dict[str, Any]], None] = lambda told: None) -> Run:
    """A run whose model was signed with a certificate, as a worker leaves it; `change` forges the manifest."""
    run = made_run(folder, images=2)
    data, signers = (MADE / "by_certificate.sig").read_bytes(), given_signers([MADE / "root.pem"])
    told = checked_signature(data, signers)[0].told()
    change(told)
    (run.folder / SIGNATURE).write_bytes(data)
    (run.folder / SIGNERS).write_text("".join(signers))
    run.update_manifest(model={**run.manifest["model"], "signature": told})
    return run


def test_the_report_names_the_signer_and_the_bundle_proves_it(tmp_path: Path) -> None:
    run = signed_run(tmp_path / "run")
    render_report(run)
    html = (run.report / "report.html").read_text(encoding="utf-8")
    assert "Model Release" in html and "vouches for the signer" in html
    verdict = verify_bundle(run.report / "evidence.zip")
    assert verdict.outcome == "sound"
    assert any("signature of the model, by Model Release" in line and "verified" in line for line in verdict.checked)


@pytest.mark.parametrize("forged", [{"signer": "Somebody"}, {"root_sha256": "0" * 64}, {"state": "unverified"}])
def test_a_manifest_that_tells_something_else_is_detected(tmp_path: Path, forged: dict[str, str]) -> None:
    run = signed_run(tmp_path / "run", lambda told: told.update(forged))
    render_report(run)
    verdict = verify_bundle(run.report / "evidence.zip")
    (name,) = forged
    assert verdict.outcome == "changed" and any(line.endswith(f"says: {name}") for line in verdict.problems)


def test_verified_without_those_who_vouch_is_detected(tmp_path: Path) -> None:
    run = signed_run(tmp_path / "run")
    (run.folder / SIGNERS).unlink()
    render_report(run)
    assert any("says: state" in line for line in verify_bundle(run.report / "evidence.zip").problems)
    (run.folder / SIGNATURE).unlink()
    render_report(run)
    assert any("is missing" in line for line in verify_bundle(run.report / "evidence.zip").problems)


def test_a_model_without_a_signature_is_said_to_have_none_and_one_beside_it_is_detected(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2)
    run.update_manifest(model={**run.manifest["model"], "signature": {"state": "none"}})
    render_report(run)
    assert "The model has no signature" in (run.report / "report.html").read_text(encoding="utf-8")
    assert verify_bundle(run.report / "evidence.zip").outcome == "sound"
    (run.folder / SIGNATURE).write_bytes((MADE / "by_key.sig").read_bytes())
    render_report(run)
    assert any("belongs to no model" in line for line in verify_bundle(run.report / "evidence.zip").problems)
