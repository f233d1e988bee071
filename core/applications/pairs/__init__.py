"""Captions and images: whether each caption fits its own image better than the images of other captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, Page, Work
from core.applications.pairs.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record
    from core.rules import Rule


def _work() -> Work:
    from core.applications.pairs.work import work

    return work


def _record() -> type[Record]:
    from core.applications.pairs.record import PairsRecord

    return PairsRecord


def _chapter() -> Chapter:
    from core.applications.pairs.chapter import sections

    return sections


def _rules() -> tuple[Rule, ...]:
    from core.applications.pairs.rules import RULES

    return RULES


APPLICATION = Application(
    card=CARD,
    order=65,
    work=_work,
    record=_record,
    chapter=_chapter,
    rules=_rules,
    page=Page("Captions", ":material/link:"),
)
