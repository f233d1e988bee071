"""What is no ordinary file: pipes, devices, folders, sockets, links."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.hostile.archives import image
from tests.hostile.item import ERROR, REFUSED, TAKEN, Item, item

PATHS = (
    "/dev/zero", "/dev/random", "/dev/full", "/dev/stdin", "/dev/tty", "/proc/self/mem", "/proc/kmsg", "/proc/self",
    "/proc/self/fd", "/proc/self/pagemap", "/proc/self/environ", "/sys/kernel", "/etc/passwd", "/dev", "/",
)  # fmt: skip
_DOORS = ("annotations", "texts", "thresholds", "plan", "verify", "audit", "explain")


def items() -> Iterator[Item]:
    """Every special file at every door, and among the files of a folder."""
    for name, make in _MADE.items():
        yield item(f"special/folder-{name}", "ingest", "folder", partial(_in_folder, make), REFUSED, TAKEN)
        yield item(f"special/ingest-{name}", "ingest", name, partial(_alone, make, name), ERROR, REFUSED, TAKEN)
        yield item(f"special/table-{name}", "table", name, partial(_alone, make, name), ERROR)
        for door in _DOORS:
            # A configuration is told by its ending.
            file = f"{name}.json" if door == "explain" else name
            right = (ERROR, REFUSED, TAKEN) if name == "empty" else (ERROR, REFUSED)
            yield item(f"special/{door}-{name}", door, file, partial(_alone, make, file), *right)
    for path in PATHS:
        # A path that a person names may be anything; below a folder, links are not followed.
        if path not in ("/", "/dev"):
            yield item(f"special/ingest{path}", "ingest", path, _nothing, ERROR, REFUSED)
        for door in ("table", *_DOORS):
            if door == "audit" and path in ("/", "/dev", "/sys/kernel", "/proc/self"):
                continue
            # A list of prompts may be any text.
            right = (ERROR, REFUSED, TAKEN) if path == "/etc/passwd" else (ERROR, REFUSED)
            yield item(f"special/{door}{path}", door, path, _nothing, *right)


def _nothing(folder: Path) -> None:
    """The file is there already."""


def _in_folder(make: Callable[[Path], object], folder: Path) -> None:
    inside = folder / "folder"
    inside.mkdir()
    (inside / "sound.png").write_bytes(image())
    make(inside / "odd.png")


def _alone(make: Callable[[Path], object], name: str, folder: Path) -> None:
    make(folder / name)


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket may be no longer than 107 bytes
    try:
        made = socket.socket(socket.AF_UNIX)
        made.bind(path.name)
        made.close()
    finally:
        os.chdir(here)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _folder_loop(path: Path) -> None:
    path.mkdir()
    (path / "inner").symlink_to(path, target_is_directory=True)


def _deep(path: Path) -> None:
    here = os.getcwd()
    path.mkdir()
    os.chdir(path)
    try:
        for _ in range(900):
            os.mkdir("d")
            os.chdir("d")
        Path("evil.png").write_bytes(image())
    finally:
        os.chdir(here)


def _odd_names(path: Path) -> None:
    path.mkdir()
    for name in (b"a\nb.png", b"\xff\xfe.png", b"\x1b[2J.png", b"-rf.png", b" .png", b"a" * 240 + b".png"):
        Path(os.fsdecode(os.fsencode(path) + b"/" + name)).write_bytes(image())


def _sparse(path: Path) -> None:
    with path.open("wb") as stream:
        stream.truncate(2**40)


_MADE: dict[str, Callable[[Path], object]] = {
    "pipe": lambda path: os.mkfifo(path),
    "socket": _socket,
    "empty-folder": lambda path: path.mkdir(),
    "link-to-nothing": lambda path: path.symlink_to("nothing"),
    "link-to-itself": _loop,
    "link-to-device": lambda path: path.symlink_to("/dev/zero"),
    "link-to-pipe": lambda path: (os.mkfifo(path.with_name("p")), path.symlink_to("p")),
    "link-to-root": lambda path: path.symlink_to("/sys/module"),
    "folder-loop": _folder_loop,
    "folders-900": _deep,
    "odd-names": _odd_names,
    "terabyte-of-nothing": _sparse,
    "empty": lambda path: path.write_bytes(b""),
}
