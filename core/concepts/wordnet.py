"""WordNet through NLTK: the user's own copy if NLTK finds one, otherwise the nouns that Loupe carries. No torch."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from core.concepts.graph import ROOT_CONCEPT, Concept, ConceptGraph, make_graph
from core.concepts.packing import ARCHIVE
from core.drafts import own_folder, sweep
from core.errors import InputError
from core.settings import workspace

MISSING = (
    'WordNet was not found: put its files into corpora/wordnet below a folder of nltk.data.path (python -c "import '
    "nltk; nltk.download('wordnet')\"), or provide a custom vocabulary"
)


@cache
def wordnet() -> Any:
    """NLTK's reader of WordNet, opened once. Raises `InputError` if there is neither a copy nor the packaged nouns."""
    import nltk
    from nltk.corpus import LazyCorpusLoader
    from nltk.corpus.reader.wordnet import WordNetCorpusReader

    if not _known(nltk):
        # NLTK reads only below its own search path, so the unpacked nouns join it, after everything a person set.
        nltk.data.path.append(str(unpacked()))
    reader = LazyCorpusLoader("wordnet", WordNetCorpusReader, LazyCorpusLoader("omw-1.4", WordNetCorpusReader))
    try:
        reader.ensure_loaded()
    except (LookupError, OSError) as error:
        raise InputError(f"{MISSING} ({str(error).strip().splitlines()[0]})") from error
    return reader


def unpacked() -> Path:
    """The folder for `nltk.data.path` that holds the packaged nouns, unpacked into the workspace the first time.

    Nobody but its owner may write there: NLTK reads nothing else. Raises `InputError` if the archive is missing or the
    workspace cannot be written.
    """
    try:
        digest = hashlib.sha256(ARCHIVE.read_bytes()).hexdigest()[:12]
    except FileNotFoundError:
        raise InputError(MISSING) from None
    target = workspace() / "cache" / f"wordnet-{digest}"
    if not target.is_dir():
        try:
            _unpack(target)
        except OSError as error:
            raise InputError(
                f"{target.parent} cannot be written ({error}); set LOUPE_HOME to a folder that you can write to"
            ) from error
    return target


def senses(word: str) -> list[str]:
    """The names of the noun synsets of a word, most frequent first; plurals are understood."""
    return [synset.name() for synset in wordnet().synsets(word.strip().replace(" ", "_"), "n")]


def synset(name: str) -> Any:
    """NLTK's synset with this name, like `dog.n.01`. Raises `InputError` naming the word's senses if there is none."""
    from nltk.corpus.reader.wordnet import WordNetError

    try:
        found = wordnet().synset(name)
    except (WordNetError, ValueError, KeyError) as error:
        near = senses(name.split(".")[0])
        hint = f"its word has {', '.join(near[:6])}" if near else "use the form dog.n.01"
        raise InputError(f"WordNet has no noun {name!r}; {hint}") from error
    if found.pos() != "n":
        raise InputError(f"{name} is not a noun; concepts are nouns, such as dog.n.01")
    return found


def wordnet_graph(names: Iterable[str], source: str) -> ConceptGraph:
    """The graph of the named synsets (the listed ones) and all that is above them, up to entity.n.01.

    Edges are hypernym pointers, not instance pointers; a synset that they do not lead up from to the root is left out.
    Raises `InputError` for a name that WordNet does not have, or if nothing is left.
    """
    listed = {found.name(): found for found in map(synset, names)}
    above: dict[str, Any] = {}
    for found in listed.values():
        _climb(found, above)
    rooted = {name for name in above if _rooted(above[name])}
    rows = [
        Concept(
            name,
            above[name].lemma_names()[0].replace("_", " "),
            above[name].definition(),
            tuple(lemma.replace("_", " ") for lemma in above[name].lemma_names()),
            name in listed,
        )
        for name in sorted(rooted)
    ]
    if not rows:
        raise InputError("none of the named synsets leads up to entity.n.01; name kinds of things, such as dog.n.01")
    parents = {
        name: sorted(parent.name() for parent in above[name].hypernyms() if parent.name() in rooted) for name in rooted
    }
    return make_graph(rows, parents, source)


def below(name: str) -> ConceptGraph:
    """The graph of a synset and of everything that WordNet has below it."""
    top = synset(name)
    found = {top.name()} | {each.name() for each in top.closure(lambda each: each.hyponyms())}
    return wordnet_graph(sorted(found), f"WordNet below {name}")


def _climb(found: Any, above: dict[str, Any]) -> None:
    if found.name() not in above:
        above[found.name()] = found
        for parent in found.hypernyms():
            _climb(parent, above)


def _rooted(found: Any) -> bool:
    return found.name() == ROOT_CONCEPT or any(_rooted(parent) for parent in found.hypernyms())


def _known(nltk: Any) -> bool:
    for place in ("corpora/wordnet", "corpora/wordnet.zip/wordnet/"):
        try:
            nltk.data.find(place)
            return True
        except LookupError:
            continue
    return False


def _unpack(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent, ".wordnet-*")
    with own_folder(".wordnet-", target.parent) as draft:
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(draft, filter="data")
        for path in [draft, *draft.rglob("*")]:
            os.chmod(path, 0o755 if path.is_dir() else 0o644)
        try:
            draft.rename(target)
        except OSError:
            # Another process was faster; what it unpacked is the same.
            if not target.is_dir():
                raise
