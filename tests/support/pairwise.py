"""The tables of a summary by walking pairs one by one, as they were worked out before: the oracle of `summary_of`."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.evaluation.agreement import stored_grid, top_overlap, unrelated
from core.statistics import interval_of_means, mean_over_images, rank_vector, sign_flip_p, spearman
from core.statistics.families import CONTROLS as CONTROL_TESTS
from core.statistics.intervals import CORRELATION, image_means

MOST_UNRELATED = 256


def tables(rows: pd.DataFrame, metrics: tuple[str, ...], seed: int) -> dict[str, pd.DataFrame]:
    """The tables that `core.evaluation.summary.summary_of` makes of rows."""
    explained = rows[(rows.kind == "method") & (rows.status == "ok")]
    controls = rows[(rows.kind == "control") & (rows.status == "ok")]
    scores = rows[(rows.kind == "score") & (rows.status == "ok")].reset_index(drop=True)
    agreement, pair_agreement = _agreement(explained, seed)
    return {
        "trust": _trust(pd.concat([explained, controls]), metrics),
        "versus": _versus(explained, controls),
        "agreement": agreement,
        "pair_agreement": pair_agreement,
        "texts": _texts(scores),
    }


def _frame(records: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame.from_records(records, columns=columns)


def _trust(rows: pd.DataFrame, metrics: tuple[str, ...]) -> pd.DataFrame:
    records = []
    for (kind, method), part in rows.groupby(["kind", "method"], sort=True):
        for metric in metrics:
            got = mean_over_images(part[metric].to_numpy(float), part["image"].to_numpy())
            if got.n:
                median = float(np.median(image_means(part[metric].to_numpy(float), part["image"].to_numpy())))
                records.append({"method": method, "kind": kind, "metric": metric, **vars(got), "median": median})
    return _frame(records, ["method", "kind", "metric", "value", "low", "high", "n", "median"])


def _versus(explained: pd.DataFrame, controls: pd.DataFrame) -> pd.DataFrame:
    key = ["image", "text", "text_kind"]
    records: list[dict[str, Any]] = []
    for (kind, method), part in explained.groupby(["text_kind", "method"], sort=True):
        for control, other in controls[controls.text_kind == kind].groupby("method", sort=True):
            both = part[[*key, "faithfulness"]].merge(other[[*key, "faithfulness"]], on=key, suffixes=("", "_control"))
            both["difference"] = both["faithfulness"] - both["faithfulness_control"]
            means = both.groupby("image")["difference"].mean().dropna().to_numpy()
            got = interval_of_means(means)
            p = sign_flip_p(means) if got.low is not None else None
            if got.n:
                records.append({"method": method, "control": control, "text_kind": kind, **vars(got), "p": p})
    frame = _frame(records, ["method", "control", "text_kind", "value", "low", "high", "n", "p"])
    frame["p"] = frame["p"].astype(float)
    frame["p_adjusted"] = CONTROL_TESTS.adjusted(frame)
    return frame


def _agreement(explained: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    with_map = explained[explained["map"].notna()]
    correlations: dict[tuple[str, str], list[tuple[str, float, float]]] = {}
    per_pair = []
    ranks: dict[str, dict[str, list[NDArray[np.float64]]]] = {}
    keys = ["image", "image_name", "text", "text_kind"]
    for (image, name, text, _), part in with_map.groupby(keys, sort=True, dropna=False):
        grids = {row.method: stored_grid(row.map, row.rows, row.columns) for row in part.itertuples()}
        for method, grid in grids.items():
            vector = rank_vector(grid)
            if vector is not None:
                ranks.setdefault(method, {}).setdefault(image, []).append(vector)
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
    means = (np.stack([np.mean(ranks[image], axis=0) for image in both]) for ranks in (a, b))
    found = unrelated(*means, seed=seed)
    return {"chance": None, "chance_high": None} if found is None else dict(chance=found[0], chance_high=found[1])


def _texts(scores: pd.DataFrame) -> pd.DataFrame:
    records = []
    for (text, kind), part in scores.groupby(["text", "text_kind"], sort=True):
        got = mean_over_images(part["score"].to_numpy(float), part["image"].to_numpy(), within=CORRELATION)
        records.append({"text": text, "text_kind": kind, **vars(got)})
    return _frame(records, ["text", "text_kind", "value", "low", "high", "n"])
