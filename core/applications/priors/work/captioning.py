"""Captions written by an image-to-text model, and what they mean when regions of the image are hidden.

The model is open_clip's CoCa, of any configuration. Captions are decoded greedily over the model's own encoder and
decoder, token for token what its `generate(generation_type="top_k", top_k=1)` gives; that function itself refuses to
run with transformers 5, where a class that it imports is gone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image
from torch import Tensor

from core.attribution.contract import Work
from core.attribution.regions import Prior, Regions, regions_of
from core.attribution.shapley import Coalitions, all_coalitions, shapley_values
from core.errors import CapabilityError
from core.models.coalitions import Removal, removed
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk


def can_caption(model: Model) -> bool:
    """Whether the model writes text: whether it has a text decoder beside its two towers."""
    return all(hasattr(model.net, part) for part in ("text_decoder", "_encode_image"))


@dataclass
class Captioner:
    """Greedy decoding with a generative model. `decoder_forwards` counts one for each image and step.

    `length` bounds a caption's tokens, start and end included; `at_least` tokens come before the end may.
    """

    model: Model
    length: int = 30
    at_least: int = 5
    decoder_forwards: int = 0
    _tokens: tuple[int, int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not can_caption(self.model):
            raise CapabilityError(f"{self.model.title} does not generate captions; a CoCa model does")
        self.length = min(self.length, self.model.text.context)
        self._tokens = _special_tokens(self.model)

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """What the decoder reads of preprocessed images, `(images, queries, width)`."""
        self.model.meter.image += len(pixels)
        return self.model.net._encode_image(pixels)[1]

    @torch.no_grad()
    def write(self, states: Tensor) -> Tensor:
        """Token ids `(images, tokens)` of a caption for each encoded image, padded behind its end."""
        start, end, pad = self._tokens
        ids = torch.full((len(states), 1), start, device=states.device)
        while ids.shape[1] < self.length:
            open_ = ~torch.isin(ids[:, -1], torch.tensor([end, pad], device=ids.device))
            if not open_.any():
                break
            following = torch.full((len(ids),), pad, device=ids.device)
            if ids.shape[1] + 1 == self.length:
                following[open_] = end
            else:
                logits = self._logits(states[open_], ids[open_])[:, -1]
                if ids.shape[1] < self.at_least:
                    logits[:, end] = -torch.inf
                following[open_] = logits.argmax(dim=-1)
            ids = torch.cat([ids, following[:, None]], dim=1)
        return ids

    @torch.no_grad()
    def log_probabilities(self, states: Tensor, ids: Tensor) -> Tensor:
        """How probable each token of one caption `(tokens,)` is for each encoded image, given those before it.

        Natural logarithms `(images, tokens - 1)`, the start left out; the caption is read as in training.
        """
        logits = self._logits(states, ids[None, :-1].expand(len(states), -1))
        return logits.log_softmax(dim=-1).gather(2, ids[None, 1:, None].expand(len(states), -1, 1))[..., 0]

    def content(self, ids: Tensor) -> Tensor:
        """The ids of one caption without padding: from the start to the end token."""
        _, end, pad = self._tokens
        closed = torch.isin(ids[1:], torch.tensor([end, pad], device=ids.device)).nonzero()
        return ids if not len(closed) else ids[: int(closed[0]) + 2]

    def text(self, ids: Tensor) -> str:
        """The caption as words, special tokens left out."""
        special = set(self._tokens)
        kept = [token for token in ids.tolist() if token not in special]
        tokenizer: Any = self.model.text.tokenizer
        inner = getattr(tokenizer, "tokenizer", None)
        decoder = tokenizer if inner is None else inner
        return " ".join(str(decoder.decode(kept)).split()) if kept else ""

    def _logits(self, states: Tensor, ids: Tensor) -> Tensor:
        self.decoder_forwards += len(ids)
        net = self.model.net
        # The images are encoded already, so the network's own forward only runs its text side.
        return net(None, ids, image_latent=states[:, 0], image_embs=states, output_labels=False)["logits"]


@dataclass(frozen=True)
class CaptionGame:
    """What a captioner says of every coalition of one image's regions.

    reference: the caption of the whole image, with its `tokens`.
    captions: the caption of each coalition.
    meanings: float64 `(coalitions,)`, the cosine of each caption's meaning with that of the reference.
    tokens_log_p: float64 `(coalitions, tokens)`, the log probability of each token of the reference.
    """

    reference: str
    tokens: tuple[str, ...]
    captions: tuple[str, ...]
    meanings: Tensor
    tokens_log_p: Tensor
    image_forwards: int
    decoder_forwards: int
    text_forwards: int


def caption_images(model: Model, pixels: Tensor, length: int = 30) -> list[str]:
    """A caption for each preprocessed image. Raises `CapabilityError` if the model writes none."""
    captioner = Captioner(model, length)
    parts = pixels.split(model.image_batch(pixels.shape[-2:]))
    return [captioner.text(row) for part in parts for row in captioner.write(captioner.encode(part))]


@dataclass(frozen=True)
class CaptionExplanation:
    """Which regions carry the meaning of a generated caption.

    whole: Shapley values `(regions,)` of the caption's meaning; they sum to 1 minus the meaning kept with all hidden.
    tokens: Shapley values `(regions, tokens)` of each token's log probability.
    """

    regions: Regions
    coalitions: Coalitions
    game: CaptionGame
    whole: Tensor
    tokens: Tensor


def explain_caption(
    captioner: Captioner | Model,
    image: Image.Image | str | Path | Tensor,
    *,
    encoder: Model | None = None,
    prior: Prior | Literal["auto"] = "auto",
    count: int = 5,
    removal: Removal = "mean",
) -> CaptionExplanation:
    """Caption one image (or preprocessed pixels `(1, 3, height, width)`) and explain the caption by its regions.

    Every combination of at most `count` regions is captioned; meanings are by the text tower of `encoder`, the
    captioner's own by default. Raises `CapabilityError` if the model writes no captions or shows no features for
    semantic regions, and `InputError` for more than 20 regions.
    """
    writer = captioner if isinstance(captioner, Captioner) else Captioner(captioner)
    model = writer.model
    pixels, _ = model.preprocess(image)
    shared = Work(model, ImageTrunk(model, pixels[:1]), TextTrunk(model, ["image"]))
    regions = regions_of(shared, 0, prior, count)
    coalitions = all_coalitions(len(regions))
    game = play_captions(writer, encoder or model, pixels[0], regions, coalitions, removal)
    whole = shapley_values(coalitions, game.meanings[:, None])[:, 0]
    return CaptionExplanation(regions, coalitions, game, whole, shapley_values(coalitions, game.tokens_log_p))


def play_captions(
    captioner: Captioner,
    encoder: Model,
    pixels: Tensor,
    regions: Regions,
    coalitions: Coalitions,
    removal: Removal = "mean",
) -> CaptionGame:
    """Caption every coalition of one image `(3, height, width)` and say how near its meaning is to the reference.

    Meanings are unit embeddings by `encoder`'s text tower. Each coalition is encoded once, for its own caption and for
    the tokens of the reference.
    """
    before = captioner.decoder_forwards
    model, base = captioner.model, removed(captioner.model, pixels[None], removal)
    captions: list[str] = []
    log_p: list[Tensor] = []
    reference = torch.empty(0, dtype=torch.long)
    # The full coalition comes first: its caption is the reference for all others.
    for some in regions.visible(coalitions.rows.flip(0)):
        for part in some.split(model.image_batch(pixels.shape[-2:])):
            visible = part[:, None].to(pixels)
            states = captioner.encode(base + visible * (pixels - base))
            written = captioner.write(states)
            if not len(reference):
                reference = captioner.content(written[0])
            captions += [captioner.text(row) for row in written]
            log_p.append(captioner.log_probabilities(states, reference).double().cpu())
    captions.reverse()
    distinct = list(dict.fromkeys([captions[-1], *captions]))
    meanings = encoder.embed_texts(distinct).double().cpu()
    where = torch.tensor([distinct.index(caption) for caption in captions])
    return CaptionGame(
        reference=captions[-1],
        tokens=tuple(captioner.text(token[None]) or "(end)" for token in reference[1:]),
        captions=tuple(captions),
        meanings=(meanings @ meanings[0])[where],
        tokens_log_p=torch.cat(log_p).flip(0),
        image_forwards=len(captions),
        decoder_forwards=captioner.decoder_forwards - before,
        text_forwards=len(distinct),
    )


def _special_tokens(model: Model) -> tuple[int, int, int]:
    """Start, end and padding."""
    tokenizer: Any = model.text.tokenizer
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is None:
        return tokenizer.sot_token_id, tokenizer.eot_token_id, int(model.net.pad_id)
    start = inner.cls_token_id if inner.bos_token_id is None else inner.bos_token_id
    end = inner.sep_token_id if inner.eos_token_id is None else inner.eos_token_id
    return start, end, inner.pad_token_id
