"""M2IB over the blocks of both towers: what a map at each block keeps of the score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.applications.application import Application, Chapter, Page, Work
from core.applications.layer_sweep.card import CARD

if TYPE_CHECKING:
    from core.applications.record import Record
    from core.rules import Rule


def _work() -> Work:
    from core.applications.layer_sweep.work import work

    return work


def _record() -> type[Record]:
    from core.applications.layer_sweep.record import LayerSweepRecord

    return LayerSweepRecord


def _chapter() -> Chapter:
    from core.applications.layer_sweep.chapter import sections

    return sections


def _rules() -> tuple[Rule, ...]:
    from core.applications.layer_sweep.rules import RULES

    return RULES


APPLICATION = Application(
    card=CARD,
    order=55,
    work=_work,
    record=_record,
    chapter=_chapter,
    rules=_rules,
    page=Page("Layers", ":material/layers:"),
)
