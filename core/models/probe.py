"""Whether a model that was just loaded tells anything apart: two images and two texts, embedded once."""

from __future__ import annotations

import torch
from torch import Tensor

from core.errors import InputError, ModelError, first_line
from core.models.model import Model

_TEXTS = ("a", "dog", "red", "cat", "the", "photo", "of", "two")


@torch.no_grad()
def check_embeddings(model: Model, name: str) -> None:
    """Raise `ModelError` if the embeddings of different inputs are equal, zero or not finite, or cannot be had at all.

    Nothing is counted and no random number is drawn.
    """
    if not torch.isfinite(torch.tensor(model.logit_scale)):
        raise ModelError(f"{name} contains a logit_scale that is out of range; export it again")
    try:
        model.image.check(_images(model))
    except InputError as error:
        raise ModelError(f"the preprocessing of {model.name} does not fit its network: {error}") from error
    try:
        images = model.image.plain(_images(model)).float()
        ids = _ids(model)
        texts = None if ids is None else _texts(model, ids)
    except Exception as error:
        raise ModelError(f"{name} cannot embed an image and a text: {first_line(error)[:150]}") from error
    _check(images, name, "image")
    if texts is not None:
        _check(texts, name, "text")
    if texts is not None and texts.shape[-1] != images.shape[-1]:
        raise ModelError(
            f"{name} embeds images and texts in different numbers of dimensions, so that they cannot be compared"
        )


def _check(found: Tensor, name: str, what: str) -> None:
    if not bool(torch.isfinite(found).all()):
        raise ModelError(
            f"{name} produces {what} embeddings that are not finite; its weights are damaged, so export it again"
        )
    if not bool(found.abs().amax(dim=-1).all()):
        raise ModelError(
            f"{name} produces {what} embeddings that are all zero; its weights are damaged, so export it again"
        )
    if torch.equal(found[0], found[1]):
        raise ModelError(
            f"{name} gives two different {what}s the same embedding; its weights are not those of a trained model"
        )


def _images(model: Model) -> Tensor:
    height, width = model.preprocessing.height, model.preprocessing.width
    rows = torch.linspace(0, 9, height)[:, None]
    columns = torch.linspace(0, 7, width)[None, :]
    # Two images of which neither is black: a sound tower without biases gives zeros for one that is.
    images = [
        torch.stack([torch.sin(rows * pace + shift) * torch.cos(columns * (1 + shift)) for shift in range(3)])
        for pace in (1, 2)
    ]
    return torch.stack(images).to(model.device)


def _ids(model: Model) -> Tensor | None:
    """Ids of two texts of as many tokens that differ; None if the vocabulary tells none of a few words apart."""
    rows: dict[int, Tensor] = {}
    for text in _TEXTS:
        row = model.text.full([text])[0]
        count = int((row != row[-1]).sum())
        if count in rows and not torch.equal(rows[count], row):
            return torch.stack([rows[count], row]).to(model.device)
        rows.setdefault(count, row)
    return None


def _texts(model: Model, ids: Tensor) -> Tensor:
    return model.text.plain(ids).float()
