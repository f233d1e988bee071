"""Semantic priors in the report and on a page: the table of costs and results, its chart, the maps. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from core.applications.priors_record import PRIORS, VALUES, WAYS, PriorsRecord, load
from core.datasets import Picture
from core.models.geometry import Geometry
from core.reporting.assets import Assets
from core.reporting.charts import ACCENT, MUTED, WIDTH, shorten, styled, to_svg
from core.reporting.content import Chart, Column, Fact, Heat, Section, Table
from core.reporting.heat import bar_ends, colour_bar, fit, geometry_by, geometry_of, overlay, value_range
from core.reporting.words import amount, measured, number
from core.runs import Run
from core.statistics import FEWEST, mean_over_images
from core.statistics.intervals import CORRELATION, UNBOUNDED

FOLDER = "applications/priors"
PRINT_SIDE = 340
MOST_PICTURES = 4
MOST_CAPTIONS = 6


def priors_sections(run: Run, assets: Assets) -> tuple[Section, ...]:
    """The sections on semantic priors; none if the run has no such record."""
    folder = run.folder / FOLDER
    if not folder.is_dir():
        return ()
    record = load(folder)
    parts = (_introduction(run, record), _comparison(run, record, assets), _maps(run, record, assets))
    return tuple(part for part in (*parts, _captions(record)) if not part.empty)


def comparison(record: PriorsRecord) -> pd.DataFrame:
    """Cost and result of each way to explain, one row a value function, prior and way.

    Columns `value`, `prior`, `way`, `title`, `n` (pictures), `regions`, the forwards for one picture and text (means),
    and `faithfulness` and `agreement` with `_low` and `_high`, the interval over images.
    """
    records = []
    for (value, prior, way), part in record.maps.groupby(["value", "prior", "way"], sort=False):
        row: dict[str, Any] = {
            "value": value,
            "prior": prior,
            "way": way,
            "title": f"{PRIORS[prior]}, {WAYS[way]}",
            "n": part["image"].nunique(),
            "regions": part["regions"].mean(),
        }
        for cost in ("image_forwards", "alone_forwards", "text_forwards", "decoder_forwards"):
            row[cost] = part[cost].mean()
        for measure in ("faithfulness", "agreement"):
            values = part[measure].astype(float).to_numpy()
            found = mean_over_images(
                values, part["image"].to_numpy(), within=CORRELATION if measure == "agreement" else UNBOUNDED
            )
            row |= {measure: found.value, f"{measure}_low": found.low, f"{measure}_high": found.high}
            row[f"{measure}_n"] = found.n
        records.append(row)
    frame = pd.DataFrame(records)
    order = {name: at for at, name in enumerate(VALUES)}
    return frame.sort_values("value", key=lambda names: names.map(order), kind="stable").reset_index(drop=True)


def comparison_chart(frame: pd.DataFrame, value: str) -> alt.LayerChart:
    """Faithfulness of each way to explain one value, with its 95 % interval; 0 is what an order by chance gives."""
    rows = frame[frame["value"] == value].rename(
        columns={"faithfulness": "mean", "faithfulness_low": "low", "faithfulness_high": "high"}
    )[["title", "mean", "low", "high", "n"]]
    y = alt.Y("title:N", sort=rows["title"].tolist(), title=None, axis=alt.Axis(labelLimit=320))
    x = alt.X("mean:Q", title="insertion minus deletion over area (0 = chance order)")
    base = alt.Chart(rows)
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x="zero:Q")
    bars = base.mark_rule(strokeWidth=2, color=ACCENT).encode(x="low:Q", x2="high:Q", y=y)
    tips = ["title", *(alt.Tooltip(name, format=".3f") for name in ("mean", "low", "high")), "n"]
    points = base.mark_point(filled=True, size=70, opacity=1, color=ACCENT).encode(x=x, y=y, tooltip=tips)
    return styled(alt.layer(zero, bars, points).properties(width=WIDTH - 250, height=alt.Step(24)))


def comparison_rows(frame: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """The comparison as printed: what is explained, how, what it cost and what came of it."""
    return tuple(
        (
            VALUES[row.value],
            row.title,
            number(row.regions, 1),
            number(row.image_forwards, 0),
            number(row.alone_forwards, 0),
            f"{number(row.text_forwards, 0)} / {number(row.decoder_forwards, 0)}",
            measured(row.faithfulness, row.faithfulness_low, row.faithfulness_high, row.faithfulness_n, digits=3),
            measured(row.agreement, row.agreement_low, row.agreement_high, row.agreement_n),
        )
        for row in frame.itertuples()
    )


COMPARISON_COLUMNS = (
    Column("What is explained", share=14),
    Column("How", share=16),
    Column("Regions", "number", 7),
    Column("Picture forwards", "number", 9),
    Column("On its own", "number", 8),
    Column("Text / decoder forwards", "number", 11),
    Column("Faithfulness", "number", 18),
    Column("Agreement with the first", "number", 17),
)
COST_WORDS = (
    "Forwards are counted for one picture and text. 'On its own' is what the explanation takes without sharing: a set "
    "of masked pictures for each word or token. All texts of a picture share one set, so a further text costs no "
    "picture forward."
)
RESULT_WORDS = (
    "Faithfulness shows and hides the regions in the order of their value per area, and takes the area under the "
    "first curve minus that under the second, in the unit of the value. Agreement is the rank correlation of the map "
    "with the first way's, cell by cell; the first way agrees with itself by definition."
)


def differences(record: PriorsRecord) -> pd.DataFrame:
    """Semantic regions against each other way to cut, paired by picture and text.

    Columns `value`, `prior`, the mean `difference` of faithfulness with `low` and `high`, and `n` pictures.
    """
    whole = record.maps[record.maps["way"] == "sentence"]
    wide = whole.pivot_table(index=["value", "image", "text"], columns="prior", values="faithfulness").reset_index()
    rows = []
    for value, part in wide.groupby("value", sort=False):
        for prior in ("superpixels", "grid"):
            if {"semantic", prior} <= set(part.columns):
                gap = (part["semantic"] - part[prior]).to_numpy()
                found = mean_over_images(gap, part["image"].to_numpy())
                rows.append((value, prior, found.value, found.low, found.high, found.n))
    return pd.DataFrame(rows, columns=["value", "prior", "difference", "low", "high", "n"]).astype(
        {"low": float, "high": float}
    )


def reading(found: pd.DataFrame) -> str:
    """One sentence on whether semantic regions did better than the baselines, from the paired differences."""
    rows = found[found["value"] == "similarity"].dropna(subset=["difference"])
    if rows.empty:
        return "There is nothing to compare semantic regions with."
    if int(rows["n"].max()) < FEWEST:
        return f"With fewer than {FEWEST} images nothing can be concluded about which regions are better."
    better = [PRIORS[row.prior].lower() for row in rows.itertuples() if row.low > 0]
    worse = [PRIORS[row.prior].lower() for row in rows.itertuples() if row.high < 0]
    if not better and not worse:
        return "On these pictures semantic regions are not shown to be more faithful than the baselines, or less."
    told = [f"more faithful than {' and '.join(better)}"] if better else []
    told += [f"less faithful than {' and '.join(worse)}"] if worse else []
    return (
        f"On these pictures semantic regions are {' and '.join(told)}: the 95 % interval of the paired difference lies "
        "on one side of 0. A cut into more regions has it easier, so read the number of regions too."
    )


def row_geometry(run: Run, record: PriorsRecord, row: Any, picture: Picture) -> Geometry:
    """The way from a row's map to the picture. Generated captions are explained on the captioner's own input."""
    if row.value == "generated":
        return geometry_by(record.about.get("captioner_preprocessing"), picture.width, picture.height)
    return geometry_of(run, picture.width, picture.height)


def row_title(row: Any) -> str:
    """How a map is called: what cut the picture, and how it was explained."""
    return f"{PRIORS[row.prior]}, {WAYS[row.way]}"


def region_lines(row: Any) -> list[str]:
    """A row's regions with the largest values first: value, area and, where known, the nearest of the run's texts."""
    order = np.argsort(-np.abs(np.asarray(row.shares, dtype=float)))
    names = list(row.names)
    lines = []
    for at in order:
        name = f", nearest to \u201c{names[at]}\u201d" if len(names) else ""
        lines.append(f"{amount(row.shares[at])} from {float(row.areas[at]):.0%} of the picture{name}")
    return lines


# -- sections ----------------------------------------------------------------------------------------------------


def _introduction(run: Run, record: PriorsRecord) -> Section:
    about = record.about
    facts = [
        Fact("Pictures", f"{about['pictures']} explained, {about['pictures_left_out']} of the audit left out"),
        Fact("Regions", f"at most {about['options']['regions']} a picture; every combination was shown, none sampled"),
        Fact("Hidden regions become", str(about["options"]["removal"])),
    ]
    if about["captioner"]:
        facts.append(
            Fact("Captions written by", f"{about['captioner']}, meanings by the text tower of {about['encoder']}")
        )
    else:
        facts.append(Fact("Captions", "none were generated: the audited model writes none and no other was named"))
    sentences = (
        "The picture is cut into the regions that the model's own features form. The value of a text is shared among "
        "them by Shapley values, which sum to what the whole picture brings over a hidden one.",
        "The names of regions are the nearest of the audit's own texts; some text is always nearest, so a name is no "
        "proof that the thing is there.",
    )
    return Section("Semantic priors", facts=tuple(facts), sentences=sentences)


def _comparison(run: Run, record: PriorsRecord, assets: Assets) -> Section:
    if record.maps.empty:
        return Section("Cost and result of the ways to explain")
    frame = comparison(record)
    charts = []
    for value in dict.fromkeys(frame["value"]):
        n = int(frame[frame["value"] == value]["n"].max())
        title = f"Faithfulness by regions, {VALUES[value]}, with 95 % interval"
        svg = to_svg(comparison_chart(frame, value), title)
        charts.append(Chart(assets.chart(svg), title, f"{VALUES[value].capitalize()}: mean and interval, n = {n}."))
    gaps = differences(record)
    pairs = tuple(
        (VALUES[row.value], PRIORS[row.prior], measured(row.difference, row.low, row.high, row.n, digits=3))
        for row in gaps.itertuples()
    )
    paired = (Column("What is explained", share=40), Column("Against", share=30), Column("Difference", "number"))
    tables = [Table("Cost and result, means with 95 % interval", COMPARISON_COLUMNS, comparison_rows(frame))]
    if pairs:
        title = "Faithfulness of semantic regions minus that of the others, same pictures and texts, 95 % interval"
        tables.append(Table(title, paired, pairs))
    return Section(
        "Cost and result of the ways to explain",
        sentences=(COST_WORDS, RESULT_WORDS, reading(gaps)),
        charts=tuple(charts),
        tables=tuple(tables),
    )


def _maps(run: Run, record: PriorsRecord, assets: Assets) -> Section:
    pictures = {picture.id: picture for picture in run.dataset.pictures}
    heats: list[Heat] = []
    texts: dict[str, None] = {}
    for value in dict.fromkeys(record.maps["value"]):
        rows = record.of_value(value)
        for image in list(dict.fromkeys(rows["image"]))[:MOST_PICTURES]:
            own = rows[(rows["image"] == image) & (rows["way"] == "sentence")]
            first = own[own["text"] == own["text"].iloc[0]] if value != "generated" else own
            heats += _row_of_heats(run, record, assets, pictures[image], first.itertuples())
            texts[f"{pictures[image].name}: \u201c{shorten(first['text'].iloc[0], 160)}\u201d"] = None
    sentences = (
        f"The first {MOST_PICTURES} pictures of the record with their first text, for each value function: what a "
        "region brings to the cosine of picture and text, or to the cosine of meanings.",
        "Red regions raise the value, blue ones lower it; every cell of a region has the region's value.",
        *texts,
    )
    return Section("What the regions bring", sentences=sentences if heats else (), heats=tuple(heats))


def _row_of_heats(
    run: Run, record: PriorsRecord, assets: Assets, picture: Picture, rows: Iterable[Any]
) -> Iterable[Heat]:
    small = fit(run.dataset.open(picture), PRINT_SIDE)
    bar = assets.drawing(colour_bar(signed=True))
    for row in rows:
        values = np.asarray(row.map, dtype=np.float64).reshape(int(row.rows), int(row.columns))
        found = value_range(values)
        painted = overlay(small, values, row_geometry(run, record, row, picture), signed=True, smooth=False)
        low, high = bar_ends(found, signed=True)
        reach = f"raw {amount(found.low)} to {amount(found.high)}"
        caption = f"{shorten(picture.name, 28)}, {'cosine' if row.value == 'similarity' else 'meaning'}"
        alt_text = f"{row_title(row)} of {picture.name} for the text {row.text}; {reach}"
        yield Heat(assets.photo(painted), alt_text, PRIORS[row.prior], caption, bar, amount(low), amount(high))


def _captions(record: PriorsRecord) -> Section:
    if record.captions.empty:
        return Section("Captions with regions hidden")
    rows = []
    for (name, prior), part in record.captions.groupby(["image_name", "prior"], sort=False):
        if prior != record.captions["prior"].iloc[0]:
            continue
        ordered = part.assign(size=part["shown"].str.count("1")).sort_values("size", ascending=False, kind="stable")
        distinct = ordered.drop_duplicates("caption").head(MOST_CAPTIONS)
        for row in distinct.itertuples():
            rows.append(
                (str(name), f"{row.size} of {len(row.shown)}", shorten(row.caption, 90), number(row.meaning, 2))
            )
    columns = (
        Column("Picture", share=24),
        Column("Regions shown", "number", 14),
        Column("Caption", share=46),
        Column("Meaning kept", "number", 16),
    )
    more = f"At most {MOST_CAPTIONS} different captions a picture; all are in {FOLDER}/captions.parquet."
    sentence = "Meaning kept is the cosine of a caption's meaning with that of the whole picture's caption, n = 1 each."
    return Section(
        "Captions with regions hidden",
        sentences=(sentence,),
        tables=(Table("What the captioner says while regions are hidden", columns, tuple(rows), more),),
    )
