"""What Loupe needs of the machine besides Python packages: native libraries, fonts, and programs for the tests.

`python3 -m core.system demo` (or `test`) checks it in a fraction of a second, before there is a virtual environment, so
this file uses the standard library alone. With `--install` it installs what is missing where it can: on Debian and
Ubuntu, as root. Everywhere else it prints the one command that does so. Exit code 0: everything is there; 2: it is not.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

WITHOUT_BROWSER = "LOUPE_WITHOUT_BROWSER"  # set to anything: the tests that need Chromium or nginx are skipped
OLDEST = (3, 11)
FONTS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")


@dataclass(frozen=True)
class Need:
    """Something of the system: what it is for, how its presence is seen, and the packages that bring it.

    It is present if any of `libraries`, `programs`, `fonts` or `modules` is. A need without a `brew` formula does not
    exist on macOS.
    """

    name: str
    apt: str
    brew: str = ""
    libraries: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    fonts: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    browser: bool = False


VENV = Need("venv", f"python3.{sys.version_info[1]}-venv", modules=("ensurepip",))
# The libraries that WeasyPrint opens by name. GLib, HarfBuzz and Fontconfig come with Pango.
RENDERER = (
    Need("Pango", "libpango-1.0-0", "pango", ("libpango-1.0.so.0", "libpango-1.0.dylib")),
    Need("PangoFT2", "libpangoft2-1.0-0", "pango", ("libpangoft2-1.0.so.0", "libpangoft2-1.0.dylib")),
    Need("HarfBuzz subset", "libharfbuzz-subset0", "pango", ("libharfbuzz-subset.so.0", "libharfbuzz-subset.0.dylib")),
)
# The report brings its own Latin fonts; captions and prompts may be written in any script.
DEMO = (*RENDERER, Need("Noto fonts", "fonts-noto-core", fonts=("NotoSans-Regular.*", "NotoSans[[]*")))
# For those who need them: the report names them itself where it prints a character that no font draws.
OPTIONAL = (
    Need("Noto CJK fonts", "fonts-noto-cjk", "--cask font-noto-sans-cjk", fonts=("NotoSansCJK*",)),
    Need("Noto Color Emoji", "fonts-noto-color-emoji", "--cask font-noto-color-emoji", fonts=("NotoColorEmoji*",)),
)
TEST = (
    *DEMO,
    Need("Chromium", "chromium", "--cask chromium", programs=("chromium", "chromium-browser", "google-chrome"),
         browser=True),
    Need("nginx", "nginx-light", "nginx", programs=("nginx", "/usr/sbin/nginx"), browser=True),
    Need("OpenSSL", "openssl", "openssl", programs=("openssl",), browser=True),
    Need("pdftotext", "poppler-utils", "poppler", programs=("pdftotext",)),
    Need("qpdf", "qpdf", "qpdf", programs=("qpdf",)),
)  # fmt: skip
PURPOSES = {"python": (), "demo": DEMO, "test": TEST}


class Machine:
    """This machine, as far as a need asks about it. Tests put another one in its place."""

    platform = sys.platform
    version = sys.version_info[:2]

    def has(self, need: Need) -> bool:
        """Whether the machine has what is needed."""
        if self.platform == "darwin" and not need.brew and not need.modules:
            return True
        return (
            any(map(self.loads, need.libraries))
            or any(map(self.runs, need.programs))
            or any(map(self.finds, need.fonts))
            or any(map(self.imports, need.modules))
        )

    def loads(self, library: str) -> bool:
        """Whether a native library can be loaded by this name."""
        try:
            ctypes.CDLL(library)
        except OSError:
            return False
        return True

    def runs(self, program: str) -> bool:
        """Whether there is a program of this name."""
        return shutil.which(program) is not None

    def finds(self, pattern: str) -> bool:
        """Whether a font file of this pattern is installed."""
        return any(next(Path(folder).expanduser().rglob(pattern), None) is not None for folder in FONTS)

    def imports(self, module: str) -> bool:
        """Whether this Python has a module of this name."""
        return importlib.util.find_spec(module) is not None

    def distribution(self) -> str:
        """Returns "debian", "ubuntu", another distribution's id, or "" where none is stated."""
        try:
            lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
        except OSError:
            return ""
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        own, like = values.get("ID", "").strip('"'), values.get("ID_LIKE", "").strip('"').split()
        return next((name for name in ("ubuntu", "debian") if name == own or name in like), own)

    def is_root(self) -> bool:
        """Whether this process may install packages."""
        return hasattr(os, "geteuid") and os.geteuid() == 0

    def call(self, command: list[str]) -> int:
        """The exit code of a command, whose standard output is dropped."""
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        try:
            return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode
        except OSError:
            return 127


