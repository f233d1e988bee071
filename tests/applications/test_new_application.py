"""A new application is a folder and a page: nothing central names one, and everything central finds it."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.support.rooms import house, name, parsed
from benchmarks.support.rooms import imports as imports_of
from core.applications.registry import APPLICATIONS
from core.settings import ROOT
from tests.support.new_application import CHECK, FILES

# Names of applications that are names of something else too: a folder, an option, a key of a file.
OTHERS = {
    "core/applications/declared.py": {"concepts"},
    "core/arguments.py": {"concepts"},
    "core/concepts/visible.py": {"concepts"},
    "core/concepts/packing.py": {"concepts"},
    "core/concepts/vocabulary.py": {"concepts"},
    "core/datasets/coco.py": {"segmentation"},
}
# What n counts, in many places.
UNITS = {"pairs"}
LARGE = 1_000_000


def foreign_names(path: Path, source: ast.Module) -> Iterator[str]:
    """Applications that a file outside their folders and pages imports from or names in a string."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    own = parts[2] if parts[:2] == ("core", "applications") and len(parts) > 3 else parts[-1]
    for target, _ in imports_of(source, name(path)):
        if target.startswith("core.applications.") and target.split(".")[2] in set(APPLICATIONS) - {own}:
            yield target
    if own in APPLICATIONS:
        return
    for node in ast.walk(source):
        if isinstance(node, ast.Constant) and node.value in set(APPLICATIONS) - UNITS - OTHERS.get(name(path), set()):
            yield str(node.value)


def test_nothing_central_names_an_application() -> None:
    found = {name(path): list(foreign_names(path, parsed(path))) for path in house()}
    assert not {path: names for path, names in found.items() if names}


def test_the_check_sees_a_name() -> None:
    code = ast.parse('from core.applications.mosaic.record import of_run\nif part == "sanity": pass')
    names = list(foreign_names(ROOT / "core" / "findings" / "opinion.py", code))
    assert names == ["core.applications.mosaic.record", "sanity"]
    assert list(foreign_names(ROOT / "pages" / "mosaic.py", code)) == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the house with the folder and the page of one more application; large files are links."""

    def copied(source: str, target: str) -> None:
        if os.path.getsize(source) > LARGE:
            os.symlink(source, target)
        else:
            shutil.copyfile(source, target)

    root = tmp_path / "house"
    for folder in ("core", "pages", "templates", "tests/sample", "tests/support"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, root / folder, copy_function=copied, ignore=ignored)
    shutil.copy(ROOT / "app.py", root)
    for path, text in FILES.items():
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)
    return root


def test_a_folder_and_a_page_are_all_that_an_application_needs(copy: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHECK],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "LOUPE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "How bright are the images?" in done.stdout
