"""A report prints the terms that it uses, and no others."""

from __future__ import annotations

from core.glossary import GLOSSARY, used
from core.languages import voice_of


def terms(*texts: str) -> list[str]:
    return [entry.term for entry in used(texts)]


def test_terms_are_recognised_in_the_plural_and_by_their_short_forms() -> None:
    assert "Superpixel" in terms("Semantic regions or superpixels.") and "Superpixel" not in terms("Pixels.")
    assert "Jaccard index" in terms("jaccard") and "Stratum" in terms("Strata") and "Topic" in terms("Topics")
    # A word within another word is no use of the term.
    assert terms("sealed, unitary, classified") == []


def test_terms_of_a_definition_that_is_printed_are_printed_too() -> None:
    assert "Shapley value" in terms("KernelSHAP") and "Coalition" in terms("KernelSHAP")
    assert terms("nothing at all here") == []


def test_the_order_is_that_of_the_glossary() -> None:
    found = terms(*GLOSSARY)
    assert found == list(GLOSSARY)
    some = terms("Nats and coalitions of a bottleneck")
    assert some == [term for term in GLOSSARY if term in some]


def german(*texts: str) -> list[str]:
    return [entry.term for entry in used(texts, voice_of("de").message, inflected=True)]


def test_terms_are_found_in_german_with_the_endings_of_their_words() -> None:
    assert "Sign-flip test" in german("p nach dem Vorzeichenwechseltest")
    assert "Saved view" in german("in einer gespeicherten Ansicht") and "Patch" in german("auf Bildfeldern")
    # A term is found behind a compound, and not within another word.
    assert "Unit" in german("Einheiten") and "Class" not in german("Hauptklasse")
    # An English text of the product is printed in German.
    assert "Faithfulness" in german("Faithfulness") and "Superpixel" not in german("pixels")
    assert german("gar nichts davon") == []


def test_terms_stand_in_the_order_of_the_language() -> None:
    names = [voice_of("de").message(term) for term in german(*GLOSSARY)]
    assert len(names) == len(GLOSSARY) and names[1:3] == ["Adjustierter p-Wert", "Analyse"]
    assert names.index("Übereinstimmung") < names.index("Unplausibilität")
