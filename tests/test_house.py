"""Rules of the house: what the app may load, who may import whom, how long a file may be, what stays out of it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from core.settings import ROOT

# From top to bottom. A file may import from its own room and from those below it.
ROOMS = (
    "pages", "commands", "reporting", "findings", "audit", "evaluation", "applications", "attribution", "concepts",
    "models", "runs", "methods", "datasets", "statistics", "sandbox", "settings",
)  # fmt: skip
SAME_ROOM = {
    "cli": "commands",
    "arguments": "commands",
    "explaining": "commands",
    "listings": "commands",
    "outcome": "commands",
    "run_commands": "commands",
    "__main__": "commands",
    "characters": "settings",
    "errors": "settings",
    "memory": "settings",
    "drafts": "settings",
    "processes": "settings",
    "storage": "settings",
    "app": "pages",
    "parts": "pages",
}
# The worker ends a run by judging and rendering it, so that a run that was started by the app, by hand or by a
# resume always has its report. It imports both inside that last step and nowhere else.
UPWARDS = {("core/audit/worker.py", "core.findings"), ("core/audit/worker.py", "core.reporting")}
LIGHT = (
    "core", "core.sandbox", "core.datasets", "core.runs", "core.methods", "core.methods.presets", "core.findings",
    "core.reporting", "core.reporting.report", "core.reporting.evidence",
    "core.reporting.verdict", "core.runs.seal", "core.audit.launch", "core.audit.cost",
    "core.audit.hold", "core.run_commands",
    "core.models.listing",
    "core.models.geometry", "core.evaluation.summary", "core.statistics", "core.evaluation.agreement",
    "core.commands", "core.cli", "core.explaining", "core.listings",
    "core.applications.truth", "core.methods.applications", "core.applications", "core.applications.concepts_record",
    "core.applications.segmentation_record", "core.applications.priors_record", "core.applications.knowledge_record",
    "core.concepts.descriptors", "core.concepts.vocabulary", "core.concepts.relevance", "core.evaluation.comparison",
    "core.models.capability_table",
    "core.applications.information_record", "core.reporting.information", "core.applications.sanity_record",
    "core.applications.mosaic_record", "core.evaluation.mosaic", "core.reporting.mosaic",
    "core.applications.word_maps_record", "core.evaluation.word_maps", "core.reporting.word_maps",
    "core.evaluation.sanity", "core.findings.sanity_verdicts", "core.reporting.sanity",
    "core.applications.reliance_record", "core.reporting.reliance", "core.concepts.english",
)  # fmt: skip
LONGEST = 330
LEFT_OVERS = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
TEXT = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".json", ".css", ".html", ".jinja", ".csv", ".cfg", ".sh", ""}


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found
    return found


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


# -- what the app may load ---------------------------------------------------------------------------------------


def loaded(imports: str) -> subprocess.CompletedProcess[str]:
    check = f"import sys\n{imports}\nprint('torch' in sys.modules)"
    return subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)


def test_what_the_app_loads_never_loads_torch() -> None:
    done = loaded("\n".join(f"import {module}" for module in LIGHT))
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr


def test_the_check_for_torch_sees_it() -> None:
    assert loaded("import sys, types; sys.modules['torch'] = types.ModuleType('torch')").stdout.strip() == "True"
    assert any(target == "torch" for target, _ in imports(ROOT / "core" / "models" / "model.py"))


def test_no_page_names_torch_or_what_needs_it() -> None:
    for path in [*sources("pages"), ROOT / "app.py"]:
        for target, _ in imports(path):
            assert target.split(".")[0] not in {"torch", "open_clip", "timm", "torchvision"}, name(path)
            assert not target.startswith(("core.attribution", "core.models.loading", "core.audit.worker")), name(path)


# -- who may import whom -----------------------------------------------------------------------------------------


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports, and whether it does so inside a function."""

    def visit(node: ast.AST, inside: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{name(path)} imports relatively"
                # `from core import commands` names a room, `from core.runs import Run` a name in one.
                targets = [f"core.{alias.name}" for alias in child.names] if child.module == "core" else [child.module]
                yield from ((target, inside) for target in targets if target)
            else:
                function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from visit(child, inside or function)

    return visit(parsed(path), False)


def room_of(parts: list[str]) -> int:
    key = "pages" if parts[0] in ("pages", "app") else parts[1]
    return ROOMS.index(SAME_ROOM.get(key, key))


def climbs(path: Path) -> Iterator[tuple[str, bool]]:
    """What a file imports from a room above its own."""
    own = room_of(list(path.relative_to(ROOT).with_suffix("").parts))
    for target, inside in imports(path):
        parts = target.split(".")
        if parts[0] in ("core", "pages") and len(parts) > 1 and room_of(parts) < own:
            yield target, inside


def house() -> list[Path]:
    # `core/__init__.py` is the door of the whole house and holds nothing else.
    door = ROOT / "core" / "__init__.py"
    return [path for path in [*sources("core", "pages"), ROOT / "app.py"] if path != door]


def test_every_room_is_known() -> None:
    for path in house():
        room_of(list(path.relative_to(ROOT).with_suffix("").parts))


def test_no_two_test_files_share_a_name() -> None:
    # Without packages, Python takes the second for the first.
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_imports_only_run_downwards() -> None:
    found = {(name(path), target, inside) for path in house() for target, inside in climbs(path)}
    assert {(file, target) for file, target, _ in found} <= UPWARDS, sorted(found)
    assert all(inside for *_, inside in found), "a sanctioned import stands at the head of a file"


def test_the_check_of_directions_sees_a_climb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "parsed", lambda path: ast.parse("from core import findings\nimport core.settings"))
    assert list(climbs(ROOT / "core" / "runs" / "plan.py")) == [("core.findings", False)]
    assert list(climbs(ROOT / "core" / "commands.py")) == []
    monkeypatch.setitem(globals(), "parsed", lambda path: ast.parse("def f():\n from core.audit.worker import work"))
    assert list(climbs(ROOT / "core" / "models" / "model.py")) == [("core.audit.worker", True)]
    assert list(climbs(ROOT / "core" / "cli.py")) == []


