"""Every manipulation of the table in docs/evidence.md is detected, or by a signature where nothing else can show it."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from core.reporting.attestation import given_roots
from core.reporting.verdict import Verdict, verify_bundle, verify_pdf, verify_run
from core.runs import Run
from core.settings import ROOT
from tests.support.tampering import BOTH, BUNDLE, MANIPULATIONS, PDF, RUN, Manipulation, table

pytestmark = pytest.mark.usefixtures("inspected_once")


def verified(given: str, folder: Path, roots: tuple[str, ...] = ()) -> Verdict:
    bundle, pdf = folder / "report" / "evidence.zip", folder / "report" / "report.pdf"
    if given == RUN:
        return verify_run(Run(folder), roots=roots)
    if given == PDF:
        return verify_pdf(pdf, roots=roots)
    return verify_bundle(bundle, pdf=pdf if given == BOTH else None, roots=roots)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("each", [one for one in MANIPULATIONS if one.line], ids=lambda one: f"{one.given}: {one.act}")
def test_a_manipulation_is_detected(each: Manipulation, sealed_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(sealed_folder, tmp_path / "run")
    each.change(tmp_path / "run")
    verdict = verified(each.given, tmp_path / "run")
    assert verdict.outcome == "changed"
    assert any(each.line in line for line in verdict.problems), verdict.problems


@pytest.mark.parametrize(
    "each", [one for one in MANIPULATIONS if not one.line], ids=lambda one: f"{one.given}: {one.act}"
)
def test_what_only_a_signature_can_prove_is_stated_and_proved_by_one(
    each: Manipulation, sealed_folder: Path, signed_folder: Path, signers: Path, tmp_path: Path
) -> None:
    shutil.copytree(sealed_folder, tmp_path / "run")
    each.change(tmp_path / "run")
    verdict = verified(each.given, tmp_path / "run")
    assert verdict.outcome == "sound"
    assert any("only a signature" in line for line in verdict.unchecked)
    roots = given_roots([signers / "root.pem"])
    # Whoever forges cannot sign: without the signatures the roots vouch for nothing, with them they fit nothing.
    assert verified(each.given, tmp_path / "run", roots).outcome == "not_trusted"
    shutil.copytree(signed_folder, tmp_path / "signed")
    each.change(tmp_path / "signed")
    assert verified(each.given, tmp_path / "signed", roots).outcome in ("changed", "not_trusted")


@pytest.mark.parametrize("given", [RUN, BUNDLE, PDF, BOTH])
def test_what_is_unchanged_is_sound_and_says_what_was_checked(given: str, sealed_folder: Path) -> None:
    verdict = verified(given, sealed_folder)
    assert verdict.outcome == "sound" and verdict.checked and verdict.unchecked, verdict.problems


def test_the_table_of_the_docs_is_this_one() -> None:
    assert table() in (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    assert Counter(one.given for one in MANIPULATIONS)[RUN] >= 14 and len(MANIPULATIONS) >= 30
