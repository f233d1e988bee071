"""A table of stored embeddings or scores in the place of a model: it knows the images and texts of the table alone.

Images are recognised by their content, so that everything which asks a model about the images of the dataset works as
ever; whatever would need another image or text is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from core.datasets import Dataset
from core.datasets.identity import image_id
from core.errors import InputError, ModelError, ScopeError
from core.models.geometry import Geometry, Preprocessing
from core.models.kinds import shown
from core.models.model import DatasetImage, Model, checked_templates
from core.models.stored_file import Kind, StoredFile, read_stored, rows_by_name, without_row
from core.models.towers.base import OpaqueTower
from core.models.towers.text import OpaqueText

# CLIP's, at the end of its training.
_LOGIT_SCALE = 100.0
_NOTES = {
    "embeddings": "Stored embeddings stand in for the model: nothing can be said about an image or a text that the "
    "table does not hold, and no map can be made.",
    "scores": "Stored scores stand in for the model: images are compared with each other by their scores, and no map "
    "can be made.",
}
_SCALE_NOTE = f"Cosines are multiplied by {_LOGIT_SCALE:g}, as in CLIP, wherever probabilities are computed."


class StoredImages(OpaqueTower):
    """Looks vectors up by the number of an image in the table."""

    family = "stored table"
    differentiable = False

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"stored"})


class StoredTexts(OpaqueText):
    """Has no tokenizer: texts are looked up as they are."""

    family = "stored table"
    capabilities = frozenset({"stored"})

    def full(self, texts: Sequence[str]) -> Tensor:
        raise ScopeError("a stored table has no tokenizer")


class StoredNet(nn.Module):
    """What every network has."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = nn.Identity()
        self.text = nn.Identity()
        self.register_buffer("logit_scale", torch.tensor(_LOGIT_SCALE).log())


@dataclass(frozen=True)
class StoredModel(Model):
    """The table as a model. `numbers` gives the row of each image of the dataset, by its id."""

    file: StoredFile | None = None
    numbers: dict[str, int] = field(default_factory=dict)

    def bound(self, dataset: Dataset, images: Sequence[str]) -> StoredModel:
        """The table for the images of a dataset. Raises `ModelError` if it holds none or not all of `images`."""
        assert self.file is not None
        rows = rows_by_name(self.file.image_names, [image.name for image in dataset.images])
        numbers = {image.id: rows[image.name] for image in dataset.images if image.name in rows}
        named = {image.id: image.name for image in dataset.images}
        missing = [named[id] for id in images if id in named and id not in numbers]
        if missing:
            raise ModelError(without_row(missing, self.name))
        return replace(self, numbers=numbers)

    def preprocess(self, images: Sequence[DatasetImage] | DatasetImage | Tensor) -> tuple[Tensor, list[Geometry]]:
        """The numbers of the images in the table as pixels `(images, 3, 1, 1)`. Raises `ScopeError` for others."""
        if isinstance(images, DatasetImage):
            images = [images]
        if isinstance(images, Tensor) or not all(isinstance(image, Image.Image) for image in images):
            raise ScopeError("a stored table knows only the images of its dataset")
        rows = [self.numbers.get(image_id(image.convert("RGB"))) for image in images]  # type: ignore[union-attr]
        if None in rows:
            raise ScopeError("a stored table holds no embedding of a changed image or one outside of the audit")
        pixels = torch.tensor(rows, dtype=torch.float64)[:, None, None, None].expand(-1, 3, 1, 1)
        return pixels, [Geometry(image.width, image.height, 1, 1, 1.0, 1.0, 0.0, 0.0) for image in images]  # type: ignore[union-attr]

    def embed_images(self, pixels: Tensor) -> Tensor:
        """The stored rows of the images: unit embeddings, or scores with each text of the table."""
        assert self.file is not None
        return torch.from_numpy(self.file.images[pixels[:, 0, 0, 0].long().numpy()])

    def embed_texts(self, texts: Sequence[str], templates: Sequence[str] | str | None = None) -> Tensor:
        """The stored rows of the texts, in the first of these forms that the table holds: in the templates, or as
        they are. Raises `ScopeError` for a text in neither form.
        """
        assert self.file is not None
        known = {name: number for number, name in enumerate(self.file.text_names)}
        forms = checked_templates(templates) or ("{}",)
        rows = []
        for text in texts:
            found = [known[form.format(text)] for form in forms if form.format(text) in known]
            found = found or ([known[text]] if text in known else [])
            if not found:
                raise ScopeError(f"the table has no row for the text {shown(text)}")
            mean = torch.from_numpy(self.file.texts[found]).mean(dim=0)
            rows.append(mean if self.file.kind == "scores" else mean / mean.norm())
        if not rows:
            raise InputError("no texts were given")
        return torch.stack(rows)

    def unread(self, texts: Sequence[str], templates: Sequence[str] | str | None = None) -> list[str]:
        """No text: how much of each the model read is not known."""
        return []

    def describe(self) -> dict[str, Any]:
        """The table as a run's manifest keeps it."""
        assert self.file is not None
        return {
            "title": self.title,
            "name": self.name,
            "pretrained": None,
            "architecture": f"stored {self.file.kind}",
            "digest": self.digest,
            "weights_sha256": self.weights_sha256,
            "parameters": None,
            "embed_dim": self.file.images.shape[1] if self.file.kind == "embeddings" else None,
            "image_depth": None,
            "text_depth": None,
            "image_family": None,
            "text_family": None,
            "rows": None,
            "columns": None,
            "capabilities": sorted(self.capabilities),
            "preprocessing": {},
            "device": "cpu",
            "dtype": "float64",
            "logit_scale": self.logit_scale,
            "recognised": {
                "kind": f"a table of {self.file.kind}",
                "images": len(self.file.image_names),
                "texts": len(self.file.text_names),
                "notes": list(self.source["notes"]),
            },
            "card": None,
        }


def load_stored(path: Path, kind: Kind) -> StoredModel:
    """The table at `path` as a model. Raises `ModelError` in one line."""
    file = read_stored(path, kind)
    net = StoredNet()
    return StoredModel(
        name=path.name,
        title=f"{kind} in {path.name}",
        net=net,
        image=StoredImages(net.visual, "it is a table"),
        text=StoredTexts(net.text, None, 0, net.text, "it is a table"),
        transform=lambda image: torch.zeros(3, 1, 1),
        preprocessing=Preprocessing(1, 1),
        device=torch.device("cpu"),
        digest=file.sha256,
        weights_sha256=file.sha256,
        source={"kind": f"a table of {kind}", "notes": [_NOTES[kind], _SCALE_NOTE]},
        file=file,
    )
