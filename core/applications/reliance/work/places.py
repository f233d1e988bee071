"""Hidden places of an image: which cells each one has, what hiding them costs, and the same shape hidden elsewhere.

Everything of one image is asked of one coalition pool, and every text is read off the same embeddings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.applications.reliance.shapes import corners, ring

# The four corners have one shape: places elsewhere serve all of them, so that each can have twice as many. With one
# place instead of two the standard deviation of what a region carries rises by 8 %, a border's by 11 %, a corner's by
# 26 % (12 images, 4 places each).
SHARED = 2
# The method of an attribution by what a region adds to the empty image and what the whole one loses without it.
FIRST_AND_LAST = "hidden and alone"


class Pool(Protocol):
    """Where embeddings of partly hidden images come from."""

    def embeddings(self, kept: Tensor) -> Tensor:
        """Unit embeddings `(coalitions, embedding)` of the kept cells `(coalitions, rows, columns)`, bool."""


@dataclass(frozen=True)
class Hidden:
    """Scores of one image for some texts, float64.

    fall, control, only: `(places, texts)`: what hiding the place costs, what hiding its shape elsewhere costs on
    average, and what the place alone has beyond an empty image. total: `(texts,)`, the whole image beyond the empty
    one. alone: unit embeddings `(places, embedding)` of each place shown by itself. lost: what the unit embedding of
    the whole image loses with each place `(places, embedding)`.
    """

    fall: Tensor
    control: Tensor
    only: Tensor
    total: Tensor
    alone: Tensor
    lost: Tensor

    def after(self, count: int) -> Hidden:
        """The same without the first `count` places."""
        each = (self.fall, self.control, self.only), (self.alone, self.lost)
        (fall, control, only), (alone, lost) = ([part[count:] for part in parts] for parts in each)
        return Hidden(fall, control, only, self.total, alone, lost)


def places_of(rows: int, columns: int, foreground: NDArray[np.bool_] | None) -> dict[str, NDArray[np.bool_]]:
    """Every place by name; fore- and background only where both have cells."""
    found = {"border": ring(rows, columns), **corners(rows, columns)}
    if foreground is not None and 0 < foreground.sum() < foreground.size:
        found |= {"background": ~foreground, "foreground": foreground}
    return {name: mask for name, mask in found.items() if not mask.all()}


def moved(
    mask: NDArray[np.bool_], count: int, random: np.random.Generator, beside: Sequence[NDArray[np.bool_]] = ()
) -> list[NDArray[np.bool_]]:
    """Up to `count` other places for a shape: it is shifted, going round at the edges, to where it overlaps little.

    The shifts are drawn from the half that overlaps least with the shape and with those `beside` it; a shape that every
    shift leaves where it is has none.
    """
    rows, columns = mask.shape
    shifts = [(down, across) for down in range(rows) for across in range(columns) if down or across]
    each = [[int((np.roll(mask, shift, (0, 1)) & one).sum()) for one in (mask, *beside)] for shift in shifts]
    overlap = np.array([sum(cells) for cells in each])
    order = [int(at) for at in np.argsort(overlap, kind="stable") if max(each[at]) < mask.sum()]
    near = order[: max(1, len(order) // 2)] if order else []
    drawn = random.permutation(len(near))[:count]
    return [np.roll(mask, shifts[near[int(at)]], (0, 1)) for at in drawn]


def controls_of(
    masks: Sequence[NDArray[np.bool_]], count: int, random: np.random.Generator
) -> list[list[NDArray[np.bool_]]]:
    """Other places for each shape: `count`, or `SHARED` times as many in common for shapes that differ by a shift."""
    found: list[list[NDArray[np.bool_]]] = [[] for _ in masks]
    open_ones = list(range(len(masks)))
    while open_ones:
        first = open_ones[0]
        same = [at for at in open_ones if at == first or shifts_onto(masks[first], masks[at])]
        beside = [masks[at] for at in same[1:]]
        drawn = moved(masks[first], count * (SHARED if beside else 1), random, beside)
        for at in same:
            found[at] = drawn
        open_ones = [at for at in open_ones if at not in same]
    return found


def shifts_onto(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """Whether a shift without going round the edges makes one shape the other."""
    if not mask.any() or not other.any():
        return False
    one, two = (shape[np.ix_(shape.any(axis=1), shape.any(axis=0))] for shape in (mask, other))
    return np.array_equal(one, two) and all(_unbroken(shape) for shape in (mask, other))


def _unbroken(mask: NDArray[np.bool_]) -> bool:
    """Whether the rows and the columns of a shape follow each other without a gap."""
    return all(np.ptp(np.flatnonzero(mask.any(axis=axis))) + 1 == mask.any(axis=axis).sum() for axis in (0, 1))


def hide(
    pool: Pool, masks: Sequence[NDArray[np.bool_]], directions: Tensor, controls: int, random: np.random.Generator
) -> Hidden:
    """Hide and show each of the places, and hide its shape elsewhere, for texts `directions` `(texts, embedding)`.

    A place without another one to be compared with has a control of NaN.
    """
    elsewhere = controls_of(masks, controls, random)
    full = np.ones_like(masks[0])
    kept = [full, ~full, *(~mask for mask in masks), *masks, *(~mask for group in elsewhere for mask in group)]
    found = pool.embeddings(torch.from_numpy(np.stack(kept)))
    scores = (found @ directions.T).double().cpu()
    whole, empty, rest = scores[0], scores[1], scores[2:]
    count = len(masks)
    control = torch.full((count, len(directions)), torch.nan, dtype=torch.float64)
    at = 2 * count
    for place, group in enumerate(elsewhere):
        if group:
            control[place] = whole - rest[at : at + len(group)].mean(dim=0)
            at += len(group)
    alone = found[2 + count : 2 + 2 * count]
    lost = found[0] - found[2 : 2 + count]
    return Hidden(whole - rest[:count], control, rest[count : 2 * count] - empty, whole - empty, alone, lost)


def first_and_last_shares(found: Hidden, text: int, count: int) -> list[float | None]:
    """The share of each of the first `count` places in the positive part of an attribution; None if none is positive.

    The attribution is the mean of what a place adds when it comes first and when it comes last: the Shapley value of
    two places, and for more an approximation by the two orders that are known.
    """
    values = ((found.fall[:count, text] + found.only[:count, text]) / 2).clamp(min=0.0)
    total = float(values.sum())
    return [float(value) / total if total > 0 else None for value in values]


def positive_shares(values: NDArray[Any], masks: Sequence[NDArray[np.bool_]]) -> list[float | None]:
    """The share of a map's positive part `(rows, columns)` in each of the masks; None if nothing is positive."""
    positive = np.maximum(np.nan_to_num(np.asarray(values, dtype=float)), 0.0)
    total = float(positive.sum())
    return [float(positive[mask].sum()) / total if total > 0 else None for mask in masks]


