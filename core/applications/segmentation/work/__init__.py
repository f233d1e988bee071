"""Open-vocabulary segmentation of a run's images, with recognition, prompt points and caption tokens beside it.

The folder it writes holds
    about.json            labels, method, templates, options, what was not done and why
    maps.parquet          raw maps: the best labels, the empty text, captions and their best tokens
    areas.parquet         how many pixels each label won in each image
    recognition.parquet   every label's score by every recipe in each image, and the truth where it is known
    overlap.parquet       intersection and union with drawn objects, for our maps, raw maps and one label everywhere
    tokens.parquet        every token of every caption
    points.json           prompt points by image and label
    masks/<image>.png   the number of each pixel's label: 0 background, 65535 never seen
    sam/<image>-<label number>.png   masks by Segment Anything, if it was used
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from core.applications.segmentation.card import SegmentationOptions
from core.applications.segmentation.multilabel import ranking
from core.applications.segmentation.points import load_sam, prompt_points, sam_mask, sam_reason
from core.applications.segmentation.record import UNSEEN_VALUE, SegmentationRecord
from core.applications.segmentation.work.segmenter import BACKGROUND, UNSEEN, Segmented, Segmenter
from core.applications.truth import IGNORED, Truth, read_truth
from core.applications.work.subject import Subject
from core.datasets import DatasetImage, column_labels, labels_column
from core.datasets.dataset import ANNOTATIONS
from core.drafts import write_whole
from core.errors import InputError, first_line
from core.models.model import Model
from core.storage import without_folders

Row = dict[str, Any]


def work(subject: Subject, options: SegmentationOptions, out: Path, tell: Callable[[str], None]) -> None:
    """Segment every image of a run and write the folder described above.

    An image that fails is listed in `about.json` with the reason. Raises `InputError` without labels, for a damaged
    truth, or if every image fails.
    """
    plan = subject.run.plan.texts
    labels = options.labels or plan.classes or plan.prompts
    given = options.truth or subject.run.dataset.annotations
    truth = read_truth(given) if given else None
    templates = {"ensemble": None, "audit": plan.templates, "none": ("{}",)}[options.templates]
    tell("segmentation: embedding the labels")
    segmenter = Segmenter(subject.model, labels, options, templates)
    stage = _Stage(segmenter, truth, _column(subject, segmenter.labels, options.labels_column), out)
    for number, image in enumerate(subject.images, start=1):
        tell(f"segmentation: image {number} of {len(subject.images)}")
        captions = image.captions[: plan.captions_each] if plan.captions and options.captions else ()
        try:
            stage.take(image, subject.open(image), captions)
        except (InputError, torch.OutOfMemoryError, FloatingPointError) as error:
            line = without_folders(first_line(error))
            stage.failures.append({"image": image.id, "image_name": image.name, "message": line})
    if len(stage.failures) == len(subject.images):
        raise InputError(f"no image could be segmented; the first failure: {stage.failures[0]['message']}")
    stage.write()
    if truth is not None:
        # What was compared with, so that its numbers can be recomputed from the record.
        (out / ANNOTATIONS).write_bytes(truth.annotations.only(subject.images))


class _Stage:
    """Collects the rows of all images; an image's rows are added together or not at all."""

    def __init__(self, segmenter: Segmenter, truth: Truth | None, column: str | None, out: Path) -> None:
        self.segmenter, self.options, self.out = segmenter, segmenter.options, out
        self.truth, self.column = truth, column
        self.rows: dict[str, list[Row]] = {name: [] for name in SegmentationRecord.SCHEMAS}
        self.points: dict[str, dict[str, Any]] = {}
        self.failures: list[dict[str, str]] = []
        self.known = {label.casefold() for label in segmenter.labels}
        self.unmatched: Counter[str] = Counter()  # labels of the column that are none of the audit's
        self.background = bool(segmenter.background) or self.options.confidence > 0
        self.sam_reason = sam_reason(self.options.sam_checkpoint)
        usable = self.sam_reason is None
        self.sam = load_sam(self.options.sam_checkpoint, self.options.sam_type) if usable else None
        (out / "masks").mkdir()
        self.tokens_reason = _tokens_reason(segmenter.model)

    def take(self, entry: DatasetImage, image: Image.Image, captions: tuple[str, ...]) -> None:
        """Everything about one image."""
        found = self.segmenter.image(image)
        if not np.isfinite(found.maps).all():
            raise FloatingPointError("the maps contain non-finite values")
        ranks = ranking(found.recipes[self.options.recipe][None])[0]
        best = np.argsort(ranks, kind="stable")[: self.options.kept].tolist()
        rows = {
            "maps": [*self._maps(found, best)],
            "areas": [*self._areas(found)],
            "recognition": [*self._recognition(entry, found, ranks)],
            "overlap": [*self._overlap(entry, found)],
            "tokens": [],
        }
        if self.tokens_reason is None:
            for caption in captions:
                self._caption(image, caption, rows)
        points = {
            self.segmenter.labels[index]: prompt_points(found.maps[index], found.geometry, self.options.point_threshold)
            for index in best
        }
        told: dict[str, Any] = {label: chosen.as_dict() for label, chosen in points.items()}
        for label, chosen in points.items():
            if self.sam is not None and chosen.positive:
                number = self.segmenter.labels.index(label) + 1
                mask, score = sam_mask(self.sam, image, chosen)
                (self.out / "sam").mkdir(exist_ok=True)
                name = f"sam/{entry.id}-{number}.png"
                Image.fromarray((mask * 255).astype(np.uint8)).save(self.out / name)
                told[label] |= {"sam": name, "sam_score": score}
        written = np.where(found.mask == UNSEEN, UNSEEN_VALUE, found.mask).astype(np.uint16)
        Image.fromarray(written).save(self.out / "masks" / f"{entry.id}.png")
        self.points[entry.id] = told
        for name, new in rows.items():
            self.rows[name] += [{"image": entry.id, "image_name": entry.name, **row} for row in new]

    def write(self) -> None:
        """The tables and `about.json`."""
        own = self.segmenter
        about = {
            "labels": own.labels,
            "background": own.background,
            "has_background": self.background,
            "method": own.method,
            "why": own.why,
            "templates": len(own.bank.templates),
            "template": own.bank.templates[0],
            "recipe": self.options.recipe,
            "options": self.options.model_dump(mode="json"),
            "logit_scale": own.model.logit_scale,
            "images": len(self.points),
            "failures": self.failures,
            "truth": "" if self.truth is None else self.truth.annotations.name,
            "truth_sha256": "" if self.truth is None else self.truth.annotations.sha256,
            "labels_column": self.column or "",
            "left_out": [] if self.truth is None else [*self.truth.annotations.problems],
            "unmatched": [[label, count] for label, count in sorted(self.unmatched.items(), key=_commonest)],
            "tokens": self.tokens_reason or "",
            "sam": self.sam_reason or "",
        }
        # An image's labels come best first.
        points = json.dumps(self.points, indent=1, ensure_ascii=False) + "\n"
        write_whole(self.out / "points.json", points.encode())
        tables = SegmentationRecord.frames(self.rows)
        SegmentationRecord.write(self.out, about, tables)

    def _maps(self, found: Segmented, best: list[int]) -> Iterator[Row]:
        labels = self.segmenter.labels
        for index in best:
            yield {
                **_map("label", labels[index], found.method, found.maps[index]),
                "cosine": found.cosines[index],
                "share": found.shares[index],
                "empty_before": _known(found.empty_before[index]),
                "empty_after": _known(found.empty_after[index]),
            }
        yield _map("empty", "", found.method, found.empty)

    def _areas(self, found: Segmented) -> Iterator[Row]:
        seen = int((found.mask != UNSEEN).sum())
        counts = np.bincount(found.mask[found.mask != UNSEEN], minlength=len(self.segmenter.labels) + 1)
        named = list(enumerate(self.segmenter.labels, start=1))
        for number, label in [*named, *([(BACKGROUND, "")] if self.background else [])]:
            pixels = int(counts[number])
            cosine = found.cosines[number - 1] if number else None
            told = {"pixels": pixels, "seen": seen, "share": pixels / seen if seen else None, "cosine": cosine}
            yield {"label": label, "number": number, **told}

    def _recognition(self, image: DatasetImage, found: Segmented, ranks: NDArray[np.int64]) -> Iterator[Row]:
        true = None if self.truth is None else self.truth.labels(image)
        if true is None and self.column is not None:
            true = column_labels(image, self.column, self.known)
            self.unmatched.update((true or set()) - self.known)
        for index, label in enumerate(self.segmenter.labels):
            scores = {name: float(values[index]) for name, values in found.recipes.items()}
            known = None if true is None else label.casefold() in true
            yield {"label": label, **scores, "rank": int(ranks[index]), "truth": known}

    def _overlap(self, image: DatasetImage, found: Segmented) -> Iterator[Row]:
        height, width = found.mask.shape
        labels = self.segmenter.labels
        truth = None if self.truth is None else self.truth.mask(image, labels, (width, height))
        if truth is None:
            return
        masks = {found.method: found.mask}
        if found.method != "raw":
            masks["raw"] = self.segmenter.segment(found.raw, found.shares.copy(), found.geometry)
        top = int(np.argmax(found.cosines))
        masks["whole"] = np.where(found.mask == UNSEEN, UNSEEN, top + 1 if top < len(labels) else BACKGROUND)
        # Without a way to say "background", pixels of nothing that was asked for can't be right or wrong.
        counted = (truth != IGNORED) & (found.mask != UNSEEN) & (self.background | (truth != BACKGROUND))
        for name, mask in masks.items():
            for number, label in enumerate(["", *labels]):
                if number == BACKGROUND and not self.background:
                    continue
                ours, theirs = (mask == number) & counted, (truth == number) & counted
                both, either = int((ours & theirs).sum()), int((ours | theirs).sum())
                if either:
                    yield {
                        "map": name,
                        "label": label,
                        "intersection": both,
                        "union": either,
                        "true": int(theirs.sum()),
                    }

    def _caption(self, image: Image.Image, caption: str, rows: dict[str, list[Row]]) -> None:
        found = self.segmenter.caption(image, caption)
        method = self.segmenter.method
        rows["maps"].append({**_map("caption", caption, method, found.whole), "cosine": found.cosine})
        for position, (token, score, peak) in enumerate(zip(found.tokens, found.scores, found.peaks, strict=True)):
            told = {"caption": caption, "position": position, "token": token, "score": score, "peak": peak}
            rows["tokens"].append(told)
        for position in found.best:
            told = {"caption": caption, "cosine": found.scores[position]}
            rows["maps"].append({**_map("token", found.tokens[position], method, found.maps[position]), **told})


def _column(subject: Subject, labels: Sequence[str], wanted: str) -> str | None:
    """The metadata column with true labels, if any of its values is one of `labels`; else it speaks of other things."""
    column = labels_column(subject.run.dataset, wanted)
    if column is None:
        return None
    known = {label.casefold() for label in labels}
    return column if any(known & (column_labels(image, column, known) or set()) for image in subject.images) else None


def _map(kind: str, text: str, method: str, values: NDArray[Any]) -> Row:
    rows, columns = values.shape
    return {"kind": kind, "text": text, "method": method, "rows": rows, "columns": columns, "map": values.ravel()}


def _commonest(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _tokens_reason(model: Model) -> str | None:
    if "text_layers" in model.capabilities:
        return None
    return "caption tokens need a model whose text layers can be read one by one"
