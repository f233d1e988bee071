"""The n-th call on files or on SQLite of a whole audit fails, for every n; then the audit goes on to the same bytes.

As SQLite is tested: the audit is counted once, then done again with each call in turn failing for want of space, with
a disk error, or with the process killed in the middle of it. Afterwards the same command must end with the bytes of
the undisturbed run, and nothing half-written may be left. `LOUPE_EVERY_FAULT=1` (`make nightly`) takes every n of every
kind; CI takes every n of one kind and a seeded part of the others.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sqlite3
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core import request
from core.audit import worker
from core.cli import main
from core.datasets import Dataset, ingest, load_dataset
from core.models import loading
from core.reporting import check_renderer, report
from core.runs.code import code_digest
from core.runs.integrity import changed_files
from core.runs.run import open_run
from tests.audit.faults import BROKEN, FULL, KILL, KILLED, Faults, forked
from tests.audit.small import draw_images, loaded

EVERY = os.environ.get("LOUPE_EVERY_FAULT") == "1"
# CI lets one call in so many fail.
PART = 64
LEFT = ("*.part", ".part-*", ".incoming-*", "loupe-pdf-*", "loupe-explain-*", "*.tmp")


class Bench:
    """One tiny audit, done in forks of this process, in a folder of its own each time."""

    def __init__(self, folder: Path, config: Path) -> None:
        self.folder, self.config = folder, config
        self.images = draw_images(folder / "images", count=1)
        self.number = 0

    def fresh(self) -> Path:
        """A new folder with everything that an audit writes to below it."""
        self.number += 1
        place = self.folder / str(self.number)
        (place / "tmp").mkdir(parents=True)
        return place

    @property
    def arguments(self) -> list[str]:
        """The command, but for the folder of the run at its end."""
        weights = str(self.config.parent / "weights.safetensors")
        wanted = ["audit", "--images", str(self.images), "--model", str(self.config), "--weights", weights]
        return [*wanted, "--device", "cpu", "--methods", "raw", "--applications", "none", "--no-curves", "--out"]

    def audit_here(self, place: Path, faults: Faults | None = None) -> int:
        """The exit code of an audit in `place`, done by this process: a fork, whose environment it changes."""
        os.environ["LOUPE_HOME"], os.environ["TMPDIR"] = str(place / "home"), str(place / "tmp")
        tempfile.tempdir = str(place / "tmp")
        if faults is not None:
            faults.install()
        return main([*self.arguments, str(place / "run")])

    def audit(self, place: Path, faults: Faults | None = None) -> tuple[int, str]:
        """The exit code of an audit in `place`, and what it said on stderr."""

        def work() -> int:
            code = self.audit_here(place, faults)
            if faults is not None:
                print(f"CALLS {len(faults.calls)}", file=sys.stderr)
            return code

        return forked(work, self.folder / "log")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, vit: Path) -> Any:
    """The audit, with the drawing of the report replaced; every file of it is written as ever."""
    with pytest.MonkeyPatch.context() as patch:
        model = loaded(vit)
        # Once for all forks, each of which would do it again.
        code_digest()
        check_renderer()
        for module in (loading, worker):
            patch.setattr(module, "load_model", lambda *_, **__: model)
        folder = tmp_path_factory.mktemp("faults")
        made = Bench(folder, vit)
        if not EVERY:
            # Taking the images in starts a process of its own each time; that is for the night.
            ready = ingest([made.images], store=folder / "ready")

            def taken(*_: Any, store: Path, **__: Any) -> Dataset:
                for file in sorted(path for path in ready.root.rglob("*") if path.is_file()):
                    target = store / ready.id / file.relative_to(ready.root)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(file.read_bytes())
                return load_dataset(store / ready.id)

            patch.setattr(request, "ingest", taken)
        patch.setattr(report, "build_report", lambda *_, **__: types.SimpleNamespace(created="2026-01-01"))
        # What was sealed is replaced as another version where a fault comes after the seal.
        patch.setattr(report, "with_version", lambda made, *_: made)
        patch.setattr(report, "missing_fonts", lambda *_: "")
        patch.setattr(report, "render_html", lambda *_, **__: "<html></html>")
        patch.setattr(report, "render_pdfs", lambda *_, **__: [b"%PDF-1.7"] * 2)
        yield made


@pytest.fixture(scope="module")
def sound(bench: Bench) -> tuple[dict[str, str], int]:
    """What the undisturbed audit leaves, and how many calls it makes."""
    place = bench.fresh()
    code, told = bench.audit(place, Faults(place))
    assert code == 0, told
    calls = int(told.rsplit("CALLS ", 1)[1].split()[0])
    return left_by(place), calls


def left_by(place: Path) -> dict[str, str]:
    """The results and the findings by name, as hashes; and what was left half-written."""
    run = open_run(place / "run")
    files = [*sorted((run.folder / "results").iterdir()), run.folder / "findings.json", run.report / "report.pdf"]
    # Where the run lies is part of the commands that its findings name.
    found = {
        file.name: hashlib.sha256(file.read_bytes().replace(str(place).encode(), b"")).hexdigest() for file in files
    }
    stray = sorted(path.name for pattern in LEFT for path in place.rglob(pattern))
    return {**found, "state": run.progress().state, "left": " ".join(stray), "changed": " ".join(changed_files(run))}


def one_line(told: str) -> bool:
    """Whether an error was told in one line that says what to do."""
    lines = [line for line in told.splitlines() if line.startswith("loupe: ")]
    return len(lines) == 1 and "Traceback" not in told and (":" in lines[0] or ";" in lines[0])


def numbers(calls: int, kind: str) -> list[int]:
    """Which calls fail here."""
    whole = list(range(1, calls + 1))
    if EVERY:
        return whole
    return sorted(random.Random(kind).sample(whole, max(1, calls // PART)))


@pytest.mark.parametrize("kind", [FULL, BROKEN, KILL])
def test_whichever_call_fails_the_audit_goes_on_to_the_same_bytes(
    bench: Bench, sound: tuple[dict[str, str], int], kind: str
) -> None:
    expected, most = sound
    assert most > 100 and expected["left"] == expected["changed"] == "" and expected["state"] == "done"
    failures: list[str] = []
    counted = Faults(place := bench.fresh(), kind=kind)
    _, told = bench.audit(place, counted)
    calls = int(told.rsplit("CALLS ", 1)[1].split()[0])
    tried = numbers(calls, kind)
    ends: dict[int, int] = {}
    for at in tried:
        place = bench.fresh()
        code, told = bench.audit(place, Faults(place, at, kind))
        ends[code] = ends.get(code, 0) + 1
        if kind == KILL:
            good = code == KILLED
        else:
            # What is only tidied up, or noted for a person, may fail without ending the audit.
            good = (code == 2 and one_line(told)) or (code == 0 and left_by(place) == expected)
        again, more = (code, told) if code == 0 else bench.audit(place)
        if not good or again != 0 or left_by(place) != expected:
            print(f"call {at}:", told[-600:], more[-600:], flush=True)
            failures.append(f"{at}: {code} then {again}: {told[-300:]} ... {more[-300:]} {differs(place, expected)}")
    print(f"{kind}: {calls} calls of input and output, {len(tried)} of them failed in turn; exit codes {ends}")
    assert not failures, "\n".join(failures[:5]) + f"\n{len(failures)} of {len(tried)}"


def differs(place: Path, expected: dict[str, str]) -> str:
    """What isn't as expected."""
    try:
        found = left_by(place)
    except Exception as error:
        return repr(error)
    return json.dumps({name: found.get(name) for name in expected if found.get(name) != expected[name]})


