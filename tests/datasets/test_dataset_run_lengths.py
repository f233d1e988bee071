"""Run lengths, packed and not, against a second encoder and by hand."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from core.datasets.run_lengths import mask_of, packed_runs, unpacked_runs

# Packed by pycocotools 2.0.11, which also agrees on 500 random masks.
KNOWN = {
    "o12P1o0": [63, 2, 32, 33], "04": [0, 4], "3413": [3, 4, 1, 7], "Pb`n0101": [1_000_000, 1, 0, 2],
    "53X1Ol1OUM": [5, 3, 40, 2, 100, 1, 9],
}  # fmt: skip


def runs_of(mask: NDArray[np.bool_]) -> list[int]:
    """Pixel after pixel, column by column."""
    runs, value = [], False
    for inside, group in groupby(mask.T.ravel().tolist()):
        if inside == value:
            runs.append(len(list(group)))
        else:
            runs += [0, len(list(group))]
        value = not inside
    return runs


def packed(runs: list[int]) -> str:
    """The format's description read as an encoder: two's complement in groups of five bits, lowest first."""
    text = ""
    for index, run in enumerate(runs):
        left = run - runs[index - 2] if index > 2 else run
        while True:
            group, left = left % 32, left // 32
            # The last group's highest bit must tell the sign of all that is left out.
            done = left == (-1 if group & 16 else 0)
            text += chr(48 + group + (0 if done else 32))
            if done:
                break
    return text


masks = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24))


@given(masks)
@settings(deadline=None)
def test_a_mask_comes_back(mask: NDArray[np.bool_]) -> None:
    runs = runs_of(mask)
    assert sum(runs) == mask.size
    for counts in (runs, packed(runs)):
        found = mask_of(mask.shape, counts)
        assert found.shape == mask.shape and found.dtype == bool
        assert np.array_equal(found, mask)


@given(st.lists(st.integers(0, 2**40), max_size=40))
def test_numbers_come_back(runs: list[int]) -> None:
    assert unpacked_runs(packed(runs)) == runs


def test_companion_a_transposed_or_turned_mask_or_plain_numbers_fail() -> None:
    mask = np.zeros((6, 9), bool)
    mask[1:4, 2:8] = True
    mask[4, 5] = True
    found = mask_of(mask.shape, packed(runs_of(mask)))
    assert np.array_equal(found, mask)
    assert not np.array_equal(mask_of(mask.shape, packed(runs_of(mask.T.copy().reshape(6, 9)))), mask)
    assert not np.array_equal(mask_of(mask.shape, [0, *runs_of(mask)]), mask)
    # Without the differences between columns, or without signs, other numbers are read.
    runs = runs_of(mask)
    plain = "".join(packed([run]) for run in runs)
    assert plain != packed(runs) and unpacked_runs(plain) != runs
    assert min(np.diff(runs)) < 0


def test_what_the_reference_packs_is_read() -> None:
    for text, runs in KNOWN.items():
        assert unpacked_runs(text) == runs
        assert packed(runs) == text


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ([3, 4], "fill 3 x 4 pixels"),
        ([-1, 13], "fill 3 x 4 pixels"),
        ([], "fill 3 x 4 pixels"),
        ("", "fill 3 x 4 pixels"),
        ([2.5, 9.5], "whole numbers"),
        ([[12]], "whole numbers"),
        ("a b", "the character ' '"),
        ("\u00e9", "the character"),
        ("o", "the middle of a number"),
        ("o" * 20, "too large for any image"),
    ],
)
def test_what_is_no_mask_is_refused(counts: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        mask_of((4, 3), counts)  # type: ignore[arg-type]
    assert mask_of((4, 3), [12]).sum() == 0 and mask_of((4, 3), [0, 12]).all()


@given(st.lists(st.integers(0, 60_000_000), max_size=40))
def test_what_is_packed_here_is_unpacked_and_packed_elsewhere(runs: list[int]) -> None:
    assert unpacked_runs(packed_runs(runs)) == runs
    assert packed_runs(runs) == packed(runs)
    for text, known in KNOWN.items():
        assert packed_runs(known) == text