def needs_for(purpose: str, *, with_venv: bool, with_browser: bool = True) -> tuple[Need, ...]:
    """What a purpose ("python", "demo", "test") needs; `with_venv` where no virtual environment exists yet."""
    needs = [need for need in PURPOSES[purpose] if with_browser or not need.browser]
    return (*([VENV] if with_venv else []), *needs)


def problem(machine: Machine, purpose: str, needs: tuple[Need, ...], *, install: bool) -> str:
    """What is missing and the command that brings it, in one line; "" if nothing is.

    With `install` the missing packages are installed first, where that is possible.
    """
    if machine.version < OLDEST:
        oldest, own = (".".join(map(str, version)) for version in (OLDEST, machine.version))
        return (
            f"Loupe needs Python {oldest} or later, this is {own}; name another one: make {purpose} PYTHON=python3.12"
        )
    missing = [need for need in needs if not machine.has(need)]
    failed = ""
    if missing and install and machine.is_root() and machine.distribution() in ("debian", "ubuntu"):
        names = packages(machine, missing)
        print(f"installing {' '.join(names)}", file=sys.stderr, flush=True)
        code = machine.call(["apt-get", "update", "-qq"]) or machine.call(["apt-get", "install", "-y", "-qq", *names])
        failed = f" (apt-get ended with {code})" if code else ""
        missing = [need for need in missing if not machine.has(need)]
    if not missing:
        return ""
    lacking = ", ".join(need.name for need in missing)
    optional = ""
    if any(need.browser for need in missing):
        optional = f" (or set {WITHOUT_BROWSER}=1 to leave the browser tests out)"
    return f"missing for `make {purpose}`: {lacking}{failed}; {remedy(machine, missing)}{optional}"


def packages(machine: Machine, needs: list[Need]) -> list[str]:
    """The Debian or Ubuntu packages that bring what is needed."""
    renamed = {"chromium": "chromium-browser"} if machine.distribution() == "ubuntu" else {}
    return [renamed.get(need.apt, need.apt) for need in needs]


def remedy(machine: Machine, needs: list[Need]) -> str:
    """The command that installs what is needed on this machine, to be run by a person."""
    if machine.platform == "darwin":
        formulas = " ".join(dict.fromkeys(need.brew for need in needs if need.brew))
        line = f"run: brew install {formulas}"
        return f"{line} && export DYLD_FALLBACK_LIBRARY_PATH=/opt/homebrew/lib" if "pango" in formulas else line
    names = " ".join(packages(machine, needs))
    if machine.distribution() in ("debian", "ubuntu"):
        sudo = "" if machine.is_root() else "sudo "
        return f"run: {sudo}apt-get update && {sudo}apt-get install -y {names}"
    return f"install what your system calls these Debian packages: {names}"


def main(arguments: list[str] | None = None, machine: Machine | None = None) -> int:
    """Check, and with `--install` install; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m core.system", description="Check what Loupe needs of the system.")
    parser.add_argument("purpose", choices=sorted(PURPOSES))
    parser.add_argument("--install", action="store_true", help="install what is missing, as root on Debian and Ubuntu")
    parser.add_argument("--venv", type=Path, help="virtual environment; where it exists, nothing is needed to make it")
    chosen = parser.parse_args(arguments)
    needs = needs_for(
        chosen.purpose,
        with_venv=chosen.venv is not None and not (chosen.venv / "bin" / "python").exists(),
        with_browser=not os.environ.get(WITHOUT_BROWSER),
    )
    line = problem(machine or Machine(), chosen.purpose, needs, install=chosen.install)
    wanting = [need for need in OPTIONAL if not (machine or Machine()).has(need)] if chosen.purpose == "demo" else []
    if line:
        print(f"loupe: {line}", file=sys.stderr)
    elif wanting:
        lacking = ", ".join(need.name for need in wanting)
        print(
            f"optional, for reports in Chinese, Japanese or Korean or with emoji: {lacking}; "
            f"{remedy(machine or Machine(), wanting)}",
            file=sys.stderr,
        )
    return 2 if line else 0


if __name__ == "__main__":
    raise SystemExit(main())
