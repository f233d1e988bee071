"""Heat maps for print: which pictures are shown, by which rule, and their rows of overlays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from core.datasets import Picture
from core.evaluation.agreement import consensus
from core.evaluation.summary import Summary
from core.findings import failed_methods
from core.findings.finding import Sample as FindingSample
from core.methods import METHODS
from core.models.geometry import Geometry
from core.reporting.assets import Assets
from core.reporting.charts import method_title, shorten
from core.reporting.content import Heat, HeatRow, Sample, Words
from core.reporting.heat import bar_ends, colour_bar, fit, geometry_by, overlay, shade_words, value_range
from core.reporting.words import amount, number
from core.runs import Run

PRINT_SIDE = 340
MOST_PICTURES = 12
MOST_TEXTS = 3
MOST_METHODS_IN_FINDING = 3
# Two rows of six with the picture itself.
MOST_METHODS = 11
MOST_FULL_CAPTIONS = 5


@dataclass
class Plates:
    """Makes the heat maps of one run, each once; a picture is opened and made smaller once."""

    run: Run
    assets: Assets
    rows: pd.DataFrame = field(init=False)
    pictures: dict[str, Picture] = field(init=False)
    _small: dict[str, Image.Image] = field(default_factory=dict)

    def __post_init__(self) -> None:
        results = self.run.results()
        self.rows = results[(results.kind == "method") & (results.status == "ok")]
        self.pictures = {picture.id: picture for picture in self.run.dataset.pictures}
        self._given = self.run.manifest.get("model", {}).get("preprocessing")

    def photo(self, image: str, title: str = "Picture") -> Heat:
        """The picture itself."""
        picture = self.pictures[image]
        caption = f"{picture.width} \u00d7 {picture.height} px"
        return Heat(self.assets.photo(self._open(image)), f"The picture {picture.name}", title, caption)

    def heat(self, row: Any, brief: bool = False) -> Heat:
        """One method's overlay with its colour bar and raw range.

        `brief` leaves range, unit and cells to the bar and the method's card: for rows of many maps.
        """
        info = METHODS.get(row.method)
        signed, unit = (info.signed, info.unit) if info else (False, "unit not recorded")
        values = np.asarray(row.map, dtype=np.float64).reshape(int(row.rows), int(row.columns))
        found = value_range(values)
        picture = self.pictures[row.image]
        painted = overlay(self._open(row.image), values, self._geometry(picture), signed=signed)
        low, high = bar_ends(found, signed=signed)
        title = method_title(row.method)
        caption = (
            f"raw {amount(found.low)} to {amount(found.high)}; {unit}; {values.shape[0]} \u00d7 {values.shape[1]} cells"
        )
        more = told_details(row.details)
        caption = "; ".join(more) if brief else "; ".join([caption, *more])
        if found.constant:
            caption = f"constant map ({amount(found.low)}): shows nothing; {unit}"
        bar = self.assets.drawing(colour_bar(signed=signed))
        reach = f"{amount(found.low)} to {amount(found.high)} {unit}"
        alt = f"Heat map of {title} on {picture.name} for the text {row.text}; raw range {reach}"
        return Heat(self.assets.photo(painted), alt, title, caption, bar, amount(low), amount(high))

    def agreed(self, rows: pd.DataFrame, healthy: Sequence[str]) -> list[Heat]:
        """Consensus and disagreement of the maps of one picture and text; none for fewer than two.

        Of the methods in `healthy`, those above every control, or of all where fewer than two are.
        """
        rows = rows[[np.ptp(values) > 0 for values in rows["map"]]]
        good = rows[rows.method.isin(list(healthy))]
        whose = "above every control" if len(good) > 1 else "none shown above the controls"
        used = good if len(good) > 1 else rows
        if len(used) < 2:
            return []
        grids = [np.asarray(row.map, float).reshape(int(row.rows), int(row.columns)) for row in used.itertuples()]
        first = used.iloc[0]
        mean, spread = consensus(grids)
        told = f"{len(used)} methods, {whose}"
        return [
            self._painted(first.image, mean, "Consensus", f"mean rank, 0 to 1; {told}"),
            self._painted(first.image, spread, "Disagreement", f"standard deviation of ranks; {told}"),
        ]

    def _painted(self, image: str, values: NDArray[np.float64], title: str, caption: str) -> Heat:
        picture, found = self.pictures[image], value_range(values)
        painted = overlay(self._open(image), values, self._geometry(picture), signed=False)
        low, high = bar_ends(found, signed=False)
        alt = f"{title} of the methods on {picture.name}: {caption}"
        bar = self.assets.drawing(colour_bar(signed=False))
        return Heat(self.assets.photo(painted), alt, title, caption, bar, amount(low), amount(high))

    def _geometry(self, picture: Picture) -> Geometry:
        return geometry_by(self._given, picture.width, picture.height)

    def sample(
        self,
        image: str,
        why: str,
        *,
        text: str | None = None,
        methods: Sequence[str] = (),
        texts: int = MOST_TEXTS,
        agreed: Sequence[str] | None = None,
    ) -> Sample | None:
        """A picture's rows (all its texts, or `text`; all methods, or `methods`); None if nothing is known of it.

        With `agreed`, the methods above every control, its first row ends with consensus and disagreement.
        """
        picture = self.pictures.get(image)
        if picture is None:
            return None
        found = self.rows[self.rows.image == image]
        if text is not None:
            found = found[found.text == text]
        if methods:
            found = found[found.method.isin(list(methods))]
        order = {method.name: at for at, method in enumerate(self.run.plan.methods)}
        out: list[HeatRow] = []
        for (kind, words), part in found.groupby(["text_kind", "text"], sort=True, dropna=False):
            if len(out) == texts:
                break
            part = part.sort_values("method", key=lambda names: names.map(order).fillna(len(order)), kind="stable")
            mapped = part[part["map"].notna()]
            brief = len(mapped) > MOST_FULL_CAPTIONS
            heats = [self.photo(image), *(self.heat(row, brief) for row in mapped.itertuples())]
            if agreed is not None and not out:
                heats += self.agreed(mapped, agreed)
            # One word has nothing beside it to be told from.
            strips = [
                self._words(row) for row in part[part["tokens"].notna()].itertuples() if len(word_strip(row)[0]) > 1
            ]
            facts = f"{kind}, cosine {number(part.score.iloc[0])}"
            out.append(HeatRow(shorten(str(words), 160), facts, tuple(heats), tuple(strips)))
        if not out:
            out.append(HeatRow("", "no heat map in this run", (self.photo(image),)))
        return Sample(picture.name, why, tuple(out))

    def finding_samples(self, samples: Iterable[FindingSample]) -> tuple[Sample, ...]:
        """The sample sheet of a finding."""
        known = set(self.rows[self.rows["map"].notna()].method)
        planned = [method.name for method in self.run.plan.methods]
        out = []
        for sample in samples:
            wanted = [name for name in sample.methods or planned if name in known][:MOST_METHODS_IN_FINDING]
            text = sample.text if (self.rows.text == sample.text).any() else None
            made = self.sample(sample.image, sample.note, text=text, methods=wanted, texts=1)
            out.append(made or Sample(sample.image_name, sample.note or "not among the stored pictures", ()))
        return tuple(out)

    def thumbnail(self, sample: FindingSample) -> Heat | None:
        """The first heat map of a sample, else its picture; None if the picture is unknown."""
        made = self.finding_samples([sample])[0]
        heats = [heat for row in made.rows for heat in row.heats]
        return next((heat for heat in heats if heat.bar), heats[0] if heats else None)

    def _words(self, row: Any) -> Words:
        info = METHODS.get(row.method)
        pieces, values = word_strip(row)
        found = value_range(np.asarray(values))
        caption = (
            f"{method_title(row.method)}, raw {amount(found.low)} to {amount(found.high)} {info.unit if info else ''}"
        )
        return Words(method_title(row.method), shade_words(pieces, values), caption.strip())

    def _open(self, image: str) -> Image.Image:
        if image not in self._small:
            self._small[image] = fit(self.run.dataset.open(self.pictures[image]), PRINT_SIDE)
        return self._small[image]


def word_strip(row: Any) -> tuple[list[str], list[float]]:
    """The words of a result row with their values; its tokens where words aren't known."""
    if isinstance(getattr(row, "words", None), (list, np.ndarray)) and len(row.words):
        return list(row.words), [float(value) for value in row.word_values]
    return list(row.tokens), [float(value) for value in row.token_values]


