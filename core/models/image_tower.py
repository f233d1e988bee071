"""The image side of a model as a chain: enter, blocks, leave. Every method starts from a state between two blocks.

A state is `(batch, tokens, width)` for transformers (`layout = "tokens"`) and `(batch, channels, rows, columns)` for
convolutional towers (`layout = "maps"`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

from torch import Tensor

from core.errors import InputError
from core.models.blocks import Attend, Block, OpenClipBlock, TimmBlock


class ImageTower(ABC):
    """One image tower. `depth` counts its blocks; `prefix_tokens` those tokens that are no place (class, registers)."""

    layout: Literal["tokens", "maps"] = "tokens"
    family: str = "image tower"
    depth: int = 0
    prefix_tokens: int = 0
    pooled_token: int | None = None
    # How many images at once run fastest on a CPU: small batches stay in its cache.
    cpu_batch: int = 8

    def __init__(self, module: Any) -> None:
        self.module = module

    @property
    @abstractmethod
    def capabilities(self) -> frozenset[str]:
        """What the tower offers methods."""

    def plain(self, pixels: Tensor) -> Tensor:
        """The library's own forward: `(batch, 3, height, width)` -> `(batch, embedding)`, not normalised."""
        out = self.module(pixels)
        return out[0] if isinstance(out, tuple) else out

    def check(self, pixels: Tensor) -> None:
        """Raises `InputError` if the tower can't take images of this size; a tower that takes any size never does."""
        return

    @abstractmethod
    def enter(self, pixels: Tensor) -> Tensor:
        """The state that enters the first block."""

    @abstractmethod
    def block(self, index: int, state: Tensor, attend: Attend | None = None) -> Tensor:
        """The state that leaves block `index`."""

    @abstractmethod
    def leave(self, state: Tensor) -> Tensor:
        """The embedding (not normalised) of the state that left the last block."""

    @abstractmethod
    def project(self, vectors: Tensor) -> Tensor:
        """Vectors of the last state's width `(..., width)` -> joint space, by the final norm and projection."""

    @abstractmethod
    def places(self, state: Tensor) -> Tensor:
        """The projected features at each place `(batch, places, embedding)` of the state that left the last block."""

    @abstractmethod
    def grid(self, state: Tensor, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the places of a state, for an input of `height` x `width` pixels."""

    def run(self, state: Tensor, start: int, stop: int | None = None) -> Tensor:
        """The state after blocks `start` to `stop` (exclusive; the last by default)."""
        for index in range(start, self.depth if stop is None else stop):
            state = self.block(index, state)
        return state

    def value_attention(self, index: int, state: Tensor) -> Tensor:
        """CLIP Surgery's addition of block `index` for the state that enters it."""
        raise NotImplementedError(f"{self.family} has no self-attention")

    def value_pool(self, state: Tensor, normalised: bool) -> Tensor:
        """CLIP Surgery's features of each place where the only self-attention is the pool."""
        raise NotImplementedError(f"{self.family} has no attention pool over its places")


class TokenTower(ImageTower):
    """What transformer towers share."""

    blocks: list[Block]
    patch: tuple[int, int]
    size: tuple[int, int]

    def check(self, pixels: Tensor) -> None:
        exactly(pixels, self.size)

    def block(self, index: int, state: Tensor, attend: Attend | None = None) -> Tensor:
        return self.blocks[index](state, None, attend)

    def value_attention(self, index: int, state: Tensor) -> Tensor:
        return self.blocks[index].value_attention(state)

    def places(self, state: Tensor) -> Tensor:
        return self.project(state[:, self.prefix_tokens :])

    def grid(self, state: Tensor, height: int, width: int) -> tuple[int, int]:
        return height // self.patch[0], width // self.patch[1]


class OpenClipVit(TokenTower):
    """open_clip's built-in `VisionTransformer`: class token, learned positions, token or average pooling."""

    family = "ViT (open_clip)"
    prefix_tokens = 1

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.blocks = [OpenClipBlock(block) for block in module.transformer.resblocks]
        self.depth = len(self.blocks)
        self.patch = tuple(module.patch_size)
        self.size = tuple(module.image_size)
        self.pooled_token = 0 if module.pool_type == "tok" and module.attn_pool is None else None

    @property
    def capabilities(self) -> frozenset[str]:
        offered = {"embeddings", "image_layers", "image_attention"}
        # An attentional pooler mixes places before the projection: there is no projected feature of one place.
        return frozenset(offered | ({"places"} if self.module.attn_pool is None else set()))

    def enter(self, pixels: Tensor) -> Tensor:
        return self.module._embeds(pixels)

    def leave(self, state: Tensor) -> Tensor:
        pooled, _ = self.module._pool(state)
        return pooled if self.module.proj is None else pooled @ self.module.proj

    def project(self, vectors: Tensor) -> Tensor:
        normed = self.module.ln_post(vectors)
        return normed if self.module.proj is None else normed @ self.module.proj


class TimmVit(TokenTower):
    """timm's `VisionTransformer` inside open_clip's `TimmModel`: class token, average or attention (map) pooling."""

    family = "ViT (timm)"

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        trunk = module.trunk
        self.blocks = [TimmBlock(block) for block in trunk.blocks]
        self.depth = len(self.blocks)
        self.patch = tuple(trunk.patch_embed.patch_size)
        self.size = tuple(trunk.patch_embed.img_size)
        self.prefix_tokens = int(trunk.num_prefix_tokens)
        self.pooled_token = 0 if trunk.global_pool == "token" and trunk.attn_pool is None else None

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"embeddings", "places", "image_layers", "image_attention"})

    def enter(self, pixels: Tensor) -> Tensor:
        trunk = self.module.trunk
        return trunk.norm_pre(trunk.patch_drop(trunk._pos_embed(trunk.patch_embed(pixels))))

    def leave(self, state: Tensor) -> Tensor:
        trunk = self.module.trunk
        return self.module.head(trunk.forward_head(trunk.norm(state)))

    def project(self, vectors: Tensor) -> Tensor:
        trunk = self.module.trunk
        normed = trunk.norm(vectors)
        if trunk.attn_pool is not None:
            # One place alone: attention over a single token is its value, so the pooler becomes a projection.
            flat = normed.reshape(-1, 1, normed.shape[-1])
            normed = trunk.attn_pool(flat).reshape(*normed.shape[:-1], -1)
        return self.module.head(trunk.head(trunk.head_drop(trunk.fc_norm(normed))))


