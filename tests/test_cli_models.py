"""The command line with files of models that a stranger made: exit code 2 and one line, whatever they are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.audit.cost import SPEEDS
from core.audit.timings import remember
from core.cli import main
from core.models.model import Model
from core.models.packing import SCALE, pack
from core.runs import ModelSpec
from core.settings import ROOT
from tests.support.hostile_code import arm_words, changed, tiny_files

IMAGE = sorted((ROOT / "tests" / "sample" / "images").iterdir())[0]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Honest files and hostile ones; `marker` would say that code ran."""
    place = tmp_path_factory.mktemp("models")
    vit, weights = tiny_files(place, "vit_quick")
    bert, _ = tiny_files(place, "bert_mean")
    arm_words(place / "tok", place / "marker")
    code = {"tokenizer_kwargs": {"trust_remote_code": True}, "hf_tokenizer_name": "tok"}
    annotated = json.loads(changed(bert, "code.json", **code).read_text())
    changed(bert, "map.json", hf_tokenizer_name="tok")
    (place / "coco.json").write_text(json.dumps({"images": [], "annotations": [], "model_cfg": annotated}))
    (place / "deep.json").write_text("[" * 100_000)
    state = load_file(str(weights))
    save_file({key: value * float("nan") for key, value in state.items()}, str(place / "nan.safetensors"))
    save_file({key: value * 0 for key, value in state.items()}, str(place / "zero.safetensors"))
    packed = pack(state, ("transformer.",))
    lost = next(key for key in packed if key.endswith(SCALE))
    save_file({key: value for key, value in packed.items() if key != lost}, str(place / "packed.safetensors"))
    os.mkfifo(place / "fifo.safetensors")
    torch.save(torch.nn.Linear(2, 2), place / "module.pt")
    assert vit.exists()
    return place


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "code.json", "--weights", "bert_mean-0.safetensors"], "trust_remote_code"),
        (["--model", "map.json", "--weights", "bert_mean-0.safetensors"], "auto_map"),
        (["--model", "coco.json", "--weights", "bert_mean-0.safetensors"], "'images'"),
        (["--model", "deep.json", "--weights", "vit_quick-0.safetensors"], "nested too deeply"),
        (["--model", "vit_quick.json", "--weights", "nan.safetensors"], "not finite"),
        (["--model", "vit_quick.json", "--weights", "zero.safetensors"], "only zeros"),
        (["--model", "vit_quick.json", "--weights", "packed.safetensors"], "its scale is missing"),
        (["--model", "vit_quick.json", "--weights", "fifo.safetensors"], "not a regular file"),
        (["--model", "ViT-B-32", "--pretrained", "module.pt"], "pickled modules are refused"),
    ],
)
def test_a_hostile_model_is_one_line_and_exit_code_2(
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    # The commands run beside the files, so that paths are relative and another folder than the child's own.
    monkeypatch.chdir(place)
    out = tmp_path / "out"
    asked = [str(IMAGE), "--text", "a dog", "--method", "raw", "--device", "cpu", "--out", str(out)]
    assert main(["explain", *asked, *arguments]) == 2
    shown, told_by = capsys.readouterr()
    (line,) = told_by.splitlines()
    assert shown == ""
    assert line.startswith("loupe: ")
    assert told in line
    assert not out.exists()
    assert not (place / "marker").exists()


def test_an_honest_model_is_used(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    asked = [str(IMAGE), "--text", "a dog", "--method", "raw", "--device", "cpu"]
    model = ["--model", "bert_mean.json", "--weights", "bert_mean-0.safetensors"]
    assert main(["explain", *asked, *model, "--out", str(tmp_path / "out")]) == 0
    assert "1 explanation of 1 image:" in capsys.readouterr().out


def test_a_model_is_described_with_what_cannot_run(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ["--model", str(place / "vit_quick.json"), "--weights", str(place / "vit_quick-0.safetensors")]
    assert main(["describe", *model, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"]["recognised"]["image_activation"] == "QuickGELU" and told["model"]["parameters"] > 0
    assert main(["describe", *model]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Activations (names in the code): QuickGELU (image), QuickGELU (text)" in lines
    assert sum("cannot run" in line for line in lines) == len(told["not_run"]) + len(told["applications_not_run"])
    assert main(["describe", "--model", str(place / "nothing")]) == 2


def test_a_model_is_timed_until_an_audit_was(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path))
    timed: list[str] = []

    def probed(model: Model) -> tuple[int, float]:
        timed.append(model.name)
        return 8, 2.0

    monkeypatch.setattr("core.describing.probed", probed)
    model, weights = str(place / "vit_quick.json"), str(place / "vit_quick-0.safetensors")
    asked = ["describe", "--model", model, "--weights", weights, "--speed"]
    assert main(asked[:-1]) == 0 and timed == []
    assert main(asked) == 0 and len(timed) == 1
    assert main(asked) == 0 and len(timed) == 2
    remember(SPEEDS, ModelSpec(name=model, weights=weights), {"image_forwards_a_second": 4.0, "start_seconds": 1.0})
    assert main(asked) == 0 and len(timed) == 2
    capsys.readouterr()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scores", "scores.csv", "--embeddings", "e.npz"], "give one of --embeddings, --scores and --model"),
        (["--scores", "scores.csv", "--model", "demo-vit"], "give one of --embeddings, --scores and --model"),
        (["--scores", "missing.csv"], "missing.csv"),
        (["--scores", "other.csv"], "has no row for"),
        (["--scores", "words.csv"], "not numbers"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.csv").write_text("image,dog,cat\nx.png,0.1,0.2\n")
    (tmp_path / "words.csv").write_text("image,dog\nx.png,much\n")
    code = main(["audit", "--images", str(IMAGE), *arguments, "--applications", "data_checks", "--out", "run"])
    captured = capsys.readouterr()
    assert code == 2 and told in captured.err and captured.err.strip().count("\n") == 0
    assert not (tmp_path / "run").exists()
