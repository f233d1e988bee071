"""Rules of the house: what the app may load, who may import whom, how long a file may be, what stays out of it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Container, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from benchmarks.support.rooms import (
    HEAVY,
    ROOMS,
    Import,
    house,
    is_internal,
    name,
    parsed,
    room_of,
    room_of_file,
    sources,
)
from benchmarks.support.rooms import imports as imports_of
from core.methods import METHODS
from core.settings import ROOT

LIGHT = (
    "core", "core.sandbox", "core.datasets", "core.runs", "core.methods", "core.methods.presets", "core.rules",
    "core.content", "core.content.charts", "core.content.context", "core.content.heat", "core.findings",
    "core.reporting", "core.reporting.report", "core.reporting.evidence", "core.reporting.verdict", "core.runs.seal",
    "core.audit.launch", "core.audit.cost", "core.audit.hold", "core.audit.playground", "core.run_commands",
    "core.models.listing",
    "core.models.places", "core.models.uploads", "core.audit.preview", "core.describing",
    "core.models.geometry", "core.evaluation.summary", "core.statistics", "core.evaluation.agreement",
    "core.commands", "core.cli", "core.request",
    "core.demonstration", "core.planted", "core.explaining", "core.listings", "core.region_names",
    "core.copying", "core.reproducing", "core.signing", "core.verifying",
    "core.applications.registry",
    "core.applications.truth", "core.concepts.descriptors", "core.concepts.vocabulary", "core.concepts.relevance",
    "core.concepts.english", "core.evaluation.comparison", "core.models.capability_table",
    # What children run that read a stranger's model: torch would take their allowance of memory.
    "core.models.configuration", "core.models.adapter_config", "core.models.text_tables", "core.models.weights_header",
    "core.models.state_dict", "core.models.onnx_file", "core.models.stored_file", "core.models.loading.families",
    "core.models.loading.processors",
    "core.models.loading.tokenizers",
)  # fmt: skip
LONGEST = 330
LEFT_OVERS = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
TEXT = {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".json", ".css", ".html", ".jinja", ".csv", ".cfg", ".sh", ""}


# -- what the app may load ---------------------------------------------------------------------------------------


def loaded(imports: str) -> subprocess.CompletedProcess[str]:
    check = f"import sys\n{imports}\nprint('torch' in sys.modules)"
    return subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)


def light_parts() -> list[str]:
    """Every part of an application but `work`, which alone may compute on a model."""
    folder = ROOT / "core" / "applications"
    parts = [path for path in folder.rglob("*.py") if "work" not in path.relative_to(folder).with_suffix("").parts]
    assert len(parts) > 40
    return sorted({".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in parts})


def test_what_the_app_loads_never_loads_torch() -> None:
    done = loaded("\n".join(f"import {module}" for module in (*LIGHT, *light_parts())))
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr


def test_the_check_for_torch_sees_it() -> None:
    assert loaded("import sys, types; sys.modules['torch'] = types.ModuleType('torch')").stdout.strip() == "True"
    assert any(target == "torch" for target, _ in imports(ROOT / "core" / "models" / "model.py"))


def test_no_page_names_torch_or_what_needs_it() -> None:
    for path in [*sources("pages"), ROOT / "app.py"]:
        for target, _ in imports(path):
            assert target.split(".")[0] not in HEAVY, name(path)
            assert not target.startswith(("core.attribution", "core.models.loading", "core.audit.worker")), name(path)


# -- who may import whom -----------------------------------------------------------------------------------------


def imports(path: Path) -> Iterator[Import]:
    """Every module that a file imports, and whether it does so inside a function."""
    return imports_of(parsed(path), name(path))


def climbs(path: Path) -> Iterator[tuple[str, bool]]:
    """What a file imports from a room above its own."""
    own = ROOMS.index(room_of_file(path))
    for target, inside in imports(path):
        if is_internal(target) and ROOMS.index(room_of(target.split("."))) < own:
            yield target, inside


def test_every_room_is_known() -> None:
    for path in house():
        assert room_of_file(path) in ROOMS


def test_no_two_test_files_share_a_name() -> None:
    # Without packages, Python takes the second for the first.
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_imports_only_run_downwards() -> None:
    assert not [(name(path), target) for path in house() for target, _ in climbs(path)]


def test_an_application_imports_no_other() -> None:
    for path in house():
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[:2] != ("core", "applications") or len(parts) < 4:
            continue
        others = {target.split(".")[2] for target, _ in imports(path) if target.startswith("core.applications.")}
        shared = {
            "application",
            "card",
            "columns",
            "image_measures",
            "declared",
            "phrases",
            "planned",
            "record",
            "registry",
            "sampling",
            "spot_check",
            "truth",
            "work",
            parts[2],
        }
        assert others <= shared, (name(path), others - shared)


# Where a file above the methods names one: what it is, and why a trait of the method's card does not serve.
NAMED_METHODS = {
    "core/applications/information/": {"nib"},  # a column of its record, which holds that method's maps
    "core/applications/reliance/": {"kernel_shap"},  # labels Shapley values that it computes itself
    "core/applications/segmentation/": {"clip_surgery", "raw"},  # the application is built on these two
    # What its option offers is typed, and the report of a run names it.
    "core/applications/word_maps/": {
        "raw", "maskclip", "sclip", "clearclip", "naclip", "gem", "resclip", "sc_clip", "clip_prs",
    },
    "pages/information.py": {"nib"},  # shows that column
}  # fmt: skip


def method_names(tree: ast.Module) -> set[str]:
    """The methods that string literals name."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in set(METHODS)}


