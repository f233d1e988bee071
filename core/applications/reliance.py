"""What the scores of a data set rest on: places, kinds of regions and words, each by what is lost without it.

Every hidden place of a picture is asked of one coalition pool, and all its texts are read off the same embeddings.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.applications.reliance_alone import alone_rows
from core.applications.reliance_look import look_of
from core.applications.reliance_names import Candidates, audit_names, everyday_names, is_kin, kinds_of, named
from core.applications.reliance_places import hide, place_rows, places_of, positive_shares, resized
from core.applications.reliance_record import frames, save
from core.applications.reliance_stickers import sticker_rows
from core.applications.reliance_stored import of_pair, stored_rows
from core.applications.reliance_texts import Bank, Pair, softmax_confidence, spread_of, stacked
from core.applications.reliance_words import (
    TextGame,
    carrier_rows,
    frequent_words,
    in_sentences,
    template_rows,
    twin_rows,
)
from core.applications.stage import Subject, Tell
from core.applications.visual_concepts import foreground
from core.attribution.contract import Work
from core.attribution.draws import cell_grid, kept_cells, pool_of
from core.attribution.regions import can_be_semantic, map_grid, place_features, regions_of
from core.attribution.surrogate import fit
from core.datasets import Picture
from core.errors import ScopeError
from core.methods.applications.reliance import RelianceOptions
from core.models.trunk import ImageTrunk, TextTrunk

ATTRIBUTION_CELLS = 7
Masks = NDArray[np.bool_]
Row = dict[str, Any]


@dataclass
class Study:
    """What one run of the application gathers."""

    subject: Subject
    options: RelianceOptions
    bank: Bank
    stored: pd.DataFrame
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    alone: list[Tensor] = field(default_factory=list)
    of_text: dict[tuple[str, str], Pair] = field(default_factory=dict)
    games: dict[str, TextGame] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.subject.run.plan.seed

    def random(self, *parts: object) -> np.random.Generator:
        """A generator whose stream depends on the seed and on `parts` alone."""
        digest = hashlib.sha256(repr((self.seed, *parts)).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def work(subject: Subject, options: RelianceOptions, out: Path, tell: Tell) -> None:
    """Measure the first pictures of the run and write the tables of `reliance_record`.

    Raises `InputError` if the audit has no text.
    """
    model, chosen = subject.model, subject.pictures[: options.pictures]
    bank = Bank.of(subject, chosen)
    if not bank.names:
        raise ScopeError("what scores rest on needs a text: give captions, prompts or classes")
    study = Study(subject, options, bank, stored_rows(subject))
    with model.meter.measuring() as spent:
        before = foregrounds(subject, chosen, tell)
        embeddings = []
        for number, picture in enumerate(chosen, start=1):
            tell(f"what scores rest on: picture {number} of {len(chosen)}")
            embeddings.append(measure(study, picture, before[number - 1] if before is not None else None))
        tell("what scores rest on: names and words")
        note, names = name_regions(study)
        over_texts(study, torch.stack(embeddings))
    about = {
        "options": options.model_dump(mode="json"),
        "model": model.title,
        "pictures": len(chosen),
        "pictures_left_out": len(subject.pictures) - len(chosen),
        "classes": len(bank.classes),
        "sentences": len(bank.sentences),
        "regions": "semantic" if can_be_semantic(model) else "superpixels",
        "foreground": before is not None,
        "vocabulary_note": note,
        "candidates": names,
        "score": "contrast" if len(bank.names) > 1 else "cosine",
        "image_forwards": spent.image,
        "text_forwards": spent.text,
    }
    save(out, about, frames(study.rows))


def foregrounds(subject: Subject, pictures: Sequence[Picture], tell: Tell) -> Masks | None:
    """The foreground of each picture `(pictures, rows, columns)`, by a singular vector of all.

    None if the model doesn't show its features at places.
    """
    if not can_be_semantic(subject.model):
        return None
    features, grid = [], (1, 1)
    for number, picture in enumerate(pictures, start=1):
        pixels, _ = subject.model.preprocess([subject.open(picture)])
        one = Work(subject.model, ImageTrunk(subject.model, pixels), TextTrunk(subject.model, [""]))
        found, grid = place_features(one, 0)
        features.append(found.astype(np.float32))
        tell(f"what scores rest on: reading picture {number} of {len(pictures)}")
    return foreground(np.stack(features), grid).masks


def measure(study: Study, picture: Picture, front: Masks | None) -> Tensor:
    """Everything about one picture but names; its unit embedding."""
    subject, options, bank = study.subject, study.options, study.bank
    model, plan = subject.model, subject.run.plan.texts
    image = subject.open(picture)
    pixels, _ = model.preprocess([image])
    shared = Work(model, ImageTrunk(model, pixels), TextTrunk(model, [""]), study.seed)
    pool = pool_of(shared, 0, "auto")
    rows, columns = map_grid(shared)
    whole = pool.embeddings(torch.ones(1, rows, columns, dtype=torch.bool))[0]
    about = {"image": picture.id, "image_name": picture.name}
    cosines = bank.all_embeddings @ whole
    best = int(cosines.argmax())
    captions = picture.captions[: plan.captions_each] if plan.captions else ()
    pairs = bank.pairs(whole, captions, plan.prompts, max(plan.top_classes, 1), options.texts)
    directions = stacked(pairs)
    captioned = [float(pair.direction @ whole) for pair in pairs if pair.kind == "caption"]
    study.rows["pictures"].append(
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
    cut = regions_of(shared, 0, "auto", options.regions).cells.argmax(dim=0).numpy()
    regions = [cut == at for at in np.unique(cut)]
    places = places_of(rows, columns, front)
    masks = [*regions, *places.values()]
    found = hide(pool, masks, directions, options.controls, study.random("moved", picture.id))
    shares, methods = attributions(study, shared, picture, pairs, directions, (rows, columns), regions)
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
    rest = found.after(len(regions))
    alone = dict(zip(places, rest.alone, strict=True))
    study.rows["alone"] += alone_rows(bank, about, best, whole, alone, pool, (rows, columns))
    study.rows["places"] += place_rows(about, texts, list(places), list(places.values()), front, rest)
    seed = int(study.random("sticker", picture.id).integers(2**31))
    study.rows["stickers"] += sticker_rows(model, bank, image, whole, about, options.stickers, seed)
    read_words(study, shared, picture, pairs, whole)
    return whole


def attributions(
    study: Study,
    shared: Work,
    picture: Picture,
    pairs: Sequence[Pair],
    directions: Tensor,
    grid: tuple[int, int],
    regions: Sequence[Masks],
) -> tuple[list[list[float | None]], list[str | None]]:
    """For each text the share of positive attribution in each region, and whose map it is.

    A map that the audit stored where there is one, otherwise the additive surrogate over a few coalitions.
    """
    shares: list[list[float | None]] = []
    methods: list[str | None] = []
    fitted: NDArray[np.float64] | None = None
    for at, pair in enumerate(pairs):
        kept = of_pair(study.stored, picture.id, pair)
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
            shares.append([None] * len(regions))
            methods.append(None)
            continue
        shares.append(positive_shares(resized(values, *grid), regions))
        methods.append(method)
    return shares, methods


def read_words(study: Study, shared: Work, picture: Picture, pairs: Sequence[Pair], whole: Tensor) -> None:
    """The words of a picture's texts, left out and weighed."""
    about = {"image": picture.id, "image_name": picture.name}
    for pair in pairs:
        study.of_text[pair.text, pair.kind] = pair
        if pair.sentence not in study.games:
            study.games[pair.sentence] = TextGame(shared.model, pair.text, pair.kind, pair.sentence, shared)
        kept = of_pair(study.stored, picture.id, pair)
        kept = kept[kept["word_values"].notna()]
        told = {
            str(row.method): ([str(word) for word in row.words], [float(value) for value in row.word_values])
            for row in kept.itertuples()
        }
        study.rows["texts"] += study.games[pair.sentence].row_of(whole, about, told)


