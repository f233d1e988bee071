"""Boxes from maps and MaxBoxAcc, against counting pixels."""

from __future__ import annotations

import numpy as np
import pytest

from core.applications.concepts.boxes import THRESHOLDS, box_of, cells_of, max_box_accuracy, overlap, unit_range
from core.errors import InputError
from core.models.geometry import Preprocessing

PLAIN = Preprocessing(140, 140, mode="squash").geometry(140, 140)


def blocks() -> np.ndarray:
    """A large block of 3 at rows 2 to 4 and columns 1 to 6, a small block of 5, a corner touching the large one."""
    values = np.ones((14, 14))
    values[2:5, 1:7] = 3
    values[10:12, 10:12] = 5
    values[5, 7] = 3
    return values


def test_the_box_is_that_of_the_largest_component() -> None:
    assert box_of(blocks(), PLAIN, 0.3) == (10, 20, 70, 50)
    # Higher up only the small block is left; nothing is above the top.
    assert box_of(blocks(), PLAIN, 0.7) == (100, 100, 120, 120)
    assert box_of(blocks(), PLAIN, 1.0) is None
    # Touching at a corner is no neighbourhood; if it were, the box would reach further.
    cells = cells_of(blocks(), 0.3)
    assert cells is not None
    assert cells.sum() == 18
    assert not cells[5, 7]
    turned = box_of(blocks().T, PLAIN, 0.3)
    assert turned == (20, 10, 50, 70)


def test_a_box_lies_in_the_original_image() -> None:
    wide = Preprocessing(140, 140).geometry(280, 140)  # the middle square of the image is seen
    assert box_of(blocks(), wide, 0.3) == (80, 20, 140, 50)
    half = Preprocessing(140, 140, mode="squash").geometry(280, 70)
    assert box_of(blocks(), half, 0.3) == (20, 10, 140, 25)


def test_a_flat_map_has_no_box() -> None:
    assert box_of(np.full((7, 7), 0.3), PLAIN, 0.0) is None
    assert not unit_range(np.full((3, 3), 4.0)).any()
    assert (unit_range(blocks()).min(), unit_range(blocks()).max()) == (0, 1)


def test_overlap_is_counted_pixels() -> None:
    random = np.random.default_rng(0)
    for _ in range(30):
        pair = []
        for _ in range(2):
            left, top = random.integers(0, 20, 2)
            wide, high = random.integers(1, 20, 2)
            pair.append((int(left), int(top), int(left + wide), int(top + high)))
        drawn = np.zeros((2, 40, 40), bool)
        for canvas, (left, top, right, bottom) in zip(drawn, pair, strict=True):
            canvas[top:bottom, left:right] = True
        expected = (drawn[0] & drawn[1]).sum() / (drawn[0] | drawn[1]).sum()
        assert overlap(*pair) == pytest.approx(expected)
    assert overlap((0, 0, 0, 0), (0, 0, 0, 0)) == 0
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3)) != pytest.approx(1 / 2)


def test_the_best_threshold_is_found_and_a_perfect_map_hits() -> None:
    perfect = np.zeros((14, 14))
    perfect[3:8, 4:9] = 1
    drawn = [(40.0, 30.0, 90.0, 80.0)]
    found = max_box_accuracy([perfect, blocks()], [PLAIN, PLAIN], [drawn, [(100, 100, 120, 120), (0, 0, 1, 1)]])
    assert (found.value, found.n) == (1, 2)
    assert found.threshold == pytest.approx(0.5)
    assert found.overlaps.tolist() == [1, 1]
    assert found.accuracies[0] == 0.5  # at 0 the large block of the second map stands for it
    assert len(found.accuracies) == len(THRESHOLDS) == 100
    # The same maps turned or against other boxes miss.
    turned = max_box_accuracy([perfect.T[::-1], blocks()[::-1]], [PLAIN] * 2, [drawn, [(100, 100, 120, 120)]])
    assert turned.value == 0
    flat = max_box_accuracy([np.ones((14, 14))], [PLAIN], [drawn])
    assert (flat.value, flat.hits.tolist()) == (0, [False])


def test_half_an_overlap_is_not_enough() -> None:
    whole = np.zeros((14, 14))
    whole[0:4, 0:4] = 1
    half, more = [(0.0, 0.0, 40.0, 80.0)], [(0.0, 0.0, 40.0, 79.0)]
    assert overlap((0, 0, 40, 40), half[0]) == 0.5
    assert max_box_accuracy([whole], [PLAIN], [half]).value == 0
    assert max_box_accuracy([whole], [PLAIN], [more]).value == 1


def test_what_can_t_be_judged_is_refused() -> None:
    with pytest.raises(InputError, match="one map, one geometry"):
        max_box_accuracy([], [], [])
    with pytest.raises(InputError, match="one map, one geometry"):
        max_box_accuracy([blocks()], [PLAIN], [])
    with pytest.raises(InputError, match="without a drawn box"):
        max_box_accuracy([blocks()], [PLAIN], [[]])


def pixels_of(values: np.ndarray, threshold: float, cell: int) -> np.ndarray:
    """The largest patch above a threshold, found by walking from cell to cell, as the pixels of its bounding box."""
    high = (values - values.min()) / (values.max() - values.min()) > threshold
    waiting, best = {(int(r), int(c)) for r, c in zip(*np.nonzero(high), strict=True)}, set()
    for start in sorted(waiting):
        patch, front = set(), [start] if start in waiting else []
        while front:
            row, column = front.pop()
            if (row, column) in waiting:
                waiting.remove((row, column))
                patch.add((row, column))
                front += [(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)]
        best = patch if len(patch) > len(best) else best
    drawn = np.zeros(tuple(side * cell for side in values.shape), bool)
    if best:
        rows, columns = zip(*best, strict=True)
        drawn[min(rows) * cell : (max(rows) + 1) * cell, min(columns) * cell : (max(columns) + 1) * cell] = True
    return drawn


def test_max_box_accuracy_is_that_of_walking_and_counting_pixels() -> None:
    random = np.random.default_rng(3)
    maps = [random.normal(size=(7, 7)).cumsum(axis=0).cumsum(axis=1) for _ in range(12)]
    # Each drawn box is the map's own at some height, so that hits change with the threshold.
    cuts = (0.2, 0.5, 0.8)
    truths = [pixels_of(values, cuts[at % 3], 20) for at, values in enumerate(maps)]
    boxes = []
    for truth in truths:
        rows, columns = np.flatnonzero(truth.any(axis=1)), np.flatnonzero(truth.any(axis=0))
        boxes.append([(float(columns[0]), float(rows[0]), columns[-1] + 1.0, rows[-1] + 1.0)])

    def shares(given: list[np.ndarray]) -> list[float]:
        found = []
        for threshold in THRESHOLDS:
            pairs = [(pixels_of(values, threshold, 20), truth) for values, truth in zip(given, truths, strict=True)]
            found.append(float(np.mean([(a & b).sum() / (a | b).sum() > 0.5 for a, b in pairs])))
        return found

    expected = shares(maps)
    found = max_box_accuracy(maps, [PLAIN] * 12, boxes)
    assert found.accuracies.tolist() == pytest.approx(expected)
    assert found.value == pytest.approx(max(expected))
    assert found.threshold == THRESHOLDS[expected.index(max(expected))]
    assert 0.3 < found.value <= 1 and len(set(expected)) > 3
    # Turned maps and maps of the wrong sign don't agree with it.
    for wrong in ([values.T for values in maps], [-values for values in maps]):
        assert max_box_accuracy(wrong, [PLAIN] * 12, boxes).accuracies.tolist() != pytest.approx(expected)
