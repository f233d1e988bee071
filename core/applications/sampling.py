"""Which images an application measures: all where its budget pays for them, otherwise a stratified sample. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from pydantic import Field

from core.content.words import plural
from core.datasets import DatasetImage
from core.datasets.annotations import LABEL_COLUMNS
from core.languages import say
from core.methods.info import MOST_IMAGES, Options
from core.statistics.sampling import Design

# A metadata column with more values is an identifier or a measure, not a grouping.
MOST_VALUES = 8
# So many images are drawn from a stratum on average; smaller strata are joined.
DRAWN_EACH = 2
MOST_FORWARDS = 1_000_000_000
SAMPLE_BUDGET = (
    "image forward passes that the measured images may cost by estimate; the passes counted may differ. All images are "
    "measured where it pays for them, otherwise a random sample, stratified by class, metadata and embedding cluster"
)
MAXIMUM = "maximum number of images, drawn in the same way; 0: as many as the budget pays for"
Path = tuple[Hashable, ...]


class Sampled(Options):
    """Options of an application that measures a sample where all images cost more than its budget."""

    forwards: int = Field(10_000, ge=1, le=MOST_FORWARDS, description=SAMPLE_BUDGET)
    images: int = Field(0, ge=0, le=MOST_IMAGES, description=MAXIMUM)


def images_within(options: Any, cost: float, images: int, fewest: int = 1) -> int:
    """How many of `images` are measured at `cost` forward passes each, at least `fewest` where there are as many.

    `options` may lack `forwards` or `images`; then nothing limits the number.
    """
    budget = getattr(options, "forwards", None)
    # What costs nothing beyond the shared embeddings is measured on every image.
    paid = images if budget is None or cost <= 0 else int(budget // cost)
    most = getattr(options, "images", 0) or images
    return min(images, most, max(fewest, paid))


def label_column(columns: Sequence[str]) -> str | None:
    """The metadata column that holds the class of an image, by its name; None without one."""
    known = {column.casefold(): column for column in columns}
    return next((known[name] for name in LABEL_COLUMNS if name in known), None)


def grouping_columns(images: Sequence[DatasetImage], columns: Sequence[str]) -> list[str]:
    """The metadata columns, apart from that of the class, that group images: from two to `MOST_VALUES` values."""
    return [
        column
        for column in columns
        if column != label_column(columns) and 2 <= len({image.metadata.get(column) for image in images}) <= MOST_VALUES
    ]


def known_paths(images: Sequence[DatasetImage], columns: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The class and the metadata of each image, as far as the dataset holds them, and what these are called."""
    label, grouping = label_column(columns), grouping_columns(images, columns)
    named = ([f"column \u201c{label}\u201d"] if label else []) + [f"column \u201c{column}\u201d" for column in grouping]
    paths: list[Path] = []
    for image in images:
        own = (str(image.metadata.get(label)),) if label else ()
        paths.append((*own, *((tuple(str(image.metadata.get(column)) for column in grouping),) if grouping else ())))
    return paths, named


def joined(paths: Sequence[Path], count: int) -> list[Path]:
    """The stratum of each unit: its path, cut from the end until `count` draws hold `DRAWN_EACH` of it on average.

    What is too small for that even by its first part forms one stratum together.
    """
    least = DRAWN_EACH * len(paths) / max(count, 1)
    keys = list(paths)
    for depth in range(max(map(len, paths), default=0), 0, -1):
        sizes = Counter(keys)
        keys = [key[:-1] if len(key) == depth and sizes[key] < least else key for key in keys]
    return keys


def design_record(
    design: Design, by: Sequence[str], images: Sequence[DatasetImage], forwards: int | None
) -> dict[str, Any]:
    """What a record stores of a design: the images drawn, with their strata and weights, and how they were drawn."""
    return {
        "population": len(design.strata),
        "seed": design.seed,
        "by": list(by),
        "forwards": forwards,
        "sizes": design.sizes.tolist(),
        "counts": design.counts.tolist(),
        "images": [image.id for image in images],
        "strata": design.strata[design.drawn].tolist(),
        "weights": [round(weight, 6) for weight in design.weights.tolist()],
    }


def images_of(about: Mapping[str, Any]) -> str:
    """Which images a record covers, and why not all, such as `24 of 75 images, drawn at random (seed 0) from each of 6
    groups of similar images; the number that the options set`.
    """
    left_out, measured = int(about["images_left_out"]), int(about["images"])
    design = about.get("design")
    if not design or len(design["images"]) == design["population"]:
        images = plural(measured, "image")
        return say("{images} ({count:,} of the audit left out)", images=images, count=left_out) if left_out else images
    drawn, strata = len(design["images"]), len(design["sizes"])
    drawing = {"drawn": drawn, "images": plural(design["population"], "image"), "seed": design["seed"]}
    parts = [say("{drawn:,} of {images}, drawn at random (seed {seed})", **drawing)]
    if strata > 1:
        drawing["groups"] = plural(strata, "group")
        parts = [
            say(
                "{drawn:,} of {images}, drawn at random (seed {seed}) from each of {groups} of similar images",
                **drawing,
            )
        ]
    if measured < drawn:
        parts.append(say("{count:,} of them not measured", count=drawn - measured))
    if design.get("look") == "interim":
        parts.append(
            say("no more were measured because the verdicts were settled, or more images would hardly settle them")
        )
    elif drawn == about.get("options", {}).get("images"):
        parts.append(say("the number that the options set"))
    elif design.get("forwards"):
        budget = design["forwards"]
        parts.append(say("as many as the budget of {count:,} forward passes pays for", count=budget))
    return "; ".join(parts)
