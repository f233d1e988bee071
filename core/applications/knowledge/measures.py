"""The tables, charts and images of mutual knowledge that the report and the Compare page share. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from core.applications.knowledge.record import CONTROLS, MEASURES, POINTS, PROXIES, KnowledgeRecord, PartitionRow
from core.content.altair import alt
from core.content.charts import INK, PALETTE, WIDTH, styled
from core.content.heat import fit
from core.content.words import measured, plural
from core.datasets import DatasetImage
from core.languages import say
from core.models.geometry import Geometry, Preprocessing
from core.runs import Run
from core.statistics import Interval, interval_of_means, share_of_images
from core.statistics.intervals import CORRELATION, NOT_NEGATIVE, SHARE

TITLES = {  # messages
    "score": "Mutual-knowledge score",
    "auc": "Area under its removal curve",
    "shared": "Shared concepts K",
    "jaccard": "Jaccard index",
    "overlap": "Overlap coefficient",
    "deletion": "Deletion of concepts",
    "insertion": "Insertion of concepts",
}
PROXY_TITLES = {  # messages
    "margin": "Margin of the predicted class (cosine)",
    "confidence": "Probability of the predicted class",
    "template_agrees": "Same class without or with another template",
}
DECISIONS = {  # messages
    "correct": "Zero-shot accuracy",
    "correct_through": "Accuracy through the concepts alone",
    "correct_without": "Accuracy without the concepts",
    "kept_through": "Same class through the concepts alone",
    "kept_without": "Same class without the concepts",
}
# What a measure of one image can be; the margin is the highest cosine less the second.
RANGES = {
    **dict.fromkeys(("score", "auc", "shared"), NOT_NEGATIVE),
    **dict.fromkeys(("jaccard", "overlap", "deletion", "insertion", "confidence"), SHARE),
    "margin": (0.0, 2.0),
}
PRINT_SIDE = 340
OWN, OTHER, RANDOM = "its own class", "other classes (control)", "random descriptors (control)"  # messages
VISUAL, DELETED, INSERTED = "visual concepts", "deletion", "insertion"  # messages
# How the parts of an image were found.
VARIANTS = {"kmeans": "kmeans", "pca": "pca"}  # messages
SMALLEST_RANK_CORRELATION = 4
HALF = 0.5


def estimate(record: KnowledgeRecord, column: str) -> Interval:
    """The mean over images of a column of `KnowledgeRecord.images` with its interval; images without it are out."""
    values = record.images[column].dropna().to_numpy(float)
    if column in DECISIONS or column == "template_agrees":
        return share_of_images(values, np.arange(len(values)))
    return interval_of_means(values, within=RANGES[column])


def advantage(record: KnowledgeRecord, measure: str) -> Interval:
    """The mean paired difference between a measure and its control."""
    images = record.images
    differences = (images[measure] - images[CONTROLS[measure]]).to_numpy(float)
    return interval_of_means(differences)


def written(found: Interval, digits: int = 2) -> str:
    """An interval as the report writes it."""
    return measured(found.value, found.low, found.high, found.n, digits=digits)


def spread(table: pd.DataFrame, measure: str) -> Interval:
    """The standard deviation of an image's measure over its rows of `seed_spread` or `sign_spread`, mean over images
    with its interval.
    """
    by = table.groupby("image", sort=True)[measure].std()
    return interval_of_means(by.dropna().to_numpy(float), within=NOT_NEGATIVE)


def seeds_told(record: KnowledgeRecord) -> str:
    """How far scores depend on the seed of k-means, in words, beside how far images differ; "" if not measured."""
    table = record.seed_spread
    if table.empty:
        return ""
    spreads = _spread_told(record, table, "kmeans", say("seeds"))
    return say("{count} seeds: {spreads}", count=table["seed"].nunique(), spreads=spreads)


def signs_told(record: KnowledgeRecord) -> str:
    """How far scores depend on the arbitrary signs of principal components, in words, beside how far images differ,
    and how far parts do; "" if not measured.
    """
    table, agreement = record.sign_spread, record.sign_agreement
    if table.empty:
        return ""
    rand = interval_of_means(agreement, within=CORRELATION)
    return say(
        "{count} choices of signs: {spreads}; adjusted Rand index of parts with other signs {rand} (groups)",
        count=table["flips"].nunique(),
        spreads=_spread_told(record, table, "pca", say("choices")),
        rand=written(rand),
    )


def decision_told(record: KnowledgeRecord) -> str:
    """Whether the concepts carry the decision, in a sentence or two: what is decided through them, and without them."""
    through, without = (estimate(record, column) for column in ("kept_through", "kept_without"))
    told = say(
        "Share of images whose class stays the same through the concepts alone: {through}; without the concepts: "
        "{without}.",
        through=written(through),
        without=written(without),
    )
    if without.low is not None and without.low > HALF:
        return f"{told} {say('Most decisions do not need the concepts: they do not carry the decision.')}"
    if without.high is not None and without.high < HALF:
        return f"{told} {say('Most decisions change without the concepts.')}"
    return told


def signs_result(record: KnowledgeRecord) -> str:
    """How far the arbitrary signs of components alone change the score, beside images, in a sentence; "" without."""
    table = record.sign_spread
    between = None if table.empty else _between(record, table, "pca", "score")
    if between is None:
        return ""
    over = spread(table, "score")
    told = say(
        "The signs of principal components are arbitrary; other signs alone change the score of an image by a standard "
        "deviation of {spread}, against {between:.2f} between these images.",
        spread=written(over),
        between=between,
    )
    if over.value is not None and over.value >= HALF * between:
        return f"{told} {say('A difference between single images can come from this choice alone.')}"
    return told


def _between(record: KnowledgeRecord, table: pd.DataFrame, variant: str, measure: str) -> float | None:
    """The standard deviation of a measure between the images of a spread's table; None for fewer than two of them."""
    split = record.partitions[
        (record.partitions["variant"] == variant) & record.partitions["image"].isin(table["image"])
    ]
    return float(split[measure].std()) if len(split) > 1 else None


