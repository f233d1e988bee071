"""The concepts of regions: kinds, their names with a check, and how near each region is to a declared concept.

Everything is read off the embeddings of regions shown alone and hidden, so that no image is embedded for it.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from core.applications.declared import declarations
from core.applications.reliance.work.names import Candidates, audit_names, everyday_names, is_kin, kinds_of
from core.applications.reliance.work.naming import centred_cosines, kind_names, naming_part
from core.applications.reliance.work.study import Study
from core.applications.reliance.work.texts import Bank, Pair

Floats = NDArray[np.float64]


def name_regions(study: Study) -> tuple[str, int]:
    """Give every region its kind, the kind's name and how that is related to the text; fill `names` and `declared`.

    Returns what is printed where WordNet cannot be read, and the number of names that ranks are taken over.
    """
    options, bank, model = study.options, study.bank, study.subject.model
    texts = [pair.sentence for pair in study.of_text.values()]
    everyday, note = everyday_names() if options.everyday else ([], "")
    candidates = Candidates(model, audit_names(bank.classes, texts, options.concepts), everyday, bank.templates[0])
    alone = torch.stack(study.alone).numpy()
    rows = study.rows["regions"]
    images = [""] * len(alone)
    for row in rows:
        images[row["at"]] = row["image"]
    kinds = kinds_of(alone, options.kinds, study.seed)
    cosines = centred_cosines(alone, candidates.embeddings[: candidates.naming])
    naming = naming_part(images, study.random("names"))
    lost = centred_cosines(torch.stack(study.lost).numpy(), candidates.embeddings[: candidates.naming])
    named = candidates.names[: candidates.naming]
    checks = kind_names(cosines, lost, kinds, images, naming, named, candidates.sources)
    study.rows["names"] = [
        {"kind": check.kind, "name": check.name, "source": check.source, "area": check.area}
        | {"inside": check.inside, "outside": check.outside, "near": check.near, "rivals": list(check.rivals)}
        | {"lost": check.lost}
        for check in checks
    ]
    study.rows["declared"] = declared_rows(study, alone, images, candidates)
    nearest = cosines.argmax(axis=1)
    position = {name: at for at, name in enumerate(candidates.names)}
    ranks = {key: candidates.related(text_of(bank, pair)) for key, pair in study.of_text.items()}
    for row in rows:
        at = row.pop("at")
        concept = checks[int(kinds[at])].name
        rank = ranks[row["text"], row["text_kind"]][position[concept]]
        row |= {"kind": int(kinds[at]), "concept": concept, "nearest": candidates.names[int(nearest[at])]}
        row |= {"related": float(rank), "kin": is_kin(concept, row["text"])}
    return note, len(candidates.names)


def declared_rows(study: Study, alone: Floats, images: list[str], candidates: Candidates) -> list[dict[str, object]]:
    """The rows of the table `declared`: each region and each declared concept, by the cosine with the concept itself.

    `rank` is the concept's among the names that regions may be given, by the cosine beyond each name's mean; names that
    are the concept itself, or above or below it in WordNet, do not compete with it. `whole` is the same for the whole
    image, among all images; 1 where a caption of the image names the concept.
    """
    concepts = list(dict.fromkeys(each.concept for each in declarations(study.options.declared)))
    if not concepts:
        return []
    template = study.bank.templates[0]
    own = study.subject.model.embed_texts([template.format(name) for name in concepts]).double().cpu().numpy()
    near = centred_cosines(alone, own)
    others = centred_cosines(alone, candidates.embeddings[: candidates.naming])
    numbers: dict[str, int] = {}
    found: list[dict[str, object]] = []
    whole = np.array([row["embedding"] for row in study.rows["images"]], dtype=np.float64)
    near_whole, others_whole = (
        centred_cosines(whole, each) for each in (own, candidates.embeddings[: candidates.naming])
    )
    ranks, wholes = [], []
    for at, concept in enumerate(concepts):
        names = enumerate(candidates.names[: candidates.naming])
        rivals = [index for index, name in names if not is_kin(name, concept)]
        ranks.append(_ranks(near[:, at], others[:, rivals]))
        wholes.append(_ranks(near_whole[:, at], others_whole[:, rivals]))
    position = {str(row["image"]): at for at, row in enumerate(study.rows["images"])}
    captions = {(row["image"], row["text"]) for row in study.rows["regions"] if row["text_kind"] == "caption"}
    told = {(image, concept) for image, text in captions for concept in concepts if is_kin(concept, text)}
    for region, image in enumerate(images):
        number = numbers.get(image, 0)
        numbers[image] = number + 1
        for at, concept in enumerate(concepts):
            found.append(
                {"image": image, "region": number, "concept": concept, "score": float(near[region, at])}
                | {"rank": float(ranks[at][region])}
                | {"whole": 1.0 if (image, concept) in told else float(wholes[at][position[image]])}
            )
    return found


def _ranks(own: Floats, others: Floats) -> Floats:
    """For each row the share of `others` `(rows, names)` that is below `own` `(rows,)`; 1 without any other."""
    return np.asarray((others < own[:, None]).mean(axis=1) if others.shape[1] else np.ones(len(own)), dtype=np.float64)


def text_of(bank: Bank, pair: Pair) -> Floats:
    """The unit embedding of a pair's text itself `(embedding,)`."""
    found = (
        bank.class_embeddings[bank.classes.index(pair.text)]
        if pair.kind == "class"
        else bank.sentence_embeddings[bank.sentences.index(pair.text)]
    )
    return np.asarray(found.double().cpu().numpy(), dtype=np.float64)
