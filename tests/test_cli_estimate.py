"""`python -m core estimate`: the numbers of the audit that would follow, and nothing left behind."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pandas as pd
import pytest

from core.cli import main
from core.runs import open_run
from tests.audit.small import CLASSES, draw_images, save_model, stub_report


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    save_model(tmp_path)
    draw_images(tmp_path / "drawn", 3)
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(place: Path, *more: str) -> list[str]:
    config = next(path for path in place.glob("*.json"))
    model = ["--model", str(config), "--weights", "weights.safetensors", "--device", "cpu"]
    # Each image has a caption besides.
    texts = ["--classes", "classes.txt", "--top-classes", "2"]
    # Few coalitions, so that methods and the tests of the maps share all of them.
    methods = ["--methods", "raw,rise", "--option", "rise.masks=96", "--effort", "quick", "--applications", "none"]
    return ["--images", "drawn", *model, *texts, *methods, *more]


def test_the_estimate_is_that_of_the_audit_and_keeps_nothing(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name for path in place.iterdir()}
    assert main(["estimate", *asked(place), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {path.name for path in place.iterdir()} - before == {"home"}
    assert not list((place / "scratch").glob("loupe-estimate-*"))
    assert told["images"] == 3 and told["image_text_pairs"] == 9 and told["gpu_hours"] is None
    assert told["timed_by"] == "probe" and told["seconds"] > 0 and told["memory_mb"] > 100
    assert told["image_forwards"] == pytest.approx(3 + sum(told["by_part"].values()), abs=1)
    stub_report(monkeypatch)
    assert main(["audit", *asked(place), "--out", "run"]) == 0
    capsys.readouterr()
    run = open_run(place / "run")
    assert run.manifest["cost"]["estimated_image_forwards"] == told["image_forwards"]
    assert run.manifest["cost"]["image_forwards"] <= told["image_forwards"]
    rows = pd.concat([pd.read_parquet(path) for path in (place / "run" / "results").glob("*.parquet")])
    assert len(rows) == told["rows"]
    # The companions: an audit without its curves, and one of fewer texts, cost and hold less.
    assert main(["estimate", *asked(place, "--no-curves"), "--json"]) == 0
    bare = json.loads(capsys.readouterr().out)
    assert bare["image_forwards"] < told["image_forwards"] and bare["rows"] < told["rows"]


def test_a_person_reads_the_parts_the_time_and_what_it_rests_on(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["estimate", *asked(place)]) == 0
    told = capsys.readouterr().out
    for part in ("3 images, 9 pairs of image and text", "  rise: 144", "two seconds of forward passes", "upper bound"):
        assert part in told


def test_wrong_input_is_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", *asked(place, "--table", "none.csv")]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and "none.csv" in captured.err and not captured.out
    assert not list((place / "scratch").glob("loupe-estimate-*"))
