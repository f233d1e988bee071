"""The bank of descriptors: where phrases come from, that none names a class, and what is said of what was dropped."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from core.concepts.descriptors import (
    LEAST,
    Sense,
    WordNetLexicon,
    build_bank,
    gloss_phrases,
    mentions,
    wordnet_lexicon,
)
from core.errors import InputError

SENSES = {
    "dog": Sense("dog", ("dog", "domestic dog", "canis familiaris"), "a domesticated animal, kept as a pet", ("tail",)),
    "hot dog": Sense("hot dog", ("hot dog",), "sausage in a bun", ()),
    "canine": Sense("canine", ("canine", "canid"), "mammal with non-retractile claws; long muzzles", ("snout",)),
    "wolf": Sense("wolf", ("wolf",), "wild relative of the dogs, hunts in packs", ("wolf pelt",)),
    "car": Sense("car", ("car", "auto", "motorcar"), "a motor vehicle (usually with four wheels); it carries people",
                 ("accelerator", "car door")),
}  # fmt: skip


class Small:
    """A lexicon of five nouns."""

    def senses(self, name: str) -> Sequence[Sense]:
        return [SENSES[name]] if name in SENSES else []

    def above(self, sense: Sense) -> Sequence[Sense]:
        return [SENSES["canine"]] if sense.key in ("dog", "wolf") else []

    def beside(self, sense: Sense) -> Sequence[Sense]:
        return [SENSES["wolf"]] if sense.key == "dog" else []


def test_phrases_come_from_glosses_parts_and_attributes() -> None:
    bank = build_bank(["dog", "car"], Small())
    sources = dict(zip(bank.descriptors, bank.sources, strict=True))
    assert sources["a domesticated animal"] == "gloss"
    assert sources["mammal with non-retractile claws"] == "gloss"  # of the sense above
    assert sources["hunts in packs"] == "gloss"  # of a sense beside
    assert sources["a motor vehicle"] == "gloss" and "usually with four wheels" not in sources
    assert sources["has a tail"] == sources["has a snout"] == sources["has an accelerator"] == "part"
    assert sources["made of wood"] == "attribute"
    assert sources["has a red tail"] == sources["has red wheels"] == "colour and part"
    assert set(bank.counts()) == {"attribute", "part", "gloss", "colour and part"}
    assert sum(bank.counts().values()) == len(bank) == len(set(bank.descriptors))


def test_no_phrase_names_a_class_or_a_synonym() -> None:
    bank = build_bank(["dog", "car"], Small())
    dropped = dict(bank.dropped)
    assert dropped["wild relative of the dogs"] == "dog"
    assert dropped["has a car door"] == "car"
    for phrase in bank.descriptors:
        assert not {"dog", "dogs", "car", "cars", "auto", "motorcar"} & set(phrase.split())
    # The filter is what keeps them out: where cars are no class, their doors are described.
    assert "has a car door" in build_bank(["coach"], _Renamed()).descriptors


class _Renamed(Small):
    """A lexicon that takes a car for a coach."""

    def senses(self, name: str) -> Sequence[Sense]:
        return [Sense("coach", ("coach",), "carries people", ("car door",))]


def test_a_synonym_is_a_name_only_if_the_lexicon_says_so() -> None:
    own = [f"seen on day {number}" for number in range(LEAST)] + ["like an auto", "a Domestic-Dog in the sun"]
    with_lexicon = build_bank(["dog", "car"], Small(), own=own)
    assert dict(with_lexicon.dropped) == {"like an auto": "auto", "a Domestic-Dog in the sun": "domestic dog"}
    alone = build_bank(["dog", "car"], None, own=own)
    assert dict(alone.dropped) == {"a Domestic-Dog in the sun": "dog"}
    assert alone.unknown == ()


@pytest.mark.parametrize(
    ("phrase", "names", "found"),
    [
        ("two red Foxes", {"fox"}, "fox"),
        ("berries on a twig", {"berry"}, "berry"),
        ("with knives", {"knife"}, "knife"),
        ("firemen at work", {"fireman"}, "fireman"),
        ("a fire-engine", {"fire engine"}, "fire engine"),
        ("fire under an engine", {"fire engine"}, None),
        ("a category of its own", {"cat"}, None),
        ("made of glass", {"glas"}, None),
        ("nothing", set(), None),
    ],
)
def test_names_are_found_as_whole_words(phrase: str, names: set[str], found: str | None) -> None:
    assert mentions(phrase, frozenset(names)) == found


def test_plural_classes_are_stripped_in_the_singular_too() -> None:
    own = [f"day {number} of rain" for number in range(LEAST)] + ["a cat in the sun", "the cats of the house"]
    assert {phrase for phrase, _ in build_bank(["cats"], own=own).dropped} == {
        "a cat in the sun",
        "the cats of the house",
    }


def test_a_name_of_several_words_gives_its_last_one_away() -> None:
    bank = build_bank(["red circle", "hot dog"], Small())
    assert bank.senses == {"hot dog": "sausage in a bun"}
    assert bank.unknown == ("red circle",)
    own = [f"day {number} of rain" for number in range(LEAST)] + ["a circle of light", "a dog in the sun"]
    dropped = {phrase for phrase, _ in build_bank(["red circle", "hot dog"], Small(), own=own).dropped}
    # "hot dog" is a word of its own, so its last word stays.
    assert dropped == {"a circle of light"}


def test_a_gloss_is_split_into_short_phrases() -> None:
    gloss = "a small (usually tame) bird; and lays eggs, cheerful, " + "very " * 13 + "long"
    assert gloss_phrases(gloss) == ["a small bird", "lays eggs"]


def test_a_persons_list_is_used_alone_in_its_order() -> None:
    own = [f"with  {number} spots" for number in range(LEAST)] + ["with 3 SPOTS"]
    bank = build_bank(["dog"], Small(), own=own)
    assert bank.descriptors == tuple(f"with {number} spots" for number in range(LEAST))
    assert set(bank.sources) == {"own"}


def test_too_short_a_list_is_refused_in_one_line() -> None:
    with pytest.raises(InputError, match="1 descriptors are left after removing 1 that mention a class") as error:
        build_bank(["dog"], own=["a dog", "wet nose"])
    assert "\n" not in str(error.value)


def test_a_bank_keeps_to_its_limit_and_every_source_still_comes() -> None:
    bank = build_bank(["dog", "car"], Small(), most=200)
    assert len(bank) == 200
    assert {"attribute", "part", "gloss"} <= set(bank.sources)
    assert build_bank(["dog", "car"], Small(), most=200) == bank


def test_without_a_lexicon_there_is_a_bank_of_attributes() -> None:
    bank = build_bank(["orange", "umbrella"])
    assert len(bank) > 300
    assert "has red wheels" in bank.descriptors
    assert "orange colour" in dict(bank.dropped)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WordNetLexicon]:
    """The person's WordNet, or the packaged nouns."""
    before = os.environ.get("LOUPE_HOME")
    os.environ["LOUPE_HOME"] = str(tmp_path_factory.mktemp("home"))
    try:
        yield wordnet_lexicon()
    finally:
        if before is None:
            del os.environ["LOUPE_HOME"]
        else:
            os.environ["LOUPE_HOME"] = before


