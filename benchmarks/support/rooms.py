"""The rooms of the house and who imports whom, read from the source, for the house test and the architecture page."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from core.settings import ROOT

# From top to bottom. A file may import from its own room and from those below it.
ROOMS = (
    "pages", "commands", "audit", "reporting", "findings", "applications", "content", "rules", "evaluation",
    "attribution", "concepts", "models", "runs", "methods", "datasets", "statistics", "sandbox", "languages",
    "settings",
)  # fmt: skip
SAME_ROOM = {
    "cli": "commands",
    "arguments": "commands",
    "audit_arguments": "commands",
    "comparing": "commands",
    "copying": "commands",
    "demonstration": "commands",
    "describing": "commands",
    "engine_arguments": "commands",
    "estimating": "commands",
    "explaining": "commands",
    "extents": "commands",
    "house_styles": "commands",
    "listings": "commands",
    "outcome": "commands",
    "planted": "commands",
    "region_names": "commands",
    "replanning": "commands",
    "reproducing": "commands",
    "request": "commands",
    "reviewing": "commands",
    "run_commands": "commands",
    "serving": "commands",
    "signing": "commands",
    "spot_checking": "commands",
    "studying": "commands",
    "verifying": "commands",
    "__main__": "commands",
    "characters": "settings",
    "errors": "settings",
    "glossary": "settings",
    "terms": "settings",
    "memory": "settings",
    "deferred": "settings",
    "drafts": "settings",
    "plugins": "settings",
    "processes": "settings",
    "storage": "settings",
    "system": "settings",
    "testing": "commands",
    "app": "pages",
    "parts": "pages",
}
# Packages whose presence in a process means that torch is loaded.
HEAVY = {"torch", "open_clip", "timm", "torchvision"}


class Import(NamedTuple):
    """A module that a file imports, and whether it does so inside a function."""

    target: str
    inside: bool


def name(path: Path) -> str:
    """The path of a file from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def sources(*folders: str) -> list[Path]:
    """The Python files of these folders."""
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert files
    return files


def house() -> list[Path]:
    """Every file of the product. `core/__init__.py` is the door of the whole house and imports nothing by itself."""
    return [path for path in [*sources("core", "pages"), ROOT / "app.py"] if path != ROOT / "core" / "__init__.py"]


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(tree: ast.Module, file: str = "") -> Iterator[Import]:
    """What a file imports. Raises `AssertionError` for a relative import."""

    def visit(node: ast.AST, inside: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{file} imports relatively"
                # `from core import commands` names a room, `from core.runs import Run` a name in one.
                targets = [f"core.{alias.name}" for alias in child.names] if child.module == "core" else [child.module]
                yield from (Import(target, inside) for target in targets if target)
            else:
                function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from visit(child, inside or function)

    return visit(tree, False)


def room_of(parts: list[str]) -> str:
    """The room of a module, given its name in parts. Raises `KeyError` if none is known."""
    key = "pages" if parts[0] in ("pages", "app") else parts[1]
    room = SAME_ROOM.get(key, key)
    if room not in ROOMS:
        raise KeyError(f"{'.'.join(parts)} belongs to no room")
    return room


def room_of_file(path: Path) -> str:
    """The room of a file."""
    return room_of(list(path.relative_to(ROOT).with_suffix("").parts))


def is_internal(target: str) -> bool:
    """Whether a module is one of the house's, other than its door."""
    parts = target.split(".")
    return parts[0] in ("core", "pages") and len(parts) > 1


class Room(NamedTuple):
    """A room as its files are: how many there are, how many lines, which load torch, and the rooms that they import."""

    name: str
    files: int
    lines: int
    heavy: int
    below: frozenset[str]


def rooms() -> tuple[Room, ...]:
    """All rooms from top to bottom. Imports inside functions count like others."""
    found = []
    for room in ROOMS:
        files = [path for path in house() if room_of_file(path) == room]
        targets = [{entry.target for entry in imports(parsed(path))} for path in files]
        below = {room_of(target.split(".")) for part in targets for target in part if is_internal(target)} - {room}
        heavy = sum(any(target.split(".")[0] in HEAVY for target in part) for part in targets)
        lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
        found.append(Room(room, len(files), lines, heavy, frozenset(below)))
    return tuple(found)
