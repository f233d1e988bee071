"""Plain names for several things at once, such as `plant` for trees, bushes and flowers. No torch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from core.concepts.wordnet import senses, synset
from core.errors import InputError

FILE = Path(__file__).parent / "data" / "umbrellas.txt"


@dataclass(frozen=True)
class Umbrella:
    """A name for everything below its WordNet `synsets`, and for `members`, which WordNet has elsewhere."""

    name: str
    synsets: frozenset[str]
    members: frozenset[str]

    def covers(self, name: str) -> bool:
        """Whether the name is one of its members, or its most frequent sense lies below one of its synsets."""
        return name in self.members or name == self.name or bool(self.synsets & _above(name))


@lru_cache(maxsize=1)
def umbrellas() -> tuple[Umbrella, ...]:
    """All of them, in the order of our list."""
    found = []
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(":")
            below, _, members = rest.partition("|")
            parts = (part.strip() for part in members.split(","))
            found.append(Umbrella(name.strip(), frozenset(below.split()), frozenset(part for part in parts if part)))
    return tuple(found)


def umbrella_of(names: Collection[str], vocabulary: Sequence[str]) -> str | None:
    """The umbrella that covers all of `names` and the fewest of the `vocabulary`; None if there is none."""
    fitting = [one for one in umbrellas() if all(one.covers(name) for name in names)]
    return min(fitting, key=lambda one: sum(map(one.covers, vocabulary))).name if names and fitting else None


@lru_cache(maxsize=8192)
def _above(name: str) -> frozenset[str]:
    """The most frequent sense of a name and all that is above it; empty for an unknown one or without WordNet."""
    try:
        found = senses(name)[:1]
        first = [synset(sense) for sense in found]
    except InputError:
        return frozenset()
    return frozenset(found) | {above.name() for sense in first for above in sense.closure(lambda one: one.hypernyms())}
