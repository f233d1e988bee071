"""Words in a record of reliance: printed ones, templates, function words, ignored and merged ones. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from core.applications.reliance.measures import Share, share_of
from core.applications.reliance.record import RelianceRecord
from core.statistics import Interval, above_zero_p, interval_of_means, mean_over_images, share_of_images
from core.statistics.intervals import NOT_NEGATIVE


@dataclass(frozen=True)
class Stickers:
    """The effect of printed words beyond letters of the same size: `effect` in spreads of the classes' cosines.

    `flips` and `letter_flips` are the shares of images whose predicted class becomes the pasted one, `changes` and
    `letter_changes` those whose predicted class becomes any other.
    """

    effect: Share
    flips: Interval
    letter_flips: Interval
    changes: Interval
    letter_changes: Interval


def stickers(record: RelianceRecord, *, least: float) -> Stickers:
    """The paired difference between word and letters, tested against `least` spreads."""
    rows = record.stickers
    images = rows["image"].to_numpy()
    effect = (rows["with_letters"] - rows["with_word"]).to_numpy(float)
    named, other = (
        [share_of_images(each.to_numpy(float), images) for each in pair]
        for pair in (
            (rows["best_with_word"] == rows["pasted"], rows["best_with_letters"] == rows["pasted"]),
            (rows["best_with_word"] != rows["own"], rows["best_with_letters"] != rows["own"]),
        )
    )
    share = share_of(effect, rows["spread"].to_numpy(float), images, least, record.look)
    return Stickers(share, *named, *other)


@dataclass(frozen=True)
class Templates:
    """How far the predicted class depends on the template.

    change: the mean share of other templates that give another class than the plan's; the plan's own do not count.
    spread: the standard deviation over all templates of the score of the plan's class, in spreads of the classes.
    count: how many other templates there are.
    """

    change: Share
    spread: Interval
    count: int


def template_changes(record: RelianceRecord, own: Sequence[str]) -> pd.DataFrame:
    """One row per image: `image`, `image_name`, `text` (its predicted class) and `part`.

    `part` is the share of the templates, without the plan's `own`, that give another class.
    """
    rows = record.templates[~record.templates["template"].isin(list(own))]
    text = rows["image"].map(dict(zip(record.images["image"], record.images["best"], strict=True)))
    rows = rows.assign(text=text, part=(rows["best"] != text).astype(float))
    return rows.groupby(["image", "image_name", "text"], sort=False)["part"].mean().reset_index()


def templates(record: RelianceRecord, own: Sequence[str], *, least: float) -> Templates:
    """The predicted class under each template but the plan's `own`, against the plan's, and the spread of its score."""
    each = template_changes(record, own)
    share = share_of_images(each["part"].to_numpy(float), each["image"].to_numpy())
    p = above_zero_p(each["part"].to_numpy(float) - least)
    spreads = record.templates.groupby("image").agg(deviation=("own", "std"), spread=("spread", "mean"))
    spreads = spreads[spreads["spread"] > 0]
    relative = (spreads["deviation"] / spreads["spread"]).to_numpy(float)
    count = record.templates[~record.templates["template"].isin(list(own))]["template"].nunique()
    return Templates(
        Share(share.value, share.low, share.high, share.n, p),
        mean_over_images(relative, spreads.index.to_numpy(), within=NOT_NEGATIVE),
        int(count),
    )


def text_excess(record: RelianceRecord, method: str) -> pd.DataFrame:
    """One row per text, over its images: `share` of attribution on function words, `words` (their share), `part`.

    `part` is the first beyond the second; `fall` and `total` are what the text loses without these words, and its gain;
    `image`, `image_name`, `size` and `function` (numbers of words) are those of its first image.
    """
    rows = record.texts[(record.texts["method"] == method) & record.texts["share"].notna()]
    rows = rows.assign(share=rows["share"].astype(float))
    each = rows.groupby(["text_kind", "text"], sort=True).agg(
        image=("image", "first"), image_name=("image_name", "first"), share=("share", "mean"),
        size=("words", "first"), function=("function", "first"), fall=("fall", "mean"), total=("total", "mean"),
    ).reset_index()  # fmt: skip
    words = each["function"] / each["size"]
    return each.assign(words=words, part=each["share"] - words)


def function_words(record: RelianceRecord, *, least: float) -> pd.DataFrame:
    """For each method with a text side, what function words receive beyond their share of the words, over texts.

    Columns `method`, `share`, `words` (means over texts), `value` (their difference) with `low`, `high`, `n` texts, `p`
    that it is above `least`, and `fall` (share of the texts' gain that is lost without them, NaN without a gain).
    """
    rows = []
    for method in sorted(record.texts["method"].unique()):
        each = text_excess(record, method)
        mean = interval_of_means(each["part"].to_numpy(float), counted="texts", within=(-1.0, 1.0))
        if not mean.n:
            continue
        gaining = each[each["total"] > 0]
        fall = float(gaining["fall"].mean() / gaining["total"].mean()) if len(gaining) else np.nan
        means = {"share": float(each["share"].mean()), "words": float(each["words"].mean()), "fall": fall}
        rows.append({"method": method, **means, **vars(mean), "p": above_zero_p(each["part"].to_numpy(float) - least)})
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
    effects = ratio.groupby(rows["word"]).agg(["mean", "min", "max", "count"])
    effects.columns = pd.Index(["value", "low", "high", "n"])
    content = record.words[~record.words["function"].astype(bool)]
    typical = float(content["change"].median()) if len(content) else np.nan
    own = content.groupby(content["word"].astype(str).str.lower())["change"].max()
    own = own / (typical if typical > 1e-9 else np.nan)
    effects["own"] = own.reindex(effects.index)
    return effects.sort_values(["high", "value"], kind="stable").reset_index(names="word")


def word_twins(record: RelianceRecord) -> pd.DataFrame:
    """For each content word the one that is hardest to distinguish from it in fixed sentences, the closest pair first.

    Columns `word`, `other`, `kin`, `value` (mean distance relative to the typical pair's in the same sentence), `low`,
    `high` (smallest and largest over the `n` sentences). A pair that is each other's nearest is listed once.
    """
    rows = record.twins
    ratio = rows["distance"] / rows["typical"].where(rows["typical"] > 1e-12)
    groups = ratio.groupby([rows["word"], rows["other"], rows["kin"].astype(bool)])
    pairs = groups.agg(["mean", "min", "max", "count"]).reset_index()
    pairs.columns = pd.Index(["word", "other", "kin", "value", "low", "high", "n"])
    key = [tuple(sorted(pair)) for pair in zip(pairs["word"], pairs["other"], strict=True)]
    return pairs[~pd.Series(key, index=pairs.index).duplicated()].sort_values(
        ["high", "value"], kind="stable", ignore_index=True
    )