class TimmCnn(ImageTower):
    """A convolutional timm trunk with average pooling inside open_clip's `TimmModel`: EfficientNet, ConvNeXt or
    ResNet.
    """

    layout = "maps"
    family = "CNN (timm)"
    cpu_batch = 4

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        parts = _cnn_parts(module.trunk)
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


class OpaqueTower(ImageTower):
    """Any other tower: it embeds images and offers nothing inside."""

    family = "image tower of another kind"

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"embeddings"})

    def enter(self, pixels: Tensor) -> Tensor:
        return self.plain(pixels)

    def block(self, index: int, state: Tensor, attend: Attend | None = None) -> Tensor:
        raise NotImplementedError("this tower can't be run block by block")

    def leave(self, state: Tensor) -> Tensor:
        return state

    def project(self, vectors: Tensor) -> Tensor:
        raise NotImplementedError("this tower has no projection for single places")

    def places(self, state: Tensor) -> Tensor:
        raise NotImplementedError("this tower has no projection for single places")

    def grid(self, state: Tensor, height: int, width: int) -> tuple[int, int]:
        return 1, 1


def image_tower(visual: Any) -> ImageTower:
    """The tower that fits an open_clip `visual` module; an opaque one if its inside isn't known."""
    import open_clip.modified_resnet as resnet
    import open_clip.transformer as native

    if type(visual) is resnet.ModifiedResNet:
        # That file builds on this one.
        from core.models.attention_pool import OpenClipResNet

        return OpenClipResNet(visual) if type(visual.attnpool) is resnet.AttentionPool2d else OpaqueTower(visual)
    if type(visual) is native.VisionTransformer:
        if all(type(block) is native.ResidualAttentionBlock for block in visual.transformer.resblocks):
            return OpenClipVit(visual)
        return OpaqueTower(visual)
    trunk = getattr(visual, "trunk", None)
    if trunk is None:
        return OpaqueTower(visual)
    from timm.models import vision_transformer as timm_vit

    if type(trunk) is timm_vit.VisionTransformer:
        plain = all(type(b) is timm_vit.Block and type(b.attn) is timm_vit.Attention for b in trunk.blocks)
        gated = any(getattr(b.attn, "gate", None) is not None for b in trunk.blocks)
        square = len(getattr(trunk.patch_embed, "img_size", None) or ()) == 2
        return TimmVit(visual) if plain and not gated and square else OpaqueTower(visual)
    if _cnn_parts(trunk) and _average_pooled(visual):
        return TimmCnn(visual)
    return OpaqueTower(visual)


def _cnn_parts(trunk: Any) -> tuple[list[Any], list[Any], list[Any]] | None:
    kind = type(trunk).__name__
    if kind == "EfficientNet":
        return [trunk.conv_stem, trunk.bn1], list(trunk.blocks), [trunk.conv_head, trunk.bn2]
    if kind == "ConvNeXt":
        return [trunk.stem], list(trunk.stages), [trunk.norm_pre]
    if kind == "ResNet":
        stages = [trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4]
        return [trunk.conv1, trunk.bn1, trunk.act1, trunk.maxpool], stages, []
    return None


def _average_pooled(visual: Any) -> bool:
    return not any(name == "pool" for name, _ in visual.head.named_children())


def exactly(pixels: Tensor, size: tuple[int, int]) -> None:
    """Raises `InputError` for pixels of another size (height, width)."""
    if tuple(pixels.shape[-2:]) != size:
        raise InputError(
            f"this model takes images of {size[0]} x {size[1]} pixels, not "
            f"{pixels.shape[-2]} x {pixels.shape[-1]}; use its own preprocessing"
        )
