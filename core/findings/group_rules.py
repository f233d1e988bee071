"""Rules on groups of pictures and on pictures that lie far from the rest, without labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from core.applications.reliance_record import RelianceRecord, of_run
from core.evaluation.outliers import (
    LOOKS,
    SIGNALS,
    Difference,
    FarGroup,
    difference,
    far_groups,
    group_columns,
    outliers,
    word_groups,
)
from core.evaluation.summary import Summary
from core.findings.finding import Finding, Number, Sample
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.parts import NAMED, SAMPLES, again, too_few
from core.findings.thresholds import Thresholds
from core.findings.topics import more_told
from core.runs import Run
from core.statistics.families import GROUPS

MEASURES = {
    "score": "best score",
    "confidence": "confidence in the best text",
    "own": "score of its captions",
    "class": "score of the class of its captions",
    "faithfulness": "faithfulness of maps",
}


def groups_differ(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Do scores, confidence or faithfulness differ between groups that the metadata name?

    The score of captions is compared among the pictures of one word too: a thing that is taken for another in one
    group keeps a high best score.
    """
    record = of_run(run)
    if record is None:
        return
    least = float(thresholds["groups.difference.least_difference"])
    fewest, most = (int(thresholds[f"groups.difference.{name}"]) for name in ("least_group", "most_groups"))
    columns = _columns(run, record, fewest, most)
    common: dict[str, Any] = dict(
        id="groups.difference",
        rule="groups.difference",
        threshold=thresholds.label("groups.difference.least_difference"),
        criterion=f"Groups of {fewest} pictures or more that a column of the metadata makes differ by at most "
        f"{least:g} standard deviations within groups in best score, confidence, faithfulness and the score of their "
        "captions, and among the pictures of one word in the score of it.",
        reproduce=again(run),
    )
    values = _measures(run, record)
    found = [
        got
        for column, named in columns.items()
        for measure, known in values.items()
        if (got := _compared(run, column, measure, named, known, fewest)) is not None
    ]
    words = word_groups(record, 2 * fewest) if "own" in values else {}
    of_word = {word: _of_word(record, word, images, values["own"]) for word, images in words.items()}
    for word, (measure, among) in of_word.items():
        each = (_compared(run, column, measure, named, among, fewest, word) for column, named in columns.items())
        found += [got for got in each if got is not None]
    if not found:
        yield cannot_conclude(
            title="There are no groups to compare",
            condition=f"No column of the metadata makes 2 to {most} groups of {fewest} measured pictures or more.",
            **common,
        )
        return
    p = GROUPS.adjusted(pd.DataFrame({"p": [one.p for one in found]}))
    significant = float(thresholds["general.significance"])
    ordered = sorted(zip(found, p, strict=True), key=lambda pair: -pair[0].value)
    shown = [one for one, adjusted in ordered if one.low > least and adjusted < significant]
    numbers_shown = shown or [ordered[0][0]]
    common["evidence"] = tuple(
        Number(
            name=f"{_measure(one)}: {one.high_group} above {one.low_group} ({one.column})",
            value=one.value, low=one.low, high=one.high, n=one.n, unit="SD",
        )
        for one in numbers_shown[:NAMED]
    )  # fmt: skip
    if not shown:
        first = ordered[0][0]
        yield passed(
            title="No group is shown to differ",
            condition=f"{len(found)} pairs of column and measure were tested; the largest difference is "
            f"{first.value:.2f} standard deviations ({_measure(first)} by {first.column}).",
            **common,
        )
        return
    first = shown[0]
    named, known = columns[first.column], of_word[first.word][1] if first.word else values[first.measure]
    told = _measure(first)
    lowest = sorted((image for image in known if named.get(image) == first.low_group), key=known.__getitem__)
    made, severity = grade(0.7, min(1.0, first.value / 2), first.n, thresholds)
    yield Finding(
        status="finding",
        severity=severity,
        grade=made,
        title=f"{told[:1].upper()}{told[1:]} differs between groups of \u201c{first.column}\u201d",
        condition=f"\u201c{first.high_group}\u201d lies {first.value:.2f} standard deviations above "
        f"\u201c{first.low_group}\u201d." + more_told(shown),
        samples=_of_images(record, lowest, known, told),
        rule_of_samples=f"lowest {told} in \u201c{first.low_group}\u201d",
        counter=_of_images(record, lowest[::-1], known, told),
        counter_note=f"highest {told} in \u201c{first.low_group}\u201d",
        cause="Hypothesis: the model serves the group worse, or the groups show other things.",
        effect="A threshold on the score treats the groups differently.",
        recommendation="Compare pictures of the same things across groups before concluding.",
        **common,
    )


