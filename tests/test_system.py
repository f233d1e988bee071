"""What the system has to bring is checked before any work, and named in one line where it is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from core import cli
from core.reporting import pdf
from core.reporting.pdf import check_renderer
from core.settings import ROOT
from core.system import DEMO, OPTIONAL, PURPOSES, RENDERER, TEST, VENV, WITHOUT_BROWSER, Machine, Need, main, needs_for


class Fake(Machine):
    """A machine that lacks what it is told to lack, until its packages are installed. Nothing is ever run."""

    def __init__(
        self, *lacks: Need, system: str = "debian", platform: str = "linux", root: bool = True, code: int = 0
    ) -> None:
        self.lacks, self.system, self.platform, self.root, self.code = set(lacks), system, platform, root, code
        self.calls: list[list[str]] = []

    def has(self, need: Need) -> bool:
        return need not in self.lacks

    def distribution(self) -> str:
        return self.system

    def is_root(self) -> bool:
        return self.root

    def call(self, command: list[str]) -> int:
        self.calls.append(command)
        if command[1] == "install" and self.code == 0:
            self.lacks = set()
        return self.code


def line_of(machine: Fake, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a failed check prints."""
    assert main(list(arguments), machine) == 2
    *before, line = capsys.readouterr().err.splitlines()
    assert all(text.startswith("installing ") for text in before)
    return line


@pytest.fixture(autouse=True)
def _all_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WITHOUT_BROWSER, raising=False)


def test_a_complete_machine_passes_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Fake()
    assert [main([purpose, "--install"], machine) for purpose in PURPOSES] == [0, 0, 0]
    assert machine.calls == [] and capsys.readouterr() == ("", "")


def test_root_on_debian_installs_what_is_missing_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Fake(RENDERER[0], DEMO[-1])
    assert main(["demo", "--install"], machine) == 0
    assert machine.calls == [
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "libpango-1.0-0", "fonts-noto-core"],
    ]
    assert capsys.readouterr().err == "installing libpango-1.0-0 fonts-noto-core\n"


def test_optional_fonts_are_named_and_hold_nothing_up(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Fake(*OPTIONAL)
    assert [main([purpose, "--install"], machine) for purpose in ("demo", "test")] == [0, 0] and machine.calls == []
    assert capsys.readouterr().err.splitlines() == [
        "optional, for reports in Chinese, Japanese or Korean or with emoji: Noto CJK fonts, Noto Color Emoji; "
        "run: apt-get update && apt-get install -y fonts-noto-cjk fonts-noto-color-emoji"
    ]


def test_nothing_is_installed_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Fake(RENDERER[0])
    assert line_of(machine, capsys, "demo").endswith("run: apt-get update && apt-get install -y libpango-1.0-0")
    assert machine.calls == []


def test_a_failed_installation_is_reported_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Fake(RENDERER[0], code=100)
    assert "(apt-get ended with 100); run: apt-get update" in line_of(machine, capsys, "demo", "--install")
    assert machine.calls == [["apt-get", "update", "-qq"]]


def test_who_is_not_root_is_given_the_command_with_sudo(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Fake(RENDERER[0], RENDERER[2], root=False)
    assert line_of(machine, capsys, "demo", "--install") == (
        "loupe: missing for `make demo`: Pango, HarfBuzz subset; "
        "run: sudo apt-get update && sudo apt-get install -y libpango-1.0-0 libharfbuzz-subset0"
    )
    assert machine.calls == []


def test_macos_is_given_the_command_of_homebrew(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Fake(*RENDERER, platform="darwin", system="", root=False)
    line = line_of(machine, capsys, "demo", "--install")
    assert line.endswith("run: brew install pango && export DYLD_FALLBACK_LIBRARY_PATH=/opt/homebrew/lib")
    missing = Fake(TEST[-1], TEST[-2], platform="darwin", system="", root=False)
    assert line_of(missing, capsys, "test", "--install").endswith("run: brew install poppler qpdf")


def test_another_distribution_is_given_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Fake(TEST[-1], system="fedora")
    assert line_of(machine, capsys, "test", "--install").endswith(
        "install what your system calls these Debian packages: qpdf"
    )
    assert machine.calls == []


def test_a_missing_browser_stops_the_tests_unless_they_are_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chromium = next(need for need in TEST if need.name == "Chromium")
    line = line_of(Fake(chromium, system="ubuntu", root=False), capsys, "test", "--install")
    assert "sudo apt-get install -y chromium-browser (or set LOUPE_WITHOUT_BROWSER=1" in line
    assert main(["demo"], Fake(chromium)) == 0
    monkeypatch.setenv(WITHOUT_BROWSER, "1")
    assert main(["test"], Fake(chromium)) == 0
    assert main(["test"], Fake(RENDERER[0])) == 2


def test_the_environment_needs_ensurepip_only_until_it_is_made(tmp_path: Path) -> None:
    assert main(["python", "--venv", str(tmp_path / "none")], Fake(VENV)) == 2
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    assert main(["python", "--venv", str(tmp_path)], Fake(VENV)) == 0


def test_an_old_python_is_named_first(capsys: pytest.CaptureFixture[str]) -> None:
    machine = Fake(*RENDERER)
    machine.version = (3, 9)
    line = line_of(machine, capsys, "demo", "--install")
    assert line == "loupe: Loupe needs Python 3.11 or later, this is 3.9; name another one: make demo PYTHON=python3.12"
    assert machine.calls == []


# -- this machine ------------------------------------------------------------------------------------------------


def test_a_machine_is_asked_in_each_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    monkeypatch.setattr("core.system.FONTS", (str(tmp_path),))
    needs = {
        "library": (
            Need("a", "a", libraries=("libc.so.6", "libSystem.dylib")),
            Need("a", "a", libraries=("libno.so",)),
        ),
        "program": (Need("a", "a", programs=("no", sys.executable)), Need("a", "a", programs=("no",))),
        "font": (Need("a", "a", fonts=("Noto*.ttf",)), Need("a", "a", fonts=("Other*",))),
        "module": (Need("a", "a", modules=("json",)), Need("a", "a", modules=("no_such_module",))),
    }
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "NotoSans.ttf").touch()
    assert {kind: tuple(map(machine.has, pair)) for kind, pair in needs.items()} == dict.fromkeys(needs, (True, False))
    mac = Machine()
    mac.platform = "darwin"
    assert mac.has(Need("a", "a", fonts=("Other*",))) and not mac.has(Need("a", "a", "a", fonts=("Other*",)))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "debian"),
        ('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\n', "ubuntu"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"\n', "ubuntu"),
        ('ID="fedora"\n', "fedora"),
        ("", ""),
    ],
)
def test_the_distribution_is_read(text: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda self, **options: text)
    assert Machine().distribution() == name


