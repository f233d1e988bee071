"""Semantic priors in the report and on a page: the table of costs and results, its chart, the maps. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from core.applications.priors.measures import differences
from core.applications.priors.record import REST, VALUES, WAYS, MapRow, PriorsRecord, of_run
from core.applications.priors.tables import (
    CAPTIONS,
    COMPARISON,
    DIFFERENCES,
    CaptionRow,
    begun,
    caption_rows,
    prior_title,
)
from core.applications.sampling import images_of
from core.content.altair import alt
from core.content.assets import Assets
from core.content.charts import ACCENT, MUTED, WIDTH, roomy, styled, to_svg
from core.content.context import ReportContext
from core.content.heat import bar_ends, colour_bar, fit, geometry_by, geometry_of, overlay, value_range
from core.content.parts import Chart, Fact, Heat, Place, Section
from core.content.promises import draws_interval, promised
from core.content.words import amount, percent, plural, shorten
from core.datasets import DatasetImage
from core.languages import say
from core.models.geometry import Geometry
from core.runs import Run
from core.runs.rows import typed
from core.statistics import mean_over_images
from core.statistics.intervals import CORRELATION, UNBOUNDED

PRINT_SIDE = 340
MOST_IMAGES = 4
MOST_CAPTIONS = 6
UNITS = {"similarity": "cosine", "answer": "difference of cosines"}  # messages
MEANING = "meaning"  # messages
# What a hidden region is replaced by.
REMOVALS = {"black": "black", "mean": "mean", "blur": "blur"}  # messages


def sections(context: ReportContext) -> tuple[Section, ...]:
    """The sections on semantic priors; none if the run has no such record."""
    run, assets = context.run, context.assets
    record = context.judged.record(of_run)
    if record is None:
        return ()
    parts = (_introduction(run, record), _comparison(record, assets), _maps(run, record, assets))
    return tuple(part for part in (*parts, _captions(record)) if not part.empty)


def comparison(record: PriorsRecord) -> pd.DataFrame:
    """Cost and result of each way to explain, one row a value function, prior and way.

    Columns `value`, `prior`, `way`, `title`, `n` (images), `regions`, the forwards for one image and text (means),
    and `faithfulness` and `agreement` with `_low` and `_high`, the interval over images.
    """
    records = []
    for (value, prior, way), part in record.maps.groupby(["value", "prior", "way"], sort=False):
        row: dict[str, Any] = {
            "value": value,
            "prior": prior,
            "way": way,
            "title": way_title(prior, way),
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


def way_title(prior: str, way: str) -> str:
    """What cut the image, and how it was explained."""
    return f"{prior_title(prior)}, {say(WAYS[way])}"


def comparison_chart(frame: pd.DataFrame, value: str) -> alt.LayerChart:
    """Faithfulness of each way to explain one value, with its 95 % interval; 0 is what an order by chance gives."""
    rows = frame[frame["value"] == value].rename(
        columns={"faithfulness": "mean", "faithfulness_low": "low", "faithfulness_high": "high"}
    )[["title", "mean", "low", "high", "n"]]
    y = alt.Y("title:N", sort=rows["title"].tolist(), title=None, axis=alt.Axis(labelLimit=320))
    title = say("insertion minus deletion over area (0 = random order)")
    x = alt.X("mean:Q", title=title, scale=roomy(rows["low"], rows["high"], rows["mean"]))
    base = alt.Chart(rows)
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x="zero:Q")
    bars = base.mark_rule(strokeWidth=2, color=ACCENT).encode(x="low:Q", x2="high:Q", y=y)
    tips = ["title", *(alt.Tooltip(name, format=".3f") for name in ("mean", "low", "high")), "n"]
    points = base.mark_point(filled=True, size=70, opacity=1, color=ACCENT).encode(x=x, y=y, tooltip=tips)
    return styled(alt.layer(zero, bars, points).properties(width=WIDTH - 250, height=alt.Step(24)))


COST_WORDS = (
    "Forward passes are counted for one image and text. “Stand-alone” is the cost without shared forward passes: one "
    "set of masked images for each word or token. All texts of an image share one set, so a further text costs no "
    "image forward pass."
)  # messages
RESULT_WORDS = (
    "Faithfulness shows and hides the regions in the order of their value per area, and is the area under the first "
    "curve minus that under the second, in the unit of the value. Agreement is the rank correlation of the map with "
    "that of the first type of explanation, cell by cell; that of the first with itself is 1 by definition."
)  # messages


ANSWER_WORDS = (
    "The answer to a question is explained in two ways: as the cosine of the image and the whole text, and as this "
    "cosine less that of the image and the question alone. The second is what the answer adds; it does not show "
    "whether the answer is right."
)  # messages


def row_geometry(run: Run, record: PriorsRecord, row: MapRow, image: DatasetImage) -> Geometry:
    """The way from a row's map to the image. Generated captions are explained on the captioner's own input."""
    if row.value == "generated":
        return geometry_by(record.about.get("captioner_preprocessing"), image.width, image.height)
    return geometry_of(run, image.width, image.height)


def row_title(row: MapRow) -> str:
    """How a map is called: what cut the image, and how it was explained."""
    return way_title(row.prior, row.way)


def region_lines(row: MapRow) -> list[str]:
    """A row's regions with the largest values first: value, area and, where known, the nearest of the run's texts."""
    order = np.argsort(-np.abs(np.asarray(row.shares, dtype=float)))
    names = list(row.names)
    lines = []
    for at in order:
        known = {"value": amount(row.shares[at]), "area": percent(row.areas[at])}
        if not len(names):
            lines.append(say("{value} from {area} of the image", **known))
        elif row.prior == "drawn" and names[at] == REST:
            lines.append(say("{value} from the rest of the image, {area} of it", **known))
        elif row.prior == "drawn":
            lines.append(say("{value} from {area} of the image, drawn as “{name}”", name=names[at], **known))
        else:
            lines.append(say("{value} from {area} of the image, nearest to “{name}”", name=names[at], **known))
    return lines


# -- sections ----------------------------------------------------------------------------------------------------


def _introduction(run: Run, record: PriorsRecord) -> Section:
    about = record.about
    facts = [
        Fact("Images", images_of(about)),
        Fact(
            "Regions",
            say(
                "at most {count} per image; every combination was evaluated, none sampled",
                count=about["options"]["regions"],
            ),
        ),
        Fact("Hidden regions are replaced by", say(REMOVALS[about["options"]["removal"]])),
    ]
    if "drawn" in about["priors"]:
        undivided = len(about["undivided"])
        drawn = say("one for each label of the annotations, and the rest of the image")
        if undivided:
            more = say("{images} without two such regions in view", images=plural(undivided, "image"))
            drawn = f"{drawn}; {more}"
        facts.append(Fact("Drawn regions", drawn))
    if about.get("questions"):
        form = about["options"]["question_form"]
        told = say("{images}, read as “{form}”", images=plural(about["questions"], "image"), form=form)
        facts.append(Fact("Questions with answers", told))
    if about["captioner"]:
        told = say(
            "{captioner}, meanings by the text tower of {encoder}",
            captioner=about["captioner"],
            encoder=about["encoder"],
        )
        facts.append(Fact("Captions generated by", told))
    else:
        facts.append(
            Fact(
                "Captions",
                say("none were generated: the audited model cannot generate captions and no other model was named"),
            )
        )
    asked = (say(ANSWER_WORDS),) if about.get("questions") else ()
    sentences = (
        say(
            "The image is divided into the regions formed by the model's own features. The score of a text is "
            "distributed among them by Shapley values, which sum to the difference between the whole and the fully "
            "hidden image."
        ),
        say(
            "The names of regions are the nearest of the audit's own texts; there is always a nearest text, so a name "
            "is not evidence that the object is present."
        ),
        *asked,
    )
    return Section("Semantic priors", facts=tuple(facts), sentences=sentences)


def _comparison(record: PriorsRecord, assets: Assets) -> Section:
    if record.maps.empty:
        return Section("Cost and result of the types of explanation")
    frame = comparison(record)
    charts: list[Chart] = []
    for value in dict.fromkeys(frame["value"]):
        n = int(frame[frame["value"] == value]["n"].max())
        shown = draws_interval(frame.loc[frame["value"] == value, ["faithfulness_low"]])
        quantity = say(VALUES[value])
        title = promised(say("Faithfulness by regions, {quantity}, with 95 % interval", quantity=quantity), shown)
        svg = to_svg(comparison_chart(frame, value), title)
        caption = promised(say("{quantity}: mean and interval, n = {n}.", quantity=begun(quantity), n=n), shown)
        place: Place = "annex" if charts else "body"
        charts.append(Chart(assets.chart(svg), title, caption, place=place))
    gaps = differences(record)
    tables = [COMPARISON.table(say("Cost and result, means with 95 % interval"), frame)]
    if len(gaps):
        title = say("Faithfulness of semantic regions minus that of the others, same images and texts, 95 % interval")
        tables.append(DIFFERENCES.table(title, gaps))
    return Section(
        "Cost and result of the types of explanation",
        sentences=(say(COST_WORDS), say(RESULT_WORDS)),
        charts=tuple(charts),
        tables=tuple(tables),
    )


def _maps(run: Run, record: PriorsRecord, assets: Assets) -> Section:
    images = {entry.id: entry for entry in run.dataset.images}
    heats: list[Heat] = []
    texts: dict[str, None] = {}
    for value in dict.fromkeys(record.maps["value"]):
        rows = record.of_value(value)
        for image in list(dict.fromkeys(rows["image"]))[:MOST_IMAGES]:
            own = rows[(rows["image"] == image) & (rows["way"] == "sentence")]
            first = own[own["text"] == own["text"].iloc[0]] if value != "generated" else own
            heats += _row_of_heats(run, record, assets, images[image], typed(first, MapRow))
            texts[say("{name}: “{text}”", name=images[image].name, text=shorten(first["text"].iloc[0], 160))] = None
    sentences = (
        say(
            "The first {count} images of the record with their first text, for each value function: the "
            "contribution of a region to the cosine of image and text, or to the cosine of meanings.",
            count=MOST_IMAGES,
        ),
        say("Red regions raise the value, blue ones lower it; every cell of a region has the region's value."),
        *texts,
    )
    return Section("Contributions of the regions", sentences=sentences if heats else (), heats=tuple(heats))


def _row_of_heats(
    run: Run, record: PriorsRecord, assets: Assets, image: DatasetImage, rows: Iterable[Any]
) -> Iterable[Heat]:
    small = fit(run.dataset.open(image), PRINT_SIDE)
    bar = assets.drawing(colour_bar(signed=True))
    for row in rows:
        values = np.asarray(row.map, dtype=np.float64).reshape(int(row.rows), int(row.columns))
        found = value_range(values)
        painted = overlay(small, values, row_geometry(run, record, row, image), signed=True, smooth=False)
        low, high = bar_ends(found, signed=True)
        caption = f"{shorten(image.name, 28)}, {say(UNITS.get(row.value, MEANING))}"
        alt_text = say(
            "{title} of {name} for the text {text}; raw {low} to {high}",
            title=row_title(row),
            name=image.name,
            text=row.text,
            low=amount(found.low),
            high=amount(found.high),
        )
        yield Heat(assets.photo(painted), alt_text, prior_title(row.prior), caption, bar, amount(low), amount(high))


def _captions(record: PriorsRecord) -> Section:
    if record.captions.empty:
        return Section("Captions with regions hidden")
    rows = []
    for (_, prior), part in record.captions.groupby(["image_name", "prior"], sort=False):
        if prior != record.captions["prior"].iloc[0]:
            continue
        distinct: dict[str, CaptionRow] = {}
        for row in caption_rows(part):
            distinct.setdefault(row.caption, row)
        rows += list(distinct.values())[:MOST_CAPTIONS]
    more = say(
        "At most {count} different captions per image; all are in applications/priors/captions.parquet.",
        count=MOST_CAPTIONS,
    )
    sentence = say(
        "Meaning retained is the cosine of a caption's meaning with that of the caption for the whole image, "
        "n = 1 each."
    )
    return Section(
        "Captions with regions hidden",
        sentences=(sentence,),
        tables=(CAPTIONS.table(say("Captions generated while regions are hidden"), rows, more),),
    )
