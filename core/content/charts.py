"""The charts of the report and the pages, as Altair charts and as SVG with the product's own fonts. No torch."""

from __future__ import annotations

import atexit
import html
import re
import shutil
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import vl_convert

from core.characters import legible, legible_values
from core.content.altair import alt
from core.content.faces import unpacked
from core.content.glyphs import FONTS
from core.content.words import SEVERITY_TITLES, shorten
from core.deferred import Deferred
from core.drafts import draft_folder
from core.evaluation.summary import Summary
from core.evaluation.tables import AgreementRow
from core.languages import number_format, say
from core.rules.finding import Finding
from core.rules.parts import title_of
from core.runs.leftovers import FONT_COPIES
from core.runs.rows import typed

leaves_list, linkage = (Deferred("scipy.cluster.hierarchy", name) for name in ("leaves_list", "linkage"))
squareform = Deferred("scipy.spatial.distance", "squareform")

FONT = "IBM Plex Sans"
INK, MUTED, GRID, ACCENT = "#16202c", "#5b6878", "#e3e8ee", "#0b4f8a"
# Okabe and Ito's colours, told apart with every common form of colour blindness.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d00", "#6b7280")
# From low to high where points lie on a light or a dark page: each end differs from both, and from grey, for every eye.
RAMP = ("#0072b2", "#8a97a6", "#d55e00")
DASHES = ([1, 0], [5, 3], [1.5, 2], [6, 2, 1, 2])
SEVERITIES = {"high": "#a3123a", "medium": "#d55e00", "low": "#e3b23c", "note": "#8a97a6"}
WIDTH, PAGE_WIDTH = 560, 658
MOST_TEXTS = 20
CAPTIONS = "captions, each on its own image"  # messages
MOST_PRINTED = 12
ROOM = 0.03  # of the range of a chart, beyond what it shows


def trust_chart(summary: Summary) -> alt.LayerChart:
    """Faithfulness of each method with its 95 % interval, best first; controls are grey squares, 0 is chance order."""
    rows = summary.trust[summary.trust.metric == "faithfulness"].sort_values("value", ascending=False)
    method, control = say("method"), say("control")
    frame = rows.assign(title=rows.method.map(title_of), what=np.where(rows.kind == "control", control, method))[
        ["title", "what", "value", "low", "high", "n"]
    ]
    y = alt.Y("title:N", sort=frame.title.tolist(), title=None)
    kind = alt.Scale(domain=[method, control], range=[ACCENT, "#7b8794"])
    colour = alt.Color("what:N", scale=kind, legend=alt.Legend(title=None, orient="top"))
    shape = alt.Shape("what:N", scale=alt.Scale(domain=[method, control], range=["circle", "square"]))
    title = say("faithfulness (insertion minus deletion; 0 = random order)")
    x = alt.X("value:Q", title=title, scale=roomy(frame.low, frame.high, frame.value))
    tips = [
        "title",
        "what",
        alt.Tooltip("value", format=".3f"),
        alt.Tooltip("low", format=".3f"),
        alt.Tooltip("high", format=".3f"),
        "n",
    ]
    base = alt.Chart(frame)
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x="zero:Q")
    bars = base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q", y=y, color=colour)
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x=x, y=y, color=colour, shape=shape, tooltip=tips)
    return styled(
        alt.layer(zero, bars, points).properties(width=WIDTH - 170, height=alt.Step(24 if len(frame) <= 16 else 14))
    )


def roomy(*ends: pd.Series) -> alt.Scale:
    """A scale that contains 0 and goes on beyond every interval, so that the edge of the chart does not end one."""
    values = pd.concat(ends).astype(float).dropna()
    low, high = min(values.min(), 0.0) if len(values) else 0.0, max(values.max(), 0.0) if len(values) else 0.0
    if low == high:
        return alt.Scale(nice=True)
    beyond = ROOM * (high - low)
    reached = (low - beyond * (low < 0), high + beyond * (high > 0))
    return alt.Scale(domain=[float(f"{end:.4g}") for end in reached], nice=True)


