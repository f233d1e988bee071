"""Semantic priors over a data set: what each region brings, beside superpixels, a grid and token-by-token explanation.

For each image the coalitions of its regions are embedded once a prior; texts, words of texts, the meaning of a whole
caption and a sample of the coalitions are all read off the same embeddings.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.applications.priors.card import CARD, PriorsOptions
from core.applications.priors.record import PriorsRecord
from core.applications.priors.work.captioning import Captioner, can_caption, explain_caption
from core.applications.priors.work.given import QuestionText, bank_of, drawn_labels, question_text, texts_of
from core.applications.truth import Truth, read_truth
from core.applications.work.drawing import drawn_images
from core.applications.work.subject import Subject, Tell
from core.attribution.contract import Work
from core.attribution.regions import Regions, can_be_semantic, drawn_regions, place_features
from core.attribution.semantic_priors import Game, described, game_of, played
from core.attribution.shapley import Coalitions, region_curve, sampled_coalitions, shapley_values
from core.datasets import DatasetImage
from core.datasets.dataset import ANNOTATIONS
from core.errors import ScopeError
from core.methods.regional import SemanticPriorsOptions
from core.models.loading import load_model
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.statistics import spearman

ALL = 4096


@dataclass(frozen=True)
class Explanation:
    """One way to share one value among the regions of one image.

    `shares` are Shapley values `(regions,)` and `judged` the values `(coalitions,)` that they are judged on.
    """

    value: str
    text: str
    way: str
    shares: Tensor
    judged: Tensor
    cost: dict[str, int]
    tokens: tuple[str, ...] = ()


@dataclass
class Study:
    """The models, options and rows of one run of the application."""

    model: Model
    options: PriorsOptions
    seed: int
    names: tuple[str, ...]
    bank: Tensor | None
    captioner: Captioner | None
    encoder: Model
    truth: Truth | None = None
    undivided: list[str] = field(default_factory=list)
    maps: list[dict[str, Any]] = field(default_factory=list)
    captions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def priors(self) -> tuple[str, ...]:
        """The ways to cut an image, the model's own first."""
        first = ("semantic",) if can_be_semantic(self.model) else ()
        return (*first, "superpixels", "grid") if self.options.baselines or not first else first


def work(subject: Subject, options: PriorsOptions, out: Path, tell: Tell) -> None:
    """Explain the drawn images of the run and write `maps.parquet`, `captions.parquet` and `about.json`.

    Raises `InputError` if the audit has no text.
    """
    model = subject.model
    annotations = subject.run.dataset.annotations
    if options.drawn and annotations is None:
        raise ScopeError(
            "drawn regions need annotations; add them with --annotations or on the page Dataset, tab Labels"
        )
    draw = drawn_images(subject, CARD, options)
    chosen = draw.images
    asked = {entry.id: question_text(entry, options) for entry in chosen}
    texts = {entry.id: texts_of(subject, entry, asked[entry.id])[: options.texts] for entry in chosen}
    bank = bank_of(subject, options)
    if not any(texts.values()):
        raise ScopeError("semantic priors need a text: give captions, prompts or classes")
    study = Study(
        model,
        options,
        subject.run.plan.seed,
        subject.run.plan.texts.classes or tuple(dict.fromkeys(chain(*texts.values()))),
        model.embed_texts(bank) if len(bank) > 1 else None,
        _captioner(model, options),
        load_model(options.encoder, options.encoder_pretrained, weights=options.encoder_weights)
        if options.encoder
        else model,
        read_truth(annotations) if options.drawn and annotations is not None else None,
    )
    for number, entry in enumerate(chosen, start=1):
        tell(f"semantic priors: image {number} of {len(chosen)}")
        image = subject.open(entry)
        if texts[entry.id]:
            contrast(study, entry, image, texts[entry.id], asked[entry.id])
        if study.captioner is not None:
            generate(study, entry, image)
    about = {
        "options": options.model_dump(),
        "model": model.title,
        "images": len(chosen),
        "images_left_out": len(subject.images) - len(chosen),
        "design": draw.about,
        "bank": len(bank),
        "priors": [*study.priors, *(("drawn",) if options.drawn else ())],
        "undivided": study.undivided,
        "questions": sum(part is not None for part in asked.values()),
        "captioner": study.captioner.model.title if study.captioner else None,
        "captioner_preprocessing": study.captioner.model.preprocessing.as_dict() if study.captioner else None,
        "encoder": study.encoder.title if study.captioner else None,
    }
    frame = PriorsRecord.frame
    if study.truth is not None:
        (out / ANNOTATIONS).write_bytes(study.truth.annotations.only(chosen))
    PriorsRecord(about, frame("maps", study.maps), frame("captions", study.captions)).save(out)


