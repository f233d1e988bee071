"""A report prints the terms that it uses, and no others."""

from __future__ import annotations

from core.glossary import GLOSSARY, used


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
