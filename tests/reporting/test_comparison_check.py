"""A bundle holds the rows of the runs that were compared, and `verify` makes the comparison again from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from core.errors import RunError
from core.evaluation.comparison import FILE, ROW_COLUMNS, ROWS, compare, compared, load_comparisons, save_comparisons
from core.findings import apply_rules
from core.reporting.evidence import run_parts, write_evidence
from core.reporting.inspection import inspect_bundle
from core.reporting.verdict import verify_bundle
from core.rules import Context
from core.runs import Run
from tests.support.made_run import made_run
from tests.support.tampering import Files, better, forge


def made(folder: Path, name: str, digest: str, seed: int) -> Run:
    run = made_run(folder / name, images=8, methods=("raw", "rise"), seed=seed)
    if digest:
        run.update_manifest(model={**run.manifest["model"], "digest": digest * 64, "title": f"Model {name}"})
    return run


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    own, others = made(tmp_path, "own", "", 1), [made(tmp_path, "second", "b", 2), made(tmp_path, "third", "c", 3)]
    save_comparisons(own, [compare(own, other) for other in others])
    return packed(own)


def packed(run: Run) -> Path:
    context = Context(run)
    path = run.folder / "evidence.zip"
    write_evidence(run, context.summary, apply_rules(context), path)
    return path


def test_every_file_that_follows_from_the_run_is_compared_with_it(bundle: Path) -> None:
    run = Run(bundle.parent)
    files = inspect_bundle(bundle).files
    parts = dict(run_parts(run))
    assert sum(name.startswith(f"{ROWS}/") for name in parts) == 2
    assert all(files[name] == hashlib.sha256(data).hexdigest() for name, data in parts.items())


def values(files: Files) -> list[dict[str, object]]:
    return list(json.loads(files[FILE])["comparisons"])


def rows_of(files: Files) -> list[str]:
    return sorted(name for name in files if name.startswith(f"{ROWS}/"))


def with_comparisons(change: Callable[[list[dict[str, object]]], object]) -> Callable[[Files], object]:
    def both(files: Files) -> None:
        told = values(files)
        change(told)
        files[FILE] = json.dumps({"comparisons": told}).encode()

    return both


def better_rows(files: Files) -> None:
    """Higher values of the other run, with its new hash: the tables no longer follow."""
    told = values(files)
    name = str(told[0]["file"])
    data = better(files.pop(name))
    digest = hashlib.sha256(data).hexdigest()
    told[0] |= {"file": f"{ROWS}/{digest[:32]}.parquet", "sha256": digest}
    files[f"{ROWS}/{digest[:32]}.parquet"] = data
    files[FILE] = json.dumps({"comparisons": told}).encode()


def test_a_comparison_is_made_again_from_the_rows_in_the_bundle(bundle: Path) -> None:
    verdict = verify_bundle(bundle)
    assert verdict.outcome == "sound", verdict.text
    assert "the comparison with other runs with that recomputed from their rows" in verdict.text


def shifted(told: list[dict[str, object]]) -> None:
    told[1]["trust"][0]["value"] += 0.1  # type: ignore[index]


FORGERIES: tuple[tuple[str, Callable[[Files], object], str], ...] = (
    ("a number", with_comparisons(shifted), "comparison 2: `trust` is not what the rows of the two runs give"),
    ("the name", with_comparisons(lambda told: told[0].update(own="Mine")), "comparison 1: `own` is not what"),
    ("other rows", better_rows, "comparison 1: `trust` is not what the rows of the two runs give"),
    ("no rows", lambda files: files.pop(rows_of(files)[0]), "the rows of the other run, is missing"),
    ("rows of nothing", with_comparisons(lambda told: told.pop()), "belongs to no comparison"),
    ("another hash", with_comparisons(lambda told: told[0].update(sha256="0" * 64)), "is not the file that was"),
    ("damaged rows", lambda files: files.update({rows_of(files)[0]: b"PAR1"}), "is not the file that was compared"),
    ("a file elsewhere", with_comparisons(lambda told: told[0].update(file="../plan.json")), "is damaged"),
)  # fmt: skip


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("change", "line"), [each[1:] for each in FORGERIES], ids=[each[0] for each in FORGERIES])
def test_a_forged_comparison_is_detected(bundle: Path, change: Callable[[Files], object], line: str) -> None:
    forge(bundle, change)
    verdict = verify_bundle(bundle)
    assert verdict.outcome != "sound" and line in verdict.text, verdict.text


def test_one_that_an_earlier_version_stored_is_read_and_not_made_again(bundle: Path, tmp_path: Path) -> None:
    run = Run(bundle.parent)
    told = json.loads((run.folder / FILE).read_text())
    for one in told["comparisons"]:
        for name in ("file", "sha256", "other_plan", "other_model"):
            del one[name]
    (run.folder / FILE).write_text(json.dumps(told))
    assert [one.file for one in load_comparisons(Run(run.folder))] == ["", ""]
    assert verify_bundle(packed(Run(run.folder))).outcome == "sound"


def test_rows_of_a_comparison_that_was_replaced_are_removed(bundle: Path) -> None:
    run = Run(bundle.parent)
    before = sorted((run.folder / ROWS).iterdir())
    (first, second) = load_comparisons(run)
    again = compared(run.results(), pq.read_table(run.folder / first.file).to_pandas(), {
        "own": first.own, "other": first.other, "other_run": first.other_run,
    })  # fmt: skip
    save_comparisons(run, [again])
    (left,) = (run.folder / ROWS).iterdir()
    assert left == run.folder / first.file and len(before) == 2 and second.file != first.file


def test_a_run_whose_comparison_names_a_file_elsewhere_is_refused(bundle: Path) -> None:
    run = Run(bundle.parent)
    told = json.loads((run.folder / FILE).read_text())
    told["comparisons"][0]["file"] = "/etc/passwd"
    (run.folder / FILE).write_text(json.dumps(told))
    with pytest.raises(RunError, match="names a file outside compared/; compare the runs again"):
        load_comparisons(run)


def test_the_file_has_the_columns_that_a_comparison_needs_and_no_more(bundle: Path) -> None:
    (run, name) = Run(bundle.parent), load_comparisons(Run(bundle.parent))[0].file
    table = pq.read_table(BytesIO((run.folder / name).read_bytes()))
    assert tuple(table.column_names) == ROW_COLUMNS and table.num_rows > 0
