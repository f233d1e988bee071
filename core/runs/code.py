"""The hash of the code that computes results: results made by different code never share a unit key. No torch.

What counts is found, not listed: the files that compute rows and records (`ROOTS`) and whatever these import, down to
the last one. Of those, files that only keep a run, and prose for people, are left out.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.drafts import write_whole
from core.memory import without_collection
from core.plugins import code_sha256, installed_version
from core.settings import ROOT, workspace

if TYPE_CHECKING:
    from core.runs.plan import Plan

# What computes: the rows of units, the methods and the parts of applications, which are imported by name, and what
# opens files in another process.
ROOTS = (
    "audit/units.py", "attribution/*.py", "applications/work/*.py", "applications/*/work.py",
    "applications/*/work/*.py", "sandbox/*.py",
)  # fmt: skip
# What computing files import though it cannot change a row: it judges, words, draws or keeps a run. Rows are hashed as
# they are stored; the number of threads depends on the machine and is in the manifest.
APART = frozenset(
    {
        "reporting", "findings", "content", "rules",
        "drafts.py", "errors.py", "glossary.py", "processes.py", "storage.py",
        "runs/access.py", "runs/code.py", "runs/database.py", "runs/integrity.py", "runs/lease.py",
        "runs/manifest.py", "runs/opened.py", "runs/packing.py", "runs/part_files.py", "runs/queue.py", "runs/run.py",
        "runs/seal.py", "runs/shelf.py", "runs/steps.py", "runs/store.py",
    }
)  # fmt: skip
# The arguments of a card that are there for people alone.
PROSE = {
    "Field": {"description"},
    "MethodInfo": {"title", "paper", "year", "idea", "assumes", "fails", "differs", "notice"},
    "ApplicationInfo": {"title", "paper", "year", "question", "idea", "assumes", "fails", "differs"},
}
KEPT = "code.sha256"  # in the workspace
_KEPT_FORM = re.compile("[0-9a-f]{64} [0-9a-f]{64}\n")
_WITHOUT_MEANING = {"ctx", "kind", "type_comment", "type_ignores"}


@cache
def code_digest() -> str:
    """SHA-256 over what the source that computes says, without comments, docstrings, layout and prose; 64 hex digits.

    A changed comment or description leaves every finished unit as it is; a changed number, name or order does not. It
    is read once a process: what is edited later is not what runs. The same source gives the same digest under every
    Python version.

    Reading all syntax trees takes most of a second, so that the workspace keeps the digest for the exact bytes of all
    files, which are read each time.
    """
    core, kept = ROOT / "core", workspace() / KEPT
    source = _source(core)
    told = _told(kept)
    if told[:1] == [source]:
        return told[1]
    made = _digest(core)
    # What was edited meanwhile is another source.
    if source == _source(core):
        # Without a workspace that can be written to, each process reads the trees.
        with suppress(OSError):
            write_whole(kept, f"{source} {made}\n".encode())
    return made


def _told(kept: Path) -> list[str]:
    """The hash of a source and its digest; empty where nothing is kept, or nothing of this form."""
    try:
        text = kept.read_text()
    except (OSError, ValueError):
        return []
    return text.split() if _KEPT_FORM.fullmatch(text) else []


def _source(core: Path) -> str:
    """The hash of every file of the program's code, by name and byte for byte."""
    whole = hashlib.sha256()
    for path in sorted(core.rglob("*.py")):
        data = path.read_bytes()
        whole.update(f"{path.relative_to(core).as_posix()}\0{len(data)}\0".encode() + data)
    return whole.hexdigest()


def _digest(core: Path) -> str:
    """See `code_digest`."""
    # While all trees are alive a search for cycles would take longer than everything else.
    with without_collection():
        trees = {name: tree for name, tree in computing(core).items() if not is_apart(name)}
        prose = _prose_names(trees.values())
        whole = hashlib.sha256()
        for name, tree in sorted(trees.items()):
            words: list[str] = [name]
            _say(tree, words, prose)
            whole.update("\0".join(words).encode("utf-8", "surrogatepass") + b"\0")
    return whole.hexdigest()


