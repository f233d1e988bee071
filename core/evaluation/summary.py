"""The tables of a finished (or partly finished) run: trust, agreement, scores, each with n and interval. No torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.evaluation.agreement import stored_grid, top_overlap, unrelated
from core.runs import Plan, Run
from core.statistics import Interval, interval_of_means, mean_over_images, rank_vector, sign_flip_p, spearman
from core.statistics.families import CONTROLS as CONTROL_TESTS
from core.statistics.intervals import CORRELATION, SHARE

METRICS = {
    "deletion": "lower is better",
    "insertion": "higher is better",
    "faithfulness": "higher is better",
    "correlation": "higher is better",
}
# Shown together in one further table, means only: a short title and which way is better, where one is.
OTHER_METRICS = {
    "sensitivity_n": ("Sens.", "high"),
    "infidelity": ("Infid.", "low"),
    "relative_drop": ("Drop", "low"),
    "confidence_increase": ("Rise", "high"),
    "blur_faithfulness": ("Blur", "high"),
    "road_faithfulness": ("ROAD", "high"),
    "comprehensiveness": ("Comp.", "high"),
    "sufficiency": ("Suff.", "low"),
    "sparseness": ("Gini", ""),
    "entropy": ("Entr.", ""),
    "effective_area": ("Area", ""),
}
# Pictures behind what unrelated maps correlate by.
MOST_UNRELATED = 256
CONTROLS = ("random", "centre", "edge")


@dataclass(frozen=True)
class Summary:
    """What a run says. Every table has `n`, the number of images behind a value, and `low`/`high`, its interval."""

    images: int
    pairs: int
    methods: tuple[str, ...]
    trust: pd.DataFrame  # method, kind, metric, value, low, high, n
    versus: pd.DataFrame  # method, control, value (mean paired difference of faithfulness), low, high, n, p, p_adjusted
    agreement: (
        pd.DataFrame
    )  # a, b, value (mean Spearman), low, high, n, overlap (mean top-20 % IoU), chance, chance_high
    pair_agreement: pd.DataFrame  # image, image_name, text, value (mean Spearman over pairs of methods), methods
    scores: pd.DataFrame  # image, image_name, text, text_kind, score
    texts: pd.DataFrame  # text, text_kind, value (mean score), low, high, n
    ceiling: Interval  # mean share of a score's variance over coalitions that any sum over cells explains
    failures: pd.DataFrame  # image, image_name, text, method, message
    not_run: tuple[tuple[str, str, str], ...] = field(default=())  # (method, side, reason)


def summarise(run: Run) -> Summary:
    """The summary of the units that are done so far."""
    return summary_of(run.results(), run.plan, run.manifest.get("not_run", []))


def summary_of(rows: pd.DataFrame, plan: Plan, not_run: Iterable[tuple[str, str, str]] = ()) -> Summary:
    """The summary of result rows (see `core.runs.results.SCHEMA`) that were made for `plan`, wherever they lie."""
    explained = rows[(rows.kind == "method") & (rows.status == "ok")]
    controls = rows[(rows.kind == "control") & (rows.status == "ok")]
    scores = rows[(rows.kind == "score") & (rows.status == "ok")][
        ["image", "image_name", "text", "text_kind", "score"]
    ].reset_index(drop=True)
    agreement, pair_agreement = _agreement(explained, plan.seed)
    return Summary(
        images=int(rows.image.nunique()),
        pairs=len(explained.drop_duplicates(["image", "text", "text_kind"])),
        methods=tuple(dict.fromkeys(method.name for method in plan.methods)),
        trust=_trust(pd.concat([explained, controls])),
        versus=_versus(explained, controls),
        agreement=agreement,
        pair_agreement=pair_agreement,
        scores=scores,
        texts=_texts(scores),
        ceiling=_ceiling(rows),
        failures=rows[rows.status == "failed"][["image", "image_name", "text", "method", "message"]].reset_index(
            drop=True
        ),
        not_run=tuple((m, side, reason) for m, side, reason in not_run),
    )


def _frame(records: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame.from_records(records, columns=columns)


def _trust(rows: pd.DataFrame) -> pd.DataFrame:
    records = []
    for (kind, method), part in rows.groupby(["kind", "method"], sort=True):
        for metric in (*METRICS, *OTHER_METRICS):
            got = mean_over_images(part[metric].to_numpy(float), part["image"].to_numpy())
            if got.n:
                records.append({"method": method, "kind": kind, "metric": metric, **vars(got)})
    return _frame(records, ["method", "kind", "metric", "value", "low", "high", "n"])


def _ceiling(rows: pd.DataFrame) -> Interval:
    pairs = rows[rows.additive_share.notna()].drop_duplicates(["image", "text", "text_kind"])
    values = pairs.additive_share.to_numpy(float)
    return mean_over_images(values, pairs.image.to_numpy(), within=SHARE)


def _versus(explained: pd.DataFrame, controls: pd.DataFrame) -> pd.DataFrame:
    key = ["image", "text", "text_kind"]
    records: list[dict[str, Any]] = []
    for method, part in explained.groupby("method", sort=True):
        for control, other in controls.groupby("method", sort=True):
            both = part[[*key, "faithfulness"]].merge(other[[*key, "faithfulness"]], on=key, suffixes=("", "_control"))
            both["difference"] = both["faithfulness"] - both["faithfulness_control"]
            means = both.groupby("image")["difference"].mean().dropna().to_numpy()
            got = interval_of_means(means)
            if got.n:
                records.append({"method": method, "control": control, **vars(got), "p": sign_flip_p(means)})
    frame = _frame(records, ["method", "control", "value", "low", "high", "n", "p"])
    frame["p_adjusted"] = CONTROL_TESTS.adjusted(frame)
    return frame


def _agreement(explained: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`chance` is the mean correlation of the two methods' maps of different pictures, `chance_high` the 95 % quantile
    of the mean over as many pairs as there are pictures; a pair that isn't above it shares a habit, not a picture.
    """
    with_map = explained[explained["map"].notna()]
    correlations: dict[tuple[str, str], list[tuple[str, float, float]]] = {}
    per_pair = []
    ranks: dict[str, dict[str, NDArray[np.float64]]] = {}
    keys = ["image", "image_name", "text", "text_kind"]
    for (image, name, text, _), part in with_map.groupby(keys, sort=True, dropna=False):
        grids = {row.method: stored_grid(row.map, row.rows, row.columns) for row in part.itertuples()}
        for method, grid in grids.items():
            vector = rank_vector(grid)
            if vector is not None:
                # One text a picture: maps of its other texts are related.
                ranks.setdefault(method, {}).setdefault(image, vector)
        values = []
        for a, b in combinations(sorted(grids), 2):
            rho, overlap = spearman(grids[a], grids[b]), top_overlap(grids[a], grids[b])
            if rho is not None and overlap is not None:
                values.append(rho)
                correlations.setdefault((a, b), []).append((image, rho, overlap))
        if values:
            per_pair.append(
                {
                    "image": image,
                    "image_name": name,
                    "text": text,
                    "value": float(np.mean(values)),
                    "methods": len(grids),
                }
            )
    records = []
    for (a, b), found in correlations.items():
        images = np.array([image for image, _, _ in found])
        got = mean_over_images(np.array([rho for _, rho, _ in found]), images, within=CORRELATION)
        chance = _chance(ranks[a], ranks[b], seed)
        records.append(
            {"a": a, "b": b, **vars(got), "overlap": float(np.mean([overlap for *_, overlap in found])), **chance}
        )
    return (
        _frame(records, ["a", "b", "value", "low", "high", "n", "overlap", "chance", "chance_high"]),
        _frame(per_pair, ["image", "image_name", "text", "value", "methods"]),
    )


def _chance(a: dict[str, Any], b: dict[str, Any], seed: int) -> dict[str, float | None]:
    both = sorted(set(a) & set(b))[:MOST_UNRELATED]
    found = unrelated(np.stack([a[image] for image in both]), np.stack([b[image] for image in both]), seed=seed)
    return {"chance": None, "chance_high": None} if found is None else dict(chance=found[0], chance_high=found[1])


def _texts(scores: pd.DataFrame) -> pd.DataFrame:
    records = []
    for (text, kind), part in scores.groupby(["text", "text_kind"], sort=True):
        got = mean_over_images(part["score"].to_numpy(float), part["image"].to_numpy(), within=CORRELATION)
        records.append({"text": text, "text_kind": kind, **vars(got)})
    return _frame(records, ["text", "text_kind", "value", "low", "high", "n"])
