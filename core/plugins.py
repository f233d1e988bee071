"""Methods, rules, applications and frameworks that other installed distributions bring, found by their entry points.

Nothing is imported before a part is asked for that Loupe does not have itself. What cannot be used is one line of
`faults`, and everything else goes on without it. `LOUPE_PLUGINS` (`--plug-ins`) says which distributions may bring
parts: all of them unless set, `none`, or names with commas between. Only what is installed counts: the folders of
Python's packages, and those that `PYTHONPATH` names in full; never the folder in which somebody happens to work.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import site
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from core.characters import brief
from core.errors import InputError, first_line

METHODS, RULES, APPLICATIONS, FRAMEWORKS = "loupe.methods", "loupe.rules", "loupe.applications", "loupe.frameworks"
GROUPS = {METHODS: "method", RULES: "rules", APPLICATIONS: "application", FRAMEWORKS: "framework"}
SETTING = "LOUPE_PLUGINS"
ALL, NONE = "all", "none"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
_TOLD = 300
Part = TypeVar("Part")
Check = Callable[[str, Any], Part]


@dataclass(frozen=True)
class Entry:
    """One part that a distribution offers: the group, its name, and where it is (`module:attribute`)."""

    distribution: str
    version: str
    group: str
    name: str
    value: str

    @property
    def module(self) -> str:
        """The module that holds the part."""
        return self.value.partition(":")[0].strip()

    @property
    def title(self) -> str:
        """How a person names it."""
        return f"{GROUPS[self.group]} {self.name!r} of the plug-in {self.distribution} {self.version}"


@dataclass(frozen=True)
class Fault:
    """A part that is not used, and the one line that says why."""

    entry: Entry
    reason: str

    @property
    def line(self) -> str:
        """The whole line."""
        return f"{self.entry.title} is not used: {self.reason}"


_faults: dict[tuple[Entry, str], Fault] = {}
_offered: dict[str, dict[str, tuple[Entry, Any]]] = {}


def canonical(name: str) -> str:
    """The name of a distribution as packages compare it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def allowed() -> frozenset[str] | None:
    """The distributions that may bring parts; None: all that are installed."""
    wanted = os.environ.get(SETTING, "").strip()
    if wanted.lower() in ("", ALL):
        return None
    return frozenset(canonical(name) for name in wanted.split(",") if name.strip() and name.strip().lower() != NONE)


def choose(names: str) -> None:
    """Allow these distributions from now on, in this process and those that it starts: `all`, `none` or their names.

    Raises `InputError` for one that is not installed or brings nothing.
    """
    os.environ[SETTING] = names
    forget()
    known = {canonical(entry.distribution): entry.distribution for entry in installed()}
    for name in sorted(allowed() or ()):
        if name not in known:
            listed = ", ".join(sorted(known.values())) or "none"
            raise InputError(f"no plug-in is installed under the name {brief(name, 80)!r}; installed: {listed}")


def forget() -> None:
    """Look again at the next question."""
    installed.cache_clear()
    code_sha256.cache_clear()
    _faults.clear()
    _offered.clear()


@cache
def installed() -> tuple[Entry, ...]:
    """Every part that an installed distribution offers, also where it is not allowed; sorted."""
    found: dict[tuple[str, str, str], Entry] = {}
    for package in metadata.distributions(path=_folders()):
        points = [point for point in package.entry_points if point.group in GROUPS]
        # Few packages have any; the description of the others is not read.
        name = package.metadata["Name"] if points else None
        for point in points:
            if name:
                entry = Entry(name, package.version, point.group, point.name, point.value)
                # The first of two copies of a distribution is the one that Python imports.
                found.setdefault((canonical(name), point.group, point.name), entry)
    return tuple(found[key] for key in sorted(found))


def _folders() -> list[str]:
    """Where distributions are installed."""
    named = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(part)]
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    own = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages(), *user]
    return list(dict.fromkeys(os.path.realpath(path) for path in [*named, *own] if os.path.isdir(path)))


def active(group: str = "") -> tuple[Entry, ...]:
    """The parts of allowed distributions, of one group or of all."""
    if os.environ.get(SETTING, "").strip().lower() == NONE:
        return ()
    names = allowed()
    return tuple(
        entry
        for entry in installed()
        if group in ("", entry.group) and (names is None or canonical(entry.distribution) in names)
    )


def provided() -> frozenset[str]:
    """The canonical names of the allowed distributions."""
    return frozenset(canonical(entry.distribution) for entry in active())


