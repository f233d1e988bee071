"""The hash of the code that computes results: results made by different code never share a unit key. No torch."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from typing import Any

from core.settings import ROOT

# What judges, words, draws, lists, starts or keeps a run, and cannot reach a row of its results: the rows are made by
# `core.audit.units` and by what that file imports, and they are hashed as they are stored. The worker hands out units
# and sets the number of threads, which depends on the machine and is in the manifest. Whatever is not named here
# counts, also where it most likely changes nothing.
APART = frozenset(
    {
        "reporting", "findings",
        "__main__.py", "arguments.py", "cli.py", "commands.py", "drafts.py", "errors.py", "explaining.py",
        "listings.py", "processes.py", "run_commands.py", "storage.py",
        "audit/cost.py", "audit/hold.py", "audit/launch.py", "audit/stages.py", "audit/worker.py",
        "runs/code.py", "runs/database.py", "runs/integrity.py", "runs/lease.py", "runs/manifest.py",
        "runs/queue.py", "runs/rebuild.py", "runs/run.py", "runs/seal.py", "runs/store.py", "runs/versions.py",
    }
)  # fmt: skip
_WITHOUT_MEANING = {"ctx", "kind", "type_comment", "type_ignores"}


@cache
def code_digest() -> str:
    """SHA-256 over what the source of `core` says, without comments, docstrings and layout; 64 hex digits.

    A changed comment leaves every finished unit as it is; a changed number, name or order does not. It is read once a
    process: what is edited later is not what runs. The same source gives the same digest under every Python version.
    """
    whole = hashlib.sha256()
    core = ROOT / "core"
    for file in sorted(core.rglob("*.py")):
        name = file.relative_to(core)
        if name.parts[0] in APART or name.as_posix() in APART:
            continue
        words: list[str] = [name.as_posix()]
        _say(ast.parse(file.read_bytes()), words)
        whole.update("\0".join(words).encode("utf-8", "surrogatepass") + b"\0")
    return whole.hexdigest()


def _say(node: Any, words: list[str]) -> None:
    """Append what a part of a syntax tree means, without where it stands."""
    if isinstance(node, ast.AST):
        words.append(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            # Empty fields come and go with the version of Python.
            if value is None or value == [] or name in _WITHOUT_MEANING:
                continue
            if name == "body" and isinstance(value, list):
                value = [part for part in value if not _is_docstring(part)]
            words.append(name)
            _say(value, words)
        words.append(")")
    elif isinstance(node, list):
        for part in node:
            _say(part, words)
        words.append("]")
    else:
        words.append(f"{type(node).__name__} {node!r}")


def _is_docstring(node: ast.AST) -> bool:
    """A string that stands alone does nothing, wherever it stands."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
