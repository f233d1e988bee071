"""Metric cards: one per column, all used, and the documentation made of them."""

from __future__ import annotations

import dataclasses

import pytest

from core.evaluation.metrics import BY_NAME, DOCUMENTED, FURTHER, MAIN, METRICS, STORED, as_markdown
from core.runs.results import SCHEMA
from core.settings import ROOT

DOCUMENT = ROOT / "docs" / "measures.md"


def test_every_card_is_whole() -> None:
    assert len(BY_NAME) == len(METRICS) == len(MAIN) + len(FURTHER)
    assert len({metric.short for metric in METRICS}) == len({metric.title for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.about and metric.unit and metric.factor > 0
        assert (not metric.about.endswith(".") and metric.about[0].islower()) or metric.about.startswith("Gini")
        assert len(metric.short) <= 6, "a head of a narrow column"
        assert metric.direction and (metric.arrow == "") == (metric.better == "neither")


def test_a_metric_is_a_column_of_the_rows() -> None:
    for metric in STORED:
        assert str(SCHEMA.field(metric.name).type) == "float", metric.name
    assert not {metric.name for metric in METRICS if metric.measure} & set(SCHEMA.names)


def test_a_card_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        METRICS[0].better = "high"  # type: ignore[misc]


def documented(text: str) -> str:
    begin, end = (f"<!-- {mark} -->" for mark in DOCUMENTED)
    return text.split(begin)[1].split(end)[0].strip()


def test_the_documentation_has_the_table_of_the_cards() -> None:
    assert documented(DOCUMENT.read_text()) == as_markdown(), f"put this into docs/measures.md:\n{as_markdown()}"


def test_a_card_that_changes_is_seen_in_the_documentation() -> None:
    changed = as_markdown().replace("`deletion` | low", "`deletion` | high")
    assert documented(DOCUMENT.read_text()) != changed != as_markdown()


def test_what_a_schema_says_of_a_metric_agrees_with_its_card() -> None:
    for metric in STORED:
        about = SCHEMA.field(metric.name).metadata[b"about"].decode()
        for word, better in (("lower is better", "low"), ("higher is better", "high")):
            if word in about:
                assert metric.better == better, metric.name
