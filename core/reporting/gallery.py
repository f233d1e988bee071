"""Heat maps for print: the rule that selects images, and their rows of overlays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from core.content.assets import Assets
from core.content.context import ReportContext
from core.content.heat import bar_ends, colour_bar, fit, geometry_by, overlay, shade_words, value_range
from core.content.parts import Heat, HeatRow, Sample, Words
from core.content.words import amount, number, shorten
from core.datasets import DatasetImage
from core.evaluation.agreement import consensus
from core.findings import failing_methods, trusted_summary
from core.languages import say
from core.methods import METHODS
from core.models.geometry import Geometry
from core.rules.finding import Sample as FindingSample
from core.rules.parts import TEXT_KIND, kind_words, title_of
from core.runs import Run
from core.runs.results import ResultRow
from core.runs.rows import typed

PRINT_SIDE = 340
MOST_IMAGES = 12
MOST_TEXTS = 3
MOST_METHODS_IN_FINDING = 3
# Two rows of six with the image itself.
MOST_METHODS = 11
MOST_FULL_CAPTIONS = 5


@dataclass
class Plates:
    """The heat maps of one run, each drawn once; an image is opened and scaled down once.

    `failing` are the methods that fail a check: their maps are marked, and shown only where they are asked for by name.
    `above` are, for each kind of text that was tested, the methods above every control: of an image's texts, those with
    most of them come first, and a row without one states so.
    `flags` are what the data checks mark an image with; a sample of a finding states them.
    """

    run: Run
    assets: Assets
    failing: Mapping[str, str] = field(default_factory=dict)
    above: Mapping[str, Sequence[str]] = field(default_factory=dict)
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rows: pd.DataFrame = field(init=False)
    images: dict[str, DatasetImage] = field(init=False)
    _small: dict[str, Image.Image] = field(default_factory=dict)

    def __post_init__(self) -> None:
        results = self.run.results()
        self.rows = results[(results.kind == "method") & (results.status == "ok")]
        self.images = {image.id: image for image in self.run.dataset.images}
        self._given = self.run.manifest.get("model", {}).get("preprocessing")

    def photo(self, image: str, title: str = "") -> Heat:
        """The image itself."""
        entry = self.images[image]
        caption = f"{entry.width} \u00d7 {entry.height} px"
        alt = say("The image {name}", name=entry.name)
        return Heat(self.assets.photo(self._open(image)), alt, title or say("Image"), caption)

    def heat(self, row: ResultRow, brief: bool = False) -> Heat:
        """One method's overlay with its colour bar and raw range.

        `brief` leaves range, unit and cells to the bar and the method's card: for rows of many maps.
        """
        info = METHODS.get(str(row.method))
        signed, unit = (info.signed, say(info.unit)) if info else (False, say("unit not recorded"))
        values = np.asarray(row.map, dtype=np.float64).reshape(int(row.rows), int(row.columns))
        extent = value_range(values)
        image = self.images[row.image]
        painted = overlay(self._open(row.image), values, self._geometry(image), signed=signed)
        low, high = bar_ends(extent, signed=signed)
        title = title_of(str(row.method)) + (say(" (fails a check)") if row.method in self.failing else "")
        rows, columns = values.shape
        reach = {"low": amount(extent.low), "high": amount(extent.high), "unit": unit}
        caption = say("raw {low} to {high}; {unit}; {rows} × {columns} cells", rows=rows, columns=columns, **reach)
        more = details_of(row.details)
        caption = "; ".join(more) if brief else "; ".join([caption, *more])
        if extent.constant:
            caption = say("constant map ({low}), uninformative; {unit}", **reach)
        bar = self.assets.drawing(colour_bar(signed=signed))
        alt = say(
            "Heat map of {title} on {name} for the text {text}; raw range {low} to {high} {unit}",
            title=title,
            name=image.name,
            text=row.text,
            **reach,
        )
        return Heat(self.assets.photo(painted), alt, title, caption, bar, amount(low), amount(high))

    def agreed(self, rows: pd.DataFrame, kind: str) -> list[Heat]:
        """Consensus and disagreement of the maps of one image and text of a kind; none for fewer than two.

        Of the methods above every control for this kind, or of all that fail no check where fewer than two are.
        """
        rows = rows[[np.ptp(values) > 0 for values in rows["map"]]]
        rows = rows[~rows.method.isin(list(self.failing))]
        good = rows[rows.method.isin(list(self.above.get(kind, ())))]
        used = good if len(good) > 1 else rows
        if len(used) < 2:
            return []
        grids = [np.asarray(row.map, float).reshape(int(row.rows), int(row.columns)) for row in typed(used, ResultRow)]
        first = used.iloc[0]
        mean, spread = consensus(grids)
        texts = kind_words(kind)
        label = (
            say("{count} methods, above every control for {texts}", count=len(used), texts=texts)
            if len(good) > 1
            else say("{count} methods, not shown to be above every control for {texts}", count=len(used), texts=texts)
        )
        ranks, spreads = say("mean rank, 0 to 1"), say("standard deviation of ranks")
        return [
            self._painted(first.image, mean, say("Consensus"), f"{ranks}; {label}"),
            self._painted(first.image, spread, say("Disagreement"), f"{spreads}; {label}"),
        ]

    def _painted(self, image: str, values: NDArray[np.float64], title: str, caption: str) -> Heat:
        entry, extent = self.images[image], value_range(values)
        painted = overlay(self._open(image), values, self._geometry(entry), signed=False)
        low, high = bar_ends(extent, signed=False)
        alt = say("{title} of the methods on {name}: {caption}", title=title, name=entry.name, caption=caption)
        bar = self.assets.drawing(colour_bar(signed=False))
        return Heat(self.assets.photo(painted), alt, title, caption, bar, amount(low), amount(high))

    def _geometry(self, image: DatasetImage) -> Geometry:
        return geometry_by(self._given, image.width, image.height)

    def sample(
        self,
        image: str,
        why: str,
        *,
        text: str | None = None,
        methods: Sequence[str] = (),
        texts: int = MOST_TEXTS,
        brief: bool = False,
        agreed: bool = False,
    ) -> Sample | None:
        """An image's rows (all its texts, or `text`; all methods, or `methods`); None if the image is not stored.

        The empty text is that of a statement about the image alone, which then has no map.
        With `brief` the captions are as in a row of many maps. With `agreed`, its first row ends with consensus and
        disagreement.
        """
        entry = self.images.get(image)
        if entry is None:
            return None
        explained = self.rows[self.rows.image == image]
        if text is not None:
            explained = explained[explained.text == text]
        if methods:
            explained = explained[explained.method.isin(list(methods))]
        order = {method.name: at for at, method in enumerate(self.run.plan.methods)}
        out: list[HeatRow] = []
        groups = list(explained.groupby(["text_kind", "text"], sort=True, dropna=False))
        groups.sort(key=lambda group: -len(self.above.get(str(group[0][0]), ())))
        for (kind, words), part in groups[:texts]:
            part = part.sort_values("method", key=lambda names: names.map(order).fillna(len(order)), kind="stable")
            mapped = part[part["map"].notna()]
            short = brief or len(mapped) > MOST_FULL_CAPTIONS
            heats = [self.photo(image), *(self.heat(row, short) for row in typed(mapped, ResultRow))]
            if agreed and not out:
                heats += self.agreed(mapped, str(kind))
            # A single word has nothing to be compared with.
            with_tokens = typed(part[part["tokens"].notna()], ResultRow)
            strips = [self._words(row) for row in with_tokens if len(word_strip(row)[0]) > 1]
            named = say(TEXT_KIND.get(str(kind), str(kind)))
            facts = say("{kind}, cosine {score}", kind=named, score=number(part.score.iloc[0]))
            if kind in self.above and not self.above[kind]:
                facts += say("; no method is shown to beat every control for {texts}", texts=kind_words(kind))
            out.append(HeatRow(shorten(str(words), 160), facts, tuple(heats), tuple(strips)))
        if not out:
            absent = ""
            if text != "":
                absent = say("not explained on this image") if text else say("no heat map in this run")
            out.append(HeatRow(shorten(text or "", 160), absent, (self.photo(image),)))
        return Sample(entry.name, why, tuple(out))

    def finding_samples(self, samples: Iterable[FindingSample]) -> tuple[Sample, ...]:
        """The sample sheet of a finding: maps of the text that it is about, and of no other."""
        known = set(self.rows[self.rows["map"].notna()].method)
        planned = [method.name for method in self.run.plan.methods if method.name not in self.failing]
        out = []
        for sample in samples:
            flagged = ", ".join(say(flag) for flag in self.flags.get(sample.image, ()))
            flag = say("flagged: {flags}", flags=flagged) if flagged else ""
            note = "; ".join(part for part in (sample.note, flag) if part)
            wanted = [name for name in sample.methods or planned if name in known][:MOST_METHODS_IN_FINDING]
            row = self.sample(sample.image, note, text=sample.text or "", methods=wanted, texts=1, brief=True)
            out.append(row or Sample(sample.image_name, sample.note or say("not among the stored images"), ()))
        return tuple(out)

    def thumbnail(self, sample: FindingSample) -> Heat | None:
        """The first heat map of a sample, else its image; None if the image is unknown."""
        sheet = self.finding_samples([sample])[0]
        heats = [heat for row in sheet.rows for heat in row.heats]
        return next((heat for heat in heats if heat.bar), heats[0] if heats else None)

    def _words(self, row: ResultRow) -> Words:
        method = str(row.method)
        info = METHODS.get(method)
        pieces, values = word_strip(row)
        extent = value_range(np.asarray(values))
        caption = say(
            "{method}, raw {low} to {high} {unit}",
            method=title_of(method),
            low=amount(extent.low),
            high=amount(extent.high),
            unit=say(info.unit) if info else "",
        )
        return Words(title_of(method), shade_words(pieces, values), caption.strip())

    def _open(self, image: str) -> Image.Image:
        if image not in self._small:
            self._small[image] = fit(self.run.dataset.open(self.images[image]), PRINT_SIDE)
        return self._small[image]


def word_strip(row: ResultRow) -> tuple[list[str], list[float]]:
    """The words of a result row with their values; its tokens where words are unknown."""
    words, values = getattr(row, "words", None), row.word_values
    if not isinstance(words, (list, np.ndarray)) or not len(words):
        words, values = row.tokens, row.token_values
    if words is None or values is None:
        return [], []
    return [str(word) for word in words], [float(value) for value in values]


def details_of(details: Any) -> list[str]:
    """The numbers that a method reports itself: coalitions used, R\u00b2, the unexplained residual."""
    known = json.loads(details) if isinstance(details, str) else {}
    parts = []
    if "coalitions" in known:
        parts.append(say("{count:.0f} coalitions", count=known["coalitions"]))
    if "r2" in known:
        parts.append(f"R\u00b2 {number(known['r2'], 2)}")
    if "residual" in known:
        parts.append(say("residual {value}", value=number(known["residual"], 3)))
    return parts


def choose(context: ReportContext, most: int = MOST_IMAGES) -> tuple[list[tuple[str, str]], str]:
    """(image id, reason) of the images to show, each once, and the rule in one sentence."""
    run, summary = context.run, context.summary
    explained = run.results(["image", "image_name", "kind", "status"])
    explained = explained[(explained.kind == "method") & (explained.status == "ok")]
    pool = list(dict.fromkeys(explained.image))
    if len(pool) <= most:
        rule = say("All {count} explained images are shown, in the order of their names.", count=len(pool))
        return [(image, "") for image in pool], rule
    quarter = max(1, most // 4)
    agreement = trusted_summary(context.judged).pair_agreement.groupby("image").value.mean().sort_values(kind="stable")
    scores = summary.scores.groupby("image").score.max()
    scores = scores[scores.index.isin(pool)]
    middle = (scores - scores.median()).abs().sort_values(kind="stable")
    random = np.random.default_rng(run.plan.seed).permutation(len(pool))
    chosen: dict[str, str] = {}
    for why, ranked in (
        (say("lowest mean agreement between methods"), list(agreement.index)),
        (say("highest mean agreement between methods"), list(agreement.index[::-1])),
        (say("top score nearest to the median"), list(middle.index)),
        (say("random (seed {seed})", seed=str(run.plan.seed)), [pool[at] for at in random]),
    ):
        for image in [image for image in ranked if image not in chosen][:quarter]:
            chosen[image] = why
    rule = say(
        "Of {pool} explained images {chosen} are shown: the {each} with the lowest and the {each} with the highest "
        "mean agreement between methods, the {each} whose top score is nearest to the median, and {each} drawn at "
        "random with seed {seed}; an image to which several parts of the rule apply is shown once.",
        pool=len(pool),
        chosen=len(chosen),
        each=quarter,
        seed=str(run.plan.seed),
    )
    return list(chosen.items()), rule


def choose_methods(context: ReportContext, most: int = MOST_METHODS) -> tuple[tuple[str, ...], str]:
    """The methods that every image but the first shows, in the plan's order, and the rule in one sentence.

    Empty (all of them, no rule) where there are at most `most`.
    """
    summary = context.summary
    planned = [name for name in summary.methods if (name, "image") not in {(m, s) for m, s, _ in summary.not_run}]
    failed = failing_methods(context.judged)
    if len(planned) <= most and not any(name in failed for name in planned):
        return (), ""
    rows = summary.trust[(summary.trust.metric == "faithfulness") & (summary.trust.kind == "method")]
    ranked = list(rows.sort_values("value", ascending=False, kind="stable").method)
    ordered = ranked + [name for name in planned if name not in ranked]
    best = [name for name in ordered if name not in failed][:most] or ordered[:most]
    excluded = ", ".join(title_of(name) for name in planned if name in failed)
    rule = say(
        "The first image shows all {planned} methods, the others the {best} with the highest mean faithfulness in this "
        "audit{among}; the evidence contains every map.",
        planned=len(planned),
        best=len(best),
        among=say(" among those that fail no check (marked as failing: {names})", names=excluded) if excluded else "",
    )
    return tuple(name for name in planned if name in best), rule
