"""The scores of the texts: classes and prompts with intervals, captions in one sentence."""

from __future__ import annotations

import pandas as pd

from core.content.assets import Assets
from core.content.charts import MOST_TEXTS, scores_chart, to_svg
from core.content.parts import Chart, Section
from core.content.words import measured, number, plural, rest_of
from core.evaluation.summary import Summary
from core.reporting.tables import TEXTS
from core.statistics import interval_of_means
from core.statistics.intervals import CORRELATION

MOST_ROWS = 60
# Over which images the score of a text is a mean.
SCORED = "A caption is scored with its own images only, prompts and classes with every image."


def scores(summary: Summary, assets: Assets) -> Section:
    """The section on the scores of the texts; empty where nothing was scored."""
    if summary.texts.empty:
        return Section("Scores of the texts")
    named = ranked_texts(summary)
    shown = named.head(MOST_ROWS)
    title = "Cosine of each text with its images"
    caption = f"Cosine of each image (ticks) and mean (dot): {_drawn(summary, named)}. An absent concept still has a "
    chart = Chart(assets.chart(to_svg(scores_chart(summary), title)), title, f"{caption}score and a map.")
    told = caption_sentence(summary)
    heading = "Mean cosine of each text over the images that are scored with it (n), with 95 % interval"
    table = TEXTS.table(heading, shown, rest_of(len(named), MOST_ROWS, "tables/texts.csv"))
    return Section(
        "Scores of the texts",
        sentences=(SCORED, *([told] if told else [])),
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
    return (
        f"{plural(rows['text'].nunique(), 'caption')} of {plural(len(each), 'image')}, each scored on its own image: "
        f"cosine {number(rows['score'].min())} to {number(rows['score'].max())}; mean over images "
        f"{measured(mean.value, mean.low, mean.high, mean.n, digits=3)}."
    )


def _drawn(summary: Summary, named: pd.DataFrame) -> str:
    """What the chart has, in words."""
    parts = []
    if len(named):
        texts = "class or prompt" if len(named) == 1 else "classes and prompts"
        which = f"all {len(named)}" if len(named) <= MOST_TEXTS else f"the {MOST_TEXTS} highest of {len(named)}"
        parts.append(f"{which} {texts}")
    if (summary.texts["text_kind"] == "caption").any():
        parts.append("the captions of all images in one row")
    return ", and ".join(parts)