def _spread_told(record: KnowledgeRecord, table: pd.DataFrame, variant: str, over: str) -> str:
    parts = []
    for measure, title in (("score", say("score")), ("auc", say("area under its removal curve"))):
        told = say(
            "standard deviation of the {measure} over {choices} {spread}",
            measure=title,
            choices=over,
            spread=written(spread(table, measure)),
        )
        between = _between(record, table, variant, measure)
        if between is not None:
            told = say("{spread}, {between:.2f} between these images", spread=told, between=between)
        parts.append(told)
    return "; ".join(parts)


def assignment(record: KnowledgeRecord) -> str:
    """How images came to their groups, in words."""
    if record.about["assignment"] != "labels":
        return say("its zero-shot class; labels of the metadata are not used here")
    missing = record.about["unlabelled"]
    told = say("its given label")
    if missing:
        told = say("its given label; {images} without a known label by zero-shot", images=plural(missing, "image"))
    return say("{labels}. Concepts are nevertheless compared with those of the zero-shot class", labels=told)


def removal_chart(records: Mapping[str, KnowledgeRecord], control: bool = True) -> Any:
    """The mean score while concepts are removed, one line a record; the control dashed."""
    rows = []
    for name, record in records.items():
        for column, kind in (("curve", OWN), ("control_curve", OTHER))[: 2 if control else 1]:
            for removed, value in enumerate(record.removal_curve(column)):
                rows.append({"model": name, "against": say(kind), "removed": removed, "value": value})
    title, mean = say("removed concepts, the most relevant first"), say("mean score")
    return _lines(pd.DataFrame(rows), "removed", title, mean, list(records))


def edit_chart(record: KnowledgeRecord) -> Any:
    """The mean probability of the class while concepts are deleted from, or alone inserted into, the embedding."""
    rows = []
    for which, prefix in (("deletion", ""), ("insertion", ""), ("deletion", "control_"), ("insertion", "control_")):
        kind, name = say(RANDOM if prefix else VISUAL), say(DELETED if which == "deletion" else INSERTED)
        for at, value in zip(np.linspace(0, 1, POINTS), record.edit_curve(f"{prefix}{which}_curve"), strict=True):
            rows.append({"model": name, "against": kind, "share": at, "value": value})
    title, mean = say("share of concepts"), say("mean probability")
    return _lines(pd.DataFrame(rows), "share", title, mean, [say(DELETED), say(INSERTED)])


def _lines(frame: pd.DataFrame, x: str, title: str, y_title: str, names: list[str]) -> Any:
    kinds = list(dict.fromkeys(frame["against"]))
    dashes = [[1, 0], [4, 3]][: len(kinds)]
    shades = [PALETTE[index % len(PALETTE)] for index in range(len(names))]
    # A short sample of a line has no room for its dashes.
    legend = alt.Legend(
        title=None,
        orient="bottom",
        columns=3,
        symbolType="stroke",
        symbolSize=400,
        symbolStrokeColor=INK,
        labelLimit=260,
    )
    base = alt.Chart(frame).encode(
        x=alt.X(f"{x}:Q", title=title),
        y=alt.Y("value:Q", title=y_title),
        color=alt.Color("model:N", sort=names, scale=alt.Scale(domain=names, range=shades), legend=legend),
        tooltip=["model", "against", x, alt.Tooltip("value", format=".3f")],
    )
    dash = alt.StrokeDash("against:N", scale=alt.Scale(domain=kinds, range=dashes), legend=legend)
    # The points are marks of their own: with a dash as well, the legend would draw samples of points, without a line.
    lines = base.mark_line(strokeWidth=1.8).encode(strokeDash=dash)
    return styled(
        alt.layer(lines, base.mark_point(filled=True, size=14, opacity=1)).properties(width=WIDTH - 60, height=190)
    )


