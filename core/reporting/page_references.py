"""The references of a PDF's pages, written once for each number of pages.

Every element of the structure tree names its page, and pydyf writes the references of all pages for each of them: the
time grows with the square of the length of a report.
"""

from __future__ import annotations

from functools import lru_cache


def write_references_once() -> None:
    """From now on a PDF that WeasyPrint writes keeps the references of its pages."""
    import pydyf

    pydyf.PDF.page_references = property(lambda pdf: _references(tuple(pdf.pages["Kids"][::3])))


@lru_cache(maxsize=1)
def _references(numbers: tuple[int, ...]) -> tuple[bytes, ...]:
    return tuple(b"%d 0 R" % number for number in numbers)