def offered(group: str, check: Check[Part], taken: Iterable[str] = ()) -> dict[str, Part]:
    """The usable parts of a group by name, loaded once. `check` returns the part or raises what is wrong with it.

    A name in `taken`, or one that an earlier distribution has, is a fault.
    """
    if group not in _offered:
        _offered[group] = {}
        for entry in active(group):
            part = _loaded(entry, check, {*taken, *_offered[group]})
            if part is not None:
                _offered[group][entry.name] = entry, part
    return {name: part for name, (_, part) in _offered[group].items()}


def _loaded(entry: Entry, check: Check[Part], taken: set[str]) -> Part | None:
    """The part, or None and a fault. Whatever a stranger's package raises must not end the program."""
    try:
        if not _NAME.fullmatch(entry.name):
            raise InputError("its name must be of small letters, digits and underscores, and begin with a letter")
        if entry.name in taken:
            raise InputError("the name is taken")
        found = metadata.EntryPoint(entry.name, entry.value, entry.group).load()
        return check(entry.name, found)
    except (Exception, SystemExit) as error:  # noqa: BLE001
        report_fault(entry, error)
        return None


def report_fault(entry: Entry, error: BaseException | str) -> None:
    """Remember why a part is not used, in one line."""
    own = isinstance(error, str | InputError)
    told = str(error) if own else f"{type(error).__name__}: {first_line(error)}"  # type: ignore[arg-type]
    fault = Fault(entry, brief(told, _TOLD))
    _faults[(entry, fault.reason)] = fault


def faults() -> tuple[Fault, ...]:
    """Why parts are not used, of all groups that were asked for until now."""
    return tuple(_faults.values())


def provider(group: str, name: str) -> Entry | None:
    """Which plug-in brings a part; None if Loupe has it itself, or nobody."""
    found = _offered.get(group, {}).get(name)
    return None if found is None else found[0]


def folders(*groups: str) -> Iterator[tuple[Entry, Path]]:
    """The folder of the module of each allowed part, without loading it; each folder once."""
    seen: set[Path] = set()
    for entry in active():
        if entry.group not in groups:
            continue
        try:
            spec = importlib.util.find_spec(entry.module)
        except Exception as error:  # noqa: BLE001
            report_fault(entry, error)
            continue
        if spec is not None and spec.origin is not None and Path(spec.origin).parent not in seen:
            seen.add(Path(spec.origin).parent)
            yield entry, Path(spec.origin).parent


def installed_version(distribution: str) -> str:
    """The version of a plug-in that is installed; empty if it is not."""
    name = canonical(distribution)
    return next((entry.version for entry in installed() if canonical(entry.distribution) == name), "")


@cache
def code_sha256(distribution: str) -> str:
    """SHA-256 over the files of the top-level packages in which a distribution's parts are; 64 hex digits.

    Compiled files do not count. Raises `InputError` if a package cannot be found.
    """
    name = canonical(distribution)
    tops = sorted({entry.module.partition(".")[0] for entry in installed() if canonical(entry.distribution) == name})
    whole = hashlib.sha256()
    for top in tops:
        spec = importlib.util.find_spec(top)
        if spec is None:
            raise InputError(f"the package {top!r} of the plug-in {distribution} cannot be found")
        roots = [Path(root) for root in spec.submodule_search_locations or ()]
        files = [(path.relative_to(root).as_posix(), path) for root in roots for path in root.rglob("*")]
        if not roots and spec.origin is not None:
            files = [(Path(spec.origin).name, Path(spec.origin))]
        for told, path in sorted(files):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                whole.update(f"{top}/{told}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    return whole.hexdigest()


class Parts(MutableMapping[str, Part]):
    """Loupe's own parts by name, and behind them those of plug-ins, which are loaded when own ones do not answer."""

    def __init__(self, own: Mapping[str, Part], group: str, check: Check[Part]) -> None:
        self._own, self._group, self._check = dict(own), group, check

    def plugged(self) -> dict[str, Part]:
        """Those of plug-ins."""
        return offered(self._group, self._check, self._own)

    def __getitem__(self, name: str) -> Part:
        return self._own[name] if name in self._own else self.plugged()[name]

    def __setitem__(self, name: str, part: Part) -> None:
        self._own[name] = part

    def __delitem__(self, name: str) -> None:
        del self._own[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self.plugged()

    def __len__(self) -> int:
        return len(self._own) + len(self.plugged())
