"""The digest that a report's PDF carries of itself, by which a change of any byte is noticed without a bundle or a run.

It is the SHA-256 of the file with 64 zeros in the place of the digest. Signatures are appended to a PDF, so that the
digest is that of the part before the first of them. Whoever changes a PDF can also enter another digest: only a
signature proves who made it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

KEY = "LoupeSHA256"
EMPTY = "0" * 64
_PLACE = re.compile(rb"/LoupeSHA256 \(([0-9a-f]{64})\)")
_END = re.compile(rb"%%EOF\r?\n?")
# Each signature appends one part, so that a report has few.
_MOST_PARTS = 32


def with_digest(data: bytes) -> bytes:
    """The file with its digest in the one place that holds zeros. Raises `ValueError` if there is no such place."""
    places = list(_PLACE.finditer(data))
    if len(places) != 1 or places[0][1] != EMPTY.encode():
        raise ValueError("a PDF needs exactly one place for its digest")
    start, end = places[0].span(1)
    return data[:start] + hashlib.sha256(data).hexdigest().encode() + data[end:]


def carries_digest(data: bytes) -> bool:
    """Whether a PDF has a place for its digest at all; those of earlier versions do not."""
    return _PLACE.search(data) is not None


def original_length(data: bytes) -> int:
    """How many bytes of a PDF, from its start, are as they were rendered; 0 if its digest fits no part of it."""
    place = _PLACE.search(data)
    if place is None:
        return 0
    start, end = place.span(1)
    if _PLACE.search(data, end):
        return 0
    whole, done = hashlib.sha256(data[:start] + EMPTY.encode()), end
    for length in _parts(data):
        if length < end:
            continue
        whole.update(data[done:length])
        done = length
        if whole.hexdigest().encode() == place[1]:
            return length
    return 0


def _parts(data: bytes) -> Iterator[int]:
    """Where the parts of a PDF end: after each end-of-file marker, and at its end."""
    ends = [found.end() for _, found in zip(range(_MOST_PARTS), _END.finditer(data), strict=False)]
    yield from dict.fromkeys([*ends, len(data)])
