"""What the scores of a data set rest on: places, kinds of regions and words, each by what is lost without it.

Every hidden place of an image is asked of one coalition pool, and all its texts are read off the same embeddings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.applications.reliance.card import CARD, RelianceOptions
from core.applications.reliance.record import PLACES_PART, STICKERS_PART, RelianceRecord
from core.applications.reliance.settled import PARTS, batches, growths, looks, open_rules, settled_parts, short_topics
from core.applications.reliance.work.alone import alone_rows
from core.applications.reliance.work.before import Ahead, seen_ahead, texts_of
from core.applications.reliance.work.concepts import name_regions
from core.applications.reliance.work.look import cell_looks, look_of
from core.applications.reliance.work.places import (
    FIRST_AND_LAST,
    Hidden,
    first_and_last_shares,
    hide,
    place_rows,
    places_of,
    positive_shares,
    resized,
)
from core.applications.reliance.work.stickers import sticker_rows
from core.applications.reliance.work.stored import of_pair, stored_rows
from core.applications.reliance.work.study import Study
from core.applications.reliance.work.texts import Bank, Pair, softmax_confidence, spread_of, stacked
from core.applications.reliance.work.words import (
    TextGame,
    carrier_rows,
    frequent_words,
    in_sentences,
    template_rows,
    twin_rows,
)
from core.applications.work.drawing import drawn_images
from core.applications.work.subject import Subject, Tell
from core.attribution.contract import Work
from core.attribution.draws import cell_grid, kept_cells, pool_of
from core.attribution.regions import can_be_semantic, map_grid
from core.attribution.surrogate import fit
from core.datasets import DatasetImage
from core.errors import ScopeError
from core.models.trunk import ImageTrunk, TextTrunk
from core.rules.thresholds import thresholds_of

ATTRIBUTION_CELLS = 7
Masks = NDArray[np.bool_]


def work(subject: Subject, options: RelianceOptions, out: Path, tell: Tell) -> None:
    """Measure the drawn images of the run and write the tables of the record.

    Raises `InputError` if the audit has no text.
    """
    model = subject.model
    first = batches(CARD.measured(options, len(subject.images)))[0] if options.sequential else None
    draw = drawn_images(subject, CARD, options, batch=first)
    chosen = draw.images
    bank = Bank.of(subject, chosen)
    if not bank.names:
        raise ScopeError("reliance needs a text: give captions, prompts or classes")
    study = Study(subject, options, bank, stored_rows(subject))
    ends = batches(len(chosen)) if options.sequential else [len(chosen)]
    texts = texts_of(subject, bank, options, chosen) if len(ends) > 1 else []
    with model.meter.measuring() as spent:
        ahead = seen_ahead(subject, chosen, tell)
        embeddings: list[Tensor] = []
        for end in ends:
            for number, image in enumerate(chosen[len(embeddings) : end], start=len(embeddings) + 1):
                tell(f"reliance: image {number} of {len(chosen)}")
                embeddings.append(measure(study, image, number - 1, ahead))
            if end < len(chosen) and not still_open(study, texts, end, ahead.fronts is not None, out):
                break
        draw = draw.first(len(embeddings))
        tell("reliance: names and words")
        note, names = name_regions(study)
        over_texts(study, torch.stack(embeddings))
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "images": len(draw.images),
        "images_left_out": len(subject.images) - len(draw.images),
        "design": draw.about | looks(ends, len(draw.images)) | settled_at(study, len(draw.images)),
        "classes": len(bank.classes),
        "sentences": len(bank.sentences),
        "regions": "semantic" if can_be_semantic(model) else "superpixels",
        "foreground": ahead.fronts is not None,
        "vocabulary_note": note,
        "candidates": names,
        "score": "contrast" if len(bank.names) > 1 else "cosine",
        "image_forwards": spent.image,
        "text_forwards": spent.text,
    }
    RelianceRecord.write(
        out, about, {name: RelianceRecord.frame(name, study.rows.get(name, ())) for name in RelianceRecord.SCHEMAS}
    )


def still_open(
    study: Study, texts: Sequence[Sequence[tuple[str, str]]], count: int, foreground: bool, out: Path
) -> list[str]:
    """What another batch is needed for: topics that enough images have but not enough of the first `count`, or rules.

    Rules are judged on a record of these images, which does not stay. Parts of the measures whose rules are all settled
    are noted in the study.
    """
    enough = int(thresholds_of(study.subject.run)["reliance.topics.least_images"])
    if short := short_topics(texts[:count], texts, enough):
        return short
    part = replace(study, rows=defaultdict(list, {name: [*map(dict, rows)] for name, rows in study.rows.items()}))
    _, names = name_regions(part)
    about = {"candidates": names, "foreground": foreground, "design": {"look": "interim", **settled_at(study, count)}}
    with TemporaryDirectory(dir=out) as folder:
        tables = RelianceRecord.frames(part.rows)
        RelianceRecord.write(Path(folder), about, tables)
        unsettled = open_rules(RelianceRecord.load(Path(folder)), study.subject.run, growths(texts[:count], texts))
    # What is measured no more stays as it is, whatever is thought of it later.
    unsettled = [rule for rule in unsettled if not any(rule in PARTS[part] for part in study.settled)]
    for part_of in settled_parts(unsettled):
        study.settled.setdefault(part_of, count)
    return unsettled


def settled_at(study: Study, count: int) -> dict[str, dict[str, int]]:
    """What the record stores of the parts that were settled before the last of `count` images: after how many."""
    parts = {part: end for part, end in study.settled.items() if end < count}
    return {"settled": parts} if parts else {}


def measure(study: Study, entry: DatasetImage, position: int, ahead: Ahead) -> Tensor:
    """Everything about one image but names and parts that are settled; its unit embedding."""
    subject, options, bank = study.subject, study.options, study.bank
    model, plan = subject.model, subject.run.plan.texts
    image = subject.open(entry)
    pixels, _ = model.preprocess([image])
    shared = Work(model, ImageTrunk(model, pixels), TextTrunk(model, [""]), study.seed)
    pool = pool_of(shared, 0, "auto")
    rows, columns = map_grid(shared)
    whole = pool.embeddings(torch.ones(1, rows, columns, dtype=torch.bool))[0]
    about = {"image": entry.id, "image_name": entry.name}
    cosines = bank.all_embeddings @ whole
    best = int(cosines.argmax())
    captions = entry.captions[: plan.captions_each] if plan.captions else ()
    pairs = bank.pairs(whole, captions, plan.prompts, max(plan.top_classes, 1), options.texts)
    directions = stacked(pairs)
    captioned = [float(pair.direction @ whole) for pair in pairs if pair.kind == "caption"]
    study.rows["images"].append(
        {
            **about,
            "best": bank.names[best],
            "score": float(cosines[best]),
            "confidence": softmax_confidence(cosines, model.logit_scale),
            "spread": spread_of(cosines),
            "own": float(np.mean(captioned)) if captioned else None,
            **look_of(model, pixels[0]),
            "embedding": whole.float().cpu().tolist(),
        }
    )
    cells_look = cell_looks(model, pixels[0], rows, columns)
    study.rows["looks"].append({"image": entry.id, "rows": rows, "columns": columns, "values": cells_look})
    front = ahead.front(position)
    regions = ahead.regions(position, shared, options.regions)
    places = {} if PLACES_PART in study.settled else places_of(rows, columns, front)
    masks = [*regions, *places.values()]
    found = hide(pool, masks, directions, options.controls, study.random("moved", entry.id))
    shares, methods = attributions(study, shared, entry, pairs, directions, (rows, columns), regions, found)
    texts = [(pair.text, pair.kind) for pair in pairs]
    for text, (words, kind) in enumerate(texts):
        for region, mask in enumerate(regions):
            study.rows["regions"].append(
                {
                    **about,
                    "text": words,
                    "text_kind": kind,
                    "region": region,
                    "area": float(mask.mean()),
                    "share": shares[text][region],
                    "share_method": methods[text],
                    "fall": float(found.fall[region, text]),
                    "control": float(found.control[region, text]),
                    "only": float(found.only[region, text]),
                    "total": float(found.total[text]),
                    "rows": rows,
                    "columns": columns,
                    "cells": mask.astype(int).ravel().tolist(),
                    "at": len(study.alone) + region,
                }
            )
    study.alone += list(found.alone[: len(regions)].double().cpu())
    study.lost += list(found.lost[: len(regions)].double().cpu())
    rest = found.after(len(regions))
    alone = dict(zip(places, rest.alone, strict=True))
    study.rows["alone"] += alone_rows(bank, about, best, whole, alone, pool, (rows, columns))
    study.rows["places"] += place_rows(about, texts, list(places), list(places.values()), front, rest)
    seed = int(study.random("sticker", entry.id).integers(2**31))
    count = 0 if STICKERS_PART in study.settled else options.stickers
    study.rows["stickers"] += sticker_rows(model, bank, image, whole, about, count, seed)
    read_words(study, shared, entry, pairs, whole)
    return whole


def attributions(
    study: Study,
    shared: Work,
    image: DatasetImage,
    pairs: Sequence[Pair],
    directions: Tensor,
    grid: tuple[int, int],
    regions: Sequence[Masks],
    found: Hidden,
) -> tuple[list[list[float | None]], list[str | None]]:
    """For each text the share of positive attribution in each region, and whose map it is.

    A map that the audit stored where there is one, otherwise the additive surrogate over a few coalitions, or what
    `found` has of the regions hidden and alone, which costs no further pass.
    """
    shares: list[list[float | None]] = []
    methods: list[str | None] = []
    fitted: NDArray[np.float64] | None = None
    for at, pair in enumerate(pairs):
        kept = of_pair(study.stored, image.id, pair)
        kept = kept[kept["map"].notna()]
        if len(kept):
            row = kept.iloc[0]
            values = np.asarray(row["map"], dtype=float).reshape(int(row["rows"]), int(row["columns"]))
            method: str | None = str(row["method"])
        elif study.options.masks:
            if fitted is None:
                cells = cell_grid(shared, ATTRIBUTION_CELLS)
                rows = kept_cells(shared, 0, cells, study.options.masks)
                scores = (pool_of(shared, 0, "auto").embeddings(rows) @ directions.T).cpu()
                fitted = fit(rows.flatten(1), scores).coefficients.T.unflatten(-1, cells).numpy()
            values, method = fitted[at], "surrogate"
        else:
            shares.append(first_and_last_shares(found, at, len(regions)))
            methods.append(FIRST_AND_LAST)
            continue
        shares.append(positive_shares(resized(values, *grid), regions))
        methods.append(method)
    return shares, methods


def read_words(study: Study, shared: Work, image: DatasetImage, pairs: Sequence[Pair], whole: Tensor) -> None:
    """The words of an image's texts, left out and weighed."""
    about = {"image": image.id, "image_name": image.name}
    for pair in pairs:
        study.of_text[pair.text, pair.kind] = pair
        if pair.sentence not in study.games:
            study.games[pair.sentence] = TextGame(shared.model, pair.text, pair.kind, pair.sentence, shared)
        kept = of_pair(study.stored, image.id, pair)
        kept = kept[kept["word_values"].notna()]
        told = {
            str(row.method): ([str(word) for word in row.words], [float(value) for value in row.word_values])
            for row in kept.itertuples()
        }
        study.rows["texts"] += study.games[pair.sentence].row_of(whole, about, told)


def over_texts(study: Study, images: Tensor) -> None:
    """What is measured over all images `(images, embedding)` at once: words, carriers, templates."""
    bank, options = study.bank, study.options
    for game in study.games.values():
        study.rows["words"] += game.word_rows()
    texts = [*bank.classes, *(pair.sentence for pair in study.of_text.values() if pair.kind != "class")]
    words = frequent_words(texts, options.words)
    spoken = in_sentences(study.subject.model, words)
    study.rows["carriers"] = carrier_rows(study.subject.model, words, spoken)
    study.rows["twins"] = twin_rows(words, spoken)
    if bank.classes:
        about = [{key: row[key] for key in ("image", "image_name")} for row in study.rows["images"]]
        best = [bank.classes.index(row["best"]) for row in study.rows["images"]]
        study.rows["templates"] = template_rows(bank, options.templates, images, about, best)
