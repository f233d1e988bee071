"""Masks as run lengths, the way COCO stores them: a list of numbers, or the same numbers packed into text.

The runs count pixels outside and inside the mask in turn, column by column from the top left. The packed form writes
each number in groups of five bits, lowest first, one character a group (value + 48): 32 is added while more groups
follow, and the sign is that of the last group's highest bit. From the fourth number on, what is written is the
difference to the number two before, because neighbouring columns are alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FIRST_CHARACTER = 48
_GROUP, _SIGN, _MORE = 5, 0x10, 0x20
_MOST_GROUPS = 13  # 65 bits: no run of an image is longer
_WHOLE = 3


def unpacked_runs(text: str) -> list[int]:
    """The numbers in a packed text. Raises `ValueError` for a text that no mask is packed as."""
    runs: list[int] = []
    value, groups = 0, 0
    for character in text:
        code = ord(character) - _FIRST_CHARACTER
        if not 0 <= code < 2 * _MORE:
            raise ValueError(f"compressed run lengths contain the character {character!r}")
        value |= (code & (_MORE - 1)) << (_GROUP * groups)
        groups += 1
        if groups > _MOST_GROUPS:
            raise ValueError("compressed run lengths contain a number too large for any image")
        if code & _MORE:
            continue
        if code & _SIGN:
            value -= 1 << (_GROUP * groups)
        runs.append(value + (runs[-2] if len(runs) >= _WHOLE else 0))
        value, groups = 0, 0
    if groups:
        raise ValueError("compressed run lengths end in the middle of a number")
    return runs


def packed_runs(runs: Sequence[int]) -> str:
    """The text that `unpacked_runs` reads as these numbers."""
    text: list[str] = []
    for place, run in enumerate(runs):
        value = run - runs[place - 2] if place >= _WHOLE else run
        while True:
            group, value = value & (_MORE - 1), value >> _GROUP
            # The last group's highest bit is the sign, so one more group follows where it would tell another.
            last = value == (-1 if group & _SIGN else 0)
            text.append(chr(_FIRST_CHARACTER + group + (0 if last else _MORE)))
            if last:
                break
    return "".join(text)


def mask_of(size: Sequence[int], counts: Sequence[int] | str) -> NDArray[np.bool_]:
    """The mask `(height, width)` of run lengths for a `size` of (height, width), packed or not.

    Raises `ValueError` if they cannot be unpacked, hold a negative number, or do not fill the image exactly.
    """
    height, width = (int(side) for side in size)
    runs = np.asarray(unpacked_runs(counts) if isinstance(counts, str) else counts)
    if runs.ndim != 1 or (len(runs) and not np.issubdtype(runs.dtype, np.integer)):
        raise ValueError("run lengths must be a list of whole numbers")
    if height < 1 or width < 1 or (runs < 0).any() or int(runs.sum()) != height * width:
        raise ValueError(f"run lengths do not fill {width} x {height} pixels exactly")
    inside: NDArray[np.bool_] = np.repeat(np.arange(len(runs)) % 2 == 1, runs.astype(np.int64))
    return inside.reshape(width, height).T
