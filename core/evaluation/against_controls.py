"""Every method against every control on the same images and texts, for each kind of text by itself. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.evaluation.gains import KEY, above_floor
from core.evaluation.metrics import METRICS, Metric
from core.evaluation.tables import MeasureRow, VersusRow
from core.runs.rows import columns_of
from core.statistics import intervals_of_groups, sign_flip_p
from core.statistics.families import CONTROLS as CONTROL_TESTS
from core.statistics.families import MEASURES as MEASURE_TESTS

if TYPE_CHECKING:
    import pandas as pd
else:
    from core.deferred import pandas as pd

VERSUS, MEASURES = columns_of(VersusRow), columns_of(MeasureRow)
# The measures by which a map can be better or worse than another.
DIRECTED: tuple[Metric, ...] = tuple(metric for metric in METRICS if metric.better != "neither")


def against_controls(explained: pd.DataFrame, controls: pd.DataFrame, metric: str = "faithfulness") -> pd.DataFrame:
    """The paired difference in `metric` of each method from each control, a row of `VersusRow` per kind of text.

    A kind with too few images for an interval has no p-value and is in no family. The p-values of all others are
    adjusted together.
    """
    if explained.empty or controls.empty:
        return pd.DataFrame(columns=VERSUS)
    rows = pd.concat([explained, controls])
    pair = rows.groupby(KEY, sort=False, dropna=False).ngroup()
    about = rows[["image", "text_kind"]].groupby(pair).first()
    # A text that stands twice with an image is another pair each time.
    again = rows.groupby([pair, "kind", "method"], sort=False).cumcount()
    wide = rows.assign(pair=pair, again=again).pivot(index=["pair", "again"], columns=["kind", "method"])[metric]
    own, other = (wide[kind].sort_index(axis=1) for kind in ("method", "control"))
    differences = (own.to_numpy()[:, :, None] - other.to_numpy()[:, None, :]).reshape(len(wide), -1)
    of = about.loc[wide.index.get_level_values("pair")]
    by = [of["text_kind"].fillna("").to_numpy(), of["image"].to_numpy()]
    means = pd.DataFrame(differences).groupby(by).mean()
    kind, kinds = pd.factorize(means.index.get_level_values(0), sort=True)
    tests, values = means.shape[1], means.to_numpy()
    got = intervals_of_groups(values.ravel(), (kind[:, None] * tests + np.arange(tests)).ravel())
    got["method"] = np.tile(np.repeat(own.columns, other.shape[1]), len(kinds))
    got["control"] = np.tile(np.tile(other.columns, own.shape[1]), len(kinds))
    got["text_kind"] = np.repeat(kinds, tests)
    each = [one for at in range(len(kinds)) for one in values[kind == at].T]
    tested = got["low"].notna()
    got["p"] = np.array([sign_flip_p(one) if known else np.nan for one, known in zip(each, tested, strict=True)], float)
    got = got[got["n"] > 0].reset_index(drop=True)
    got["p_adjusted"] = CONTROL_TESTS.adjusted(got)
    return got[VERSUS]


def measures_against_controls(rows: pd.DataFrame, metrics: Sequence[Metric] = DIRECTED) -> pd.DataFrame:
    """`against_controls` by each of `metrics` from result rows: rows of `MeasureRow`, each measure a family of its own.

    A measure that was not taken of any control has no row.
    """
    rows = rows[rows.kind.isin(["method", "control"]) & (rows.status == "ok")]
    rows = rows.assign(**{metric.name: metric.measure(rows) for metric in metrics if metric.measure is not None})
    rows, _ = above_floor(rows)
    explained, controls = (rows[rows.kind == kind] for kind in ("method", "control"))
    parts = [against_controls(explained, controls, metric.name).assign(metric=metric.name) for metric in metrics]
    known = [part for part in parts if len(part)]
    if not known:
        return pd.DataFrame(columns=MEASURES)
    every = pd.concat(known, ignore_index=True)
    return every.assign(p_adjusted=MEASURE_TESTS.adjusted(every))[MEASURES]
