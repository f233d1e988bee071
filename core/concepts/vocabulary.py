"""Where concepts come from: our list of everyday things, WordNet's more frequent nouns, or a person's own list."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from core.concepts.graph import Concept, ConceptGraph, make_graph
from core.concepts.wordnet import wordnet, wordnet_graph
from core.errors import InputError
from core.settings import ROOT

Kind = Literal["everyday", "broad", "own"]
EVERYDAY = ROOT / "core" / "concepts" / "data" / "everyday.txt"
# The lexicographer files of kinds of things that can be seen.
VISIBLE = {"05": "animal", "06": "artifact", "08": "body", "13": "food", "17": "object", "18": "person", "20": "plant"}
VISIBLE_STUFF = {"27": "substance"}
# Below this many concepts a rank hardly says anything.
ENOUGH = 500
# Where the concepts of either list come from.
EVERYDAY_NOUNS = "everyday objects of WordNet 3.0"  # messages
BROAD_NOUNS = "frequent nouns of WordNet for visible things"  # messages
OWN_COLUMNS = ("concept", "gloss", "parent")


def everyday_names() -> list[str]:
    """The synsets of our list of everyday things, in its order."""
    lines = EVERYDAY.read_text(encoding="utf-8").splitlines()
    return [name for line in lines if not line.startswith("#") for name in line.split()]


def broad_names(most: int) -> list[str]:
    """The first senses of the nouns for visible things that WordNet's texts use most, at most `most`."""
    counted: list[tuple[int, str]] = []
    with wordnet().open("cntlist.rev") as file:
        for line in file:
            key, sense, count = line.split()
            lemma, _, rest = key.partition("%")
            kind, number = rest.split(":")[:2]
            if kind == "1" and sense == "1" and number in VISIBLE | VISIBLE_STUFF:
                counted.append((-int(count), lemma))
    known = set(wordnet().all_lemma_names("n"))
    names: dict[str, None] = {}
    for _, lemma in sorted(counted):
        if len(names) == most:
            break
        # The counts name a few words that the edition they come with no longer has.
        if lemma in known:
            names.setdefault(wordnet().synset(f"{lemma}.n.01").name())
    return list(names)


def own_concepts(lines: Iterable[str]) -> tuple[list[Concept], dict[str, list[str]]]:
    """A person's concepts, one a line as `name | text | parent`; text and parent may be left out.

    The text is what the model reads; without one it reads the name. Raises `InputError` for a line that cannot be read.
    """
    concepts, parents = [], {}
    for number, line in enumerate(lines, 1):
        parts = [part.strip() for part in line.split("|")]
        if not any(parts):
            continue
        if not parts[0] or len(parts) > 3:
            raise InputError(
                f"concept {number} is {line!r}; write it as name | text | parent, where text and parent are optional"
            )
        name, gloss, parent = (*parts, "", "")[:3]
        concepts.append(Concept(name, name, gloss or name, (name,)))
        parents[name] = [parent] if parent else []
    return concepts, parents


def read_own(path: Path) -> list[str]:
    """The lines of a CSV file with a column `concept` and, if wanted, `gloss` and `parent`, or of a plain text file.

    Raises `InputError` if the file cannot be read or has no such column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: {error}") from error
    if path.suffix.lower() != ".csv":
        return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    rows = csv.DictReader(text.splitlines())
    if OWN_COLUMNS[0] not in (rows.fieldnames or ()):
        raise InputError(
            f"{path} has no column 'concept'; its first line must name the columns {', '.join(OWN_COLUMNS)}"
        )
    return [" | ".join((row.get(column) or "").replace("|", "/") for column in OWN_COLUMNS) for row in rows]


def vocabulary(kind: Kind = "everyday", own: Sequence[str] = (), size: int = 4000) -> ConceptGraph:
    """The concepts to rank against.

    everyday: our list and what is above it; broad: the `size` most used nouns for visible things; own: only the lines
    of `own`. With the first two, the concepts of `own` join the graph, below their parent if they name one there.
    Raises `InputError` if WordNet is needed and absent, or if nothing is given.
    """
    concepts, parents = own_concepts(own)
    if kind == "own":
        if len(concepts) < 2:
            raise InputError("a custom vocabulary needs at least two concepts, one per line: name | text | parent")
        return make_graph(concepts, parents, f"{len(concepts)} custom concepts")
    names, source = everyday_names(), EVERYDAY_NOUNS
    if kind == "broad":
        names, source = broad_names(size), BROAD_NOUNS
    graph = wordnet_graph(names, source)
    if not concepts:
        return graph
    clash = next((concept.name for concept in concepts if concept.name in graph.positions), None)
    if clash:
        raise InputError(f"the custom concept {clash!r} is already in the vocabulary; give it another name")
    for at, concept in enumerate(graph.concepts):
        parents[concept.name] = [graph.concepts[parent].name for parent in graph.parents[at]]
    return make_graph([*graph.concepts, *concepts], parents, f"{source} and {len(concepts)} custom concepts")