def contrast(
    study: Study, entry: DatasetImage, image: Any, texts: list[str], asked: QuestionText | None = None
) -> None:
    """Add the explanations of an image's texts: as a whole, word by word, and as a caption among others."""
    model = study.model
    pixels, geometry = model.preprocess([image])
    shared = Work(model, ImageTrunk(model, pixels), TextTrunk(model, texts), study.seed)
    words = [tuple(dict.fromkeys(re.findall(r"\w+", text.lower()))) for text in texts]
    first: dict[tuple[str, str], Tensor] = {}
    for prior in study.priors:
        options = SemanticPriorsOptions(
            regions=prior,
            count=study.options.regions,
            budget=ALL,
            removal=study.options.removal,
        )
        game = game_of(shared, 0, options)
        names = _names(study, shared, game.regions) if prior == "semantic" else ()
        found: list[Explanation] = []
        for index, text in enumerate(texts):
            found += _explained(study, shared, game, index, text, words[index] if prior == study.priors[0] else ())
        if asked is not None:
            found.append(_answered(shared, game, asked))
        for one in found:
            _keep(study, entry, game.regions, game.coalitions, one, names, first)
    drawn = None if study.truth is None else drawn_labels(study.truth, entry, geometry[0], study.options.regions)
    if drawn is not None:
        game = played(shared, 0, drawn_regions(shared, drawn.labels), options)
        every = [part for index, text in enumerate(texts) for part in _explained(study, shared, game, index, text, ())]
        for one in [*every, *([] if asked is None else [_answered(shared, game, asked)])]:
            _keep(study, entry, game.regions, game.coalitions, one, drawn.names, first)
    elif study.truth is not None:
        study.undivided.append(entry.name)


def generate(study: Study, entry: DatasetImage, image: Any) -> None:
    """Add the explanations of the caption that the captioner writes: as a whole and token by token."""
    assert study.captioner is not None
    captioner, options = study.captioner, study.options
    model = captioner.model
    first: dict[tuple[str, str], Tensor] = {}
    own = ("semantic",) if can_be_semantic(model) else ()
    for prior in (*own, "superpixels", "grid") if options.baselines or not own else own:
        found = explain_caption(
            captioner,
            image,
            encoder=study.encoder,
            prior=prior,
            count=options.caption_regions,
            removal=options.removal,
        )
        game = found.game
        cost = {
            "image_forwards": game.image_forwards,
            "alone_forwards": game.image_forwards,
            "text_forwards": game.text_forwards,
            "decoder_forwards": game.decoder_forwards,
        }
        alone = cost | {"alone_forwards": game.image_forwards * len(game.tokens)}
        ways = (("sentence", found.whole, cost, ()), ("tokens", found.tokens.sum(dim=1), alone, game.tokens))
        for way, shares, spent, tokens in ways:
            one = Explanation("generated", game.reference, way, shares, game.meanings, spent, tokens)
            _keep(study, entry, found.regions, found.coalitions, one, (), first)
        for row, caption, meaning in zip(found.coalitions.rows, game.captions, game.meanings.tolist(), strict=True):
            shown = "".join("1" if seen else "0" for seen in row.tolist())
            values = (entry.id, entry.name, prior, shown, caption, meaning)
            study.captions.append(dict(zip(PriorsRecord.SCHEMAS["captions"].names, values, strict=True)))


# -- parts -------------------------------------------------------------------------------------------------------


def _explained(
    study: Study, shared: Work, game: Game, index: int, text: str, words: tuple[str, ...]
) -> list[Explanation]:
    size = len(game.coalitions)
    cost = {"image_forwards": size, "alone_forwards": size, "text_forwards": 1, "decoder_forwards": 0}
    target = shared.texts.embeddings[index]
    judged = (game.embeddings @ target).double().cpu()
    found = [Explanation("similarity", text, "sentence", _one(game.coalitions, judged), judged, cost)]
    if study.bank is not None:
        meanings = described(game.embeddings, study.bank, shared.model.logit_scale)
        soft = (meanings @ target).double().cpu()
        also = cost | {"text_forwards": 1 + len(study.bank)}
        found.append(Explanation("caption_soft", text, "sentence", _one(game.coalitions, soft), soft, also))
    if words:
        values = (game.embeddings @ shared.model.embed_texts(list(words)).T).double().cpu()
        mean = shapley_values(game.coalitions, values).mean(dim=1)
        more = cost | {"alone_forwards": size * len(words), "text_forwards": len(words)}
        found.append(Explanation("similarity", text, "tokens", mean, judged, more, words))
        found += _sampled(shared, game, text, judged, cost)
    return found


