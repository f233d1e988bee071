"""The seal of a run: whatever is changed, removed or added afterwards is told, and an untouched run is sound."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import RunError
from core.runs import Run, break_seal, changed_files, check_before_rewriting, load_seal, open_run, sealed_problems
from core.runs.seal import FREE, SEAL, made_seal, seal
from tests.support.made_run import made_run


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run whose dataset lies within it, with everything that a run may hold."""
    folder = tmp_path_factory.mktemp("sealed") / "run"
    run = made_run(folder, images=2, methods=("raw",))
    root = folder / "dataset" / run.plan.dataset
    shutil.copytree(run.dataset.root, root)
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**plan, "dataset_root": f"dataset/{run.plan.dataset}"}))
    (root / "annotations.json").write_text('{"images": []}\n')
    record = folder / "applications" / "sanity"
    record.mkdir(parents=True)
    (record / "about.json").write_text("{}\n")
    (folder / "findings.json").write_text("[]\n")
    (folder / "comparison.json").write_text('{"comparisons": []}\n')
    run.report.mkdir()
    for name in ("report.html", "report.pdf", "findings.json", "evidence.zip"):
        (run.report / name).write_text(f"stands for {name}\n")
    (folder / "worker.log").write_text("printed\n")
    seal(open_run(folder))
    return folder


@pytest.fixture
def run(sealed: Path, tmp_path: Path) -> Run:
    shutil.copytree(sealed, tmp_path / "run")
    return open_run(tmp_path / "run")


def problems(folder: Path) -> list[str]:
    run = Run(folder)
    try:
        found = load_seal(run)
    except RunError as error:
        return [str(error)]
    assert found is not None
    return sealed_problems(run, found[0])


def files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "first byte": lambda data: bytes([data[0] ^ 0x20]) + data[1:],
    "one bit": flip,
    "last byte": lambda data: data[:-1] + bytes([data[-1] ^ 0x80]),
    "cut": lambda data: data[:-1],
    "emptied": lambda data: b"",
    "longer": lambda data: data + b" ",
}


def test_an_untouched_run_is_sound_wherever_it_lies(run: Run, tmp_path: Path) -> None:
    assert problems(run.folder) == []
    moved = tmp_path / "moved to another place"
    run.folder.rename(moved)
    assert problems(moved) == []
    again = open_run(moved)
    data = (moved / SEAL).read_bytes()
    seal(again)
    assert (moved / SEAL).read_bytes() == data == made_seal(again).encoded()
    assert not list(moved.glob("*.part"))


@pytest.mark.parametrize("change", CHANGES)
def test_no_byte_of_any_file_changes_unseen(run: Run, change: str) -> None:
    seen = 0
    for path in list(files(run.folder)):
        name = path.relative_to(run.folder).as_posix()
        if name in FREE - {SEAL}:
            continue
        sound = path.read_bytes()
        path.write_bytes(CHANGES[change](sound))
        found = problems(run.folder)
        assert found, f"{name}: {change}"
        assert all("\n" not in line for line in found)
        shown = name.partition(run.plan.dataset + "/")[2] or name
        assert any(shown in line for line in found), (name, found)
        path.write_bytes(sound)
        seen += 1
    assert seen >= 14
    assert problems(run.folder) == []


def test_what_is_removed_is_told_by_name(run: Run) -> None:
    for path in list(files(run.folder)):
        name = path.relative_to(run.folder).as_posix()
        if name in FREE:
            continue
        sound = path.read_bytes()
        path.unlink()
        shown = name.partition(run.plan.dataset + "/")[2] or name
        assert any(line.endswith(f"{shown} is missing") for line in problems(run.folder)), name
        path.write_bytes(sound)
    shutil.rmtree(run.dataset.root)
    assert problems(run.folder) == [f"the dataset {run.plan.dataset} is missing"]


@pytest.mark.parametrize(
    "name",
    [
        "thresholds.toml", "results/" + "f" * 32 + ".parquet", "report/second.pdf", "applications/sanity/more.json",
        "notes.txt", "deep/er/file", ".hidden", "dataset/other/dataset.json", "run.sqlite.bak",
    ],
)  # fmt: skip
def test_what_is_added_is_told_by_name(run: Run, name: str) -> None:
    (run.folder / name).parent.mkdir(parents=True, exist_ok=True)
    (run.folder / name).write_text("added")
    assert problems(run.folder) == [f"{name} was added after the run was sealed"]
    (run.folder / name).unlink()
    assert problems(run.folder) == []


def test_what_is_added_to_the_dataset_is_told_and_thumbnails_are_not(run: Run) -> None:
    run.dataset.thumbnail(run.dataset.images[0])
    assert problems(run.folder) == []
    (run.dataset.root / "images" / ("0" * 16 + ".png")).write_bytes(b"x")
    assert problems(run.folder) == [f"dataset: images/{'0' * 16}.png was added after the run was sealed"]


