"""Sanity checks: whether maps depend on weights, texts, seeds, mirroring and wording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, MethodChecks, Page, Work
from core.applications.sanity.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record
    from core.rules import Rule


def _work() -> Work:
    from core.applications.sanity.work import work

    return work


def _record() -> type[Record]:
    from core.applications.sanity.record import SanityRecord

    return SanityRecord


def _chapter() -> Chapter:
    from core.applications.sanity.chapter import sections

    return sections


def _rules() -> tuple[Rule, ...]:
    from core.applications.sanity.rules import RULES

    return RULES


def _method_checks() -> MethodChecks:
    from core.applications.sanity.verdicts import Checks

    return Checks()


APPLICATION = Application(
    card=CARD,
    order=70,
    work=_work,
    record=_record,
    chapter=_chapter,
    rules=_rules,
    method_checks=_method_checks,
    page=Page("Sanity checks", ":material/health_and_safety:"),
)
