"""Overlap of concepts against plain float64 loops and closed forms; every tolerance has a companion that fails."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from core.applications.knowledge.overlap import (
    FACTOR,
    class_concepts,
    edit,
    expected_shared,
    image_concepts,
    knowledge_score,
    mean_curve,
    membership,
    orthonormal,
    overlap,
    removal_curves,
    transport,
)

Floats = NDArray[np.float64]


def units(random: np.random.Generator, *shape: int) -> Floats:
    rows = random.normal(size=shape)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


# -- the score ---------------------------------------------------------------------------------------------------


def score_by_table(visual: list[int], textual: list[int], sign: float = 1.0) -> float:
    """log N + log M + H over the table of matches, cell by cell; `sign` -1 gives textbook mutual information."""
    table = [[1.0 if a == b else 0.0 for b in textual] for a in visual]
    matches = sum(map(sum, table))
    if matches == 0:
        return 0.0
    entropy = -sum(cell / matches * math.log(cell / matches) for row in table for cell in row if cell)
    return math.log(len(visual)) + math.log(len(textual)) + sign * entropy


def pair(shared: int, visual: int = 12, textual: int = 50) -> tuple[list[int], list[int]]:
    return list(range(visual)), list(range(visual - shared, visual - shared + textual))


@pytest.mark.parametrize("shared", [0, 1, 2, 7, 12])
def test_closed_form_is_the_table_form(shared: int) -> None:
    visual, textual = pair(shared)
    assert overlap(visual, textual).score == pytest.approx(score_by_table(visual, textual), abs=1e-10)


def test_companion_textbook_mutual_information_is_something_else() -> None:
    visual, textual = pair(7)
    assert abs(overlap(visual, textual).score - score_by_table(visual, textual, -1.0)) > 1


def test_score_rises_with_the_overlap_and_textbook_information_falls() -> None:
    scores = [overlap(*pair(shared)).score for shared in range(1, 13)]
    textbook = [score_by_table(*pair(shared), -1.0) for shared in range(1, 13)]
    assert scores == sorted(scores) and textbook == sorted(textbook, reverse=True)


def test_numbers_beside_the_score() -> None:
    found = overlap([4, 9, 1, 7], [9, 7, 30, 31, 32, 33])
    assert (found.shared, found.visual, found.textual) == (2, 4, 6)
    assert found.jaccard == pytest.approx(2 / 8) and found.coefficient == pytest.approx(2 / 4)
    assert found.score == pytest.approx(math.log(4 * 6 * 2))
    assert expected_shared(4, 6, 48) == pytest.approx(0.5)


# -- removal -----------------------------------------------------------------------------------------------------


def curve_by_hand(order: list[int], textual: list[int]) -> list[float]:
    """Replace one concept after another by one that no class has, and score anew."""
    left = list(order)
    found = [score_by_table(left, textual)]
    for index in range(len(left)):
        left[index] = -1 - index
        found.append(score_by_table(left, textual))
    return found


def test_removal_curve_and_area_are_the_literal_ones() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        order = random.permutation(60)[:11].tolist()
        textual = random.permutation(60)[:20].tolist()
        found = overlap(order, textual)
        expected = curve_by_hand(order, textual)
        np.testing.assert_allclose(found.curve, expected, atol=1e-10)
        closed = [math.log(11 * 20 * k) if k else 0.0 for k in (len(set(order[i:]) & set(textual)) for i in range(12))]
        assert found.auc == pytest.approx(sum(closed) / 12, abs=1e-10)


def test_companion_removal_from_the_other_end_fails() -> None:
    order, textual = [0, 1, 2, 3], [3, 8, 9]
    expected = curve_by_hand(order[::-1], textual)
    assert np.abs(overlap(order, textual).curve - expected).max() > 1


def test_no_overlap_has_no_area_and_depth_raises_it() -> None:
    assert overlap([1, 2, 3], [7, 8]).auc == 0
    first, last = overlap([7, 1, 2], [7, 8]), overlap([1, 2, 7], [7, 8])
    assert first.score == last.score and last.auc > first.auc > 0


def test_curves_of_all_classes_are_those_of_each() -> None:
    textual = np.array([[0, 5, 9], [1, 2, 3], [7, 8, 10]])
    order = [3, 9, 0, 11]
    together = removal_curves(order, membership(textual, 12), 3)
    for row, one in zip(together, textual, strict=True):
        np.testing.assert_allclose(row, overlap(order, one).curve)
    assert np.abs(together[0] - together[1]).max() > 0.1


def test_mean_curve_pads_with_zeros() -> None:
    np.testing.assert_allclose(mean_curve([np.array([4.0, 2.0]), np.array([2.0, 2.0, 6.0])]), [3, 2, 3])
    assert mean_curve([]).size == 0
    assert knowledge_score(0, 5, 0) == 0


# -- transport and visual concepts ---------------------------------------------------------------------------------


def plain_transport(similarity: Floats, temperature: float = 1.0, rows_first: bool = True) -> Floats:
    """One thousand rounds of normalising, literally."""
    plan = np.exp(FACTOR * similarity / temperature)
    for _ in range(1000):
        for axis in (1, 0) if rows_first else (0, 1):
            plan = plan / plan.sum(axis=axis, keepdims=True)
    return plan


@pytest.mark.parametrize(("shape", "temperature"), [((5, 300), 1.0), ((4, 4), 0.1), ((6, 3), 1.0), ((1, 9), 1.0)])
def test_transport_is_the_literal_alternation(shape: tuple[int, int], temperature: float) -> None:
    similarity = np.random.default_rng(1).uniform(-0.4, 0.4, shape)
    plan = transport(similarity, temperature)
    np.testing.assert_allclose(plan, plain_transport(similarity, temperature), rtol=1e-8)
    np.testing.assert_allclose(plan.sum(axis=0), 1)
    np.testing.assert_allclose(plan.sum(axis=1), shape[1] / shape[0], rtol=1e-8)


def test_companion_transport_ending_on_rows_fails() -> None:
    similarity = np.random.default_rng(1).uniform(-0.4, 0.4, (5, 300))
    assert np.abs(transport(similarity) / plain_transport(similarity, rows_first=False) - 1).max() > 1


def test_transport_gives_a_part_what_no_other_part_wants_more() -> None:
    # Both parts like descriptor 0 best, but the first likes it by far more; the second is better off with 1.
    similarity = np.array([[0.9, 0.1], [0.5, 0.45]])
    assert similarity.argmax(axis=1).tolist() == [0, 0]
    assert transport(similarity).argmax(axis=1).tolist() == [0, 1]


def concepts_by_hand(parts: Floats, image: Floats, bank: Floats, candidates: int, slack: float, each: int) -> list[int]:
    """The rules of the specification with lists and sets."""
    best = []
    for part in parts:
        scores = [float(np.dot(part, row)) for row in bank]
        best.append(set(sorted(range(len(bank)), key=lambda j: -scores[j])[:candidates]))
    common = sorted(set.intersection(*best)) or sorted(set.union(*best))
    cosine = {j: float(np.dot(image, bank[j])) for j in common}
    mean = sum(cosine.values()) / len(cosine)
    kept = [j for j in common if cosine[j] >= mean - slack]
    plan = plain_transport(np.array([[float(np.dot(part, bank[j])) for j in kept] for part in parts]))
    chosen = {kept[at] for row in plan for at in sorted(range(len(kept)), key=lambda at: -row[at])[:each]}
    return sorted(chosen, key=lambda j: -cosine[j])


@pytest.fixture(scope="module")
def scene() -> tuple[Floats, Floats, Floats]:
    random = np.random.default_rng(5)
    image = units(random, 24)
    parts = units(random, 4, 24) * 0.3 + image
    return parts, image, units(random, 200, 24)


@pytest.mark.parametrize("candidates", [3, 60, 200])
def test_visual_concepts_are_those_of_the_rules(scene: Any, candidates: int) -> None:
    parts, image, bank = scene
    found = image_concepts(parts, image, bank, candidates=candidates, slack=0.02, per_part=3)
    assert found.order.tolist() == concepts_by_hand(parts, image, bank, candidates, 0.02, 3)
    np.testing.assert_allclose(found.relevance, FACTOR * bank[found.order] @ image, atol=1e-12)
    assert (np.diff(found.relevance) <= 0).all()
    assert {concept for part in found.by_part for concept in part} == set(found.order.tolist())
    assert len(found.by_part) == 4 and all(len(part) == 3 for part in found.by_part)


def test_companion_another_image_has_other_concepts(scene: Any) -> None:
    parts, image, bank = scene
    found = image_concepts(parts[:, ::-1], image[::-1], bank, candidates=60)
    assert found.order.tolist() != concepts_by_hand(parts, image, bank, 60, 0.02, 3)


def test_parts_without_a_common_descriptor_fall_back_to_the_union() -> None:
    bank = np.eye(6)
    parts = np.array([[1.0, 0.1, 0, 0, 0, 0], [0, 0, 1.0, 0.1, 0, 0]])
    found = image_concepts(parts, np.full(6, 6**-0.5), bank, candidates=2, per_part=2)
    assert found.fallback and set(found.order.tolist()) == {0, 1, 2, 3}
    assert not image_concepts(parts, np.full(6, 6**-0.5), bank, candidates=6).fallback


def test_a_single_part_is_named_by_its_best_descriptors() -> None:
    random = np.random.default_rng(9)
    image, bank = units(random, 16), units(random, 50, 16)
    part = units(random, 1, 16) * 0.3 + image
    found = image_concepts(part, image, bank, slack=2.0)
    assert list(found.by_part[0]) == np.argsort(-(bank @ part[0]), kind="stable")[:3].tolist()
    # What transport would have said of a single row: every descriptor alike.
    np.testing.assert_allclose(transport(part @ bank.T), 1)


def test_class_concepts_are_the_nearest_descriptors() -> None:
    random = np.random.default_rng(0)
    classes, bank = units(random, 3, 8), units(random, 30, 8)
    found = class_concepts(classes, bank, 5)
    for row, one in zip(found, classes, strict=True):
        assert row.tolist() == sorted(range(30), key=lambda j: -float(np.dot(one, bank[j])))[:5]
    assert class_concepts(classes, bank, 100).shape == (3, 30)


# -- deletion and insertion ----------------------------------------------------------------------------------------


def edits_by_least_squares(
    image: Floats, order: list[int], bank: Floats, classes: Floats, scale: float, which: int, centre: bool = True
) -> tuple[list[float], list[float]]:
    """The projection onto the first concepts by least squares, anew at every step."""
    mean = bank.mean(axis=0) if centre else np.zeros(bank.shape[1])
    deleted, inserted = [], []
    for count in range(len(order) + 1):
        span = (bank[order[:count]] - mean).T
        kept = span @ np.linalg.lstsq(span, image, rcond=1e-10)[0] if count else np.zeros_like(image)
        for curve, vector in ((deleted, image - kept), (inserted, kept)):
            logits = scale * classes @ vector
            powers = np.exp(logits - logits.max())
            curve.append(float(powers[which] / powers.sum()))
    return deleted, inserted


def test_edits_are_projections() -> None:
    random = np.random.default_rng(2)
    image, bank, classes = units(random, 10), units(random, 40, 10), units(random, 5, 10)
    # A repeated concept, and more concepts than dimensions: both must add nothing.
    order = [3, 8, 3, *range(10, 22)]
    found = edit(image, order, bank, classes, 20.0, 2)
    deleted, inserted = edits_by_least_squares(image, order, bank, classes, 20.0, 2)
    np.testing.assert_allclose(found.deletion, deleted, atol=1e-9)
    np.testing.assert_allclose(found.insertion, inserted, atol=1e-9)
    assert found.deletion[2] == pytest.approx(found.deletion[3], abs=1e-12)
    assert found.insertion[0] == pytest.approx(1 / 5) and found.deletion[-1] == pytest.approx(1 / 5)
    assert found.insertion[-1] == pytest.approx(found.deletion[0])
    assert found.through == int((classes @ image).argmax())


def test_companion_edits_without_the_mean_of_the_bank_fail() -> None:
    random = np.random.default_rng(2)
    shift = np.full(10, 0.5)
    image, bank, classes = units(random, 10), units(random, 40, 10) + shift, units(random, 5, 10)
    found = edit(image, [3, 8, 1], bank, classes, 20.0, 2)
    deleted, _ = edits_by_least_squares(image, [3, 8, 1], bank, classes, 20.0, 2, centre=False)
    assert np.abs(found.deletion - deleted).max() > 1e-3


def test_the_concept_that_makes_the_class_ranks_first_and_controls_last() -> None:
    random = np.random.default_rng(4)
    bank = units(random, 300, 40)
    bank -= bank.mean(axis=0)
    classes = np.stack([bank[7], *units(random, 9, 40)])
    image = bank[7] / np.linalg.norm(bank[7])
    found = edit(image, [7, 1, 2], bank, classes, 15.0, 0)
    controls = [edit(image, random.choice(300, 3, replace=False), bank, classes, 15.0, 0) for _ in range(20)]
    assert found.insertion_auc > max(one.insertion_auc for one in controls)
    assert found.deletion_auc < min(one.deletion_auc for one in controls)
    # Turned round, the same concepts must lose that rank: the order is read from its start.
    assert edit(image, [1, 2, 7], bank, classes, 15.0, 0).deletion_auc > found.deletion_auc


def test_orthonormal_rows_span_what_was_given() -> None:
    random = np.random.default_rng(6)
    rows = random.normal(size=(4, 6))
    axes = orthonormal(np.vstack([rows, rows[0] + rows[1], np.zeros(6)]))
    np.testing.assert_allclose(axes[:4] @ axes[:4].T, np.eye(4), atol=1e-12)
    assert not axes[4:].any()
