"""Build the wheel, install it in an empty environment away from the checkout, and run it there.

python tests/check_wheel.py <folder of the wheel>

The environment borrows the packages of this one, so that nothing is downloaded. It also holds a package named `core` of
somebody else, and so does the folder from which Loupe is called. Nothing may be written into the installation.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.runs.code import code_digest  # noqa: E402
from core.settings import VERSION  # noqa: E402

FOREIGN = "raise ImportError('the package core of somebody else was imported')\n"
SECONDS = 120


def main(out: Path) -> int:
    """0 if everything works; the first problem ends it."""
    wheel = built(out)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        installed = install(wheel, place / "environment")
        for folder in (installed.parent / "core", place / "work" / "core"):
            folder.mkdir(parents=True)
            (folder / "__init__.py").write_text(FOREIGN)
        before = listing(place / "environment")
        command = Command(place)
        assert command("--version").strip() == f"Loupe {VERSION}"
        audit(command, installed)
        app(command)
        changed = listing(place / "environment") ^ before
        assert not changed, f"files were written into the installation: {sorted(changed)[:5]}"
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.0f} MB, audits and serves away from the checkout")
    return 0


class Command:
    """The command `loupe` of the environment, called from another folder."""

    def __init__(self, place: Path) -> None:
        self.program = str(place / "environment" / "bin" / "loupe")
        self.folder = place / "work"
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "OMP_NUM_THREADS") if name in os.environ}
        self.environment = {**kept, "HOME": str(place), "LOUPE_HOME": "data", "PYTHONDONTWRITEBYTECODE": "1"}

    def __call__(self, *arguments: str) -> str:
        """What it prints. Ends the check if it fails."""
        done = subprocess.run(
            [self.program, *arguments], cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"loupe {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout


def listing(folder: Path) -> set[tuple[str, int]]:
    """Every file below a folder with the time of its last change."""
    return {(str(path), path.stat().st_mtime_ns) for path in folder.rglob("*")}


def built(out: Path) -> Path:
    """The wheel, built from this checkout without a download."""
    options = ["--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(out)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], check=True)
    (wheel,) = out.glob("loupe_audit-*.whl")
    return wheel


def install(wheel: Path, environment: Path) -> Path:
    """Install it; returns where the package lies."""
    venv.create(environment)
    python = environment / "bin" / "python"
    options = ["--python", str(python), "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([sys.executable, "-m", "pip", *options, str(wheel)], check=True)
    (package,) = environment.glob("lib/python*/site-packages/loupe")
    (package.parent / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return package


def audit(command: Command, installed: Path) -> None:
    """An audit of two images, its report and its seal."""
    sample = installed / "core" / "sample"
    images = [str(sample / "images" / name) for name in ("alpaca.jpg", "lake.jpg")]
    command("audit", "--images", *images, "--texts", str(sample / "prompts.txt"), "--methods", "raw",
            "--applications", "none", "--effort", "quick", "--no-curves", "--out", "run")  # fmt: skip
    run = command.folder / "run"
    assert (run / "report" / "report.pdf").read_bytes()[:5] == b"%PDF-"
    told = json.loads((run / "manifest.json").read_text())["environment"]
    assert told["code_sha256"] == code_digest(), "the installed code is not that of the checkout"
    assert told["lock_sha256"] and told["loupe"] == VERSION
    assert ": sound" in command("verify", "run")


def app(command: Command) -> None:
    """The dashboard, which answers on this machine alone and refuses other hosts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [command.program, "app", "--port", str(port)],
        cwd=command.folder,
        env=command.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        address = f"http://127.0.0.1:{port}/"
        give_up = time.monotonic() + SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"{address}_stcore/health") as answer:
                    assert answer.read() == b"ok"
                break
            except urllib.error.URLError:
                assert server.poll() is None and time.monotonic() < give_up, "the app does not answer"
                time.sleep(0.2)
        with urllib.request.urlopen(address) as answer:
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        foreign = urllib.request.Request(address, headers={"Host": "elsewhere.example"})
        try:
            urllib.request.urlopen(foreign)
        except urllib.error.HTTPError as refused:
            assert refused.code == 403
        else:
            raise AssertionError("another host name is answered")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
