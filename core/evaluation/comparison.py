"""Two runs side by side on the same pictures and texts: trust, maps and scores of their models. No torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.errors import InputError, RunError
from core.evaluation.agreement import stored_grid, top_overlap
from core.runs import Run
from core.runs.manifest import write_json
from core.statistics import interval_of_means, mean_over_images, sign_flip_p, spearman
from core.statistics.families import MODELS
from core.statistics.intervals import CORRELATION

FILE = "comparison.json"
KEY = ["image", "text", "text_kind"]
_INTERVAL = ["value", "low", "high", "n"]
COLUMNS = {
    "trust": ["method", *_INTERVAL, "own", "theirs", "p", "p_adjusted"],
    "maps": ["method", *_INTERVAL, "overlap"],
    "scores": ["text_kind", *_INTERVAL, "same_best", "texts"],
}


@dataclass(frozen=True)
class Comparison:
    """What another run, `other`, says beside this one. Every table has `n` pictures, `low` and `high`.

    trust: method, value (mean paired difference of faithfulness, this minus the other), own, theirs, p, p_adjusted.
    maps: method, value (mean Spearman of the two models' maps on a common grid), overlap (of the best 20 %).
    scores: text_kind, value (mean over pictures of the Spearman correlation of the texts' scores), same_best (share
        of pictures whose best text is the same), texts.
    """

    own: str
    other: str
    other_run: str
    pictures: int
    trust: pd.DataFrame
    maps: pd.DataFrame
    scores: pd.DataFrame
    only_one: tuple[tuple[str, str], ...]  # (method, the model that ran it)


def compare(run: Run, other: Run) -> Comparison:
    """Compare two runs on the pictures and texts that both explained.

    Raises `InputError` if they have no picture in common or show the same model.
    """
    own_name, other_name = model_name(run), model_name(other)
    if run.manifest.get("model", {}).get("digest") == other.manifest.get("model", {}).get("digest"):
        raise InputError(f"{run.id} and {other.id} audit the same model ({own_name}); compare runs of two models")
    ours, theirs = run.results(), other.results()
    both = set(ours.image) & set(theirs.image)
    if not both:
        raise InputError(f"{run.id} and {other.id} have no picture in common; compare runs on the same data set")
    ours, theirs = ours[ours.image.isin(both)], theirs[theirs.image.isin(both)]
    methods = _ran(ours), _ran(theirs)
    return Comparison(
        own=own_name,
        other=other_name,
        other_run=other.id,
        pictures=len(both),
        trust=_trust(ours, theirs),
        maps=_maps(ours, theirs),
        scores=_scores(ours, theirs),
        only_one=tuple(
            (name, own_name if name in methods[0] else other_name) for name in sorted(methods[0] ^ methods[1])
        ),
    )


def model_name(run: Run) -> str:
    """How a run's model is named."""
    return run.manifest.get("model", {}).get("title") or run.plan.model.title


def save_comparisons(run: Run, comparisons: list[Comparison]) -> None:
    """Keep comparisons in the run, so that its report can be made without the other runs."""
    tables = [
        {
            **{name: value for name, value in vars(one).items() if not isinstance(value, pd.DataFrame)},
            **{name: value.to_dict("records") for name, value in vars(one).items() if isinstance(value, pd.DataFrame)},
        }
        for one in comparisons
    ]
    write_json(run.folder / FILE, {"comparisons": _plain(tables)})


def load_comparisons(run: Run) -> list[Comparison]:
    """The comparisons kept in the run; empty if there are none. Raises `RunError` if the file is damaged."""
    path = run.folder / FILE
    if not path.exists():
        return []
    try:
        listed = json.loads(path.read_text())["comparisons"]
        return [
            Comparison(
                **{
                    **one,
                    **{name: pd.DataFrame(one[name], columns=columns) for name, columns in COLUMNS.items()},
                    "only_one": tuple((method, model) for method, model in one["only_one"]),
                }
            )
            for one in listed
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged: {error}; compare the runs anew") from error


def _ran(rows: pd.DataFrame) -> set[str]:
    return set(_ok(rows).method)


def _trust(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    columns = [*KEY, "method", "faithfulness"]
    both = _ok(ours)[columns].merge(_ok(theirs)[columns], on=[*KEY, "method"], suffixes=("", "_other"))
    both = both.dropna(subset=["faithfulness", "faithfulness_other"])
    both["difference"] = both.faithfulness - both.faithfulness_other
    records = []
    for method, part in both.groupby("method", sort=True):
        each = part.groupby("image")[["difference", "faithfulness", "faithfulness_other"]].mean()
        differences = each.difference.to_numpy()
        got = interval_of_means(differences)
        records.append(
            {
                "method": method,
                **vars(got),
                "own": float(each.faithfulness.mean()),
                "theirs": float(each.faithfulness_other.mean()),
                "p": sign_flip_p(differences),
            }
        )
    frame = pd.DataFrame(records, columns=COLUMNS["trust"])
    frame["p_adjusted"] = MODELS.adjusted(frame)
    return frame


def _maps(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    columns = [*KEY, "method", "rows", "columns", "map"]
    both = _ok(ours)[columns].merge(_ok(theirs)[columns], on=[*KEY, "method"], suffixes=("", "_other"))
    both = both.dropna(subset=["map", "map_other"])
    records = []
    for method, part in both.groupby("method", sort=True):
        found = []
        for row in part.itertuples():
            a, b = (
                stored_grid(row.map, row.rows, row.columns),
                stored_grid(row.map_other, row.rows_other, row.columns_other),
            )
            rho, shared = spearman(a, b), top_overlap(a, b)
            if rho is not None and shared is not None:
                found.append((row.image, rho, shared))
        if found:
            images = np.array([image for image, *_ in found])
            got = mean_over_images(np.array([rho for _, rho, _ in found]), images, within=CORRELATION)
            overlap = float(np.mean([shared for *_, shared in found]))
            records.append({"method": method, **vars(got), "overlap": overlap})
    return pd.DataFrame(records, columns=COLUMNS["maps"])


def _scores(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    columns = [*KEY, "score"]
    both = ours[ours.kind == "score"][columns].merge(
        theirs[theirs.kind == "score"][columns], on=KEY, suffixes=("", "_other")
    )
    records = []
    for kind, part in both.groupby("text_kind", sort=True):
        ranks, same = [], []
        for _, listed in part.groupby("image", sort=True):
            a, b = listed.score.to_numpy(float), listed.score_other.to_numpy(float)
            rho = spearman(a, b) if len(a) > 2 else None
            if rho is not None:
                ranks.append(rho)
                same.append(float(a.argmax() == b.argmax()))
        if ranks:
            got = interval_of_means(np.array(ranks), within=CORRELATION)
            records.append(
                {
                    "text_kind": kind,
                    **vars(got),
                    "same_best": float(np.mean(same)),
                    "texts": int(part.text.nunique()),
                }
            )
    return pd.DataFrame(records, columns=COLUMNS["scores"])


def _ok(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows.kind == "method") & (rows.status == "ok")]


def _plain(value: Any) -> Any:
    """Values as JSON takes them; a number that isn't one becomes null."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
