"""What a record of reliance says about words: pasted ones, templates, function words, ignored ones. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.applications.reliance_record import RelianceRecord
from core.evaluation.reliance import Share, share_of
from core.statistics import Interval, above_zero_p, mean_over_images, share_of_images


@dataclass(frozen=True)
class Stickers:
    """What pasted words do, beyond letters of the same size: `effect` in spreads of the classes' cosines.

    `flips` and `letter_flips` are the shares of pictures whose best class becomes the pasted one.
    """

    effect: Share
    flips: Interval
    letter_flips: Interval


def stickers(record: RelianceRecord, *, least: float) -> Stickers:
    """The paired difference between word and letters, tested against `least` spreads."""
    rows = record.stickers
    images = rows["image"].to_numpy()
    effect = (rows["with_letters"] - rows["with_word"]).to_numpy(float)
    flips = [
        share_of_images((rows[name] == rows["pasted"]).to_numpy(float), images)
        for name in ("best_with_word", "best_with_letters")
    ]
    return Stickers(share_of(effect, rows["spread"].to_numpy(float), images, least), flips[0], flips[1])


@dataclass(frozen=True)
class Templates:
    """How far the best class hangs on the template: `change`, the mean share of other templates that give another one.

    `spread` is the standard deviation of the plan's best class's score over templates, in spreads of the classes.
    """

    change: Share
    spread: Interval
    count: int


def templates(record: RelianceRecord, *, least: float) -> Templates:
    """The best class under each template against the plan's own, and the spread of its score."""
    rows = record.templates
    best = dict(zip(record.pictures["image"], record.pictures["best"], strict=True))
    changed = (rows["best"] != rows["image"].map(best)).to_numpy(float)
    images = rows["image"].to_numpy()
    change = share_of(changed, np.ones(len(rows)), images, least)
    each = rows.groupby("image").agg(deviation=("own", "std"), spread=("spread", "mean"))
    each = each[each["spread"] > 0]
    relative = (each["deviation"] / each["spread"]).to_numpy(float)
    spread = mean_over_images(relative, each.index.to_numpy())
    return Templates(change, spread, int(rows["template"].nunique()))


def function_words(record: RelianceRecord, *, least: float) -> pd.DataFrame:
    """For each method with a text side, what function words get beyond their share of the words, over texts.

    Columns `method`, `share`, `words` (means), `value` (share minus their share of the words) with `low`, `high`, `n`
    texts, `p` that it is above `least`, and `fall` (share of the text's gain that is lost without them).
    """
    rows = []
    for method, part in record.texts.groupby("method", sort=True):
        known = part[part["share"].notna()]
        # A text that several pictures have counts once.
        named = (known["text_kind"] + "\n" + known["text"]).to_numpy()
        expected = (known["function"] / known["words"]).to_numpy(float)
        excess = known["share"].to_numpy(float) - expected
        got = mean_over_images(excess, named, counted="texts", within=(-1.0, 1.0))
        if not got.n:
            continue
        means = pd.Series(excess).groupby(named).mean().to_numpy()
        risen = known[known["total"] > 0]
        fall = float(risen["fall"].mean() / risen["total"].mean()) if len(risen) else None
        told = {"share": float(known["share"].mean()), "words": float(expected.mean()), "fall": fall}
        rows.append({"method": method, **told, **vars(got), "p": above_zero_p(means - least)})
    columns = ["method", "share", "words", "fall", "value", "low", "high", "n", "p"]
    return pd.DataFrame(rows, columns=columns)


def word_effects(record: RelianceRecord) -> pd.DataFrame:
    """For each content word what it changes in fixed sentences, relative to the typical word there.

    Columns `word`, `value` (mean), `low`, `high` (smallest and largest over the `n` sentences), and `own`: the largest
    change in a text of the audit, relative to the median over all content words there (NaN if it is in none). The
    numbers are exact for these sentences, so the range takes the place of an interval.
    """
    rows = record.carriers
    ratio = rows["change"].clip(lower=0.0) / rows["typical"].where(rows["typical"] > 1e-9)
    found = ratio.groupby(rows["word"]).agg(["mean", "min", "max", "count"])
    found.columns = pd.Index(["value", "low", "high", "n"])
    content = record.words[~record.words["function"].astype(bool)]
    typical = float(content["change"].median()) if len(content) else np.nan
    own = content.groupby(content["word"].astype(str).str.lower())["change"].max()
    own = own / (typical if typical > 1e-9 else np.nan)
    found["own"] = own.reindex(found.index)
    return found.sort_values(["high", "value"], kind="stable").reset_index(names="word")


def word_twins(record: RelianceRecord) -> pd.DataFrame:
    """For each content word the one that it can be told from least in fixed sentences, the closest pair first.

    Columns `word`, `other`, `kin`, `value` (mean distance relative to the typical pair's in the same sentence), `low`,
    `high` (smallest and largest over the `n` sentences). A pair that is each other's nearest is listed once.
    """
    rows = record.twins
    ratio = rows["distance"] / rows["typical"].where(rows["typical"] > 1e-12)
    found = ratio.groupby([rows["word"], rows["other"], rows["kin"].astype(bool)])
    found = found.agg(["mean", "min", "max", "count"]).reset_index()
    found.columns = pd.Index(["word", "other", "kin", "value", "low", "high", "n"])
    key = [tuple(sorted(pair)) for pair in zip(found["word"], found["other"], strict=True)]
    return found[~pd.Series(key, index=found.index).duplicated()].sort_values(
        ["high", "value"], kind="stable", ignore_index=True
    )
