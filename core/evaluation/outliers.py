"""Pictures that lie far from the rest, and groups that differ, without labels. No torch.

Two signals a picture: its best text's cosine, and how near its nearest other pictures are in the model's space. Both
are read as robust z against all other pictures (leave one out): (value - median) / (1.4826 median absolute deviation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from core.applications.reliance_record import RelianceRecord
from core.evaluation.reliance import topics_of
from core.statistics import FEWEST, mean_bounds, permutation_p
from core.statistics.families import FAR_GROUPS, OUTLIERS
from core.statistics.two_samples import difference_bounds

NEAREST = 3
# Few, because a median absolute deviation of few pictures is uncertain itself and scores have long tails: of clean sets
# of 16 to 60 pictures, normal or skewed, at most 4 % then have an outlier; with n - 2 a third would.
FREEDOM = 4
CONSISTENT = 1.4826
LOOKS = ("light", "contrast", "colour", "detail")
SIGNALS = {"score": "best score", "near": "nearness to other pictures"} | {name: name for name in LOOKS}
# A caption word makes a group of the pictures that have it; this many of the most frequent ones are tried.
TOPICS, WORD = 12, "word of captions"
Floats = NDArray[np.float64]


def robust_z(values: Floats) -> Floats:
    """Each value against all others: their median and median absolute deviation. NaN where the others don't vary."""
    values = np.asarray(values, dtype=np.float64)
    found = np.full(len(values), np.nan)
    for at in range(len(values)):
        others = np.delete(values, at)
        if len(others) < 2:
            continue
        middle = np.median(others)
        spread = CONSISTENT * np.median(np.abs(others - middle))
        if spread > 1e-12:
            found[at] = (values[at] - middle) / spread
    return found


def nearness(embeddings: Floats, groups: Sequence[Any] | None = None) -> Floats:
    """The mean cosine `(pictures,)` with the three nearest other pictures; those of one's own group don't count."""
    cosines = embeddings @ embeddings.T
    own = np.eye(len(cosines), dtype=bool)
    if groups is not None:
        named = np.asarray([str(group) for group in groups])
        own |= named[:, None] == named[None, :]
    cosines = np.where(own, -np.inf, cosines)
    best = -np.sort(-cosines, axis=1)[:, :NEAREST]
    return np.where(np.isfinite(best).all(axis=1), np.where(np.isfinite(best), best, 0.0).mean(axis=1), np.nan)


def outliers(record: RelianceRecord) -> pd.DataFrame:
    """One row a picture and signal: `image`, `image_name`, `signal`, `value`, `z` and `p_adjusted` (Holm, all rows).

    p is one-sided, that a picture lies as low by chance, from Student's t with `FREEDOM` degrees of freedom.
    """
    pictures = record.pictures
    embeddings = np.stack(pictures["embedding"].to_list()).astype(np.float64)
    values = {"score": pictures["score"].to_numpy(float), "near": nearness(embeddings)}
    parts = []
    for signal, found in values.items():
        z = robust_z(found)
        p = student.cdf(z, FREEDOM)
        parts.append(pictures[["image", "image_name"]].assign(signal=signal, value=found, z=z, p=p))
    rows = pd.concat(parts, ignore_index=True)
    return rows.assign(p_adjusted=OUTLIERS.adjusted(rows))


@dataclass(frozen=True)
class Difference:
    """The largest difference between two groups of a column, in standard deviations within groups.

    `p` is that of the whole range over random regroupings, so that having picked the two groups is paid for. `word`
    says that only pictures with this word in their captions were compared.
    """

    column: str
    measure: str
    high_group: str
    low_group: str
    value: float
    low: float
    high: float
    n: int
    p: float
    word: str = ""


def group_columns(
    metadata: Mapping[str, Mapping[str, Any]], images: Sequence[str], *, fewest: int, most_groups: int
) -> dict[str, dict[str, str]]:
    """The columns that make 2 to `most_groups` groups of at least `fewest` pictures: the group of each picture.

    Pictures of smaller groups are left out of that column.
    """
    columns = dict.fromkeys(name for image in images for name in metadata.get(image, {}))
    found = {}
    for column in columns:
        told = {image: metadata.get(image, {}).get(column) for image in images}
        named = {image: str(value).strip() for image, value in told.items() if value is not None and str(value).strip()}
        sizes = pd.Series(named, dtype=object).value_counts()
        if len(sizes) > most_groups:
            continue
        large = set(sizes[sizes >= fewest].index)
        if len(large) >= 2:
            found[column] = {image: group for image, group in named.items() if group in large}
    return found


def difference(
    values: Floats, groups: Sequence[str], *, column: str, measure: str, seed: int, word: str = ""
) -> Difference | None:
    """How far the highest group lies above the lowest.

    None if the values do not vary within groups, or if one of the two is too small for an interval.
    """
    codes, names = pd.factorize(np.asarray(groups, dtype=object), sort=True)
    means = _means(values, codes, len(names))
    within = float(np.sqrt(((values - means[codes]) ** 2).sum() / max(len(values) - len(names), 1)))
    if within < 1e-12:
        return None
    top, bottom = int(means.argmax()), int(means.argmin())
    observed = means[top] - means[bottom]
    bounds = difference_bounds(values[codes == top], values[codes == bottom])
    if bounds is None:
        return None
    random = np.random.default_rng(seed)

    def extreme(count: int) -> NDArray[np.bool_]:
        shuffled = random.permuted(np.tile(codes, (count, 1)), axis=1)
        sums = np.stack([np.where(shuffled == code, values, 0.0).sum(axis=1) for code in range(len(names))])
        each = sums / np.bincount(codes, minlength=len(names))[:, None]
        return np.asarray(each.max(axis=0) - each.min(axis=0) >= observed * (1 - 1e-12), dtype=np.bool_)

    p = permutation_p(extreme)
    low, high = (bound / within for bound in bounds)
    return Difference(
        column, measure, str(names[top]), str(names[bottom]), float(observed / within), float(low), float(high),
        len(values), p, word,
    )  # fmt: skip


