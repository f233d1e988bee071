"""The evidence bundle: what is in it, equal bytes, and that every kind of tampering is named."""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from core.errors import RunError
from core.evaluation.summary import summarise
from core.findings import judge
from core.reporting.annex import DIGEST
from core.reporting.csv_table import table_csv
from core.reporting.evidence import CRITERIA, SUMS, write_evidence
from core.reporting.plan_settings import SETTINGS_FILE, chosen_settings, every_setting
from core.reporting.verdict import verify_evidence
from core.rules.thresholds import load_thresholds
from core.runs import Run
from tests.support.made_run import made_run
from tests.support.tampering import forge


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("evidence") / "run", images=4, methods=("raw", "m2ib"), prefix="=shape")


@pytest.fixture()
def bundle(run: Run, tmp_path: Path) -> Path:
    summary = summarise(run)
    write_evidence(run, summary, judge(run, summary), tmp_path / "evidence.zip")
    return tmp_path / "evidence.zip"


def rewrite(path: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    with zipfile.ZipFile(path) as old:
        files = {name: old.read(name) for name in old.namelist()}
    change(files)
    with zipfile.ZipFile(path, "w") as new:
        for name, data in files.items():
            new.writestr(name, data)


def test_the_bundle_has_every_threshold_in_force(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as opened:
        data = opened.read(CRITERIA)
    # The hash is the one that the report prints of the built-in thresholds.
    assert hashlib.sha256(data).hexdigest() == load_thresholds().sha256
    (tmp_path / CRITERIA).write_bytes(data)
    assert load_thresholds(tmp_path / CRITERIA).limits == load_thresholds().limits
    forge(bundle, lambda files: files.pop(CRITERIA))
    assert verify_evidence(bundle) == [f"{CRITERIA} is missing"]


def test_sound_bundle_and_equal_bytes(run: Run, bundle: Path, tmp_path: Path) -> None:
    assert verify_evidence(bundle) == []
    summary = summarise(run)
    again = write_evidence(run, summary, judge(run, summary), tmp_path / "again.zip")
    assert again.path.read_bytes() == bundle.read_bytes()
    assert again.sha256 == hashlib.sha256(bundle.read_bytes()).hexdigest()
    with zipfile.ZipFile(bundle) as opened:
        names = set(opened.namelist())
    assert {
        "plan.json",
        "manifest.json",
        "findings.json",
        "dataset.json",
        "units.csv",
        "tables/trust.csv",
        SUMS,
    } <= names
    assert sum(name.startswith("results/") for name in names) == 2


def test_the_plan_digest_is_computed_from_the_bundle_as_the_annex_says(run: Run, bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as opened:
        plan = json.loads(opened.read("plan.json"))
    for name in ("declared", "dataset_root", *(name for name in ("files", "plugins") if not plan[name])):
        del plan[name]
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == run.plan.digest == run.manifest["plan_sha256"]
    assert all(word in DIGEST for word in ("declared", "dataset_root", "files", "plugins"))
    plan["seed"] += 1
    assert (
        hashlib.sha256(json.dumps(plan, sort_keys=True, separators=(",", ":")).encode()).hexdigest() != run.plan.digest
    )


def test_each_kind_of_tampering_is_named(bundle: Path) -> None:
    sound = bundle.read_bytes()
    result = next(name for name in zipfile.ZipFile(bundle).namelist() if name.startswith("results/"))

    def swap_sums(files: dict[str, bytes]) -> None:
        files[result] += b"x"
        lines = files[SUMS].decode().splitlines()
        digest = hashlib.sha256(files[result]).hexdigest()
        files[SUMS] = "".join(
            f"{digest}  {result}\n" if line.endswith(result) else f"{line}\n" for line in lines
        ).encode()

    cases: list[tuple[Callable[[dict[str, bytes]], object], str]] = [
        (lambda files: files.update({"plan.json": files["plan.json"] + b" "}), "plan.json was changed"),
        (lambda files: files.pop(result), "is listed in SHA256SUMS but missing"),
        (lambda files: files.update({"extra.txt": b"x"}), "extra.txt is in the bundle but not listed"),
        (lambda files: files.pop(SUMS), "SHA256SUMS is missing"),
        (lambda files: files.update({SUMS: files[SUMS] + b"nonsense\n"}), "not a checksum"),
        (swap_sums, "is not the file its unit recorded"),
    ]
    for change, told in cases:
        bundle.write_bytes(sound)
        rewrite(bundle, lambda files, change=change: change(files) and None)  # type: ignore[misc]
        assert any(told in problem for problem in verify_evidence(bundle)), told
    bundle.write_bytes(sound[: len(sound) // 2])
    assert "a corrupt ZIP" in verify_evidence(bundle)[0]
    assert "cannot be read (No such file or directory)" in verify_evidence(bundle.with_name("none.zip"))[0]


def test_changed_result_file_is_not_bundled(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",))
    summary = summarise(run)
    file = next((run.folder / "results").glob("*.parquet"))
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(RunError, match="was changed"):
        write_evidence(run, summary, (), tmp_path / "e.zip")


def test_formulas_are_escaped_and_numbers_are_not(run: Run, bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as opened:
        lines = opened.read("tables/scores.csv").decode().splitlines()
    assert any(",'=shape" in line for line in lines) and not any(",=shape" in line for line in lines)
    frame = pd.DataFrame({"text": ["-cmd", "plain", None], "value": [-1.5, float("nan"), 2.0]})
    assert table_csv(frame) == b"text,value\n'-cmd,-1.5\nplain,\n,2.0\n"


def test_every_setting_is_in_the_bundle_and_follows_from_the_plan(run: Run, bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as opened:
        files = {name: opened.read(name) for name in opened.namelist()}
    rows = dict(csv.reader(files[SETTINGS_FILE].decode().splitlines()))
    assert rows["setting"] == "value" and rows["seed"] == str(run.plan.seed)
    assert len(rows) - 1 == len(every_setting(run)) > len(chosen_settings(run)) > 10
    # Defaults are there too; the annex names the methods that have them in one row.
    assert any(name.startswith("methods.m2ib.") for name in rows)
    assert ("methods with their defaults", "raw, m2ib") in chosen_settings(run)

    def another_seed(files: dict[str, bytes]) -> None:
        files[SETTINGS_FILE] = files[SETTINGS_FILE].replace(b"\nseed,0\n", b"\nseed,1\n")
        sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != SUMS}
        files[SUMS] = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items())).encode()

    rewrite(bundle, another_seed)
    assert any("settings.csv does not contain the settings" in line for line in verify_evidence(bundle))
