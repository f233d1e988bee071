"""Crops held for later: which ones, and how many."""

from __future__ import annotations

import torch

from core.attribution.kept import KeptCrops


def pools(image: str, *, noisy: bool = False, fill: float = 1.0) -> dict[object, object]:
    """What one image's methods leave: crops, and something of another kind."""
    return {("convis", image, "fast", noisy): torch.full((4, 8), fill), "words": {}, ("rise", image): 3}


def test_only_even_crops_are_held_by_image_and_preset() -> None:
    kept = KeptCrops()
    kept.keep(pools("a"))
    kept.keep(pools("b", noisy=True))
    assert len(kept) == 1
    assert kept.crops("a", "exact") is None
    assert kept.crops("b", "fast") is None
    found = kept.crops("a", "fast")
    assert found is not None and found.equal(torch.ones(4, 8))


def test_the_first_ones_stay_and_no_more_than_allowed_are_held() -> None:
    kept = KeptCrops(most=2 * 4 * 8 * 4)
    for number, image in enumerate("abc"):
        kept.keep(pools(image, fill=float(number)))
    kept.keep(pools("a", fill=9))
    assert len(kept) == 2
    assert kept.crops("c", "fast") is None
    first = kept.crops("a", "fast")
    assert first is not None and first.equal(torch.zeros(4, 8))
