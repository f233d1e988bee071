"""One open_clip model: two towers, preprocessing, tokenizer, and a meter that counts forwards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.datasets.pillow import open_whole
from core.errors import InputError
from core.methods.info import Side
from core.models.bulk import Bulk
from core.models.geometry import Geometry, Preprocessing
from core.models.image_tower import ImageTower, image_tower
from core.models.recognition import recognised
from core.models.signed import ModelSignature
from core.models.text_tower import TextTower, text_tower
from core.settings import byte_budget

if TYPE_CHECKING:
    from core.datasets import Dataset

DatasetImage = Image.Image | str | Path
TEXT_BATCH = 64


@dataclass
class Meter:
    """Work done, in forward-equivalents of each tower; a backward pass through a part counts twice that part."""

    image: float = 0.0
    text: float = 0.0

    @contextmanager
    def measuring(self) -> Iterator[Meter]:
        """A meter that holds what is spent inside the block."""
        before = (self.image, self.text)
        spent = Meter()
        try:
            yield spent
        finally:
            # Forwards are few and fractions of them coarse; the last digits are the rounding of the running sum.
            spent.image, spent.text = round(self.image - before[0], 6), round(self.text - before[1], 6)


@dataclass(frozen=True)
class Model:
    """A frozen model in fp32. Nothing that Loupe does to it outlives a call."""

    name: str
    title: str
    net: Any
    image: ImageTower
    text: TextTower
    transform: Callable[[Image.Image], Tensor]
    preprocessing: Preprocessing
    device: torch.device
    digest: str
    weights_sha256: str | None = None
    signature: ModelSignature | None = None
    pretrained: str | None = None
    card: dict[str, Any] | None = None
    source: dict[str, Any] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)

    @property
    def capabilities(self) -> frozenset[str]:
        """What it offers methods (see `core.methods.capability`)."""
        dropping = {"token_dropping"} if self.image.droppable else set()
        gradients = {"gradients"} if self.image.differentiable else set()
        return self.image.capabilities | self.text.capabilities | dropping | gradients

    @property
    def depths(self) -> dict[Side, int]:
        """The number of blocks of each tower."""
        return {"image": self.image.depth, "text": self.text.depth}

    @cached_property
    def bulk(self) -> Bulk:
        """The image forward for many images without gradient, made on first use."""
        return Bulk(self.image, (self.preprocessing.height, self.preprocessing.width), self.device)

    @property
    def logit_scale(self) -> float:
        """The factor that the model was trained to multiply cosines with."""
        return float(self.net.logit_scale.detach().exp().mean())

    def bound(self, dataset: Dataset, images: Sequence[str]) -> Model:
        """The model for `images` (ids) of a dataset: this one. A stored table needs to know which rows they are."""
        return self

    # -- images --------------------------------------------------------------------------------------------------

    def preprocess(self, images: Sequence[DatasetImage] | DatasetImage | Tensor) -> tuple[Tensor, list[Geometry]]:
        """Pixels `(images, 3, height, width)` on the device, and the way back to each original image.

        A tensor is taken as it is. Raises `InputError` for a wrong shape or an image that cannot be opened or is too
        narrow.
        """
        if isinstance(images, DatasetImage):
            images = [images]
        if len(images) == 0:
            raise InputError("no images were given")
        if isinstance(images, Tensor):
            if images.ndim != 4 or images.shape[1] != 3:
                raise InputError(f"a tensor of images must be (images, 3, height, width), not {tuple(images.shape)}")
            height, width = images.shape[-2:]
            plain = Geometry(width, height, width, height, 1.0, 1.0, 0.0, 0.0)
            pixels = images.to(self.device, torch.float32)
            self.image.check(pixels)
            return pixels, [plain] * len(images)
        opened = [_open(image) for image in images]
        # First, because it says in one line why an image cannot be resized.
        geometry = [self.preprocessing.geometry(*image.size) for image in opened]
        return torch.stack([self.transform(image) for image in opened]).to(self.device), geometry

    def embed_images(self, pixels: Tensor) -> Tensor:
        """Unit embeddings `(images, embedding)`."""
        self.meter.image += len(pixels)
        step = self.image_batch(pixels.shape[-2:])
        parts = [self.image.plain(part) for part in pixels.split(step)]
        return F.normalize(torch.cat(parts), dim=-1)

    def image_batch(self, size: Sequence[int]) -> int:
        """How many images go through the tower at once within the byte budget."""
        # A rough upper bound of what one image keeps alive in a forward: 60 fp32 planes of the input's size.
        fits = max(1, byte_budget() // (60 * 4 * 3 * int(size[0]) * int(size[1])))
        return min(self.image.cpu_batch, fits) if self.device.type == "cpu" else min(256, fits)

    # -- texts ---------------------------------------------------------------------------------------------------

    def embed_texts(self, texts: Sequence[str], templates: Sequence[str] | str | None = None) -> Tensor:
        """Unit embeddings `(texts, embedding)`.

        With templates each text is embedded in every template, and the unit embeddings are averaged and normalised.
        Raises `InputError` for a template without a place {} for the text.
        """
        if not templates:
            return self._embed_plain(list(texts))
        templates = checked_templates(templates)
        each = self._embed_plain([template.format(text) for text in texts for template in templates])
        return F.normalize(each.unflatten(0, (len(texts), len(templates))).mean(dim=1), dim=-1)

    def unread(self, texts: Sequence[str], templates: Sequence[str] | str | None = None) -> list[str]:
        """The texts whose end the text tower does not read, alone or in one of the templates, in their order.

        Raises `InputError` for a template without a place {} for the text.
        """
        forms = checked_templates(templates) if templates else ("{}",)
        return [text for text in texts if any(self.text.truncated(form.format(text)) for form in forms)]

    def _embed_plain(self, texts: list[str]) -> Tensor:
        if not texts:
            raise InputError("no texts were given")
        self.meter.text += len(texts)
        parts = []
        # Texts of one length share a batch, so that a text's embedding does not depend on its neighbours' lengths
        # more than rounding allows, and short texts stay cheap.
        order = sorted(range(len(texts)), key=lambda index: (len(texts[index]), texts[index]))
        for start in range(0, len(order), TEXT_BATCH):
            ids = self.text.tokenize([texts[index] for index in order[start : start + TEXT_BATCH]]).to(self.device)
            state, mask = self.text.enter(ids)
            parts.append(self.text.leave(self.text.run(state, mask, 0), ids))
        found = F.normalize(torch.cat(parts), dim=-1)
        back = torch.empty(len(order), dtype=torch.long)
        back[torch.tensor(order)] = torch.arange(len(order))
        return found[back.to(found.device)]

    # -- description ---------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """The model as a run's manifest keeps it."""
        pixels = torch.zeros(1, 3, self.preprocessing.height, self.preprocessing.width, device=self.device)
        with torch.no_grad():
            state = self.image.run(self.image.enter(pixels), 0) if "image_layers" in self.capabilities else None
            embedding = self.image.plain(pixels)
        rows, columns = (1, 1) if state is None else self.image.grid(state, *pixels.shape[-2:])
        return {
            "title": self.title,
            "name": self.name,
            "pretrained": self.pretrained,
            "architecture": f"{self.image.family} + {self.text.family}",
            "digest": self.digest,
            "weights_sha256": self.weights_sha256,
            "signature": {"state": "none"} if self.signature is None else self.signature.told(),
            "parameters": getattr(self.net, "parameter_count", None)
            or sum(parameter.numel() for parameter in self.net.parameters()),
            "embed_dim": embedding.shape[-1],
            "image_depth": self.image.depth,
            "text_depth": self.text.depth,
            "image_family": self.image.family,
            "text_family": self.text.family,
            "rows": rows,
            "columns": columns,
            "capabilities": sorted(self.capabilities),
            "preprocessing": self.preprocessing.as_dict(),
            "device": str(self.device),
            "dtype": "float32",
            "logit_scale": self.logit_scale,
            "recognised": recognised(self.net, self.text, self.source),
            "card": self.card,
        }


