"""One hostile input: how it is made, which door it is carried to, and what may become of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

# What may become of an item. "error" is one line of a `LoupeError`: right where one file is all that was given.
REFUSED, TAKEN, ERROR = "refused", "taken", "error"
TORCH = ("explain", "audit", "arguments", "describe")  # doors behind which torch is loaded
ANY = frozenset({REFUSED, TAKEN, ERROR})


@dataclass(frozen=True)
class Item:
    """A hostile input.

    `make` writes it into an empty folder, where it is then called `file`. `door` is a function of
    `tests.hostile.doors`. `expect` are the outcomes that are right. A `heavy` item takes seconds: it is left to
    `make nightly`. `told` must be part of what is said about it.
    """

    name: str
    door: str
    file: str
    make: Callable[[Path], object]
    expect: frozenset[str]
    heavy: bool = False
    told: str = ""
    seconds: float = 25.0  # of processor time; more where one item is thousands of files


def item(
    name: str, door: str, file: str, make: Callable[[Path], object], *expect: str, heavy: bool = False, told: str = "",
    seconds: float = 25.0,
) -> Item:  # fmt: skip
    """An `Item` whose outcome is one of `expect`; without any, every sound outcome is right."""
    return Item(name, door, file, make, frozenset(expect) or ANY, heavy, told, seconds)


def of_bytes(
    kind: str, door: str, files: dict[str, tuple[bytes, tuple[str, ...]]], ending: str = "", heavy: bool = False
) -> Iterator[Item]:
    """Items that are one file each: by their name its bytes and the outcomes that are right."""
    for name, (data, expect) in files.items():
        file = f"{name}{ending}"
        yield item(f"{kind}/{name}", door, file, writes(file, data), *expect, heavy=heavy)


def writes(file: str, data: bytes | Callable[[], bytes]) -> Callable[[Path], object]:
    """A `make` that writes one file. Large contents are given as a function, so that listing items stays cheap."""

    def make(folder: Path) -> object:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.write_bytes(data() if callable(data) else data)

    return make
