"""ConVis: which WordNet concepts an image and a model share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, Page, Work
from core.applications.concepts.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record


def _work() -> Work:
    from core.applications.concepts.work import work

    return work


def _record() -> type[Record]:
    from core.applications.concepts.record import ConceptRecord

    return ConceptRecord


def _chapter() -> Chapter:
    from core.applications.concepts.chapter import sections

    return sections


APPLICATION = Application(
    card=CARD,
    order=10,
    work=_work,
    record=_record,
    chapter=_chapter,
    page=Page("Concepts", ":material/hub:"),
)