def told_details(details: Any) -> list[str]:
    """What a method's own numbers say, shortly: coalitions used, R\u00b2, an unexplained rest."""
    known = json.loads(details) if isinstance(details, str) else {}
    said = []
    if "coalitions" in known:
        said.append(f"{known['coalitions']:.0f} coalitions")
    if "r2" in known:
        said.append(f"R\u00b2 {number(known['r2'], 2)}")
    if "residual" in known:
        said.append(f"rest {number(known['residual'], 3)}")
    return said


def choose(run: Run, summary: Summary, most: int = MOST_PICTURES) -> tuple[list[tuple[str, str]], str]:
    """(picture id, why) of the pictures to show, each once, and the rule in one sentence."""
    explained = run.results(["image", "image_name", "kind", "status"])
    explained = explained[(explained.kind == "method") & (explained.status == "ok")]
    pool = list(dict.fromkeys(explained.image))
    if len(pool) <= most:
        return [(image, "") for image in pool], (f"All {len(pool)} explained pictures are shown, ordered by name.")
    quarter = max(1, most // 4)
    agreement = summary.pair_agreement.groupby("image").value.mean().sort_values(kind="stable")
    scores = summary.scores.groupby("image").score.max()
    scores = scores[scores.index.isin(pool)]
    middle = (scores - scores.median()).abs().sort_values(kind="stable")
    random = np.random.default_rng(run.plan.seed).permutation(len(pool))
    chosen: dict[str, str] = {}
    for why, ranked in (
        ("lowest mean agreement between methods", list(agreement.index)),
        ("highest mean agreement between methods", list(agreement.index[::-1])),
        ("best score nearest to the median", list(middle.index)),
        (f"drawn at random (seed {run.plan.seed})", [pool[at] for at in random]),
    ):
        for image in [image for image in ranked if image not in chosen][:quarter]:
            chosen[image] = why
    rule = (
        f"Of {len(pool)} explained pictures {len(chosen)} are shown: the {quarter} with the lowest and the "
        f"{quarter} with the "
        f"highest mean agreement between methods, the {quarter} whose best score is nearest to the median, and "
        f"{quarter} drawn "
        f"at random with seed {run.plan.seed}; a picture that more than one part of the rule names is shown once."
    )
    return list(chosen.items()), rule


def choose_methods(run: Run, summary: Summary, most: int = MOST_METHODS) -> tuple[tuple[str, ...], str]:
    """The methods that every picture but the first shows, in the plan's order, and the rule in one sentence.

    Empty (all of them, no rule) where there are at most `most`.
    """
    planned = [name for name in summary.methods if (name, "image") not in {(m, s) for m, s, _ in summary.not_run}]
    if len(planned) <= most:
        return (), ""
    rows = summary.trust[(summary.trust.metric == "faithfulness") & (summary.trust.kind == "method")]
    ranked = list(rows.sort_values("value", ascending=False, kind="stable").method)
    failed = failed_methods(run)
    ordered = ranked + [name for name in planned if name not in ranked]
    best = [name for name in ordered if name not in failed][:most] or ordered[:most]
    left_out = ", ".join(method_title(name) for name in planned if name in failed)
    told = (
        f"The first picture shows all {len(planned)} methods, the others the {len(best)} with the highest mean "
        "faithfulness in this audit"
        + (f" among those that fail no sanity check (fail: {left_out})" if left_out else "")
        + "; every map is in the evidence."
    )
    return tuple(name for name in planned if name in best), told
