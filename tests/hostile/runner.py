"""The process that carries items to their doors, one after another: `python -m tests.hostile.runner`.

Reads the name of an item a line and answers with one line of JSON. It is started by `tests.hostile.harness`, which ends
it when an item takes too long and starts another for the rest.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import socket
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from tests.hostile import corpus, doors
from tests.hostile.item import REFUSED, TORCH, Item

MEMORY = 2_500_000_000
_SPACE = dict.fromkeys(TORCH, 24 * 2**30)  # torch reserves more than it uses; what is used is looked at afterwards
_PLAIN = 6 * 2**30
_LONGEST = 1500
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def main() -> int:
    """Answer for items until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    door = sys.argv[1]
    root = Path(tempfile.mkdtemp(prefix="hostile-"))
    try:
        for name in ("cwd", "home", "tmp"):
            (root / name).mkdir()
        os.environ.update(HOME=str(root / "home"), LOUPE_HOME=str(root / "home" / ".loupe"), TMPDIR=str(root / "tmp"))
        os.environ["LOUPE_CANARY"] = str(root / "canary")
        os.chdir(root / "cwd")
        tempfile.tempdir = str(root / "tmp")
        doors.prepare(door, root)
        space = _SPACE.get(door, _PLAIN)
        resource.setrlimit(resource.RLIMIT_AS, (space, space))
        for line in sys.stdin:
            print(json.dumps(_told(corpus.by_name(line.strip()), root)), file=answers, flush=True)
    finally:
        doors.finish()
        shutil.rmtree(root, ignore_errors=True)
    return 0


def _told(item: Item, root: Path) -> dict[str, Any]:
    """What became of one item, and every rule that was broken on the way."""
    given = root / "given"
    given.mkdir()
    # Made in a process of its own, so that its memory is not counted as that of the door.
    maker = os.fork()
    if maker == 0:
        status = 1
        try:
            item.make(given)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    if os.waitstatus_to_exitcode(os.waitpid(maker, 0)[1]):
        raise SystemExit(f"{item.name} could not be made")
    before, begun = _tree(root), time.monotonic()
    own, start = time.process_time(), spent()
    resource.setrlimit(resource.RLIMIT_CPU, (int(own + item.seconds) + 2, resource.RLIM_INFINITY))
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    problems: list[str] = []
    with _watched(problems):
        try:
            outcome, lines = doors.DOORS[item.door](given / item.file, root)
        except Exception:
            outcome, lines = "traceback", []
            problems.append("traceback: " + traceback.format_exc(limit=-4))
    used = spent() - start
    problems += [problem for line in lines if (problem := _unclean(line))]
    problems += [f"changed {path}" for path in sorted(before ^ _tree(root)) if not path.startswith("store")]
    problems += [f"left behind {path}" for path in doors.leftovers(root)]
    if (root / "canary").exists():
        problems.append("its code was run")
        (root / "canary").unlink()
    peak = _peak()
    if peak > MEMORY:
        problems.append(f"took {peak / 1e9:.1f} GB")
    if used > item.seconds:
        problems.append(f"took {used:.0f} s of processor time")
    if item.told and not any(item.told in line for line in lines):
        problems.append(f"nobody said {item.told!r}")
    if outcome not in item.expect and not problems:
        problems.append(f"was {outcome}, not {' or '.join(sorted(item.expect))}")
    if outcome == REFUSED and not lines:
        problems.append("was refused without a reason")
    for name in ("given", "store", "out", "tmp", "cwd"):
        shutil.rmtree(root / name, ignore_errors=True)
    for name in ("tmp", "cwd"):
        (root / name).mkdir()
    os.chdir(root / "cwd")
    wall = time.monotonic() - begun
    return {
        "name": item.name, "outcome": outcome, "text": lines[:3], "problems": problems,
        "seconds": round(used, 2), "memory": peak, "wall": round(wall, 2),
    }  # fmt: skip


def spent() -> float:
    """Processor seconds of this process and of everything that it has started."""
    own = os.times()
    found = own.user + own.system + own.children_user + own.children_system
    for child in _children(os.getpid()):
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            found += sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return found


def _children(process: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _peak() -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _unclean(line: str) -> str:
    if _UNPRINTABLE.search(line):
        return f"printed control characters: {line[:200]!r}"
    if len(line) > _LONGEST:
        return f"said {len(line):,} characters"
    return ""


def _tree(root: Path) -> set[str]:
    """Every path below `root` but those of the store and of temporary files, which are looked at apart."""
    found = set()
    for folder, folders, files in os.walk(root):
        here = os.path.relpath(folder, root)
        if here == ".":
            folders[:] = [name for name in folders if name not in ("store", "tmp", "out", "good", "home")]
        found |= {f"{here}/{name}" for name in [*folders, *files]}
    return found


@contextlib.contextmanager
def _watched(problems: list[str]) -> Any:
    """Inside: whoever looks up a name or connects to anything is noted, and gets no answer."""

    def refuse(*arguments: Any, **_: Any) -> Any:
        problems.append(f"asked the network: {str(arguments[:2])[:120]}")
        raise OSError("there is no network in here")

    kept = socket.getaddrinfo, socket.socket.connect
    socket.getaddrinfo, socket.socket.connect = refuse, refuse  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        socket.getaddrinfo, socket.socket.connect = kept  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main())