def model_table(records: Mapping[str, KnowledgeRecord]) -> pd.DataFrame:
    """One row a record: `model`, then `value`, `low`, `high`, `n` of every measure, proxy and decision.

    Columns are called `auc`, `auc_low`, `auc_high`, `auc_n` and so on; `modality_gap` and `class_balance` have no
    interval. Accuracies are missing where no label is known.
    """
    rows = []
    for name, record in records.items():
        row: dict[str, Any] = {"model": name}
        for column in (*MEASURES, *PROXIES, *DECISIONS):
            found = estimate(record, column)
            row |= {column: found.value, f"{column}_low": found.low, f"{column}_high": found.high}
            row[f"{column}_n"] = found.n
        rows.append(row | {"modality_gap": record.about["modality_gap"], "class_balance": record.class_balance})
    return pd.DataFrame(rows)


def rank_correlations(table: pd.DataFrame, of: str = "auc") -> pd.DataFrame:
    """Spearman's correlation over models between `of` and every proxy and the accuracy: `with`, `value`, `n`.

    None with fewer than four models or a constant column: too little to conclude from.
    """
    rows = []
    for column in (*PROXIES, "modality_gap", "class_balance", "correct"):
        both = table[[of, column]].astype(float).dropna()
        enough = len(both) >= SMALLEST_RANK_CORRELATION and both.nunique().min() > 1
        value = float(both[of].rank().corr(both[column].rank())) if enough else None
        rows.append({"with": column, "value": value, "n": len(both)})
    return pd.DataFrame(rows)


def proxy_chart(table: pd.DataFrame, column: str) -> Any:
    """The area under the removal curve of every model against a proxy or the accuracy, with both intervals."""
    title = PROXY_TITLES.get(column) or DECISIONS.get(column) or column.replace("_", " ")
    frame = table[table[column].notna()].copy()
    x = alt.X(f"{column}:Q", title=title, scale=alt.Scale(zero=False))
    y = alt.Y("auc:Q", title=TITLES["auc"].lower(), scale=alt.Scale(zero=False))
    base = alt.Chart(frame)
    layers = [base.mark_rule(strokeOpacity=0.5).encode(x=x, y=alt.Y("auc_low:Q", title=None), y2="auc_high:Q")]
    if f"{column}_low" in frame:
        layers.append(base.mark_rule(strokeOpacity=0.5).encode(x=f"{column}_low:Q", x2=f"{column}_high:Q", y=y))
    layers.append(
        base.mark_point(filled=True, size=70, color=PALETTE[0], opacity=1).encode(x=x, y=y, tooltip=["model"])
    )
    layers.append(base.mark_text(dy=-11).encode(x=x, y=y, text="model:N"))
    return styled(alt.layer(*layers).properties(width=WIDTH - 60, height=230))


def painted(image: Image.Image, labels: NDArray[Any], geometry: Geometry, side: int = PRINT_SIDE) -> Image.Image:
    """An image with its parts (rows, columns; -1 for background) in colour; the background is grey."""
    small = fit(image, side)
    values = labels.astype(np.float64)
    placed = geometry.on_original(values, small.width, small.height, smooth=False)
    known = np.isfinite(placed) & (placed >= 0)
    part = np.where(known, np.nan_to_num(placed), 0).astype(int)
    colours = np.array([[int(tone[at : at + 2], 16) for at in (1, 3, 5)] for tone in PALETTE], dtype=np.float64)
    base = np.asarray(small, dtype=np.float64)
    grey = np.asarray(small.convert("L"), dtype=np.float64)[..., None].repeat(3, axis=2)
    tinted = 0.5 * base + 0.5 * colours[part % len(colours)]
    return Image.fromarray(np.where(known[..., None], tinted, 0.35 * grey + 0.65 * 214).round().astype(np.uint8), "RGB")


def part_image(
    run: Run, image: DatasetImage, row: PartitionRow, opened: Image.Image, side: int = PRINT_SIDE
) -> Image.Image:
    """The parts of a row of `KnowledgeRecord.images` over its image."""
    given = run.manifest.get("model", {}).get("preprocessing")
    preprocessing = Preprocessing.from_dict(given) if given else Preprocessing(224, 224, mode="squash")
    labels = np.asarray(row.parts).reshape(int(row.rows), int(row.columns))
    return painted(opened, labels, preprocessing.geometry(image.width, image.height), side)
