"""The scores of the texts: classes and prompts with intervals, captions in one sentence."""

from __future__ import annotations

import pandas as pd

from core.content.assets import Assets
from core.content.charts import MOST_TEXTS, scores_chart, to_svg
from core.content.parts import Chart, Section
from core.content.words import measured, number, plural, rest_of
from core.evaluation.summary import Summary
from core.languages import say
from core.reporting.tables import TEXTS
from core.statistics import interval_of_means
from core.statistics.intervals import CORRELATION

MOST_ROWS = 60
# Over which images the score of a text is a mean.
SCORED = "A caption is scored with its own images only, prompts and classes with every image."  # messages


def scores(summary: Summary, assets: Assets) -> Section:
    """The section on the scores of the texts; empty where nothing was scored."""
    if summary.texts.empty:
        return Section("Scores of the texts")
    named = ranked_texts(summary)
    shown = named.head(MOST_ROWS)
    title = say("Cosine of each text with its images")
    caption = say(
        "Cosine of each image (ticks) and mean (dot): {drawn}. An absent concept still has a score and a map.",
        drawn=_drawn(summary, named),
    )
    chart = Chart(assets.chart(to_svg(scores_chart(summary), title)), title, caption)
    told = caption_sentence(summary)
    heading = say("Mean cosine of each text over the images that are scored with it (n), with 95 % interval")
    table = TEXTS.table(heading, shown, rest_of(len(named), MOST_ROWS, "tables/texts.csv"))
    return Section(
        "Scores of the texts",
        sentences=(say(SCORED), *([told] if told else [])),
        charts=(chart,),
        tables=(table,) if len(named) else (),
    )


def ranked_texts(summary: Summary) -> pd.DataFrame:
    """The rows of classes and prompts, the highest mean cosine first."""
    named = summary.texts[summary.texts["text_kind"] != "caption"]
    return named.sort_values("value", ascending=False, kind="stable")


def caption_sentence(summary: Summary) -> str:
    """How many captions there are, and the range and mean of their scores on their own images; empty without any."""
    rows = summary.scores[summary.scores["text_kind"] == "caption"].drop_duplicates(["image", "text"])
    if rows.empty:
        return ""
    each = rows.groupby("image")["score"].mean().astype(float)
    mean = interval_of_means(each.to_numpy(), within=CORRELATION)
    return say(
        "{captions} of {images}, each scored on its own image: cosine {low} to {high}; mean over images {mean}.",
        captions=plural(rows["text"].nunique(), "caption"),
        images=plural(len(each), "image"),
        low=number(rows["score"].min()),
        high=number(rows["score"].max()),
        mean=measured(mean.value, mean.low, mean.high, mean.n, digits=3),
    )


def _drawn(summary: Summary, named: pd.DataFrame) -> str:
    """What the chart has, in words."""
    parts = []
    if len(named):
        if len(named) == 1:
            parts.append(say("all 1 class or prompt"))
        elif len(named) <= MOST_TEXTS:
            parts.append(say("all {count} classes and prompts", count=len(named)))
        else:
            parts.append(say("the {most} highest of {count} classes and prompts", most=MOST_TEXTS, count=len(named)))
    if (summary.texts["text_kind"] == "caption").any():
        parts.append(say("the captions of all images in one row"))
    return say(", and ").join(parts)
