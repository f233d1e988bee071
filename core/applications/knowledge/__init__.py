"""Mutual knowledge: the concepts that image and text sides of a model share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import AcrossModels, Application, Chapter, Page, Work
from core.applications.knowledge.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record


def _work() -> Work:
    from core.applications.knowledge.work import work

    return work


def _record() -> type[Record]:
    from core.applications.knowledge.record import KnowledgeRecord

    return KnowledgeRecord


def _chapter() -> Chapter:
    from core.applications.knowledge.chapter import sections

    return sections


def _across() -> AcrossModels:
    from core.applications.knowledge.across import side_by_side

    return side_by_side


APPLICATION = Application(
    card=CARD,
    order=30,
    work=_work,
    record=_record,
    chapter=_chapter,
    across_models=_across,
    page=Page("Mutual knowledge", ":material/join_inner:"),
)
