"""Hidden places of a picture: which cells each one has, what hiding them costs, and the same shape hidden elsewhere.

Everything of one picture is asked of one coalition pool, and every text is read off the same embeddings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.applications.reliance_record import CORNERS

RING, CORNER = 12, 4


class Pool(Protocol):
    """Where embeddings of partly hidden pictures come from."""

    def embeddings(self, kept: Tensor) -> Tensor:
        """Unit embeddings `(coalitions, embedding)` of the kept cells `(coalitions, rows, columns)`, bool."""


@dataclass(frozen=True)
class Hidden:
    """Scores of one picture for some texts, float64.

    fall, control, only: `(places, texts)`: what hiding the place costs, what hiding its shape elsewhere costs on
    average, and what the place alone has beyond an empty picture. total: `(texts,)`, the whole picture beyond the empty
    one. alone: unit embeddings `(places, embedding)` of each place shown by itself.
    """

    fall: Tensor
    control: Tensor
    only: Tensor
    total: Tensor
    alone: Tensor

    def after(self, count: int) -> Hidden:
        """The same without the first `count` places."""
        return Hidden(self.fall[count:], self.control[count:], self.only[count:], self.total, self.alone[count:])


def ring(rows: int, columns: int) -> NDArray[np.bool_]:
    """The outermost cells: one cell wide up to a grid of 18, in proportion beyond."""
    width = max(1, round(min(rows, columns) / RING))
    mask = np.ones((rows, columns), dtype=bool)
    mask[width : rows - width, width : columns - width] = False
    return mask


def corners(rows: int, columns: int) -> dict[str, NDArray[np.bool_]]:
    """A quarter of each side at each corner, by the names of `CORNERS`."""
    down, across = max(1, round(rows / CORNER)), max(1, round(columns / CORNER))
    found = {}
    for name in CORNERS:
        mask = np.zeros((rows, columns), dtype=bool)
        vertical = slice(0, down) if name.startswith("top") else slice(rows - down, rows)
        horizontal = slice(0, across) if name.endswith("left") else slice(columns - across, columns)
        mask[vertical, horizontal] = True
        found[name] = mask
    return found


def places_of(rows: int, columns: int, foreground: NDArray[np.bool_] | None) -> dict[str, NDArray[np.bool_]]:
    """Every place by name; fore- and background only where both have cells."""
    found = {"border": ring(rows, columns), **corners(rows, columns)}
    if foreground is not None and 0 < foreground.sum() < foreground.size:
        found |= {"background": ~foreground, "foreground": foreground}
    return {name: mask for name, mask in found.items() if not mask.all()}


def moved(mask: NDArray[np.bool_], count: int, random: np.random.Generator) -> list[NDArray[np.bool_]]:
    """Up to `count` other places for a shape: it is shifted, going round at the edges, to where it overlaps little.

    The shifts are drawn from the half that overlaps least; a shape that every shift leaves where it is has none.
    """
    rows, columns = mask.shape
    shifts = [(down, across) for down in range(rows) for across in range(columns) if down or across]
    overlap = np.array([(np.roll(mask, shift, (0, 1)) & mask).sum() for shift in shifts])
    order = [int(at) for at in np.argsort(overlap, kind="stable") if overlap[at] < mask.sum()]
    near = order[: max(1, len(order) // 2)] if order else []
    drawn = random.permutation(len(near))[:count]
    return [np.roll(mask, shifts[near[int(at)]], (0, 1)) for at in drawn]


def hide(
    pool: Pool, masks: Sequence[NDArray[np.bool_]], directions: Tensor, controls: int, random: np.random.Generator
) -> Hidden:
    """Hide and show each of the places, and hide its shape elsewhere, for texts `directions` `(texts, embedding)`.

    A place without another one to be compared with has a control of NaN.
    """
    elsewhere = [moved(mask, controls, random) for mask in masks]
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
    return Hidden(whole - rest[:count], control, rest[count : 2 * count] - empty, whole - empty, alone)


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