def pictures_lie_far(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Are there pictures, or a whole group of them, that the model sees as far from the rest?"""
    record = of_run(run)
    if record is None:
        return
    least, of_group, of_look = (
        float(thresholds[f"data.outliers.{name}"]) for name in ("least_z", "least_group_z", "least_group_look")
    )
    significant = float(thresholds["general.significance"])
    fewest = int(thresholds["groups.difference.least_group"])
    n = len(record.pictures)
    common: dict[str, Any] = dict(
        id="data.outliers",
        rule="data.outliers",
        threshold=thresholds.label("data.outliers.least_z"),
        criterion=f"No picture's best score or nearness to others lies {least:g} robust standard deviations below all "
        f"others', no group's mean lies {of_group:g} below the rest, nor {of_look:g} off it in light, contrast, colour "
        f"or detail; adjusted p from {significant:g} up.",
        reproduce=again(run),
    )
    if n < thresholds["general.least_images"]:
        yield too_few("Too few pictures to say which lie far from the rest", n, thresholds, common)
        return
    rows = outliers(record).sort_values("z")
    far = rows[(rows["z"] < -least) & (rows["p_adjusted"] < significant)]
    columns = _columns(run, record, fewest, int(thresholds["groups.difference.most_groups"]))
    groups = far_groups(record, columns, fewest=fewest, seed=run.plan.seed)
    low = sorted(
        (one for one in groups if _is_far(one, of_group, of_look) and one.p_adjusted < significant),
        key=lambda one: -abs(one.value),
    )
    lowest = rows.iloc[0]
    common["evidence"] = (
        Number(name="pictures that lie far", value=float(far["image"].nunique()), n=n),
        Number(name="lowest robust z of a picture", value=float(lowest.z) if np.isfinite(lowest.z) else None, n=n),
        *(
            Number(name=f"robust z of {one.group} ({one.column}), {SIGNALS[one.signal]}", value=one.value, low=one.low,
                   high=one.high, n=one.n)
            for one in low[:NAMED]
        ),
    )  # fmt: skip
    if far.empty and not low:
        yield passed(
            title="No picture and no group is shown to lie far from the rest",
            condition=f"{n} pictures and {len(groups)} pairs of group and signal were tested.",
            **common,
        )
        return
    count = far["image"].nunique()
    told = [f"{count} of {n} pictures lie far from all others."] if count else []
    told += (
        [
            f"The group \u201c{low[0].group}\u201d ({low[0].column}) lies {abs(low[0].value):.1f} "
            f"{'below' if low[0].value < 0 else 'above'} the rest as a whole, by {SIGNALS[low[0].signal]}."
        ]
        if low
        else []
    )
    size = count / n if not low else max(count, low[0].n) / n
    made, word = grade(0.5, min(1.0, 2 * size), n, thresholds)
    best = dict(zip(record.pictures["image"], record.pictures["best"], strict=True))
    chosen = far if count else _group_rows(record, low[0])

    def samples(part: pd.DataFrame) -> tuple[Sample, ...]:
        return tuple(
            Sample(image=row.image, image_name=row.image_name, text=best[row.image],
                   note=f"{SIGNALS[row.signal]} {row.value:.3f}, z {row.z:+.1f}")
            for row in part.drop_duplicates("image").head(SAMPLES).itertuples()
        )  # fmt: skip

    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title="A group of pictures lies far from the rest" if low else "Some pictures lie far from the rest",
        condition=" ".join(told),
        samples=samples(chosen.sort_values("z", key=lambda z: -z.abs())),
        rule_of_samples="farthest by robust z",
        counter=samples(rows.sort_values("z", ascending=False)),
        counter_note="the pictures that lie nearest to others or score best",
        cause="Hypothesis: another source, camera, distortion or subject than the model and the texts were made for.",
        effect="Scores of such pictures mean something else, and averages mix both kinds.",
        recommendation="Look at them; audit them apart or leave them out, and say so.",
        **common,
    )


def _is_far(group: FarGroup, least: float, least_look: float) -> bool:
    if group.signal in LOOKS:
        return group.high < -least_look or group.low > least_look
    return group.high < -least


def _measure(one: Difference) -> str:
    """How a measure is called; one among the pictures of a word names the word."""
    name = MEASURES[one.measure]
    return f"{name} with \u201c{one.word}\u201d" if one.word else name


def _of_word(
    record: RelianceRecord, word: str, images: list[str], own: dict[str, float]
) -> tuple[str, dict[str, float]]:
    """What is compared among the pictures of a word: the score of the class of that name, or their captions' own.

    A class's score has no part in what else the captions say.
    """
    rows = record.alone[(record.alone["text"] == word) & record.alone["image"].isin(images)].drop_duplicates("image")
    if len(rows):
        return "class", dict(rows[["image", "total"]].astype({"total": float}).itertuples(index=False))
    return "own", {image: own[image] for image in images if image in own}


def _compared(
    run: Run,
    column: str,
    measure: str,
    named: dict[str, str],
    known: dict[str, float],
    fewest: int,
    word: str = "",
) -> Difference | None:
    """The difference of one measure by one column, over groups that `fewest` measured pictures have."""
    sizes = pd.Series([group for image, group in named.items() if image in known], dtype=object).value_counts()
    large = set(sizes[sizes >= fewest].index)
    images = [image for image, group in named.items() if image in known and group in large]
    if len(large) < 2:
        return None
    numbers = np.array([known[image] for image in images])
    groups = [named[image] for image in images]
    return difference(numbers, groups, column=column, measure=measure, word=word, seed=run.plan.seed)


def _columns(run: Run, record: RelianceRecord, fewest: int, most: int) -> dict[str, dict[str, str]]:
    metadata = {picture.id: picture.metadata for picture in run.dataset.pictures}
    return group_columns(metadata, record.pictures["image"].tolist(), fewest=fewest, most_groups=most)


def _measures(run: Run, record: RelianceRecord) -> dict[str, dict[str, float]]:
    pictures = record.pictures
    found = {
        name: dict(known[["image", name]].astype({name: float}).itertuples(index=False))
        for name in MEASURES
        if name in pictures and len(known := pictures[pictures[name].notna()])
    }
    rows = run.results(["image", "kind", "status", "faithfulness"])
    rows = rows[(rows["kind"] == "method") & (rows["status"] == "ok") & rows["faithfulness"].notna()]
    known = rows[rows["image"].isin(pictures["image"])].groupby("image")["faithfulness"].mean().astype(float)
    return found | ({"faithfulness": dict(known)} if len(known) else {})


def _of_images(record: RelianceRecord, images: list[str], values: dict[str, float], measure: str) -> tuple[Sample, ...]:
    names, best = record.images, dict(zip(record.pictures["image"], record.pictures["best"], strict=True))
    return tuple(
        Sample(image=image, image_name=names[image], text=best[image], note=f"{measure} {values[image]:.3f}")
        for image in images[:SAMPLES]
    )


def _group_rows(record: RelianceRecord, far: FarGroup) -> pd.DataFrame:
    rows = pd.DataFrame(far.members, columns=["image", "value", "z"])
    return rows.assign(image_name=rows["image"].map(record.images), signal=far.signal)
