"""The images of a run in two dimensions, by the model's embeddings, and how far that layout can be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, Page, Work
from core.applications.embedding_map.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record


def _work() -> Work:
    from core.applications.embedding_map.work import work

    return work


def _record() -> type[Record]:
    from core.applications.embedding_map.record import LayoutRecord

    return LayoutRecord


def _chapter() -> Chapter:
    from core.applications.embedding_map.chapter import sections

    return sections


APPLICATION = Application(
    card=CARD,
    order=50,
    work=_work,
    record=_record,
    chapter=_chapter,
    page=Page("Embedding map", ":material/scatter_plot:"),
)
