"""Word maps: which words and image regions a score needs together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, Page, Work
from core.applications.word_maps.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record
    from core.rules import Rule


def _work() -> Work:
    from core.applications.word_maps.work import work

    return work


def _record() -> type[Record]:
    from core.applications.word_maps.record import WordMapsRecord

    return WordMapsRecord


def _chapter() -> Chapter:
    from core.applications.word_maps.chapter import sections

    return sections


def _rules() -> tuple[Rule, ...]:
    from core.applications.word_maps.rules import RULES

    return RULES


APPLICATION = Application(
    card=CARD,
    order=90,
    work=_work,
    record=_record,
    chapter=_chapter,
    rules=_rules,
    page=Page("Word maps", ":material/text_fields:"),
)