def test_wordnet_gives_glosses_parts_and_neighbours(words: WordNetLexicon, tmp_path: Path) -> None:
    car = words.senses("car")[0]
    assert "auto" in car.names and "wheels" in car.gloss
    assert "car door" in car.parts and "accelerator" in car.parts
    above = [sense.key for sense in words.above(car)]
    assert above[0] == "motor_vehicle.n.01" and above[-1] == "entity.n.01" and len(set(above)) == len(above)
    beside = {sense.key for sense in words.beside(car)}
    assert "motorcycle.n.01" in beside and car.key not in beside
    assert words.senses("red circle of nothing") == []


def test_a_bank_from_wordnet_names_none_of_its_classes(words: WordNetLexicon) -> None:
    bank = build_bank(["tabby cat", "sports car", "umbrella", "black swan"], words)
    assert bank.counts()["gloss"] > 10 and bank.counts()["part"] > 50
    assert not [
        phrase for phrase in bank.descriptors if mentions(phrase, frozenset({"tabby", "umbrella", "sports car"}))
    ]
    assert bank.unknown == ()


def test_the_last_word_is_a_name_if_it_is_the_kind_of_thing(words: WordNetLexicon) -> None:
    own = [f"day {number} of rain" for number in range(LEAST)] + ["a young swan", "a dog in the sun"]
    dropped = {phrase for phrase, _ in build_bank(["black swan", "hot dog"], words, own=own).dropped}
    assert dropped == {"a young swan"}
