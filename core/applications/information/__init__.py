"""M2IB and NIB: how much information about image and text a score needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, Page, Work
from core.applications.information.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record
    from core.rules import Rule


def _work() -> Work:
    from core.applications.information.work import work

    return work


def _record() -> type[Record]:
    from core.applications.information.record import InformationRecord

    return InformationRecord


def _chapter() -> Chapter:
    from core.applications.information.chapter import sections

    return sections


def _rules() -> tuple[Rule, ...]:
    from core.applications.information.rules import RULES

    return RULES


APPLICATION = Application(
    card=CARD,
    order=50,
    work=_work,
    record=_record,
    chapter=_chapter,
    rules=_rules,
    page=Page("Information", ":material/compress:"),
)
