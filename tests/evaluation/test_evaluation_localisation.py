"""Localisation measures against closed forms, with controls that must lose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation.localisation import (
    MEASURES,
    contrast,
    energy,
    overlap,
    pointing,
    relevance_mass,
    relevance_rank,
)

REGION = np.zeros((20, 30), dtype=bool)
REGION[5:11, 4:16] = True
CHANCE = REGION.mean()


def test_the_region_itself_scores_one_by_every_measure() -> None:
    for measure in MEASURES.values():
        assert measure(REGION.astype(float), REGION) == 1.0


def test_its_opposite_scores_nothing() -> None:
    turned = 1.0 - REGION
    assert pointing(turned, REGION) == 0.0
    assert energy(turned, REGION) == 0.0
    assert overlap(turned, REGION) == 0.0


def test_a_constant_map_scores_as_chance_does() -> None:
    flat = np.full(REGION.shape, 3.0)
    assert pointing(flat, REGION) == pytest.approx(CHANCE)
    assert energy(flat, REGION) == pytest.approx(CHANCE)
    # A share p of the region is shared and the union is 2 - p of its area.
    assert overlap(flat, REGION) == pytest.approx(CHANCE / (2 - CHANCE))


def test_half_a_region_has_the_overlap_that_arithmetic_gives() -> None:
    half = np.zeros(REGION.shape)
    half[5:11, 4:10] = 2.0
    half[0:6, 20:26] = 1.0  # as large as the missing half, beside the region
    assert overlap(half, REGION) == pytest.approx(36 / (72 + 36))
    assert pointing(half, REGION) == 1.0
    assert energy(half, REGION) == pytest.approx(72 / 108)


def test_pixels_the_model_never_saw_do_not_count() -> None:
    seen = REGION.astype(float)
    seen[:, :10] = np.nan
    for measure in MEASURES.values():
        assert measure(seen, REGION) == 1.0
    seen[:, :16] = np.nan
    for measure in MEASURES.values():
        assert measure(seen, REGION) is None


def test_a_transposed_map_is_refused() -> None:
    with pytest.raises(ValueError, match="both cover the original image"):
        pointing(REGION.T.astype(float), REGION)


@given(st.integers(0, 2**32 - 1))
def test_a_map_that_knows_the_region_beats_noise_and_rescaling_changes_nothing(seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(size=REGION.shape)
    knowing = noise + REGION
    for measure in MEASURES.values():
        known, blind = measure(knowing, REGION), measure(noise, REGION)
        assert known is not None and blind is not None
        assert known > blind or known == 1.0
        assert (-1.0 if measure is contrast else 0.0) <= blind <= 1.0
        if measure is not relevance_mass:  # which takes zero at its word
            assert measure(5.0 * knowing - 2.0, REGION) == pytest.approx(known)
    assert relevance_mass(5.0 * knowing, REGION) == pytest.approx(relevance_mass(knowing, REGION))


def test_rank_mass_and_contrast_have_the_values_that_arithmetic_gives() -> None:
    half = np.full(REGION.shape, -1.0)
    half[5:11, 4:10] = 2.0
    half[0:6, 20:26] = 1.0  # as large as the missing half, beside the region
    assert relevance_rank(half, REGION) == pytest.approx(36 / 72)
    # Positive: 36 cells of 2 inside, 36 of 1 outside; the offset of the rest plays no part.
    assert relevance_mass(half, REGION) == pytest.approx(72 / 108)
    assert relevance_mass(half + 5, REGION) != pytest.approx(72 / 108, abs=0.1)
    inside, outside = 36 * 3 / 72, 36 * 2 / (REGION.size - 72)
    assert contrast(half, REGION) == pytest.approx((inside - outside) / 3)
    assert contrast(-half, REGION) == pytest.approx(-(inside - outside) / 3)


def test_rank_mass_and_contrast_of_what_says_nothing_are_those_of_chance() -> None:
    flat = np.full(REGION.shape, 3.0)
    assert relevance_rank(flat, REGION) == pytest.approx(CHANCE)
    assert relevance_mass(flat, REGION) == relevance_mass(-flat, REGION) == pytest.approx(CHANCE)
    assert contrast(flat, REGION) == 0.0
    assert contrast(flat, np.ones_like(REGION)) is None
    turned = 1.0 - REGION
    assert (relevance_rank(turned, REGION), relevance_mass(turned, REGION), contrast(turned, REGION)) == (0, 0, -1)