def test_a_disk_that_stays_full_is_told_in_one_line_and_the_same_bytes_come_once_there_is_space(
    bench: Bench, sound: tuple[dict[str, str], int]
) -> None:
    expected, most = sound
    for at in range(2, most, most if not EVERY and most < 12 else max(1, most // (most if EVERY else 12))):
        place = bench.fresh()
        code, told = bench.audit(place, Faults(place, at, FULL, lasting=True))
        assert (code == 2 and one_line(told)) or code == 0, told
        code, told = bench.audit(place)
        assert code == 0, told
        assert left_by(place) == expected


@pytest.mark.parametrize(
    "broken",
    [lambda run: (run / "findings.json").write_text("[]"), lambda run: next((run / "results").iterdir()).unlink()],
)
def test_the_check_sees_other_bytes_and_a_lost_result(
    bench: Bench, sound: tuple[dict[str, str], int], broken: Callable[[Path], Any]
) -> None:
    place = bench.fresh()
    assert bench.audit(place)[0] == 0
    assert left_by(place) == sound[0]
    broken(place / "run")
    assert left_by(place) != sound[0]


def test_a_call_that_fails_is_seen_to_fail(bench: Bench, tmp_path: Path) -> None:
    def work() -> int:
        faults = Faults(tmp_path, 2, FULL)
        faults.install()
        (tmp_path / "a").mkdir()
        try:
            (tmp_path / "a" / "b").write_text("text")
        except OSError as error:
            return error.errno or 0
        return 0

    assert forked(work, bench.folder / "log")[0] == 28
    assert one_line("loupe: run: the disk is full; free space") and not one_line("loupe: a\nTraceback (most recent")
    assert sqlite3.SQLITE_FULL == 13