def plan_code(plan: Plan) -> str:
    """The hash of the code that computes a plan: Loupe's own, and that of the plug-ins which the plan names.

    Raises `InputError` if a plug-in's package cannot be found.
    """
    if not plan.plugins:
        return code_digest()
    parts = [
        [one.distribution, installed_version(one.distribution), code_sha256(one.distribution)] for one in plan.plugins
    ]
    return hashlib.sha256(json.dumps([code_digest(), parts]).encode()).hexdigest()


def computing(core: Path) -> dict[str, ast.Module]:
    """The files of `core` that compute, by name, and what they import, each as its syntax tree."""
    files = {path.relative_to(core).as_posix(): path for path in core.rglob("*.py")}
    trees: dict[str, ast.Module] = {}
    ahead = [path.relative_to(core).as_posix() for pattern in ROOTS for path in core.glob(pattern)]
    while ahead:
        name = ahead.pop()
        if name in trees or _is_directory(name):
            continue
        trees[name] = ast.parse(files[name].read_bytes())
        targets = (_file(files, target) for target in _imports(trees[name]))
        ahead += [other for other in targets if other is not None]
    return trees


def is_apart(name: str) -> bool:
    """Whether a file that computing files import cannot change a row."""
    return name in APART or name.partition("/")[0] in APART


def _is_directory(name: str) -> bool:
    """Whether a file only says where the parts of an application are; each part that computes is a root."""
    parts = name.split("/")
    return parts[0] == "applications" and parts[-1] == "__init__.py" and len(parts) == 3 and parts[1] != "work"


def _imports(node: ast.AST) -> Iterator[str]:
    """Every module, or name in one, that a file imports, also inside functions; not what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        elif not isinstance(child, ast.expr):
            yield from _imports(child)


def _file(files: Collection[str], target: str) -> str | None:
    """The file of a module of `core`, or of the module that a name is taken from; None if there is none."""
    first, *rest = target.split(".")
    if first != "core" or not rest:
        return None
    stem = "/".join(rest)
    return next((name for name in (f"{stem}.py", f"{stem}/__init__.py") if name in files), None)


def _prose_names(trees: Any) -> set[str]:
    """The names of texts that are used in prose and nowhere else."""
    inside: set[str] = set()
    outside: set[str] = set()

    def look(node: ast.AST, prose: bool) -> None:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            (inside if prose else outside).add(node.id)
        elif isinstance(node, ast.Attribute):
            outside.add(node.attr)
        for child in ast.iter_child_nodes(node):
            look(child, prose or (isinstance(child, ast.keyword) and _is_prose(node, child)))

    for tree in trees:
        look(tree, False)
    return inside - outside


def _is_prose(call: ast.AST, keyword: ast.keyword) -> bool:
    named = call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""
    return keyword.arg in PROSE.get(named, ())


def _say(node: Any, words: list[str], prose: set[str]) -> None:
    """Append what a part of a syntax tree means, without where it stands."""
    if isinstance(node, ast.AST):
        words.append(type(node).__name__)
        for name in node._fields:
            value = getattr(node, name, None)
            # Empty fields come and go with the version of Python.
            if value is None or value == [] or name in _WITHOUT_MEANING:
                continue
            if name == "body" and isinstance(value, list):
                value = [part for part in value if not _is_docstring(part) and not _is_text(part, prose)]
            elif name == "keywords" and isinstance(value, list):
                value = [part for part in value if not _is_prose(node, part)]
            words.append(name)
            _say(value, words, prose)
        words.append(")")
    elif isinstance(node, list):
        for part in node:
            _say(part, words, prose)
        words.append("]")
    else:
        words.append(f"{type(node).__name__} {node!r}")


def _is_docstring(node: ast.AST) -> bool:
    """A string that stands alone does nothing, wherever it stands."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_text(node: ast.AST, prose: set[str]) -> bool:
    """Whether a statement gives a name to a text that only prose uses."""
    if not (isinstance(node, ast.Assign) and len(node.targets) == 1):
        return False
    target, value = node.targets[0], node.value
    text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return text and isinstance(target, ast.Name) and target.id in prose