def resized(values: NDArray[Any], rows: int, columns: int) -> NDArray[np.float64]:
    """A map of another grid at the cells of this one, by nearest cell centres."""
    down = ((np.arange(rows) + 0.5) * values.shape[0] / rows).astype(int)
    across = ((np.arange(columns) + 0.5) * values.shape[1] / columns).astype(int)
    return np.asarray(values, dtype=np.float64)[down][:, across]


def place_rows(
    about: Mapping[str, Any],
    pairs: Sequence[tuple[str, str]],
    names: Sequence[str],
    masks: Sequence[NDArray[np.bool_]],
    foreground: NDArray[np.bool_] | None,
    found: Hidden,
) -> list[dict[str, Any]]:
    """The rows of the table `places`: for each text (with its kind) each named place."""
    rows = []
    for text, (words, kind) in enumerate(pairs):
        for place, (name, mask) in enumerate(zip(names, masks, strict=True)):
            inside = float(foreground[mask].mean()) if foreground is not None else None
            rows.append(
                {
                    **about,
                    "text": words,
                    "text_kind": kind,
                    "place": name,
                    "area": float(mask.mean()),
                    "inside": inside,
                    "fall": float(found.fall[place, text]),
                    "control": float(found.control[place, text]),
                    "total": float(found.total[text]),
                }
            )
    return rows