def checked_templates(templates: Sequence[str] | str | None) -> tuple[str, ...]:
    """The templates as a tuple; one string is one template. Raises `InputError` if one has no place {} for the text."""
    found = (templates,) if isinstance(templates, str) else tuple(templates or ())
    for template in found:
        try:
            fits = "\0" in template.format("\0")
        except (ValueError, IndexError, KeyError, AttributeError):
            fits = False
        if not fits:
            raise InputError(
                f"the template {template!r} has no placeholder for the text; write {{}} where the text goes"
            )
    return found


def wrap(
    net: Any,
    tokenizer: Any,
    transform: Any,
    preprocessing: Preprocessing,
    *,
    name: str,
    title: str,
    device: torch.device,
    **about: Any,
) -> Model:
    """A `Model` around an open_clip network, frozen and in evaluation mode."""
    net = net.eval().requires_grad_(False).float().to(device)
    image = image_tower(net.visual)
    if image.layout == "maps" and device.type == "cpu":
        # Depthwise convolutions of an EfficientNet take a fifth less time with channels last; others do not lose.
        net.visual.to(memory_format=torch.channels_last)
    return Model(
        name=name,
        title=title,
        net=net,
        image=image,
        text=text_tower(net, tokenizer),
        transform=transform,
        preprocessing=preprocessing,
        device=device,
        digest=state_digest(net),
        **about,
    )


def state_digest(net: torch.nn.Module) -> str:
    """SHA-256 over every parameter and buffer, by name: what the model is, wherever it came from."""
    whole = hashlib.sha256()
    for name, value in sorted(net.state_dict().items()):
        whole.update(f"{name}{value.dtype}{tuple(value.shape)}".encode())
        whole.update(value.detach().cpu().contiguous().numpy().data)
    return whole.hexdigest()


def _open(image: DatasetImage) -> Image.Image:
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    try:
        with open_whole(image) as file:
            return file.convert("RGB")
    except (OSError, ValueError) as error:
        raise InputError(f"{image} cannot be opened as an image: {error}") from error
