"""What is done to an image before a network sees it: open_clip's `preprocess_cfg`, or transformers' image processor."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.errors import ModelError
from core.models.geometry import Preprocessing


def transform_of(net: Any, wanted: dict[str, Any], *, own_size: bool = False) -> tuple[Any, Preprocessing]:
    """The transform of images to tensors, and its description.

    What `wanted` leaves out is as open_clip has it for OpenAI's models; with `own_size` the size is the network's, as
    for open_clip's releases.
    """
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    from open_clip.transform import PreprocessCfg, image_transform_v2

    own = net.visual.image_size
    values = {"mean": OPENAI_DATASET_MEAN, "std": OPENAI_DATASET_STD, **wanted}
    size = own if own_size else values.get("size") or own
    size = (size, size) if isinstance(size, int) else tuple(size)
    size = size if len(size) == 2 else size * 2
    values["size"] = size
    cfg = PreprocessCfg(**{key: values[key] for key in PreprocessCfg.__dataclass_fields__ if key in values})
    preprocessing = Preprocessing(
        height=size[0],
        width=size[1],
        mode=cfg.resize_mode,
        interpolation=cfg.interpolation,
        mean=tuple(float(v) for v in cfg.mean),  # type: ignore[arg-type]
        std=tuple(float(v) for v in cfg.std),  # type: ignore[arg-type]
        fill=int(cfg.fill_color),
    )
    return image_transform_v2(cfg, is_train=False), preprocessing


def processed(processor: dict[str, Any], size: int, name: str) -> tuple[Any, Preprocessing]:
    """The transform of a checked image processor of transformers (`processors.described`), and its description.

    `size` is the network's. Raises `ModelError`, whose line begins with `name`, if the processor makes images of
    another one.
    """
    resize, crop = processor["resize"], processor["crop"]
    height, width = crop or resize
    if (height, width) != (size, size):
        raise ModelError(
            f"{name} prepares images of {width} x {height} pixels, but the model takes {size} x {size}; use the image "
            "processor and the weights of one model"
        )
    edge = tuple(resize) if isinstance(resize, list) else resize
    preprocessing = Preprocessing(
        height=height,
        width=width,
        mode="crop" if resize is None else "squash" if isinstance(resize, list) else "shortest",
        interpolation=processor["filter"],
        mean=tuple(processor["mean"]),
        std=tuple(processor["std"]),
        resized=None if edge in (size, (size, size)) else edge,
        centring="truncate",
        engine="torchvision",
    )
    return HubTransform(preprocessing), preprocessing


class HubTransform:
    """From an image to a tensor `(3, height, width)` as transformers' image processors make it.

    Torchvision resizes bytes; Pillow, which open_clip uses, differs from it by a level of grey in single pixels.
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        self._preprocessing = preprocessing
        # On bytes, so that no pixel is divided before it is compared with the mean.
        self._mean = torch.tensor(preprocessing.mean)[:, None, None] * 255
        self._std = torch.tensor(preprocessing.std)[:, None, None] * 255

    def __call__(self, image: Image.Image) -> Tensor:
        asked = self._preprocessing
        pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).contiguous()
        if asked.mode != "crop":
            pixels = self._resized(pixels, *asked.before_crop(*image.size))
        geometry = asked.geometry(*image.size)
        cut = _cut(pixels, round(geometry.top), round(geometry.left), asked.height, asked.width)
        return (cut.float() - self._mean) / self._std

    def _resized(self, pixels: Tensor, width: int, height: int) -> Tensor:
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.v2 import functional

        filters = {
            "nearest": InterpolationMode.NEAREST_EXACT,
            "lanczos": InterpolationMode.LANCZOS,
            "bilinear": InterpolationMode.BILINEAR,
            "bicubic": InterpolationMode.BICUBIC,
        }
        mode = filters[self._preprocessing.interpolation]
        made: Tensor = functional.resize(pixels, [height, width], interpolation=mode, antialias=True)
        return made


def _cut(pixels: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """A part of `pixels`; what lies outside of them is black."""
    padding = (
        max(0, -left),
        max(0, left + width - pixels.shape[2]),
        max(0, -top),
        max(0, top + height - pixels.shape[1]),
    )
    padded = torch.nn.functional.pad(pixels, padding)
    top, left = top + padding[2], left + padding[0]
    return padded[:, top : top + height, left : left + width]