def _means(values: Floats, codes: NDArray[Any], count: int) -> Floats:
    return np.bincount(codes, weights=values, minlength=count) / np.maximum(np.bincount(codes, minlength=count), 1)


@dataclass(frozen=True)
class FarGroup:
    """A group of pictures whose `signal` lies off: mean robust z with its interval, and the adjusted p.

    Scores and nearness are tested for being low, looks either way. `members` are images with their value and z.
    """

    column: str
    group: str
    signal: str
    value: float
    low: float
    high: float
    n: int
    p_adjusted: float
    members: tuple[tuple[str, float, float], ...]


def far_groups(
    record: RelianceRecord, columns: Mapping[str, Mapping[str, str]], *, fewest: int, seed: int
) -> list[FarGroup]:
    """Every group of the columns, of the best class and of a word of captions with `fewest` pictures, by each signal.

    p is adjusted over all of them (Holm). Nearness counts pictures of other groups only, for a group that is far from
    the rest is near to itself; groups of words overlap and have no nearness, and scores that differ by subject say
    nothing of a word.
    """
    pictures = record.pictures.reset_index(drop=True)
    embeddings = np.stack(pictures["embedding"].to_list()).astype(np.float64)
    images = pictures["image"].tolist()
    by_best = dict(zip(images, pictures["best"], strict=True))
    found: list[tuple[str, str, str, float, tuple[tuple[str, float, float], ...]]] = []
    random = np.random.default_rng(seed)
    parts: list[tuple[str, Mapping[str, str]]] = list({**columns, "best class": by_best}.items())
    parts += [(WORD, dict.fromkeys(shown, word)) for word, shown in word_groups(record, fewest, beside=fewest).items()]
    looks = {name: pictures[name].to_numpy(float) for name in LOOKS}
    for column, named in parts:
        groups = [named.get(image, "") for image in images]
        values = dict(looks)
        if column != WORD:
            values |= {"score": pictures["score"].to_numpy(float), "near": nearness(embeddings, groups)}
        for group in sorted({group for group in groups if group}):
            inside = np.array([one == group for one in groups])
            if inside.sum() < fewest or (~inside).sum() < fewest:
                continue
            for signal, numbers in values.items():
                known = np.isfinite(numbers)
                z = _against(numbers, inside, known)
                if z is None:
                    continue
                at = np.flatnonzero(inside & known)
                members = tuple((images[i], float(numbers[i]), float(one)) for i, one in zip(at, z, strict=True))
                if signal in LOOKS:
                    numbers = numbers if z.mean() < 0 else -numbers
                p = _low_p(numbers, inside, known, random) * (2 if signal in LOOKS else 1)
                found.append((column, group, signal, min(p, 1.0), members))
    if not found:
        return []
    adjusted = FAR_GROUPS.adjusted(pd.DataFrame({"p": [entry[3] for entry in found]}))
    told = []
    for (column, group, signal, _, members), p in zip(found, adjusted, strict=True):
        z = np.array([one for _, _, one in members])
        if len(z) >= FEWEST:
            low, high = mean_bounds(z)
            told.append(
                FarGroup(column, group, signal, float(z.mean()), float(low), float(high), len(z), float(p), members)
            )
    return told


def word_groups(record: RelianceRecord, fewest: int, *, beside: int = 0) -> dict[str, list[str]]:
    """For each of the most frequent content words of captions, of `fewest` pictures or more, the pictures that have it.

    A word that fewer than `beside` pictures are without is left out.
    """
    pairs = record.places[record.places["text_kind"] == "caption"][["image", "text"]].drop_duplicates()
    found: dict[str, dict[str, None]] = {}
    for row in pairs.itertuples():
        for word in topics_of(row.text, "caption"):
            found.setdefault(word, {})[row.image] = None
    n = record.pictures["image"].nunique()
    kept = [(word, list(images)) for word, images in found.items() if fewest <= len(images) <= n - beside]
    return dict(sorted(kept, key=lambda entry: (-len(entry[1]), entry[0]))[:TOPICS])


def _against(values: Floats, inside: NDArray[np.bool_], known: NDArray[np.bool_]) -> Floats | None:
    """The group's robust z against all other pictures; None where these don't vary."""
    rest = values[~inside & known]
    if len(rest) < 2 or not (inside & known).any():
        return None
    middle = np.median(rest)
    spread = CONSISTENT * np.median(np.abs(rest - middle))
    return (values[inside & known] - middle) / spread if spread > 1e-12 else None


def _low_p(values: Floats, inside: NDArray[np.bool_], known: NDArray[np.bool_], random: np.random.Generator) -> float:
    """One-sided p that the group's mean is as low, over random groups of its size."""
    numbers, size = values[known], int((inside & known).sum())
    observed = values[inside & known].mean()

    def extreme(count: int) -> NDArray[np.bool_]:
        drawn = random.permuted(np.tile(numbers, (count, 1)), axis=1)[:, :size].mean(axis=1)
        return np.asarray(drawn <= observed + 1e-12 * np.abs(numbers).max(), dtype=np.bool_)

    return permutation_p(extreme)
