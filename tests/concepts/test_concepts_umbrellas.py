"""Terms for several things at once: what each covers, and which is taken for some names."""

from __future__ import annotations

import pytest

from core.concepts.umbrellas import umbrella_of, umbrellas
from core.concepts.visible import common_names
from core.concepts.wordnet import synset


@pytest.mark.parametrize(
    ("names", "term"),
    [
        (("car", "bus"), "vehicle"),
        (("grass", "toucan"), None),
        (("toucan", "dog"), "animal"),
        (("garden", "grass"), "plant"),
        (("sink", "oven"), "household fixture"),
        (("refrigerator", "snow"), None),
        ((), None),
    ],
)
def test_a_term_covers_every_name_or_there_is_none(names: tuple[str, ...], term: str | None) -> None:
    assert umbrella_of(names, common_names()) == term


def test_the_narrowest_term_is_taken() -> None:
    # A wall is part of a building and of a room; which of them is narrower depends on what else there is to name.
    fitting = [one for one in umbrellas() if one.covers("wall") and one.covers("window")]
    counts = {one.name: sum(map(one.covers, common_names())) for one in fitting}
    assert len(fitting) > 1
    assert umbrella_of(("wall", "window"), common_names()) == min(counts, key=lambda name: counts[name])


def test_terms_are_known_to_wordnet_and_distinct() -> None:
    assert len({one.name for one in umbrellas()}) == len(umbrellas()) > 10
    for one in umbrellas():
        assert one.synsets and all(synset(name) for name in one.synsets)