def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The check as `make` runs it on a fresh machine: Python without any installed package."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from core.system import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-I", "-S", "-c", code, *arguments], capture_output=True, text=True)


def test_the_check_needs_no_package() -> None:
    done = bare("python")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def steps_of(*words: str) -> list[str]:
    """What make would do, also where the tests themselves are run by a make that hands its flags down."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "-n", *words, "VENV=no-such-folder"],
        cwd=ROOT,
        env=surroundings,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("outer", ["", "w"])
def test_an_environment_exists_after_the_system_was_checked(monkeypatch: pytest.MonkeyPatch, outer: str) -> None:
    monkeypatch.setenv("MAKEFLAGS", outer)
    monkeypatch.setenv("MAKELEVEL", "1")
    steps = steps_of("-j4", "test")
    order = ["core.system --install --venv no-such-folder test", "-m venv", "-r requirements.txt", "ruff check", "mypy"]
    order += ["not browser", "-m browser", "tests.hostile.fuzz"]
    positions = [next(at for at, step in enumerate(steps) if part in step) for part in order]
    assert positions[:6] == sorted(positions[:6]) and max(positions[:5]) < min(positions[5:])
    steps = steps_of("demo")
    assert steps[0].endswith("core.system --install --venv no-such-folder demo") and "core demo" in steps[-1]


# -- the renderer ------------------------------------------------------------------------------------------------


@pytest.fixture
def without_pango(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The renderer fails as it does without Pango: no library is loaded, a stand-in for weasyprint is found first."""
    monkeypatch.setattr(Machine, "loads", lambda *_: False)
    folder = tmp_path / "stand-in"
    folder.mkdir()
    (folder / "weasyprint.py").write_text("raise OSError(\"cannot load library 'libpango-1.0-0'\")\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    check_renderer.cache_clear()


def commands(folder: Path) -> Sequence[list[str]]:
    sample = str(ROOT / "tests" / "sample" / "images")
    audit = ["audit", "--images", sample, "--classes", str(ROOT / "tests" / "sample" / "classes.txt")]
    return ([*audit, "--out", str(folder / "audit")], ["demo", "--out", str(folder / "demo")])


def test_missing_libraries_stop_an_audit_before_it_begins(
    without_pango: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in commands(tmp_path):
        assert cli.main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("loupe: the PDF renderer lacks its native libraries; ") and "pango" in line
    assert not [name for name in os.listdir(tmp_path) if name in ("audit", "demo")]


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of the renderer's processes, which are started as ever."""
    told: list[str] = []
    started = pdf._renderer

    def start(argument: str, limits: pdf.Limits) -> subprocess.CompletedProcess[str]:
        told.append(argument)
        return started(argument, limits)

    monkeypatch.setattr(pdf, "_renderer", start)
    check_renderer.cache_clear()
    return told


def test_no_process_is_started_for_a_renderer_that_has_all_it_needs(starts: list[str]) -> None:
    check_renderer()
    assert starts == []


@pytest.mark.parametrize("lacks", ["loads", "imports"])
def test_the_renderer_decides_where_a_name_is_not_found(
    starts: list[str], lacks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Machine, lacks, lambda *_: False)
    # It finds its libraries all the same.
    check_renderer()
    assert starts == [pdf.CHECK]


def test_needs_for_a_purpose() -> None:
    assert needs_for("python", with_venv=False) == ()
    assert needs_for("demo", with_venv=True) == (VENV, *DEMO)
    assert set(DEMO) < set(needs_for("test", with_venv=False, with_browser=False)) < set(TEST)