def agreement_chart(summary: Summary) -> alt.LayerChart:
    """Mean rank correlation of each pair of methods, printed in its cell (blue -1, white 0, red 1).

    Neighbours are alike (clustered order); with many methods the numbers are tenths.
    """
    names = clustered(summary)
    found = {frozenset((row.a, row.b)): row for row in typed(summary.agreement, AgreementRow)}
    records = []
    for a in names:
        for b in names:
            row = found.get(frozenset((a, b)))
            if a != b and row is not None:
                records.append({"a": title_of(a), "b": title_of(b), "value": row.value, "n": row.n})
    frame = pd.DataFrame(records, columns=["a", "b", "value", "n"])
    order = [title_of(name) for name in names]
    scale = alt.Scale(domain=[-1, 0, 1], range=["#2166ac", "#f7f7f7", "#b2182b"])
    base = alt.Chart(frame).encode(
        x=alt.X("a:N", sort=order, title=None, axis=alt.Axis(labelAngle=-35, labelLimit=240)),
        y=alt.Y("b:N", sort=order, title=None),
        tooltip=["a", "b", alt.Tooltip("value", format=".2f"), "n"],
    )
    cells = base.mark_rect(stroke="white").encode(color=alt.Color("value:Q", scale=scale, legend=None))
    small = len(names) > MOST_PRINTED
    # So many methods leave room for tenths only.
    shown = "format(10 * datum.value, '.0f')" if small else "format(datum.value, '.2f')"
    words = base.transform_calculate(shown=shown).mark_text(fontSize=9 if small else 10)
    words = words.encode(
        text="shown:N", color=alt.condition("abs(datum.value) > 0.6", alt.value("white"), alt.value(INK))
    )
    width = max(11, (WIDTH - 170) // len(names)) if small else 52
    return styled(alt.layer(cells, words).properties(width=alt.Step(width), height=alt.Step(width if small else 30)))


def clustered(summary: Summary) -> list[str]:
    """The methods in the order of an average-linkage tree over 1 - correlation (unknown pairs count as 1)."""
    pairs = summary.agreement
    names = sorted(set(pairs.a) | set(pairs.b))
    if len(names) < 3:
        return names
    index = {name: at for at, name in enumerate(names)}
    distance = np.ones((len(names), len(names)))
    np.fill_diagonal(distance, 0.0)
    for row in typed(pairs, AgreementRow):
        distance[index[row.a], index[row.b]] = distance[index[row.b], index[row.a]] = max(1.0 - row.value, 0.0)
    return [names[at] for at in leaves_list(linkage(squareform(distance), "average"))]


def scores_chart(summary: Summary) -> alt.LayerChart:
    """Every image's cosine (ticks) and the mean (point): a row for each class or prompt, and one for all captions."""
    texts = summary.texts[summary.texts.text_kind != "caption"]
    texts = texts.sort_values("value", ascending=False, kind="stable").head(MOST_TEXTS)
    labels = {text: shorten(text, 44) for text in texts.text}
    named = summary.scores[(summary.scores.text_kind != "caption") & summary.scores.text.isin(list(labels))]
    captions = summary.scores[summary.scores.text_kind == "caption"].drop_duplicates(["image", "text"])
    ticks = pd.concat([named.assign(label=named.text.map(labels)), captions.assign(label=say(CAPTIONS))])
    ticks = ticks[["label", "image_name", "score"]]
    means = texts.assign(label=texts.text.map(labels))[["label", "value", "n"]]
    if len(captions):
        each = captions.groupby("image").score.mean()
        row = pd.DataFrame({"label": [say(CAPTIONS)], "value": [float(each.mean())], "n": [len(each)]})
        means = pd.concat([means, row]) if len(means) else row
    y = alt.Y("label:N", sort=means.label.tolist(), title=None, axis=alt.Axis(labelLimit=240))
    # Half a tick of room, so that none is cut at the end of the axis.
    x = alt.X("score:Q", title=say("cosine similarity of image and text"), scale=alt.Scale(zero=False, padding=4))
    marks = (
        alt.Chart(ticks)
        # Of its colour: a mark that is transparent as a whole is a drawing of its own in a PDF.
        .mark_tick(thickness=1.2, opacity=1, fillOpacity=0.55, color=ACCENT, height=12)
        .encode(x=x, y=y, tooltip=["image_name", alt.Tooltip("score", format=".3f")])
    )
    points = (
        alt.Chart(means)
        .mark_point(filled=True, size=60, color=PALETTE[1], opacity=1)
        .encode(x="value:Q", y=y, tooltip=["label", alt.Tooltip("value", format=".3f"), "n"])
    )
    return styled(alt.layer(marks, points).properties(width=WIDTH - 250, height=alt.Step(20)))


def severity_chart(findings: Sequence[Finding]) -> alt.LayerChart:
    """How many findings there are of each severity, as one bar."""
    counts = [(name, sum(f.severity == name and f.status == "finding" for f in findings)) for name in SEVERITIES]
    frame = pd.DataFrame(
        [{"severity": name, "count": count, "rank": rank} for rank, (name, count) in enumerate(counts) if count],
        columns=["severity", "count", "rank"],
    )
    frame["stop"] = frame["count"].cumsum()
    frame["middle"] = frame["stop"] - frame["count"] / 2
    named = frame["severity"].map(lambda severity: say(SEVERITY_TITLES[severity]).lower())
    frame["label"] = frame["count"].astype(str) + " " + named
    scale = alt.Scale(domain=list(SEVERITIES), range=list(SEVERITIES.values()))
    base = alt.Chart(frame)
    bars = base.mark_bar(height=22).encode(
        x=alt.X("count:Q", stack="zero", axis=None, scale=alt.Scale(domain=[0, int(frame["count"].sum())], nice=False)),
        order="rank:Q",
        color=alt.Color("severity:N", scale=scale, legend=None),
        tooltip=["severity", "count"],
    )
    words = base.mark_text(fontSize=11, fontWeight=600).encode(
        x="middle:Q", text="label:N", color=alt.condition("datum.severity == 'low'", alt.value(INK), alt.value("white"))
    )
    # The width of the page's text, without a margin of its own.
    return styled(alt.layer(bars, words).properties(width=PAGE_WIDTH, height=26, padding=0))


def colour_legend(named: Sequence[tuple[str, str]], columns: int = 5) -> alt.LayerChart:
    """Colours with their names, in rows of `columns`."""
    frame = pd.DataFrame(named, columns=["name", "colour"])
    frame = frame.assign(column=frame.index % columns, row=frame.index // columns)
    hidden: dict[str, Any] = {"axis": None, "scale": alt.Scale(domain=[0, columns], nice=False)}
    rows = int(frame["row"].max()) + 1 if len(frame) else 1
    base = alt.Chart(frame).encode(x=alt.X("column:Q", **hidden), y=alt.Y("row:O", axis=None))
    squares = base.mark_square(size=130, opacity=1).encode(color=alt.Color("colour:N", scale=None))
    names = base.mark_text(align="left", dx=11, fontSize=11).encode(text="name:N")
    return styled(alt.layer(squares, names).properties(width=WIDTH, height=rows * 20))


def to_svg(chart: Any, title: str) -> str:
    """The chart as SVG text with `title` as its alternate text. The same chart gives the same text."""
    _register_fonts()
    # The maker refuses some of the characters that are taken out here, and writes others that no XML may hold.
    # Altair checks each chart against the schema of Vega-Lite, which takes as long as drawing it; the maker checks too.
    svg = vl_convert.vegalite_to_svg(legible_values(chart.to_dict(validate=False)), format_locale=number_format())
    # The maker numbers its clips and gradients through the life of the process; here they are numbered anew.
    numbers: dict[str, str] = {}
    svg = re.sub(
        r"\b(clip|gradient_)\d+\b", lambda found: numbers.setdefault(found[0], f"{found[1]}{len(numbers)}"), svg
    )
    return re.sub(
        r"(<svg[^>]*>)", lambda found: f"{found[1]}<title>{html.escape(legible(title))}</title>", svg, count=1
    )


@cache
def _register_fonts() -> None:
    # The SVG maker measures words but can't read WOFF2, so it gets unpacked copies for as long as the process lives.
    folder = draft_folder(FONT_COPIES)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for packed in sorted(FONTS.glob("*Sans-*.woff2")):
        (folder / f"{packed.stem}.ttf").write_bytes(unpacked(packed.name))
    vl_convert.register_font_directory(str(folder))


def styled(chart: Any) -> Any:
    """The chart in the report's fonts, colours and line widths."""
    text = {
        "labelFont": FONT,
        "titleFont": FONT,
        "labelColor": INK,
        "titleColor": MUTED,
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": 400,
    }
    return chart.configure(
        font=FONT,
        background="white",
        padding=4,
        axis={
            **text,
            "gridColor": GRID,
            "domainColor": "#b6c0cc",
            "tickColor": "#b6c0cc",
            "labelLimit": 200,
            "labelSeparation": 8,
        },
        legend={**text, "symbolSize": 70},
        title={"font": FONT, "fontSize": 11, "fontWeight": 600, "color": INK},
        view={"stroke": None},
        text={"font": FONT},
    )
