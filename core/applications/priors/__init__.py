"""Semantic visual priors: Shapley values of semantic regions for whole captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, Page, Work
from core.applications.priors.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record
    from core.rules import Rule


def _work() -> Work:
    from core.applications.priors.work import work

    return work


def _record() -> type[Record]:
    from core.applications.priors.record import PriorsRecord

    return PriorsRecord


def _chapter() -> Chapter:
    from core.applications.priors.chapter import sections

    return sections


def _rules() -> tuple[Rule, ...]:
    from core.applications.priors.rules import RULES

    return RULES


APPLICATION = Application(
    card=CARD,
    order=40,
    work=_work,
    record=_record,
    chapter=_chapter,
    rules=_rules,
    page=Page("Semantic priors", ":material/dashboard:"),
)
