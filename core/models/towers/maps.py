"""Convolutional towers, and towers whose windows or mixed stages keep the places in a map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor

from core.models.blocks import Attend
from core.models.towers.base import ImageTower, exactly

Part = Callable[[Tensor], Tensor]


class TimmCnn(ImageTower):
    """A convolutional timm trunk with average pooling inside open_clip's `TimmModel`: EfficientNet, ConvNeXt, ResNet
    or FastViT (MobileCLIP), whose last stages attend inside but give no access to it.
    """

    layout: Literal["tokens", "maps"] = "maps"
    family = "CNN (timm)"
    cpu_batch = 12

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        parts = cnn_parts(module.trunk)
        assert parts is not None
        self._stem, self._stages, self._tail = parts
        self.depth = len(self._stages)

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"embeddings", "places", "image_layers"})

    def enter(self, pixels: Tensor) -> Tensor:
        for part in self._stem:
            pixels = part(pixels)
        return pixels

    def block(self, index: int, state: Tensor, attend: Attend | None = None) -> Tensor:
        if attend is not None:
            raise NotImplementedError(f"{self.family} has no self-attention")
        return self._stages[index](state)

    def part(self, index: int) -> Any:
        return self._stages[index]

    def tail(self, state: Tensor) -> Tensor:
        """The feature map that is pooled, `(batch, channels, rows, columns)`."""
        for part in self._tail:
            state = part(state)
        return state

    def pool(self, features: Tensor) -> Tensor:
        """The embedding of a feature map that left `tail`."""
        return self.module.head(self.module.trunk.forward_head(features))

    def leave(self, state: Tensor) -> Tensor:
        return self.pool(self.tail(state))

    def project(self, vectors: Tensor) -> Tensor:
        flat = vectors.reshape(-1, vectors.shape[-1], 1, 1)
        return self.pool(flat).reshape(*vectors.shape[:-1], -1)

    def places(self, state: Tensor) -> Tensor:
        return self.project(self.tail(state).flatten(2).transpose(1, 2))

    def grid(self, state: Tensor, height: int, width: int) -> tuple[int, int]:
        return state.shape[-2], state.shape[-1]


class TimmSwin(TimmCnn):
    """timm's `SwinTransformer`: attention inside shifted windows, so no weight joins two places across the image.

    The library keeps channels last; states here are maps like those of the other towers of this file.
    """

    family = "Swin (timm)"

    def __init__(self, module: Any) -> None:
        ImageTower.__init__(self, module)
        trunk = module.trunk
        self._stem = [trunk.patch_embed, _channels_first]
        self._stages = [_Flipped(stage) for stage in trunk.layers]
        self._tail = [_Flipped(trunk.norm)]
        self.depth = len(self._stages)
        self.size = (int(trunk.patch_embed.img_size[0]), int(trunk.patch_embed.img_size[1]))

    def check(self, pixels: Tensor) -> None:
        exactly(pixels, self.size)

    def part(self, index: int) -> Any:
        return self.module.trunk.layers[index]

    def pool(self, features: Tensor) -> Tensor:
        return super().pool(features.permute(0, 2, 3, 1))


class _Flipped:
    """A module that wants channels last, called with channels first."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __call__(self, state: Tensor) -> Tensor:
        return _channels_first(self._module(state.permute(0, 2, 3, 1)))


def _channels_first(state: Tensor) -> Tensor:
    return state.permute(0, 3, 1, 2)


def cnn_parts(trunk: Any) -> tuple[list[Part], list[Part], list[Part]] | None:
    """The stem, the stages and what follows them of a known convolutional timm trunk, or None."""
    kind = type(trunk).__name__
    if kind == "EfficientNet":
        return [trunk.conv_stem, trunk.bn1], list(trunk.blocks), [trunk.conv_head, trunk.bn2]
    if kind == "ConvNeXt":
        return [trunk.stem], list(trunk.stages), [trunk.norm_pre]
    if kind == "FastVit" and not trunk.fork_feat:
        return [trunk.stem], list(trunk.stages), [trunk.final_conv]
    if kind == "ResNet":
        stages = [trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4]
        return [trunk.conv1, trunk.bn1, trunk.act1, trunk.maxpool], stages, []
    return None
