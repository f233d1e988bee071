"""`python -m core spot-check`: sheets out and in, what it refuses in one line, and what the seal says of marks."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from core.applications.predictions.record import PredictionsRecord
from core.cli import main
from core.runs import Run, check_before_rewriting, load_seal, sealed_problems
from core.runs.seal import seal
from core.runs.spot_check import SPOT_CHECK, load_spot_check
from tests.support.made_predictions import record_of
from tests.support.made_run import made_run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of twelve images whose predictions are recorded."""
    run = made_run(tmp_path / "run", images=12)
    ids = [image.id for image in run.dataset.images]
    record_of(12, 4, ids=ids).save(PredictionsRecord.folder_of(run))
    return run


def sheet_of(run: Run, tmp_path: Path) -> list[dict[str, str]]:
    path = tmp_path / "sheet.csv"
    size = [] if _drawn(run) else ["--size", "8"]
    assert main(["spot-check", str(run.folder), "--sheet", str(path), *size]) == 0
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _drawn(run: Run) -> bool:
    return (run.folder / SPOT_CHECK).exists()


def filled(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_sheet_makes_the_round_trip(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = sheet_of(run, tmp_path)
    assert len(rows) >= 8 and list(rows[0]) == ["number", "id", "image", "class", "mark"]
    assert "implausible" not in (tmp_path / "sheet.csv").read_text()
    marked = [{**row, "mark": "Right " if at % 2 else "wrong"} for at, row in enumerate(rows)]
    for judge, delimiter in (("Ada", ","), ("Ben", ";")):
        path = filled(tmp_path / f"{judge}.csv", marked, delimiter)
        assert main(["spot-check", str(run.folder), "--read", str(path), "--judge", judge]) == 0
    check = load_spot_check(run)
    assert check is not None and check.judges == ("Ada", "Ben")
    assert check.verdicts("Ada") == {row["id"]: row["mark"].strip().lower() for row in marked}
    capsys.readouterr()
    assert main(["spot-check", str(run.folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kappa"][0]["value"] == 1.0 and told["accuracy"]["least"]["n"] == len(rows)
    # Once more the same marks: nothing is added.
    assert main(["spot-check", str(run.folder), "--read", str(path), "--judge", " ben "]) == 0
    assert load_spot_check(run) == check


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mark": "yes"}, "row 3 has the mark 'yes'; use right, wrong, unsure"),
        ({"id": "0" * 16}, "which is not in this sample"),
        ({"class": "submarine"}, "row 3 has the class 'submarine'"),
        ({"id": "SAME"}, "repeats the id"),
        ({"mark": ""}, "has no marks"),
    ],
)
def test_a_wrong_sheet_is_refused_whole_in_one_line(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], message: str
) -> None:
    rows = sheet_of(run, tmp_path)
    marked = [{**row, "mark": "" if change == {"mark": ""} else "right"} for row in rows]
    marked[1] |= {name: marked[0]["id"] if value == "SAME" else value for name, value in change.items()}
    path = filled(tmp_path / "wrong.csv", marked)
    capsys.readouterr()
    assert main(["spot-check", str(run.folder), "--read", str(path), "--judge", "Ada"]) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1
    check = load_spot_check(run)
    assert check is not None and not check.marks


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\x00\x01\x02", "odd.csv is not a text file"),
        (b"a,b\n1,2\n", "has no column 'id'"),
        (b"id,id,class,mark\n1,2,3,4\n", "has two columns 'id'"),
        (b'id,class,mark\n"1,2,3\n', "quotation marks"),
        (b"id,class,mark\n1\n", "too few cells in row 2"),
    ],
)
def test_what_is_no_sheet_is_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, message: str
) -> None:
    sheet_of(run, tmp_path)
    path = tmp_path / "odd.csv"
    path.write_bytes(data)
    capsys.readouterr()
    assert main(["spot-check", str(run.folder), "--read", str(path), "--judge", "Ada"]) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1


def test_a_sheet_needs_a_judge_and_a_sample(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sheet.csv"
    assert main(["spot-check", str(run.folder), "--read", str(path)]) == 2
    assert "--judge" in capsys.readouterr().err
    assert main(["spot-check", str(run.folder), "--read", str(path), "--judge", "Ada"]) == 2
    assert "export its sheet first" in capsys.readouterr().err
    assert main(["spot-check", str(made_run(tmp_path / "other").folder)]) == 2
    assert "no predictions to check" in capsys.readouterr().err
    assert not _drawn(run)


def test_marks_change_the_seal_until_the_report_is_made_again(run: Run, tmp_path: Path) -> None:
    seal(run)
    rows = sheet_of(run, tmp_path)
    found = load_seal(run)
    assert found is not None
    assert sealed_problems(run, found[0]) == [f"{SPOT_CHECK} was added after the run was sealed"]
    # A new report may be made of it; what was changed elsewhere still stops one.
    check_before_rewriting(run)
    seal(run)
    path = filled(tmp_path / "ada.csv", [{**row, "mark": "right"} for row in rows])
    assert main(["spot-check", str(run.folder), "--read", str(path), "--judge", "Ada"]) == 0
    found = load_seal(run)
    assert found is not None
    assert sealed_problems(run, found[0]) == [f"{SPOT_CHECK} was changed after the run was sealed"]


def test_a_damaged_spot_check_is_told_in_one_line(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for data in (b"{", b'{"version": 1}', b"[" * 100_000):
        (run.folder / SPOT_CHECK).write_bytes(data)
        assert main(["spot-check", str(run.folder)]) == 2
        told = capsys.readouterr().err
        assert "is damaged" in told and told.count("\n") == 1
