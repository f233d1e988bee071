"""`python -m core compare` over models: one command, one table, finished runs kept, and what it refuses in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.support.tiny import sample_images, write_model
from core.cli import main
from core.runs import open_run
from tests.support.made_knowledge import made_knowledge
from tests.support.made_run import made_run

OPTIONS = [
    f"knowledge.{entry}"
    for entry in ("bank=attributes", "bank_size=40", "seeds=1", "parts=2", "variants=kmeans", "labels=is")
]


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    """Images with labels and classes, and the options that keep the work small."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, image in enumerate(sample_images(3)):
        image.save(folder / f"{number}.png")
    (tmp_path / "labels.csv").write_text("image,is\n0.png,dog\n1.png,cat\n2.png,dog\n")
    (tmp_path / "classes.txt").write_text("dog\ncat\nbird\n")
    given = ["--images", folder, "--table", tmp_path / "labels.csv", "--classes", tmp_path / "classes.txt"]
    given += [part for option in OPTIONS for part in ("--option", option)]
    return [str(part) for part in given]


def entry(folder: Path, family: str, seed: int) -> str:
    return "=".join(map(str, write_model(folder, family, seed)))


def test_models_of_one_command_stand_in_one_table(
    inputs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    models = [entry(tmp_path, "vit", 0), entry(tmp_path, "vit", 1), entry(tmp_path, "resnet_clip", 0), "ViT-B-99=none"]
    arguments = ["compare", "--models", *models, "--note", f"{models[1]}=random weights", *inputs, "--out", str(out)]
    assert main([*arguments, "--json"]) == 1, "one of the four cannot be loaded"
    told = json.loads(capsys.readouterr().out)
    titles = [
        f"{family} with {family}-{seed}.safetensors" for family, seed in (("vit", 0), ("vit", 1), ("resnet_clip", 0))
    ]
    assert [entry["name"] for entry in told["models"]] == [*titles, "ViT-B-99=none"]
    assert "ViT-B-99" in told["models"][-1]["missing"] and told["models"][1]["note"] == "random weights"
    frame = pd.read_parquet(out / "knowledge-models.parquet")
    assert frame["model"].tolist() == titles and frame["note"].tolist() == ["", "random weights", ""]
    assert frame["auc_n"].tolist() == [3, 3, 3] and frame["correct"].between(0, 1).all()
    # The figures are those of the runs, and a second call finds these finished.
    runs = sorted(path.name for path in (out / "runs").iterdir())
    assert len(runs) == 3
    seals = [(out / "runs" / name / "seal.json").read_bytes() for name in runs]
    forwards = [open_run(out / "runs" / name).manifest["cost"]["image_forwards"] for name in runs]
    assert main(arguments) == 1
    assert [open_run(out / "runs" / name).manifest["cost"]["image_forwards"] for name in runs] == forwards
    assert all(len(seal) for seal in seals)
    # The same runs by name, without a model.
    again = ["compare", *(str(out / "runs" / name) for name in runs), "--out", str(tmp_path / "again")]
    assert main(again) == 0
    other = pd.read_parquet(tmp_path / "again" / "knowledge-models.parquet")
    both = frame.set_index("model").loc[other["model"]]
    assert other["auc"].to_numpy() == pytest.approx(both["auc"].to_numpy())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare"], "name the run whose report is wanted and at least one other"),
        (["compare", "--models", "demo", "demo-vit"], "--models needs --out"),
        (["compare", "--models", "demo", "demo-vit", "--out", "{}/o"], "--models needs --images"),
        (["compare", "run", "--models", "demo", "demo-vit", "--out", "{}/o"], "either runs or --models"),
        (["compare", "--out", "{}/o"], "name at least two runs"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([part.format(tmp_path) for part in arguments]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--models", "demo", "demo"], "at least two different models"),
        (["--models", "demo", "demo-vit", "--note", "other=x"], "must be MODEL=TEXT"),
        (["--models", "demo", "demo-vit", "--option", "mosaic.repeats=1"], "mosaic"),
        (["--models", "ViT-B-98=x", "ViT-B-99=x"], "fewer than 2 models are left to compare (ViT-B-98=x: "),
    ],
)
def test_wrong_models_are_refused_in_one_line(
    more: list[str], said: str, inputs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *more, *inputs, "--out", str(tmp_path / "o")]) == 2
    told = capsys.readouterr().err
    assert said in told.splitlines()[-1]
    assert not (tmp_path / "o" / "models.html").exists()


def test_runs_of_models_with_one_name_are_told_apart(tmp_path: Path) -> None:
    runs = []
    for seed in range(2):
        runs.append(made_run(tmp_path / f"run-{seed}", images=4))
        made_knowledge(runs[-1], seed=seed)
    assert main(["compare", *(str(run.folder) for run in runs), "--out", str(tmp_path / "out")]) == 0
    names = pd.read_parquet(tmp_path / "out" / "knowledge-models.parquet")["model"].tolist()
    assert names[1] == f"{names[0]} (2)"
