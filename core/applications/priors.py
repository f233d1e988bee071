"""Semantic priors over a data set: what each region brings, beside superpixels, a grid and token-by-token explanation.

For each picture the coalitions of its regions are embedded once a prior; texts, words of texts, the meaning of a whole
caption and a sample of the coalitions are all read off the same embeddings.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from core.applications.captioning import Captioner, can_caption, explain_caption
from core.applications.priors_record import ABOUT, CAPTION_COLUMNS, CAPTIONS, COLUMNS, MAPS
from core.applications.stage import Subject, Tell
from core.attribution.contract import Work
from core.attribution.regions import Regions, can_be_semantic, place_features
from core.attribution.semantic_priors import Game, described, game_of
from core.attribution.shapley import Coalitions, region_curve, sampled_coalitions, shapley_values
from core.datasets import Picture
from core.errors import ScopeError
from core.methods.applications.priors import PriorsOptions
from core.methods.regional import SemanticPriorsOptions
from core.models.loading import load_model
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from core.statistics import spearman

ALL = 4096


@dataclass(frozen=True)
class Explanation:
    """One way to share one value among the regions of one picture.

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
    maps: list[dict[str, Any]] = field(default_factory=list)
    captions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def priors(self) -> tuple[str, ...]:
        """The ways to cut a picture, the model's own first."""
        first = ("semantic",) if can_be_semantic(self.model) else ()
        return (*first, "superpixels", "grid") if self.options.baselines or not first else first


def work(subject: Subject, options: PriorsOptions, out: Path, tell: Tell) -> None:
    """Explain the first pictures of the run and write `maps.parquet`, `captions.parquet` and `about.json`.

    Raises `InputError` if the audit has no text.
    """
    model = subject.model
    chosen = subject.pictures[: options.pictures]
    texts = {picture.id: _texts(subject, picture)[: options.texts] for picture in chosen}
    bank = _bank(subject, options)
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
    )
    for number, picture in enumerate(chosen, start=1):
        tell(f"semantic priors: picture {number} of {len(chosen)}")
        image = subject.open(picture)
        if texts[picture.id]:
            contrast(study, picture, image, texts[picture.id])
        if study.captioner is not None:
            generate(study, picture, image)
    about = {
        "options": options.model_dump(),
        "model": model.title,
        "pictures": len(chosen),
        "pictures_left_out": len(subject.pictures) - len(chosen),
        "bank": len(bank),
        "priors": list(study.priors),
        "captioner": study.captioner.model.title if study.captioner else None,
        "captioner_preprocessing": study.captioner.model.preprocessing.as_dict() if study.captioner else None,
        "encoder": study.encoder.title if study.captioner else None,
    }
    pd.DataFrame(study.maps, columns=list(COLUMNS)).to_parquet(out / MAPS, index=False)
    pd.DataFrame(study.captions, columns=list(CAPTION_COLUMNS)).to_parquet(out / CAPTIONS, index=False)
    (out / ABOUT).write_text(json.dumps(about, indent=1) + "\n")


def contrast(study: Study, picture: Picture, image: Any, texts: list[str]) -> None:
    """Add the explanations of a picture's texts: as a whole, word by word, and as a caption among others."""
    model = study.model
    pixels, _ = model.preprocess([image])
    shared = Work(model, ImageTrunk(model, pixels), TextTrunk(model, texts), study.seed)
    words = [tuple(dict.fromkeys(re.findall(r"\w+", text.lower()))) for text in texts]
    first: dict[tuple[str, str], Tensor] = {}
    for prior in study.priors:
        options = SemanticPriorsOptions(
            regions=prior,  # type: ignore[arg-type]
            count=study.options.regions,
            budget=ALL,
            removal=study.options.removal,
        )
        game = game_of(shared, 0, options)
        names = _names(study, shared, game.regions) if prior == "semantic" else ()
        found: list[Explanation] = []
        for index, text in enumerate(texts):
            found += _explained(study, shared, game, index, text, words[index] if prior == study.priors[0] else ())
        for one in found:
            _keep(study, picture, game.regions, game.coalitions, one, names, first)


def generate(study: Study, picture: Picture, image: Any) -> None:
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
            prior=prior,  # type: ignore[arg-type]
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
            _keep(study, picture, found.regions, found.coalitions, one, (), first)
        for row, caption, meaning in zip(found.coalitions.rows, game.captions, game.meanings.tolist(), strict=True):
            shown = "".join("1" if seen else "0" for seen in row.tolist())
            values = (picture.id, picture.name, prior, shown, caption, meaning)
            study.captions.append(dict(zip(CAPTION_COLUMNS, values, strict=True)))


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
    picture: Picture,
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
            "image": picture.id,
            "image_name": picture.name,
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


def _texts(subject: Subject, picture: Picture) -> list[str]:
    """The picture's captions and the prompts; where there is none, the classes in the plan's first template."""
    plan = subject.run.plan.texts
    template = next(iter(plan.templates), "{}")
    return subject.texts(picture) or [template.format(name) for name in plan.classes]


def _bank(subject: Subject, options: PriorsOptions) -> list[str]:
    """Every caption, prompt and class of the audit, each once, in the order of the pictures."""
    plan = subject.run.plan.texts
    template = next(iter(plan.templates), "{}")
    captions = chain.from_iterable(subject.texts(picture) for picture in subject.pictures)
    return list(dict.fromkeys([*captions, *(template.format(name) for name in plan.classes)]))[: options.bank]


def _captioner(model: Model, options: PriorsOptions) -> Captioner | None:
    if not options.generate:
        return None
    if options.captioner:
        model = load_model(options.captioner, options.captioner_pretrained, weights=options.captioner_weights)
        return Captioner(model, options.caption_length)
    return Captioner(model, options.caption_length) if can_caption(model) else None
