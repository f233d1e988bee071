"""Run directories from strangers: sealed, then changed in one place, or with files in them that are none."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.hostile.images import coded, noise
from tests.hostile.item import ERROR, REFUSED, TAKEN, Item, item

Change = Callable[[Path], object]


def items() -> Iterator[Item]:
    """Every run, carried to the commands that only look at one; no changed run is sound."""
    yield item("runs/unchanged", "run", "run", partial(_made, lambda run: None), TAKEN)
    for name, change in {**_changes(), **_odd_files()}.items():
        yield item(f"runs/{name}", "run", "run", partial(_made, change), REFUSED, ERROR)


def _made(change: Change, folder: Path) -> None:
    from core.runs.seal import seal
    from tests.support.made_run import made_run

    run = made_run(folder / "run", images=2, methods=("raw",))
    (run.folder / "report").mkdir(exist_ok=True)
    for name in ("report.pdf", "report.html", "findings.json"):
        (run.folder / "report" / name).write_text("[]")
    (run.folder / "findings.json").write_text("[]")
    seal(run)
    change(run.folder)


def _write(name: str, data: bytes) -> Change:
    return lambda run: (run / name).write_bytes(data)


def _dataset(run: Path) -> Path:
    return next(run.parent.rglob("dataset.json")).parent


def _image(run: Path) -> Path:
    return sorted(_dataset(run).glob("images/*.png"))[0]


def _result(run: Path) -> Path:
    return sorted(run.glob("results/*.parquet"))[0]


def _edited(name: str, old: str, new: str) -> Change:
    def change(run: Path) -> None:
        text = (run / name).read_text()
        assert old in text
        (run / name).write_text(text.replace(old, new, 1))

    return change


def _changes() -> dict[str, Change]:
    other = coded(noise(320, 240), "PNG")
    return {
        "report-forged": _write("report/report.pdf", b"%PDF-1.4 forged"),
        "page-forged": _write("report/report.html", b"<h1>sound</h1>"),
        "report-findings-emptied": _write("report/findings.json", b"[ ]"),
        "findings-emptied": _write("findings.json", b"[ ]"),
        "report-deleted": lambda run: (run / "report" / "report.pdf").unlink(),
        "manifest-other-model": _edited("manifest.json", "Loupe demo", "Another model"),
        "manifest-deleted": lambda run: (run / "manifest.json").unlink(),
        "manifest-deep": _write("manifest.json", b"[" * 500_000),
        "manifest-list": _write("manifest.json", b"[]"),
        "manifest-digits": _write("manifest.json", b'{"a": ' + b"9" * 5000 + b"}"),
        "manifest-not-unicode": _write("manifest.json", b"\xff"),
        "plan-title": _edited("plan.json", '"title": "', '"title": "Certified safe '),
        "plan-deep": _write("plan.json", b"[" * 500_000),
        "plan-empty": _write("plan.json", b""),
        "thresholds-added": _write("thresholds.toml", b"version = 1\n"),
        "comparison-added": _write("comparison.json", b"[]"),
        "result-added": _write("results/" + "f" * 64 + ".parquet", b"PAR1PAR1"),
        "result-deleted": lambda run: _result(run).unlink(),
        "result-emptied": lambda run: _result(run).write_bytes(b""),
        "result-cut": lambda run: os.truncate(_result(run), 1000),
        "stray-file": _write("note.txt", b"x"),
        "stray-hidden-file": _write(".hidden", b"x"),
        "stray-in-report": _write("report/extra.html", b"x"),
        "stray-name-escapes": lambda run: (run / "\x1b[2J\nrun: sound").write_bytes(b"x"),
        "stray-name-not-unicode": lambda run: Path(os.fsdecode(os.fsencode(run) + b"/\xff\xfe")).write_bytes(b"x"),
        "stray-names-5000": lambda run: [(run / f"stray{n}").write_bytes(b"") for n in range(5000)],
        "seal-deleted": lambda run: (run / "seal.json").unlink(),
        "seal-deep": _write("seal.json", b"[" * 500_000),
        "seal-empty": _write("seal.json", b"{}"),
        "seal-blank-added": lambda run: (run / "seal.json").write_bytes((run / "seal.json").read_bytes() + b" "),
        "seal-state": _edited("seal.json", '"log_lines": ', '"log_lines": 1'),
        "seal-name-slip": _edited("seal.json", '"plan.json"', '"../../../etc/passwd"'),
        "seal-digits": lambda run: (run / "seal.json").write_text(
            (run / "seal.json").read_text().replace('"log_lines": ', '"log_lines": ' + "9" * 5000, 1)
        ),
        "image-deleted": lambda run: _image(run).unlink(),
        "image-emptied": lambda run: _image(run).write_bytes(b""),
        "image-other": lambda run: _image(run).write_bytes(other),
        "images-swapped": _swap,
        "image-added": lambda run: (_dataset(run) / "images" / "0000000000000000.png").write_bytes(other),
        "dataset-caption": lambda run: _edited("dataset.json", "shape", "shapE")(_dataset(run)),
        "dataset-deep": lambda run: (_dataset(run) / "dataset.json").write_bytes(b'{"a":' * 500_000),
        "dataset-gone": lambda run: shutil.rmtree(_dataset(run)),
        "annotations-added": lambda run: (_dataset(run) / "annotations.json").write_bytes(b"{}"),
        "units-edited": partial(_sql, "update units set state = 'pending'"),
        "unit-hash-edited": partial(_sql, "update units set sha256 = '0'"),
        "unit-key-slip": partial(_sql, "update units set key = '../../../../etc/passwd'"),
        "unit-key-escapes": partial(_sql, "update units set key = char(27) || '[2J' || char(10) || 'run: sound'"),
        "units-dropped": partial(_sql, "drop table units"),
        "units-of-blobs": partial(
            _sql, "update units set key = zeroblob(100), images = zeroblob(9), error = zeroblob(9)"
        ),
        "log-edited": partial(_sql, "update events set message = 'nothing failed'"),
        "database-garbage": _write("run.sqlite", b"garbage" * 1000),
        "database-half": lambda run: os.truncate(run / "run.sqlite", 9000),
        "database-empty": _write("run.sqlite", b""),
        "database-page": _page,
    }


def _swap(run: Path) -> None:
    first, second = sorted(_dataset(run).glob("images/*.png"))[:2]
    one, two = first.read_bytes(), second.read_bytes()
    first.write_bytes(two)
    second.write_bytes(one)


def _sql(statement: str, run: Path) -> None:
    with sqlite3.connect(run / "run.sqlite") as database:
        database.execute(statement)
    database.close()


def _page(run: Path) -> None:
    with (run / "run.sqlite").open("r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * 4096)


def _odd_files() -> dict[str, Change]:
    made: dict[str, Change] = {}
    for name in ("plan.json", "manifest.json", "seal.json", "findings.json", "run.sqlite", "report/report.pdf",
                 "report/evidence.zip", "thresholds.toml"):  # fmt: skip
        short = name.replace("/", "-")
        made[f"{short}-is-pipe"] = partial(_replaced, name, os.mkfifo)
        made[f"{short}-is-device"] = partial(_replaced, name, lambda path: path.symlink_to("/dev/zero"))
        made[f"{short}-is-folder"] = partial(_replaced, name, lambda path: path.mkdir())
        made[f"{short}-is-itself"] = partial(_replaced, name, lambda path: path.symlink_to(path.name))
    made["image-is-pipe"] = lambda run: _replaced(str(_image(run)), os.mkfifo, run)
    made["result-is-device"] = lambda run: _replaced(str(_result(run)), lambda path: path.symlink_to("/dev/zero"), run)
    made["dataset-is-device"] = lambda run: _replaced(
        str(_dataset(run) / "dataset.json"), lambda path: path.symlink_to("/dev/zero"), run
    )
    made["folder-loop"] = lambda run: (run / "loop").symlink_to(run, target_is_directory=True)
    made["plan-names-root"] = _root_of_everything
    return made


def _replaced(name: str, make: Callable[[Path], object], run: Path) -> None:
    path = run / name
    path.unlink(missing_ok=True)
    make(path)


def _root_of_everything(run: Path) -> None:
    content = json.loads((run / "plan.json").read_text())
    content["dataset_root"] = "/proc"
    (run / "plan.json").write_text(json.dumps(content))
