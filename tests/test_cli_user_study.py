"""`python -m core user-study`: from a run to sheets and back, maps without names, and what it refuses in one line."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from core.cli import main
from core.evaluation.user_study import load_study
from core.runs import Run
from tests.support.made_run import made_run

METHODS = ("raw", "rise", "m2ib")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of six images with three methods."""
    return made_run(tmp_path / "run", images=6, methods=METHODS)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_sheets_make_the_round_trip(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "study"
    given = ["user-study", str(run.folder), "--methods", ",".join(METHODS), "--images", "4", "--out", str(folder)]
    assert main(given) == 0
    study = load_study(folder)
    assert len(study.pairs) == 12 and study.methods == tuple(sorted(METHODS))
    pictures = sorted(path.name for path in (folder / "maps").iterdir())
    assert len(pictures) == 36 and not any(method in name for name in pictures for method in METHODS)
    for rater, prefers in (("Ada", "rise"), ("Ben", "rise")):
        sheet = tmp_path / f"{rater}.csv"
        assert main(["user-study", str(folder), "--sheet", str(sheet), "--rater", rater]) == 0
        assert not any(method in sheet.read_text().lower() for method in METHODS), "the sheet names a method"
        rows = rows_of(sheet)
        assert [int(row["pair"]) for row in rows] == study.order(rater)
        assert all((folder / row[side]).is_file() for row in rows for side in ("image", "left", "right"))
        for row in rows:
            pair = study.pairs[int(row["pair"])]
            row["choice"] = "left" if pair.left == prefers else "Right" if pair.right == prefers else "neither"
        with sheet.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        assert main(["user-study", str(folder), "--read", str(sheet), "--rater", rater]) == 0
    capsys.readouterr()
    assert main(["user-study", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["raters"] == {"Ada": 12, "Ben": 12} and told["agreement"]["value"] == 1.0
    shares = {one["method"]: one["share"]["value"] for one in told["preferences"]}
    assert shares == {"rise": 1.0, "raw": 0.25, "m2ib": 0.25}
    assert main(["user-study", str(folder)]) == 0
    assert "RISE: preferred in 1.00 [" in capsys.readouterr().out


def test_what_cannot_be_used_is_refused_in_one_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, sheet = tmp_path / "study", tmp_path / "s.csv"
    start = ["user-study", str(run.folder), "--out", str(folder)]
    for more, said in (
        ([], "name the methods to compare with --methods"),
        (["--methods", "raw"], "name two or more methods"),
        (["--methods", "raw,gae"], "no image and text with a map of each"),
        (["--methods", "raw,nothing"], "no method is called 'nothing'"),
        (["--methods", "raw,rise", "--images", "0"], "--images must be 1 or more"),
    ):
        assert main([*start, *more]) == 2
        told = capsys.readouterr().err
        assert said in told and told.count("\n") == 1
    assert not folder.exists()
    assert main([*start, "--methods", "raw,rise"]) == 0
    capsys.readouterr()
    for text, said in (
        ("pair,choice\n99,left\n", "row 2 has the pair '99', which is not in this study"),
        ("pair,choice\n0,left\n0,right\n", "row 3 repeats the pair 0"),
        ("pair,choice\n0,both\n", "row 2 has the choice 'both'; use left, right, neither"),
        ("pair,choice\n0,\n", "has no choices"),
        ("number,choice\n0,left\n", "has no column 'pair'"),
    ):
        sheet.write_text(text)
        assert main(["user-study", str(folder), "--read", str(sheet), "--rater", "Ada"]) == 2
        told = capsys.readouterr().err
        assert said in told and told.count("\n") == 1
    assert main(["user-study", str(folder), "--sheet", str(sheet)]) == 2
    assert "need --rater" in capsys.readouterr().err
    assert main(["user-study", str(folder), "--methods", "raw,rise"]) == 2
    assert "is a study already" in capsys.readouterr().err
    assert not (folder / "votes.jsonl").exists()