def test_links_pipes_and_other_things_in_the_place_of_files_are_told_and_never_waited_for(run: Run) -> None:
    os.mkfifo(run.folder / "pipe")
    (run.folder / "zero").symlink_to("/dev/zero")
    (run.folder / "all").symlink_to("/", target_is_directory=True)
    target = run.folder / "findings.json"
    target.unlink()
    target.symlink_to("/dev/zero")
    found = problems(run.folder)
    assert {f"{name} is not a regular file" for name in ("pipe", "zero", "all", "findings.json")} <= set(found)
    assert "findings.json is missing" in found and len(found) == 5


def test_two_images_that_change_places_are_told_also_under_a_new_seal(run: Run) -> None:
    first, second = (run.dataset.path(image) for image in run.dataset.images)
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    assert {line.partition(" was ")[0] for line in problems(run.folder)} == {
        f"dataset: images/{first.name}", f"dataset: images/{second.name}",
    }  # fmt: skip
    seal(open_run(run.folder))
    assert {line.partition(" does ")[0] for line in problems(run.folder)} == {
        f"dataset: images/{first.name}", f"dataset: images/{second.name}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE units SET state = 'failed' WHERE position = 0", "unit 0 was changed"),
        ("UPDATE units SET sha256 = lower(hex(zeroblob(32)))", "unit 0 was changed"),
        ("UPDATE units SET rows = rows + 1", "unit 0 was changed"),
        ("UPDATE units SET key = 'k'", "unit 0 was changed"),
        ("UPDATE units SET seconds = 0.5", "the units table was changed"),
        ("UPDATE units SET error = 'none'", "the units table was changed"),
        ("DELETE FROM units", "unit 0 was changed"),
        ("INSERT INTO units (position, key, images) VALUES (9, 'x', 1)", "unit 1 was changed"),
        ("UPDATE run SET value = 'running' WHERE key = 'state'", "gives the state of the run as running"),
        ("UPDATE events SET message = 'nothing failed' WHERE id = 1", "the log was changed"),
        ("DELETE FROM events", "the log was changed"),
        ("DROP TABLE units", "is damaged"),
        ("DROP TABLE events", "is damaged"),
    ],
)
def test_a_changed_table_of_the_database_is_told(run: Run, statement: str, told: str) -> None:
    with sqlite3.connect(run.folder / "run.sqlite") as db:
        db.execute(statement)
    db.close()
    found = problems(run.folder)
    assert len(found) == 1 and found[0].startswith("run.sqlite") and told in found[0], found


def test_lines_may_be_added_to_the_log(run: Run) -> None:
    run.store.log("resume", "refused: another version")
    assert problems(run.folder) == []


@pytest.mark.parametrize("how", ["garbage", "half", "empty", "gone", "page"])
def test_a_damaged_database_is_told(run: Run, how: str) -> None:
    path = run.folder / "run.sqlite"
    data = path.read_bytes()
    for extra in run.folder.glob("run.sqlite-*"):
        extra.unlink()
    if how == "gone":
        path.unlink()
    else:
        page = data[:4096] + b"\xff" * 4096 + data[8192:]
        path.write_bytes({"garbage": b"x" * len(data), "half": data[: len(data) // 2], "empty": b"", "page": page}[how])
    found = problems(run.folder)
    assert found and all(line.startswith("run.sqlite is ") for line in found), found


def test_a_seal_of_another_kind_is_refused_in_one_line(run: Run) -> None:
    path = run.folder / SEAL
    whole = json.loads(path.read_text())
    for text in ("", "{", "[]", "[" * 100_000, "\xff", json.dumps({**whole, "version": 2}),
                 json.dumps({**whole, "more": 1}), json.dumps(whole)):  # fmt: skip
        path.write_bytes(text.encode("latin-1"))
        assert problems(run.folder)[0].startswith("seal.json ")
    path.unlink()
    os.mkfifo(path)
    assert problems(run.folder)[0].startswith("seal.json ")


def test_a_report_is_not_made_of_what_changed_under_the_seal(run: Run) -> None:
    check_before_rewriting(run)
    (run.folder / "findings.json").write_text("[ ]\n")
    (run.report / "report.pdf").write_text("another")
    check_before_rewriting(run)
    manifest = run.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("Loupe demo", "Another model"))
    with pytest.raises(RunError, match=r"manifest\.json was changed after the run was sealed; restore"):
        check_before_rewriting(run)
    (run.folder / SEAL).unlink()
    check_before_rewriting(run)


def test_work_takes_the_seal_off_and_forgets_a_manifest_that_was_changed(run: Run) -> None:
    assert break_seal(run) == [] and not (run.folder / SEAL).exists()
    assert run.manifest["model"]["title"] == "Loupe demo"
    assert break_seal(run) == []
    seal(run)
    run.update_manifest(model={"title": "Another"}, compare_with=["elsewhere"])
    assert break_seal(run) == ["manifest.json was changed after the run was sealed"]
    assert run.manifest == {"compare_with": ["elsewhere"]}


def test_without_a_seal_the_records_of_a_run_are_compared(run: Run) -> None:
    assert changed_files(run) == []
    stray = run.folder / "results" / ("f" * 32 + ".parquet")
    stray.write_bytes(b"x")
    assert changed_files(run) == [f"results/{stray.name} belongs to no finished unit"]
    stray.unlink()
    (run.folder / "thresholds.toml").write_text("")
    assert changed_files(run) == ["thresholds.toml is not the thresholds file named in the plan"]
