"""A bundle of a run whose results lie in parts: sound, readable elsewhere, and every change of a part is named."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from core.evaluation.summary import summarise
from core.findings import judge
from core.reporting.evidence import write_evidence
from core.reporting.unbundling import open_bundle
from core.reporting.verdict import verify_evidence
from core.runs import Run, packing
from core.runs.integrity import changed_files
from tests.support.made_run import made_run
from tests.support.tampering import forge

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of six units in parts of one to three."""
    made = made_run(tmp_path_factory.mktemp("parts") / "run", images=12, methods=("raw", "m2ib"))
    made.update_manifest(state="done")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "MOST_FILES", 1)
        patch.setattr("core.runs.part_files.GROUP_BYTES", 1)
        patch.setenv("LOUPE_PART", "0.03")
        assert packing.pack(made) == 6
    return made


@pytest.fixture
def bundle(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    summary = summarise(run)
    write_evidence(run, summary, judge(run, summary), tmp_path / "evidence.zip")
    return tmp_path / "evidence.zip"


def parts(files: Files) -> list[str]:
    return sorted(name for name in files if name.startswith("results/part-"))


def rewritten(change: Callable[[pa.Table], pa.Table]) -> Callable[[Files], Any]:
    """The first part with other rows, and the manifest adjusted to it."""

    def act(files: Files) -> None:
        name = parts(files)[0]
        sink = io.BytesIO()
        pq.write_table(change(pq.read_table(io.BytesIO(files[name]))), sink)
        files[name] = sink.getvalue()
        manifest = json.loads(files["manifest.json"])
        manifest["parts"][name.removeprefix("results/")]["sha256"] = hashlib.sha256(files[name]).hexdigest()
        files["manifest.json"] = json.dumps(manifest).encode()

    return act


def forgotten(files: Files) -> None:
    manifest = json.loads(files["manifest.json"])
    del manifest["parts"][parts(files)[0].removeprefix("results/")]
    files["manifest.json"] = json.dumps(manifest).encode()


def other_unit(table: pa.Table) -> pa.Table:
    keys = pa.array(["0" * 32] * len(table), pa.string())
    return table.set_column(table.schema.get_field_index("unit"), table.schema.field("unit"), keys)


def other_name(table: pa.Table) -> pa.Table:
    names = pc.replace_substring(table["image_name"], "shape", "other")
    assert names != table["image_name"]
    return table.set_column(table.schema.get_field_index("image_name"), table.schema.field("image_name"), names)


def test_a_bundle_of_parts_is_sound_and_gives_the_same_run_elsewhere(run: Run, bundle: Path) -> None:
    assert verify_evidence(bundle) == []
    opened = open_bundle(bundle)
    assert {path.name for path in (opened.folder / "results").iterdir()} == set(packing.parts_of(run))
    assert changed_files(opened) == []
    assert opened.results().to_json() == run.results().to_json()
    assert [one.id for one in judge(opened, summarise(opened))] == [one.id for one in judge(run, summarise(run))]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda files: files.pop(parts(files)[0]), "is named by manifest.json but missing"),
        (lambda files: files.update({parts(files)[0]: b"PAR1"}), "is not the file named by manifest.json"),
        (forgotten, "belongs to no finished unit"),
        (rewritten(other_unit), "which is not finished or lies in another file"),
        (rewritten(lambda table: table.slice(1)), "rows of the unit"),
        (rewritten(lambda table: pa.concat_tables([table, table])), "which recorded them once"),
        (rewritten(other_name), "has a row with the name"),
    ],
)
def test_each_change_of_a_part_is_named(bundle: Path, change: Callable[[Files], Any], line: str) -> None:
    forge(bundle, change)
    problems = verify_evidence(bundle)
    assert problems and any(line in problem for problem in problems), problems
