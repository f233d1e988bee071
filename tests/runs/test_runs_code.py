"""The hash of the code that computes: what changes it, what does not, and that it misses no file that computes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.runs import code
from core.runs.code import APART, KEPT, PROSE, ROOTS, computing, is_apart
from core.settings import ROOT, workspace

HEAD = "from __future__ import annotations\n"
FUNCTION = '"""About."""\ndef f(x, *, y=1):\n    "About."\n    return x + y\n'
UNITS = f"""from typing import TYPE_CHECKING
from core.methods.cards import CARD
from core.runs.store import f as store
if TYPE_CHECKING:
    from core.content import parts
{FUNCTION}
def later():
    from core.evaluation import late
"""
CARD = """LONG = "how a hidden cell looks"
USED = "a photo of a {}."
CARD = MethodInfo(name="a", title="A", fails="Often.", options=(Field(1, ge=0, description="how many; " + LONG), USED))
"""
TREE = {
    "audit/units.py": UNITS,
    "methods/cards.py": CARD,
    "evaluation/late.py": FUNCTION,
    "evaluation/unused.py": FUNCTION,
    "content/parts.py": FUNCTION,
    "runs/store.py": FUNCTION,
    "cli.py": FUNCTION,
    "applications/x/__init__.py": "def chapter():\n    from core.applications.x import chapter\n",
    "applications/x/work/__init__.py": "from core.applications.x.record import f\n",
    "applications/x/record.py": FUNCTION,
    "applications/x/chapter.py": FUNCTION,
    "applications/x/rules.py": FUNCTION,
}
COUNTING = {
    "audit/units.py", "methods/cards.py", "evaluation/late.py", "applications/x/work/__init__.py",
    "applications/x/record.py",
}  # fmt: skip


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small tree of code to hash, and a workspace of its own."""
    (tmp_path / "workspace").mkdir()
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "workspace"))
    for name, text in TREE.items():
        (tmp_path / "core" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "core" / name).write_text(text)
    monkeypatch.setattr(code, "ROOT", tmp_path)
    return tmp_path / "core"


def digest() -> str:
    """The digest of the files as they are now."""
    return code.code_digest.__wrapped__()


@pytest.mark.parametrize("name", TREE)
def test_what_computes_and_what_it_imports_counts_and_nothing_else(sources: Path, name: str) -> None:
    before = digest()
    (sources / name).write_text(TREE[name] + "a = 2\n")
    assert (digest() != before) == (name in COUNTING)


def test_a_name_of_a_file_counts(sources: Path) -> None:
    before = digest()
    (sources / "evaluation" / "late.py").rename(sources / "evaluation" / "other.py")
    (sources / "audit" / "units.py").write_text(UNITS.replace("import late", "import other"))
    assert digest() != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return x + y", "# why\n    return x + y"),
        ("return x + y", "return (x + y)  # so"),
        ("def f(x, *, y=1):", "\n\ndef f(\n    x,\n    *,\n    y=1,\n):"),
        ('"About."\n    return', '"Other words."\n    return'),
        ('"About."\n    return', "return"),
    ],
)
def test_comments_docstrings_and_layout_do_not_count(sources: Path, old: str, new: str) -> None:
    before = digest()
    assert old in UNITS
    (sources / "audit" / "units.py").write_text(UNITS.replace(old, new))
    assert digest() == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("y=1", "y=2"),
        ("y=1", "y=1.0"),
        ("y=1", "y=None"),
        ("x, *, y=1", "x, y=1"),
        ("x + y", "x - y"),
        ("x + y", "y + x"),
        ("def later", "f = 'a'\ndef later"),
    ],
)
def test_whatever_the_code_says_differently_counts(sources: Path, old: str, new: str) -> None:
    before = digest()
    assert old in UNITS
    (sources / "audit" / "units.py").write_text(UNITS.replace(old, new))
    assert digest() != before


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ('title="A"', 'title="B, again"', False),
        ('fails="Often."', 'fails="Rarely, " + LONG', False),
        ("how many; ", "number of masks; ", False),
        ("how a hidden cell looks", "value of a hidden cell", False),
        ('name="a"', 'name="b"', True),
        ("ge=0", "ge=1", True),
        ("Field(1", "Field(2", True),
        ("a photo of a {}.", "a drawing of a {}.", True),
        ("CARD = MethodInfo(name", "CARD = Info(name", True),
    ],
)
def test_the_prose_of_a_card_does_not_count_and_its_options_do(sources: Path, old: str, new: str, counts: bool) -> None:
    before = digest()
    assert old in CARD
    (sources / "methods" / "cards.py").write_text(CARD.replace(old, new))
    assert (digest() != before) == counts


def test_a_text_that_is_also_used_elsewhere_counts(sources: Path) -> None:
    (sources / "audit" / "units.py").write_text(UNITS + "from core.methods.cards import LONG\nprint(LONG)\n")
    before = digest()
    (sources / "methods" / "cards.py").write_text(CARD.replace("how a hidden cell looks", "value of a hidden cell"))
    assert digest() != before


# -- what is kept of it ------------------------------------------------------------------------------------------


