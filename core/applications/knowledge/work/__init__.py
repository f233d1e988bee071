"""Mutual knowledge over a set of images: visual concepts of every image against the concepts of its class.

`mutual_knowledge` works from Python without a run; `work` is the stage of an audit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.applications.knowledge.card import CARD, KnowledgeOptions
from core.applications.knowledge.record import KnowledgeRecord
from core.applications.knowledge.work.study import CHOICES, Gallery, Study
from core.applications.work.subject import Subject, Tell
from core.concepts.descriptors import Bank, Lexicon, build_bank, wordnet_lexicon
from core.errors import CapabilityError, InputError, ScopeError
from core.methods.capability import reason_missing
from core.models.model import DatasetImage, Model

OTHER_TEMPLATES = ("a photo of a {}.",)


def work(subject: Subject, options: KnowledgeOptions, out: Path, tell: Tell) -> None:
    """The stage `knowledge` of an audit: the run's images, classes and templates. Raises `InputError`."""
    plan = subject.run.plan
    if not plan.texts.classes:
        raise ScopeError("mutual knowledge compares images with classes; add a list of classes to the audit")
    images = subject.images
    labels = None
    if options.labels:
        if options.labels not in subject.run.dataset.columns:
            known = ", ".join(subject.run.dataset.columns) or "none"
            raise InputError(f"the dataset has no column {options.labels!r} with true classes (its columns: {known})")
        labels = [_label(image.metadata.get(options.labels)) for image in images]
    found = mutual_knowledge(
        subject.model,
        [subject.run.dataset.path(image) for image in images],
        plan.texts.classes,
        templates=plan.texts.templates,
        labels=labels,
        options=options,
        names=[(image.id, image.name) for image in images],
        seed=plan.seed,
        tell=tell,
    )
    found.save(out)


def mutual_knowledge(
    model: Model,
    images: Sequence[DatasetImage],
    classes: Sequence[str],
    *,
    templates: Sequence[str] = OTHER_TEMPLATES,
    labels: Sequence[str | None] | None = None,
    options: KnowledgeOptions | None = None,
    lexicon: Lexicon | None = None,
    names: Sequence[tuple[str, str]] | None = None,
    seed: int = 0,
    tell: Callable[[str], None] = lambda line: None,
) -> KnowledgeRecord:
    """Compare what a model sees in images with what it connects with their classes.

    An image belongs to the group of its label if `labels` names one of the classes, otherwise to that of its
    zero-shot class; the concepts it is compared with are always those of the zero-shot class. `lexicon` replaces
    WordNet. Raises `InputError` for fewer than two classes, no images, or a bank that is too small, and
    `CapabilityError` if the model's tokens can't be read.
    """
    options = options or KnowledgeOptions()
    chosen = list(dict.fromkeys(classes))
    needs = {*CARD.needs, *(("image_attention",) if options.features == "keys" else ())}
    reason = reason_missing(sorted(needs), model.capabilities)
    if reason is not None:
        raise CapabilityError(f"mutual knowledge does not support {model.title}: it {reason}")
    if len(chosen) < 2:
        raise ScopeError("mutual knowledge needs at least two classes to choose from")
    if not len(images):
        raise ScopeError("mutual knowledge needs at least one image")
    bank, note = _bank(chosen, options, lexicon)
    tell(f"embedding {len(bank)} descriptors")
    texts = model.embed_texts(bank.descriptors).double().cpu().numpy()
    weights = model.embed_texts(chosen, templates).double().cpu().numpy()
    other = model.embed_texts(chosen, None if templates else OTHER_TEMPLATES).double().cpu().numpy()
    gallery = Gallery(model, images, options.features, tell)
    study = Study(model, gallery, chosen, bank, texts, weights, options, seed)
    study.assign(labels, other)
    names = names or [(str(index), str(index)) for index in range(len(images))]
    rows, concepts = [], []
    groups: list[dict[str, Any]] = []
    done = 0
    for group in grouped(study.assigned, weights, options):
        for record, row, named in study.group(group):
            if record is not None:
                groups.append(record)
            index = row.pop("index")
            row["image"], row["image_name"] = names[index]
            rows.append(row)
            concepts += [{"image": names[index][0], "variant": row["variant"], **concept} for concept in named]
        done += len(group)
        tell(f"mutual knowledge: {done}/{len(images)} images")
    frame = pd.DataFrame(rows).sort_values(["image_name", "image", "variant"], kind="stable").reset_index(drop=True)
    about = study.about(groups, templates, note)
    for way, choice in CHOICES.items():
        about[f"{choice}_spread"] = [
            {"image": names[row["index"]][0], **{name: value for name, value in row.items() if name != "index"}}
            for row in sorted(study.spread[way], key=lambda row: (row["index"], row[choice]))
        ]
    return KnowledgeRecord(about, frame, pd.DataFrame(concepts), study.class_frame())


def grouped(assigned: NDArray[Any], weights: NDArray[Any], options: KnowledgeOptions) -> list[list[int]]:
    """Images by assigned class. A class with too few is pooled with the one whose text is nearest, the smallest
    first; a group with too many is split evenly.
    """
    members = {int(c): np.flatnonzero(assigned == c).tolist() for c in np.unique(assigned)}
    cosines = weights @ weights.T
    while not options.paper_exact and len(members) > 1:
        smallest = min(members, key=lambda c: (len(members[c]), c))
        if len(members[smallest]) >= options.least_group:
            break
        nearest = max((c for c in members if c != smallest), key=lambda c: (cosines[smallest, c], -c))
        members[nearest] = sorted(members[nearest] + members.pop(smallest))
    found = []
    for group in members.values():
        pieces = -(-len(group) // options.largest_group)
        found += [piece.tolist() for piece in np.array_split(np.array(group), pieces)]
    return found


def _bank(classes: Sequence[str], options: KnowledgeOptions, lexicon: Lexicon | None) -> tuple[Bank, str]:
    note = ""
    if lexicon is None and options.bank != "attributes":
        try:
            lexicon = wordnet_lexicon()
        except InputError as error:
            if options.bank == "wordnet":
                raise
            note = f"without WordNet: {error}"
    return build_bank(classes, lexicon, own=options.descriptors, most=options.bank_size), note


def _label(value: Any) -> str | None:
    return None if value is None or not str(value).strip() else str(value).strip()
