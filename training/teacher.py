"""What the teacher says about every view: its projected feature at each place, whose mean is its embedding."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from open_clip import IMAGENET_CLASSNAMES, OPENAI_IMAGENET_TEMPLATES
from torch import Tensor

from core.models.bulk import folded
from core.models.image_tower import TimmCnn
from core.models.model import Model
from training.images import cut, normalised, view_box

SIZE = 224
PLACES = 7


class Targets:
    """Teacher features of image `index` in view `view`, in one memory-mapped fp16 file."""

    def __init__(self, path: Path, images: int, views: int, width: int) -> None:
        self.shape = (views, images, PLACES * PLACES, width)
        self.file = np.memmap(path, np.float16, "r+" if path.exists() else "w+", shape=self.shape)

    def read(self, views: Tensor, images: Tensor) -> Tensor:
        """`(samples, places, embedding)`, fp32, not normalised."""
        return torch.from_numpy(self.file[views.numpy(), images.numpy()].astype(np.float32))


@torch.no_grad()
def teach(model: Model, pixels: list[Tensor], views: int, folder: Path) -> Targets:
    """Ask the teacher once; a second call finds the file complete and reads it."""
    assert isinstance(model.image, TimmCnn)
    done = folder / "image_targets.done"
    targets = Targets(folder / "image_targets.f16", len(pixels), views, 512)
    if done.exists():
        return targets
    network = folded(model.image.module)
    began = time.perf_counter()
    for view in range(views):
        for start in range(0, len(pixels), 4):
            part = range(start, min(start + 4, len(pixels)))
            crops = torch.stack([cut(pixels[i], view_box(*pixels[i].shape[1:], i, view), SIZE) for i in part])
            batch = normalised(crops, [0.5] * 3, [0.5] * 3).contiguous(memory_format=torch.channels_last)
            features = network.trunk.forward_features(batch)
            targets.file[view, part.start : part.stop] = network.head(features.flatten(2).transpose(1, 2)).numpy()
            if start % 2000 == 0:
                print(f"view {view}, image {start}: {time.perf_counter() - began:.0f} s", flush=True)
    targets.file.flush()
    done.touch()
    return targets


@torch.no_grad()
def text_bank(model: Model, captions: list[str], folder: Path) -> Tensor:
    """Unit teacher embeddings of the ImageNet classes (templates averaged) and of captions: what scores are read on."""
    store = folder / "bank.pt"
    if store.exists():
        return torch.load(store, weights_only=True)
    prompts = [template(name) for name in IMAGENET_CLASSNAMES for template in OPENAI_IMAGENET_TEMPLATES[::12]]
    each = len(OPENAI_IMAGENET_TEMPLATES[::12])
    classes = model.embed_texts(prompts).reshape(len(IMAGENET_CLASSNAMES), each, -1).mean(dim=1)
    bank = torch.cat([F.normalize(classes, dim=-1), model.embed_texts(captions)])
    torch.save(bank, store)
    return bank