def name_regions(study: Study) -> tuple[str, int]:
    """Give every region its kind, concept and how far that has to do with the text.

    Returns what is said without WordNet, and the number of names that there were to choose from.
    """
    options, bank, model = study.options, study.bank, study.subject.model
    texts = [pair.sentence for pair in study.of_text.values()]
    everyday, note = everyday_names() if options.everyday else ([], "")
    own = audit_names(bank.classes, texts, options.concepts)
    candidates = Candidates(model, own, everyday, bank.templates[0])
    alone = torch.stack(study.alone).numpy()
    kinds = kinds_of(alone, options.kinds, study.seed)
    names, nearest = named(alone, kinds, candidates)
    position = {name: at for at, name in enumerate(candidates.names)}
    ranks = {key: candidates.related(text_of(bank, pair)) for key, pair in study.of_text.items()}
    for row in study.rows["regions"]:
        at = row.pop("at")
        concept = names[int(kinds[at])]
        rank = ranks[row["text"], row["text_kind"]][position[concept]]
        row |= {"kind": int(kinds[at]), "concept": concept, "nearest": nearest[at], "related": float(rank)}
        row["kin"] = is_kin(concept, row["text"])
    return note, len(candidates.names)


def text_of(bank: Bank, pair: Pair) -> NDArray[np.float64]:
    """The unit embedding of a pair's text itself `(embedding,)`."""
    found = (
        bank.class_embeddings[bank.classes.index(pair.text)]
        if pair.kind == "class"
        else bank.sentence_embeddings[bank.sentences.index(pair.text)]
    )
    return found.double().cpu().numpy()


def over_texts(study: Study, images: Tensor) -> None:
    """What is measured over all pictures `(images, embedding)` at once: words, carriers, templates."""
    bank, options = study.bank, study.options
    for game in study.games.values():
        study.rows["words"] += game.word_rows()
    texts = [*bank.classes, *(pair.sentence for pair in study.of_text.values() if pair.kind != "class")]
    words = frequent_words(texts, options.words)
    spoken = in_sentences(study.subject.model, words)
    study.rows["carriers"] = carrier_rows(study.subject.model, words, spoken)
    study.rows["twins"] = twin_rows(words, spoken)
    if bank.classes:
        about = [{key: row[key] for key in ("image", "image_name")} for row in study.rows["pictures"]]
        best = [bank.classes.index(row["best"]) for row in study.rows["pictures"]]
        study.rows["templates"] = template_rows(bank, options.templates, images, about, best)
