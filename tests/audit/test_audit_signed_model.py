"""An audit of a model that is signed: it says so and proves it, and refuses one that is not what was signed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.cli import main
from core.planted import planted_model
from core.reporting.verdict import verify_run
from core.runs import Run
from core.settings import ROOT
from tests.support.model_signer import ModelSigner


def audit(out: Path, config: Path, weights: Path, *more: str) -> int:
    texts = out.parent / "texts.txt"
    texts.write_text("a red circle\n")
    images = sorted(str(path) for path in (ROOT / "core" / "sample" / "images").iterdir())[:2]
    return main(
        ["audit", "--images", *images, "--texts", str(texts), "--model", str(config), "--weights", str(weights)]
        + ["--methods", "raw", "--applications", "none", "--no-curves", "--out", str(out), *more]
    )


def test_a_signed_model_is_verified_and_a_changed_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, weights = planted_model(tmp_path / "model")
    signer, other = ModelSigner(), ModelSigner()
    for name, key in (("key", signer), ("other", other)):
        (tmp_path / f"{name}.pub").write_bytes(key.pem)
    signer.sign(tmp_path / "model")
    assert audit(tmp_path / "run", config, weights, "--model-signers", str(tmp_path / "key.pub")) == 0
    run = Run(tmp_path / "run")
    assert run.manifest["model"]["signature"]["state"] == "verified"
    verdict = verify_run(run)
    assert verdict.outcome == "sound" and any("signature of the model" in line for line in verdict.checked)
    capsys.readouterr()

    assert audit(tmp_path / "wrong", config, weights, "--model-signers", str(tmp_path / "other.pub")) == 2
    assert "was not made by a signer" in capsys.readouterr().err

    (tmp_path / "model" / "tokenizer" / "added.json").write_text(json.dumps({}))
    assert audit(tmp_path / "changed", config, weights) == 2
    assert "was made for other files: tokenizer/added.json is not signed" in capsys.readouterr().err