def test_the_door_imports_nothing_when_it_is_opened() -> None:
    tree = parsed(ROOT / "core" / "__init__.py")
    heads = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert heads <= {"__future__", "typing"}


# -- how files look ----------------------------------------------------------------------------------------------


def test_no_file_is_longer_than_one_reads_in_one_go() -> None:
    lengths = {name(path): len(path.read_text().splitlines()) for path in sources("core", "pages")}
    assert not {file: count for file, count in lengths.items() if count > LONGEST}


@cache
def texts() -> dict[str, str]:
    """Every text file of the repository that belongs to it."""
    ask = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no git checkout, so its own files can't be told from others")
    paths = [ROOT / entry for entry in listed.stdout.split("\0") if entry]
    found = {}
    for path in paths:
        if path.suffix in TEXT and path.is_file() and path.stat().st_size < 2_000_000:
            found[name(path)] = path.read_text(encoding="utf-8", errors="replace")
    assert "core/settings.py" in found
    return found


@pytest.mark.parametrize("word", LEFT_OVERS)
def test_nothing_is_left_for_later(word: str) -> None:
    data = ("vocab.txt", "tokenizer.json", ".csv")
    assert not [file for file, text in texts().items() if word in text and not file.endswith(data)]


def test_no_path_of_one_machine_is_written_down() -> None:
    place = "/" + "work" + "/"
    assert not [file for file, text in texts().items() if place in text]
    assert not [file for file, text in texts().items() if str(Path.home()) + "/" in text and len(str(Path.home())) > 5]


def test_everything_public_says_what_it_is() -> None:
    silent = [f"{name(path)}:{node.lineno} {label}" for path in sources("core") for label, node in undocumented(path)]
    assert not silent


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def undocumented(path: Path) -> Iterator[tuple[str, Definition]]:
    """Public functions, classes and methods without a docstring. A method of a subclass may take its base's word."""
    for node in parsed(path).body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node):
            yield node.name, node
        if not isinstance(node, ast.ClassDef) or node.bases:
            continue
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and not part.name.startswith("_") and not ast.get_docstring(part):
                yield f"{node.name}.{part.name}", part


def test_the_check_of_docstrings_sees_a_silent_function(monkeypatch: pytest.MonkeyPatch) -> None:
    code = 'def a(): ...\ndef _b(): ...\nclass C:\n "C."\n def d(self): ...\n def e(self):\n  "E."\n'
    monkeypatch.setitem(globals(), "parsed", lambda path: ast.parse(code))
    assert [label for label, _ in undocumented(ROOT)] == ["a", "C.d"]
