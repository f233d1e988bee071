"""The image side of a model as a chain: enter, blocks, leave. Every method starts from a state between two blocks.

A state is `(batch, tokens, width)` for transformers (`layout = "tokens"`) and `(batch, channels, rows, columns)` for
convolutional towers (`layout = "maps"`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

from core.errors import InputError
from core.models.blocks import Attend, Block


class ImageTower(ABC):
    """One image tower. `depth` counts its blocks; `prefix_tokens` those tokens that are no place (class, registers)."""

    layout: Literal["tokens", "maps"] = "tokens"
    family: str = "image tower"
    depth: int = 0
    prefix_tokens: int = 0
    pooled_token: int | None = None
    # How many images at once run fastest on a CPU: small batches stay in its cache.
    cpu_batch: int = 8
    # Whether tokens may leave the state that `enter` gives, before the first block, to hide their places: positions
    # are added at entry, no pixel reaches the tokens of two places, and all that follows acts on single tokens or is
    # attention.
    droppable: bool = False
    # Whether a gradient can be taken through the tower.
    differentiable: bool = True
    # Whether the embedding also reads tokens that are no place, so that it exists when every place has been dropped.
    reads_prefix: bool = False

    def __init__(self, module: Any) -> None:
        self.module = module

    @property
    @abstractmethod
    def capabilities(self) -> frozenset[str]:
        """What the tower offers methods."""

    def keeping(self, index: Tensor) -> ImageTower:
        """The tower for states that hold only the tokens `index` `(batch, kept)` of a full one, prefix first.

        It is this one where tokens may simply go. A tower whose blocks turn by position gives another, over the same
        weights. Raises `NotImplementedError` for a tower that needs its whole grid.
        """
        if not self.droppable:
            raise NotImplementedError(f"{self.family} needs its whole grid")
        return self

    def plain(self, pixels: Tensor) -> Tensor:
        """The library's own forward: `(batch, 3, height, width)` -> `(batch, embedding)`, not normalised."""
        out = self.module(pixels)
        return out[0] if isinstance(out, tuple) else out

    def check(self, pixels: Tensor) -> None:
        """Raises `InputError` if the tower cannot take images of this size; a tower that takes any size never does."""
        return

    @abstractmethod
    def enter(self, pixels: Tensor) -> Tensor:
        """The state that enters the first block."""

    @abstractmethod
    def block(self, index: int, state: Tensor, attend: Attend | None = None) -> Tensor:
        """The state that leaves block `index`."""

    def part(self, index: int) -> Any:
        """The torch module that holds the weights of block `index`."""
        raise NotImplementedError(f"{self.family} has no known blocks")

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
        raise NotImplementedError(f"{self.family} has no attention pool over its patches")


class TokenTower(ImageTower):
    """What transformer towers share."""

    blocks: Sequence[Block]
    # Pixels of a place, (height, width), and of the whole input.
    patch: tuple[int, int]
    size: tuple[int, int]

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"embeddings", "places", "image_layers", "image_attention"})

    def check(self, pixels: Tensor) -> None:
        exactly(pixels, self.size)

    def block(self, index: int, state: Tensor, attend: Attend | None = None) -> Tensor:
        return self.blocks[index](state, None, attend)

    def part(self, index: int) -> Any:
        return self.blocks[index].module

    def value_attention(self, index: int, state: Tensor) -> Tensor:
        return self.blocks[index].value_attention(state)

    def places(self, state: Tensor) -> Tensor:
        return self.project(state[:, self.prefix_tokens :])

    def grid(self, state: Tensor, height: int, width: int) -> tuple[int, int]:
        return height // self.patch[0], width // self.patch[1]


class OpaqueTower(ImageTower):
    """Any other tower: it embeds images and offers nothing inside. `why` says what stands in the way."""

    family = "image tower of another kind"

    def __init__(self, module: Any, why: str = "its internal structure is not known") -> None:
        super().__init__(module)
        self.why = why

    @property
    def capabilities(self) -> frozenset[str]:
        return frozenset({"embeddings"})

    def enter(self, pixels: Tensor) -> Tensor:
        return self.plain(pixels)

    def block(self, index: int, state: Tensor, attend: Attend | None = None) -> Tensor:
        raise NotImplementedError("this tower cannot be run block by block")

    def leave(self, state: Tensor) -> Tensor:
        return state

    def project(self, vectors: Tensor) -> Tensor:
        raise NotImplementedError("this tower has no projection for single patches")

    def places(self, state: Tensor) -> Tensor:
        raise NotImplementedError("this tower has no projection for single patches")

    def grid(self, state: Tensor, height: int, width: int) -> tuple[int, int]:
        return 1, 1


def exactly(pixels: Tensor, size: tuple[int, int]) -> None:
    """Raises `InputError` for pixels of another size (height, width)."""
    if tuple(pixels.shape[-2:]) != size:
        raise InputError(
            f"this model takes images of {size[0]} x {size[1]} pixels, not {pixels.shape[-2]} x {pixels.shape[-1]}; "
            "use its own preprocessing"
        )


def alone(vectors: Tensor, pool: Any) -> Tensor:
    """What an attention pool reads where there is only one token, `(..., width)` -> `(..., width of the pool)`.

    Attention over a single token is that token's value whatever the query, so the pool becomes a projection.
    """
    flat = vectors.reshape(-1, 1, vectors.shape[-1])
    pooled = pool(flat)
    pooled = pooled[:, 0] if pooled.ndim == 3 else pooled
    return pooled.reshape(*vectors.shape[:-1], -1)