@pytest.fixture
def read(sources: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every tree of code that was read for a digest."""
    found: list[Path] = []
    monkeypatch.setattr(code, "computing", lambda core: found.append(core) or computing(core))  # type: ignore[func-returns-value]
    return found


def test_trees_are_read_once_for_the_same_bytes(sources: Path, read: list[Path]) -> None:
    first = digest()
    assert (digest(), len(read)) == (first, 1)
    (sources / "audit" / "units.py").write_text(UNITS + "a = 2\n")
    other = digest()
    assert other != first and (digest(), len(read)) == (other, 2)
    # Also bytes that do not count are other bytes: what is kept is for one source.
    (sources / "audit" / "units.py").write_text(UNITS + "# why\n")
    assert (digest(), len(read)) == (first, 3)


def test_a_file_that_comes_goes_or_moves_is_another_source(sources: Path, read: list[Path]) -> None:
    first = digest()
    (sources / "evaluation" / "more.py").write_text(FUNCTION)
    assert (digest(), len(read)) == (first, 2)
    (sources / "evaluation" / "more.py").rename(sources / "evaluation" / "else.py")
    assert (digest(), len(read)) == (first, 3)
    (sources / "evaluation" / "else.py").unlink()
    assert (digest(), len(read)) == (first, 4)


@pytest.mark.parametrize("text", [b"", b"\xff", b"0" * 64, b"0" * 64 + b" " + b"1" * 64 + b"\n", b"{source} short\n"])
def test_what_is_kept_of_another_source_or_form_is_not_believed(sources: Path, read: list[Path], text: bytes) -> None:
    first = digest()
    (workspace() / KEPT).write_bytes(text.replace(b"{source}", code._source(sources).encode()))
    assert (digest(), len(read)) == (first, 2)
    assert (digest(), len(read)) == (first, 2)


def test_nothing_is_kept_of_a_source_that_is_edited_meanwhile(
    sources: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def edited(core: Path) -> Any:
        found = computing(core)
        (sources / "audit" / "units.py").write_text(UNITS + "a = 2\n")
        return found

    monkeypatch.setattr(code, "computing", edited)
    digest()
    assert not (workspace() / KEPT).exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_workspace_that_cannot_be_written_to_costs_time_alone(
    sources: Path, read: list[Path], there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("LOUPE_HOME", str(home))
    if there:
        # A file where the folder would be: not even root can write into it.
        home.write_text("")
    assert digest() == digest()
    assert (len(read), home.exists()) == (2, there)


# -- the real tree -----------------------------------------------------------------------------------------------


def test_prose_of_real_cards_and_help_texts_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    core = tmp_path / "core"
    for path in (ROOT / "core").rglob("*.py"):
        copy = core / path.relative_to(ROOT / "core")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(code, "ROOT", tmp_path)
    before = digest()

    def changed(name: str, old: str, new: str) -> bool:
        file = core / name
        text = file.read_text()
        assert old in text, (name, old)
        file.write_text(text.replace(old, new, 1))
        after = digest()
        file.write_text(text)
        return after != before

    assert not changed("methods/perturbation.py", 'title="RISE"', 'title="RISE, once more"')
    assert not changed("methods/perturbation.py", "value of a hidden cell:", "what a hidden cell becomes:")
    assert not changed("applications/sanity/card.py", 'question="', 'question="Say: ')
    assert not changed("cli.py", 'help="', 'help="so: ')
    assert not changed("applications/sanity/chapter.py", HEAD, HEAD + "x = 1\n")
    assert changed("methods/perturbation.py", "masks: int = Field(\n        512", "masks: int = Field(\n        513")
    assert changed("evaluation/curves.py", HEAD, HEAD + "x = 1\n")
    assert changed("applications/sanity/work/states.py", HEAD, HEAD + "x = 1\n")


def test_every_module_that_computing_loads_counts_or_stands_apart() -> None:
    # The companion to finding files by their imports: what Python itself loads when everything that computes is loaded.
    modules = [
        "core." + path.relative_to(ROOT / "core").with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for pattern in ROOTS
        for path in (ROOT / "core").glob(pattern)
    ]
    script = "import importlib, sys\n" + "".join(f"importlib.import_module({name!r})\n" for name in modules)
    script += (
        "print(*[getattr(m, '__file__', '') for n, m in sys.modules.items() if n.split('.')[0] == 'core'], sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    core = ROOT / "core"
    loaded = {Path(line).resolve().relative_to(core).as_posix() for line in done.stdout.splitlines() if line}
    known = set(computing(core))
    # A package that is passed through on the way to a module, and says nothing itself or only where its parts are.
    passed = {name for name in loaded if name.endswith("__init__.py")}
    assert len(loaded) > 150
    assert {name for name in loaded - passed - known if not is_apart(name)} == set()
    assert {name for name in passed - known if not code._is_directory(name)} <= {
        "__init__.py", "applications/__init__.py", "audit/__init__.py", "concepts/__init__.py",
        "content/__init__.py",
        "evaluation/__init__.py", "models/towers/__init__.py",
    }  # fmt: skip


def test_what_stands_apart_exists_and_prose_is_that_of_cards() -> None:
    core = ROOT / "core"
    assert not {name for name in APART if not (core / name).exists()}
    assert set(PROSE) == {"Field", "MethodInfo", "ApplicationInfo"}
