"""Which classes a caption names: own words, plurals, synonyms, narrower words, and what is not meant."""

from __future__ import annotations

import pytest

from core.concepts.mentions import ClassNames

NAMES = (
    "dog",
    "parrot",
    "airplane",
    "hot dog",
    "cup of coffee",
    "person",
    "temple",
    "orange",
    "traffic light",
    "zzyzx",
)


@pytest.mark.parametrize(
    ("caption", "named"),
    [
        ("Two DOGS run.", {"dog"}),
        ("two brown spaniels lean out of a window", {"dog"}),
        ("a scarlet macaw on a perch", {"parrot"}),
        ("an old biplane in the sky; a plane beside it", {"airplane"}),
        ("a hot dog with mustard", {"hot dog"}),
        ("coffee in a white cup", {"cup of coffee"}),
        ("three men and a woman", {"person"}),
        ("a Chinese pagoda", {"temple"}),
        ("an orange car under traffic lights", {"traffic light"}),
        ("an orange on a plate", {"orange"}),
        ("a zzyzx", {"zzyzx"}),
        ("a white wall in the dark, as it is", set()),
        ("a can of beans", set()),
        ("", set()),
    ],
)
def test_the_classes_that_a_caption_names(caption: str, named: set[str]) -> None:
    found = ClassNames(NAMES).mentions(caption).named
    assert {NAMES[at] for at in found} == named


def test_relations_of_a_caption_to_a_class() -> None:
    names = ClassNames(("dog", "spaniel", "bird", "parrot", "car"))
    bird = names.mentions("a colourful bird on a branch")
    assert bird.relation(2) == "named" and bird.relation(3) == "broader" and bird.relation(0) == "other"
    dog = names.mentions("a dog")
    assert names.kin(1) == {0} and names.kin(0) == frozenset()
    assert dog.relation(1, names.kin(1)) == "broader" and dog.relation(4) == "other"
    assert names.mentions("a lake").relation(0) == "none"
