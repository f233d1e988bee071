"""What the harness must see: doors that misbehave on purpose."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.hostile.item import REFUSED, TAKEN, Item, item

Told = tuple[str, list[str]]
FAULTS: dict[str, tuple[Callable[[Path], Told], str]] = {}


def _fault(name: str, seen: str) -> Callable[[Callable[[Path], Told]], Callable[[Path], Told]]:
    def keep(door: Callable[[Path], Told]) -> Callable[[Path], Told]:
        FAULTS[name] = door, seen
        return door

    return keep


@_fault("nothing", "")
def _nothing(root: Path) -> Told:
    return TAKEN, []


@_fault("traceback", "traceback: ")
def _traceback(root: Path) -> Told:
    raise IndexError("list index out of range")


@_fault("hang", "hang")
def _hang(root: Path) -> Told:
    os.read(os.pipe()[0], 1)
    return TAKEN, []


@_fault("spin", "processor time")
def _spin(root: Path) -> Told:
    import resource

    # The runner has set its limit; a tenth of it shows the same in a tenth of the time.
    resource.setrlimit(resource.RLIMIT_CPU, (int(sum(os.times()[:2])) + 1, resource.RLIM_INFINITY))
    while True:
        pass


@_fault("memory", "GB")
def _memory(root: Path) -> Told:
    held = bytearray(2_700_000_000)
    held[:: 2**12] = b"x" * len(range(0, len(held), 2**12))
    return TAKEN, []


@_fault("death", "died")
def _death(root: Path) -> Told:
    os.abort()


@_fault("temporary-file", "left behind")
def _temporary_file(root: Path) -> Told:
    os.close(tempfile.mkstemp()[0])
    return TAKEN, []


@_fault("unfinished-folder", "left behind .incoming-x")
def _unfinished_folder(root: Path) -> Told:
    (root / "store" / ".incoming-x").mkdir(parents=True)
    return TAKEN, []


@_fault("file-outside", "changed ./evil")
def _file_outside(root: Path) -> Told:
    (root / "evil").write_text("x")
    return TAKEN, []


@_fault("file-in-working-folder", "changed cwd/evil")
def _file_in_working_folder(root: Path) -> Told:
    Path("evil").write_text("x")
    return TAKEN, []


@_fault("code", "code was run")
def _code(root: Path) -> Told:
    Path(os.environ["LOUPE_CANARY"]).write_text("run")
    return TAKEN, []


@_fault("network", "asked the network")
def _network(root: Path) -> Told:
    socket.getaddrinfo("example.com", 443)
    return TAKEN, []


@_fault("control-characters", "control characters")
def _control_characters(root: Path) -> Told:
    return REFUSED, ["\x1b[2Jname: sound"]


@_fault("long-line", "characters")
def _long_line(root: Path) -> Told:
    return REFUSED, ["x" * 100_000]


@_fault("no-reason", "without a reason")
def _no_reason(root: Path) -> Told:
    return REFUSED, []


@_fault("taken", "was taken, not refused")
def _taken(root: Path) -> Told:
    return TAKEN, []


def _door(path: Path, root: Path) -> Told:
    return FAULTS[path.name][0](root)


def _make(folder: Path) -> None:
    """Nothing is needed."""


DOORS = {"self": _door}
ITEMS: dict[str, Item] = {
    f"self/{name}": item(f"self/{name}", "self", name, _make, REFUSED if name == "taken" else TAKEN, REFUSED)
    for name in FAULTS
}
ITEMS["self/taken"] = item("self/taken", "self", "taken", _make, REFUSED)