def test_no_file_above_the_methods_names_one() -> None:
    named: dict[str, set[str]] = {}
    for path in house():
        if ROOMS.index(room_of_file(path)) < ROOMS.index("attribution"):
            key = next((prefix for prefix in NAMED_METHODS if name(path).startswith(prefix)), name(path))
            named[key] = named.get(key, set()) | method_names(parsed(path))
    assert {key: found for key, found in named.items() if found} == NAMED_METHODS


def test_the_check_of_method_names_sees_one() -> None:
    assert method_names(ast.parse('if method == "rise" or method == "rises":\n    f = {"a": ("gem", 1)}')) == {
        "rise",
        "gem",
    }


def test_nothing_but_tests_imports_a_test() -> None:
    files = [*house(), *sources("benchmarks", "training")]
    assert not [name(path) for path in files for target, _ in imports(path) if target.split(".")[0] == "tests"]
    assert any(target.startswith("benchmarks.") for target, _ in imports(ROOT / "benchmarks" / "peers.py"))


def test_the_check_of_directions_sees_a_climb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "parsed", lambda path: ast.parse("from core import findings\nimport core.settings"))
    assert list(climbs(ROOT / "core" / "runs" / "plan.py")) == [("core.findings", False)]
    assert list(climbs(ROOT / "core" / "commands.py")) == []
    monkeypatch.setitem(globals(), "parsed", lambda path: ast.parse("def f():\n from core.audit.worker import work"))
    assert list(climbs(ROOT / "core" / "models" / "model.py")) == [("core.audit.worker", True)]
    assert list(climbs(ROOT / "core" / "cli.py")) == []


def circles(graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """The circles of a graph: graphlib names one at a time, so that its members are taken out and it is asked again."""
    left = {node: set(targets) for node, targets in graph.items()}
    circular = []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            members = tuple(dict.fromkeys(error.args[1]))
            circular.append(members)
            for member in members:
                left.pop(member, None)
            left = {node: targets - set(members) for node, targets in left.items()}
        else:
            return circular


def named_modules(path: Path, modules: Container[str]) -> Iterator[str]:
    """The modules of the house that a file imports, by their own name where they are taken from their package."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                part = f"{node.module}.{alias.name}"
                yield from (target for target in (part if part in modules else node.module,) if target in modules)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)


def test_no_imports_run_in_a_circle() -> None:
    named = ((".".join(path.relative_to(ROOT).with_suffix("").parts), path) for path in house())
    modules = {module.removesuffix(".__init__"): path for module, path in named}
    graph = {module: {*named_modules(path, modules)} - {module} for module, path in modules.items()}
    assert sum(map(len, graph.values())) > 1000
    assert circles(graph) == []


def test_the_check_of_circles_sees_one() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert [sorted(each) for each in circles({"a": {"b"}, "b": {"a"}, "c": {"a"}})] == [["a", "b"]]


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
    # From the root of a machine; `applications/<name>/work/` is a folder of the house.
    place = re.compile(r"(?<![\w*>}])/" + "work/")
    assert not [file for file, text in texts().items() if place.search(text)]
    assert place.search("in /" + "work/here") and not place.search("applications/*/" + "work/states.py")
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
