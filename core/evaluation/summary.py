"""The tables of a finished (or partly finished) run: trust, agreement, scores, each with n and interval. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from core.evaluation.against_controls import against_controls
from core.evaluation.gains import KEY, Gains, above_floor
from core.evaluation.method_pairs import method_agreement
from core.evaluation.metrics import METRICS, with_measures
from core.evaluation.tables import FailureRow, ScoreRow, TextRow, TrustRow
from core.runs import Plan, Run
from core.runs.rows import columns_of
from core.statistics import Interval, intervals_of_groups, mean_over_images
from core.statistics.intervals import AT_MOST_ONE, CORRELATION

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

CONTROLS = ("random", "centre", "edge")
TRUST, TEXTS = (columns_of(row) for row in (TrustRow, TextRow))


@dataclass(frozen=True)
class Summary:
    """What a run says. Every table has `n`, the number of images behind a value, and `low`/`high`, its interval."""

    images: int
    pairs: int
    methods: tuple[str, ...]
    trust: pd.DataFrame  # of TrustRow, as core.evaluation.tables describes it, and so on
    versus: pd.DataFrame  # of VersusRow
    agreement: pd.DataFrame  # of AgreementRow
    pair_agreement: pd.DataFrame  # of PairRow
    image_agreement: pd.DataFrame  # images x pairs of methods (a, b), whose means over images are those of `agreement`
    scores: pd.DataFrame  # of ScoreRow
    texts: pd.DataFrame  # of TextRow
    ceiling: Interval  # mean share of a score's variance over coalitions that the best additive model explains
    failures: pd.DataFrame  # of FailureRow
    not_run: tuple[tuple[str, str, str], ...] = field(default=())  # (method, side, reason)
    incomparable: pd.DataFrame = field(default_factory=lambda: pd.DataFrame())  # of IncomparableRow
    gains: Gains = field(default=Gains())  # which pairs have no value of what is divided by the gain


def summarise(run: Run) -> Summary:
    """The summary of the units that are done so far."""
    return summary_of(run.results(), run.plan, run.manifest.get("not_run", []))


def summary_of(rows: pd.DataFrame, plan: Plan, not_run: Iterable[tuple[str, str, str]] = ()) -> Summary:
    """The summary of result rows (see `core.runs.results.SCHEMA`) that were made for `plan`, wherever they lie."""
    rows, gains = above_floor(with_measures(rows))
    explained = rows[(rows.kind == "method") & (rows.status == "ok")]
    controls = rows[(rows.kind == "control") & (rows.status == "ok")]
    scores = rows[(rows.kind == "score") & (rows.status == "ok")][columns_of(ScoreRow)].reset_index(drop=True)
    agreement = method_agreement(explained, plan.seed)
    return Summary(
        images=int(rows.image.nunique()),
        pairs=len(explained.drop_duplicates(KEY)),
        methods=tuple(dict.fromkeys(method.name for method in plan.methods)),
        trust=_trust(pd.concat([explained, controls])),
        versus=against_controls(explained, controls),
        agreement=agreement.methods,
        pair_agreement=agreement.pairs,
        image_agreement=agreement.images,
        incomparable=agreement.incomparable,
        scores=scores,
        texts=_texts(scores),
        ceiling=_ceiling(rows),
        failures=rows[rows.status == "failed"][columns_of(FailureRow)].reset_index(drop=True),
        not_run=tuple((m, side, reason) for m, side, reason in not_run),
        gains=gains,
    )


def _trust(rows: pd.DataFrame) -> pd.DataFrame:
    names = [metric.name for metric in METRICS]
    values = rows[names].astype(np.float64)
    means = values.groupby([rows["kind"], rows["method"], rows["image"]]).mean()
    if means.empty:
        return pd.DataFrame(columns=TRUST)
    kind, method = (means.index.get_level_values(name) for name in ("kind", "method"))
    number, maps = pd.factorize(pd.MultiIndex.from_arrays([kind, method]), sort=True)
    groups = (number[:, None] * len(names) + np.arange(len(names))).ravel()
    got = intervals_of_groups(means.to_numpy().ravel(), groups)
    got["median"] = pd.Series(means.to_numpy().ravel()).groupby(groups).median()
    got["kind"], got["method"] = (np.repeat(maps.get_level_values(level), len(names)) for level in (0, 1))
    got["metric"] = np.tile(names, len(maps))
    return got.loc[got["n"] > 0, TRUST].reset_index(drop=True)


def _ceiling(rows: pd.DataFrame) -> Interval:
    pairs = rows[rows.additive_share.notna()].drop_duplicates(KEY)
    values = pairs.additive_share.to_numpy(float)
    return mean_over_images(values, pairs.image.to_numpy(), within=AT_MOST_ONE)


def _texts(scores: pd.DataFrame) -> pd.DataFrame:
    means = scores["score"].astype(np.float64).groupby([scores["text"], scores["text_kind"], scores["image"]]).mean()
    if means.empty:
        return pd.DataFrame(columns=TEXTS)
    number, texts = pd.factorize(means.index.droplevel("image"), sort=True)
    got = intervals_of_groups(means.to_numpy(), number, within=CORRELATION)
    got["text"], got["text_kind"] = (texts.get_level_values(level) for level in (0, 1))
    return got[TEXTS]
