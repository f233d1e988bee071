"""How much is imported before a command and the first unit of an audit begin: modules are counted, never seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from core.settings import ROOT

# What only judging, drawing, rendering and the app need.
LATER = {
    "altair", "plotly", "nltk", "sklearn", "scipy.stats", "duckdb", "weasyprint", "streamlit", "pikepdf", "matplotlib",
    "skimage", "vl_convert", "pandas", "openTSNE", "onnxruntime", "pydicom", "cryptography", "ray",
}  # fmt: skip
# What computing needs: one process that computes loads it, and no other.
HEAVY = {"torch", "open_clip", "timm", "torchvision", "transformers", "scipy"}
MOST_FOR_A_COMMAND = 800
# Libraries apart, which are torch and open_clip with what they import themselves.
MOST_BESIDE = 560

FIRST_UNIT = """
import json, sys
import core.audit.engines.local as local
from core.cli import main
{before}
def stop(*given):
    print(json.dumps(sorted(sys.modules)))
    sys.stdout.flush()
    raise SystemExit(0)
local.run_unit = stop
main({arguments!r})
"""


def modules(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return set(json.loads(done.stdout.splitlines()[-1]))


TOLD = "print(json.dumps(sorted(sys.modules)))"


@pytest.fixture(scope="module")
def floor() -> set[str]:
    """What torch and open_clip import."""
    return modules(f"import json, sys, torch, open_clip\n{TOLD}")


def first_unit(tmp_path: Path, before: str = "") -> set[str]:
    texts = tmp_path / "texts.txt"
    texts.write_text("a lake\n")
    image = ROOT / "core" / "sample" / "images" / "lake.jpg"
    arguments = ["audit", "--images", str(image), "--texts", str(texts), "--methods", "raw", "--applications", "none"]
    arguments += ["--effort", "quick", "--out", str(tmp_path / "run")]
    return modules(FIRST_UNIT.format(before=before, arguments=arguments))


def test_a_command_starts_without_what_it_may_not_need() -> None:
    loaded = modules(f"import json, sys\nimport core.cli\ncore.cli._parser('audit')\n{TOLD}")
    assert sorted(loaded & (LATER | HEAVY)) == []
    assert len(loaded) < MOST_FOR_A_COMMAND
    assert modules(f"import json, sys\nimport core.cli, scipy.stats\n{TOLD}") & LATER


def test_the_first_unit_begins_before_what_comes_later_is_imported(tmp_path: Path, floor: set[str]) -> None:
    loaded = first_unit(tmp_path)
    assert {"torch", "open_clip"} <= loaded
    assert sorted(loaded & LATER) == []
    own = {name for name in loaded if name.partition(".")[0] == "core"}
    beside = {name for name in loaded - floor - own if name.partition(".")[0] not in HEAVY | {"sympy", "numpy"}}
    assert len(beside) < MOST_BESIDE, sorted(beside)


def test_the_count_sees_a_library_that_is_imported_too_early(tmp_path: Path) -> None:
    assert first_unit(tmp_path, "import altair") & LATER == {"altair"}
