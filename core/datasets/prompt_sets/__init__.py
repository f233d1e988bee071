"""Prompt sets for domains: templates for class names, or pairs of prompts, as files with version, source and licence.

A set only saves typing: the plan holds the templates and prompts themselves, so that a run means the same when a set
changes. `sets_of` recognises a set by its content.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.errors import InputError
from core.languages import say

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class PromptSet:
    """A set by its name. It has `templates` with {} for the class, or `pairs` (the finding present, and absent)."""

    name: str
    version: str
    title: str
    domain: str
    source: str
    licence: str
    templates: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def prompts(self) -> tuple[str, ...]:
        """The prompts of all pairs, each present one before its absent one."""
        return tuple(prompt for pair in self.pairs for prompt in pair)

    @property
    def digest(self) -> str:
        """16 hex digits over the texts of the set, in their order."""
        return hashlib.sha256(json.dumps([self.templates, self.pairs]).encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """What a report calls it: title, name, version and where it is from."""
        return say(
            "{title} ({name}, version {version}; {source}; {licence})",
            title=say(self.title),
            name=self.name,
            version=self.version,
            source=say(self.source),
            licence=say(self.licence),
        )


@cache
def prompt_sets() -> dict[str, PromptSet]:
    """Every set, by name."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.toml"))}


def texts_of_sets(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The templates and the prompts of some sets, each once. Raises `InputError` for a name that is none."""
    known = prompt_sets()
    for name in names:
        if name not in known:
            raise InputError(f"there is no prompt set {name!r}; choose from {', '.join(known)}")
    chosen = [known[name] for name in names]
    templates = dict.fromkeys(template for each in chosen for template in each.templates)
    return tuple(templates), tuple(dict.fromkeys(prompt for each in chosen for prompt in each.prompts))


def sets_of(templates: Collection[str], prompts: Collection[str]) -> tuple[PromptSet, ...]:
    """The sets of which all texts are among these, without those that a larger one of them contains."""
    found = [
        each
        for each in prompt_sets().values()
        if set(each.templates) <= set(templates) and set(each.prompts) <= set(prompts)
    ]

    def larger(one: PromptSet) -> bool:
        own = {*one.templates, *one.prompts}
        return any(own < {*other.templates, *other.prompts} for other in found)

    return tuple(each for each in found if not larger(each))


def _read(path: Path) -> PromptSet:
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    content["templates"] = tuple(content.get("templates", ()))
    content["pairs"] = tuple((present, absent) for present, absent in content.get("pairs", ()))
    return PromptSet(name=path.stem, **content)
