"""The references of pages are those that the library writes, and are written once."""

from __future__ import annotations

from collections.abc import Iterator

import pydyf
import pytest

from core.reporting import page_references

OWN = pydyf.PDF.page_references


@pytest.fixture(autouse=True)
def library() -> Iterator[None]:
    page_references._references.cache_clear()
    yield
    pydyf.PDF.page_references = OWN


def document(pages: int) -> pydyf.PDF:
    pdf = pydyf.PDF()
    for _ in range(pages):
        pdf.add_page(pydyf.Dictionary({"Type": "/Page"}))
    return pdf


def test_the_references_are_the_librarys_and_are_made_once_a_document() -> None:
    long, short = document(7), document(3)
    expected = OWN.fget(long), OWN.fget(short)
    page_references.write_references_once()
    assert (long.page_references, short.page_references) == expected
    before = page_references._references.cache_info().misses
    for _ in range(50):
        assert long.page_references == expected[0]
    assert page_references._references.cache_info().misses == before + 1


def test_a_page_that_is_added_is_in_the_references() -> None:
    page_references.write_references_once()
    pdf = document(2)
    before = pdf.page_references
    pdf.add_page(pydyf.Dictionary({"Type": "/Page"}))
    assert len(before) == 2
    assert pdf.page_references == OWN.fget(pdf)
    assert len(pdf.page_references) == 3
