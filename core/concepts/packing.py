"""Makes the archive of WordNet's nouns that the repository carries, from a complete folder `corpora/wordnet`.

Run as `python -m core.concepts.packing FOLDER`. NLTK opens every file of a complete WordNet, so the parts of speech
that no concept comes from are left as headers without entries.
"""

from __future__ import annotations

import io
import sys
import tarfile
from pathlib import Path

from core.errors import InputError
from core.settings import ROOT

ARCHIVE = ROOT / "core" / "concepts" / "data" / "wordnet-3.0-nouns.tar.xz"
WHOLE = ("LICENSE", "README", "lexnames", "data.noun", "index.noun", "noun.exc")
NOUNS_ONLY = ("cntlist.rev",)
# The index of sense keys follows from the other files and no concept is looked up by key.
EMPTY = (
    "index.sense",
    "adj.exc",
    "adv.exc",
    "verb.exc",
    "index.adj",
    "index.adv",
    "index.verb",
    "data.adv",
    "data.verb",
)
NOUN_KEY = b"%1:"


def pack(source: Path, target: Path = ARCHIVE) -> Path:
    """Write the nouns of the WordNet in `source` to the archive `target`, the same bytes every time.

    Raises `InputError` if a file is missing.
    """
    members: dict[str, bytes] = {}
    try:
        for name in WHOLE:
            members[name] = (source / name).read_bytes()
        for name in NOUNS_ONLY:
            lines = (source / name).read_bytes().splitlines(keepends=True)
            members[name] = b"".join(line for line in lines if NOUN_KEY in line.split(b" ", 1)[0])
        # NLTK reads the version from the notice at the head of this file.
        members["data.adj"] = _notice((source / "data.adj").read_bytes())
    except FileNotFoundError as error:
        raise InputError(
            f"{error.filename} is missing; provide the folder corpora/wordnet of a complete WordNet"
        ) from None
    members |= dict.fromkeys(EMPTY, b"")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz", preset=9) as archive:
        for name in sorted(members):
            entry = tarfile.TarInfo(f"corpora/wordnet/{name}")
            entry.size, entry.mode = len(members[name]), 0o644
            archive.addfile(entry, io.BytesIO(members[name]))
    target.write_bytes(stream.getvalue())
    return target


def _notice(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    count = next((at for at, line in enumerate(lines) if not line.startswith(b"  ")), len(lines))
    return b"".join(lines[:count])


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