def _answered(shared: Work, game: Game, asked: QuestionText) -> Explanation:
    """What the answer adds: the cosine of question with answer less that of the question alone."""
    with_answer, alone = shared.model.embed_texts([asked.text, asked.question])
    judged = (game.embeddings @ (with_answer - alone)).double().cpu()
    size = len(game.coalitions)
    cost = {"image_forwards": size, "alone_forwards": size, "text_forwards": 2, "decoder_forwards": 0}
    return Explanation("answer", asked.text, "sentence", _one(game.coalitions, judged), judged, cost)


def _sampled(shared: Work, game: Game, text: str, judged: Tensor, cost: dict[str, int]) -> list[Explanation]:
    """The estimate from a quarter of the coalitions, read off the embeddings of all of them."""
    budget = len(judged) // 4
    if budget < game.coalitions.regions + 2:
        return []
    drawn = sampled_coalitions(game.coalitions.regions, budget, shared.generator("priors", shared.image_keys[0]))
    at = (drawn.rows * 2 ** torch.arange(game.coalitions.regions)).sum(dim=1)
    fewer = cost | {"image_forwards": len(drawn), "alone_forwards": len(drawn)}
    return [Explanation("similarity", text, "sampled", _one(drawn, judged[at]), judged, fewer)]


def _one(coalitions: Coalitions, values: Tensor) -> Tensor:
    return shapley_values(coalitions, values[:, None])[:, 0]


def _keep(
    study: Study,
    image: DatasetImage,
    regions: Regions,
    coalitions: Coalitions,
    one: Explanation,
    names: tuple[str, ...],
    first: dict[tuple[str, str], Tensor],
) -> None:
    """Add a row. `first` holds the map that the others of the same value and text are compared with."""
    # In float32, as recorded: cells of one region are then equal, and tie, whatever way their value was summed.
    values = regions.spread(one.shares[:, None])[0].float()
    reference = first.setdefault((one.value, one.text), values)
    order = (one.shares / regions.areas.clamp(min=1e-9)).argsort(descending=True, stable=True)
    insertion, deletion = region_curve(coalitions, one.judged, regions.areas, order)
    study.maps.append(
        {
            "image": image.id,
            "image_name": image.name,
            "value": one.value,
            "text": one.text,
            "prior": regions.prior,
            "way": one.way,
            "regions": len(regions),
            "rows": values.shape[0],
            "columns": values.shape[1],
            "map": values.flatten().tolist(),
            "shares": one.shares.tolist(),
            "areas": regions.areas.tolist(),
            "names": list(names),
            "tokens": list(one.tokens),
            "empty": float(one.judged[0]),
            "full": float(one.judged[-1]),
            "insertion": insertion,
            "deletion": deletion,
            "faithfulness": insertion - deletion,
            "agreement": _agreement(values, reference),
            **one.cost,
        }
    )


def _agreement(values: Tensor, reference: Tensor) -> float | None:
    # A constant map has no order, so it neither agrees nor disagrees: None.
    return spearman(values.numpy(), reference.numpy())


def _names(study: Study, shared: Work, regions: Regions) -> tuple[str, ...]:
    """The text that is nearest to each region's mean projected feature; none if places aren't projected."""
    if "places" not in study.model.capabilities:
        return ()
    features = torch.from_numpy(place_features(shared, 0)[0])
    means = F.normalize(regions.cells.flatten(1) @ features, dim=-1)
    texts = study.model.embed_texts(list(study.names)).double().cpu()
    return tuple(study.names[index] for index in (means @ texts.T).argmax(dim=1).tolist())


def _captioner(model: Model, options: PriorsOptions) -> Captioner | None:
    if not options.generate:
        return None
    if options.captioner:
        model = load_model(options.captioner, options.captioner_pretrained, weights=options.captioner_weights)
        return Captioner(model, options.caption_length)
    return Captioner(model, options.caption_length) if can_caption(model) else None
