"""The layout of images: equal bytes, planted groups, odd datasets; its faithfulness against a second computation."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from core.applications.embedding_map.faithfulness import compared, faithfulness
from core.applications.embedding_map.layout import (
    COMPONENTS,
    POINT,
    TSNE,
    Layout,
    layout,
    neighbours,
    one_thread,
    scaled,
)
from core.settings import ROOT

TOLERANCE = 1e-9


def groups(each: int, count: int = 2, width: int = 16, seed: int = 0) -> NDArray[np.float64]:
    """Unit vectors in groups one after the other, far from each other."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(count, width)) * 4
    found = np.concatenate([centre + random.normal(size=(each, width)) for centre in centres])
    unit: NDArray[np.float64] = found / np.linalg.norm(found, axis=1, keepdims=True)
    return unit


def laid_out(embeddings: NDArray[np.float64], steps: int = 100) -> Layout:
    with one_thread():
        return layout(embeddings, neighbours(embeddings, 90), 30.0, steps, lambda step, whole: None)


def slow_faithfulness(
    embeddings: NDArray[np.float64], positions: NDArray[np.float64], count: int
) -> tuple[list[float], list[float]]:
    """Shares of neighbours and trustworthiness of each image, one pair of images at a time."""
    images = len(embeddings)
    shares, trust = [], []
    for at in range(images):
        others = [other for other in range(images) if other != at]
        ranked = sorted(others, key=lambda other: float(((embeddings[at] - embeddings[other]) ** 2).sum()))
        shown = sorted(others, key=lambda other: float(((positions[at] - positions[other]) ** 2).sum()))[:count]
        shares.append(sum(other in ranked[:count] for other in shown) / count)
        penalty = sum(max(ranked.index(other) + 1 - count, 0) for other in shown)
        trust.append(1 - 2 * penalty / (count * (2 * images - 3 * count - 1)))
    return shares, trust


# -- the layout --------------------------------------------------------------------------------------------------


def test_a_layout_has_equal_bytes_again_also_with_other_numbers_of_threads() -> None:
    embeddings = groups(20)
    first = laid_out(embeddings).positions
    assert laid_out(embeddings).positions.tobytes() == first.tobytes()
    code = (
        "import sys; from tests.applications.embedding_map.test_embedding_map_layout import groups, laid_out; "
        "sys.stdout.buffer.write(laid_out(groups(20)).positions.tobytes())"
    )
    for threads in ("1", "4"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, env=environment, check=True)
        assert done.stdout == first.tobytes()
    # What the test would not survive: another image.
    other = embeddings.copy()
    other[0] = -other[0]
    assert laid_out(other).positions.tobytes() != first.tobytes()


def test_two_planted_groups_are_apart() -> None:
    made = laid_out(groups(25))
    assert made.method == TSNE and made.positions.shape == (50, 2)
    group = np.repeat([0, 1], 25)
    near = neighbours(made.positions, 5).index
    assert (group[near] == group[:, None]).all()
    # Labels that have nothing to do with the embeddings are mixed.
    mixed = np.arange(50) % 2
    assert not (mixed[near] == mixed[:, None]).all(axis=1).any() or (mixed[near] == mixed[:, None]).mean() < 0.8


def test_positions_are_centred_with_the_longer_side_from_minus_one_to_one() -> None:
    found = scaled(np.array([[0.0, 5.0], [10.0, 7.0], [4.0, 6.0]]))
    assert found.tolist() == [[-1.0, -0.2], [1.0, 0.2], [-0.2, 0.0]]
    assert scaled(np.full((3, 2), 7.0)).tolist() == [[0.0, 0.0]] * 3


@pytest.mark.parametrize(("images", "method"), [(1, POINT), (2, COMPONENTS), (3, COMPONENTS), (10, TSNE)])
def test_few_images_have_a_layout(images: int, method: str) -> None:
    made = laid_out(groups(images, 1), steps=50)
    assert made.method == method and made.positions.shape == (images, 2) and np.isfinite(made.positions).all()
    assert images == 1 or np.ptp(made.positions, axis=0).max() == pytest.approx(2)


def test_equal_embeddings_lie_on_one_point() -> None:
    made = laid_out(np.tile(groups(1, 1), (40, 1)))
    assert made.method == POINT and not made.positions.any()


def test_copies_beside_other_images_lie_together() -> None:
    embeddings = np.concatenate([groups(25), np.tile(groups(1, 1, seed=3), (35, 1))])
    made = laid_out(embeddings)
    assert np.isfinite(made.positions).all()
    assert np.ptp(made.positions[50:], axis=0).max() < 0.25 < np.ptp(made.positions[:50], axis=0).max()


# -- its faithfulness --------------------------------------------------------------------------------------------


def test_faithfulness_is_that_of_a_second_computation() -> None:
    embeddings = groups(20, 3)
    positions = laid_out(embeddings).positions
    count = compared(len(embeddings), 10)
    found = faithfulness(embeddings, neighbours(embeddings, count), positions, count, 0)
    shares, trust = slow_faithfulness(embeddings, positions, count)
    assert np.abs(found.preserved - shares).max() < TOLERANCE
    assert np.abs(found.trustworthiness - trust).max() < TOLERANCE
    whole = trustworthiness(embeddings, positions, n_neighbors=count)
    assert found.trustworthiness.mean() == pytest.approx(whole, abs=TOLERANCE)
    # The positions of other images give other values.
    wrong = faithfulness(embeddings, neighbours(embeddings, count), np.roll(positions, 10, axis=0), count, 0)
    assert np.abs(wrong.preserved - shares).max() > 0.1 and wrong.trustworthiness.mean() < whole - 0.1


def test_random_positions_preserve_what_chance_does() -> None:
    embeddings = groups(50, 4)
    positions = laid_out(embeddings).positions
    near = neighbours(embeddings, 10)
    random = positions[np.random.default_rng(0).permutation(len(positions))]
    chance = faithfulness(embeddings, near, random, 10, 0).preserved.mean()
    assert chance == pytest.approx(10 / 199, abs=0.02)
    assert faithfulness(embeddings, near, positions, 10, 0).preserved.mean() > 5 * chance


def test_of_many_images_a_random_sample_is_ranked(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings = groups(40, 3)
    positions = laid_out(embeddings).positions
    near = neighbours(embeddings, 10)
    whole = faithfulness(embeddings, near, positions, 10, 0)
    monkeypatch.setattr("core.applications.embedding_map.faithfulness.MOST_RANKED", 30)
    some = faithfulness(embeddings, near, positions, 10, 0)
    drawn = ~np.isnan(some.trustworthiness)
    assert drawn.sum() == 30 and not drawn[:30].all()
    assert np.array_equal(some.trustworthiness[drawn], whole.trustworthiness[drawn])
    assert np.array_equal(some.preserved, whole.preserved)


def test_equal_images_are_neighbours_in_any_order() -> None:
    embeddings = np.tile(groups(1, 1), (12, 1))
    found = faithfulness(embeddings, neighbours(embeddings, 5), np.zeros((12, 2)), 5, 0)
    assert found.preserved.tolist() == [1.0] * 12 and found.trustworthiness.tolist() == [1.0] * 12


def test_fewer_than_half_of_the_images_are_compared() -> None:
    assert [compared(images, 10) for images in (1, 2, 3, 4, 20, 21, 22, 100)] == [0, 0, 1, 1, 9, 10, 10, 10]
    none = faithfulness(groups(2, 1), neighbours(groups(2, 1), 1), np.zeros((2, 2)), 0, 0)
    assert np.isnan(none.preserved).all() and np.isnan(none.trustworthiness).all()
