"""Scores: classes and prompts are rows with intervals, captions are one sentence and one row of the chart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.content.assets import Assets
from core.content.charts import CAPTIONS, scores_chart
from core.evaluation.summary import Summary, summarise
from core.reporting.scores import SCORED, caption_sentence, ranked_texts, scores
from tests.support.made_run import made_run


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return summarise(made_run(tmp_path_factory.mktemp("scores") / "run", images=4))


def test_captions_are_no_rows_of_the_table(summary: Summary) -> None:
    kinds = set(summary.texts.text_kind)
    assert "caption" in kinds and len(kinds) > 1
    section = scores(summary, Assets())
    assert len(section.tables[0].rows) == len(summary.texts[summary.texts.text_kind != "caption"]) > 0
    assert all(row[1] != "caption" for row in section.tables[0].rows)
    values = list(ranked_texts(summary).value)
    assert values == sorted(values, reverse=True)
    rows = summary.scores[summary.scores.text_kind == "caption"]
    told = caption_sentence(summary)
    assert section.sentences == (SCORED, told)
    assert f"{rows.text.nunique()} captions of {rows.image.nunique()} images" in told
    assert f"{rows.score.min():.3f}".replace("-", "\u2212") in told and f"{rows.score.max():.3f}" in told


def test_the_chart_says_what_it_has(summary: Summary) -> None:
    drawn = scores_chart(summary).to_dict()
    labels = {row["label"] for data in drawn["datasets"].values() for row in data}
    named = set(summary.texts[summary.texts.text_kind != "caption"].text)
    assert labels == named | {CAPTIONS}
    (chart,) = scores(summary, Assets()).charts
    assert f"all {len(named)} " in chart.caption and "the captions of all images in one row" in chart.caption


def test_without_captions_nothing_is_said_of_them(summary: Summary) -> None:
    few = replace(
        summary,
        scores=summary.scores[summary.scores.text_kind != "caption"],
        texts=summary.texts[summary.texts.text_kind != "caption"],
    )
    section = scores(few, Assets())
    assert section.sentences == (SCORED,) and "caption" not in section.charts[0].caption


def test_a_run_of_captions_alone_has_no_table(summary: Summary) -> None:
    alone = replace(
        summary,
        scores=summary.scores[summary.scores.text_kind == "caption"],
        texts=summary.texts[summary.texts.text_kind == "caption"],
    )
    section = scores(alone, Assets())
    assert section.tables == () and section.charts and section.sentences
