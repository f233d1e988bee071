"""The synthetic images: one coloured shape on a varied background, and the marks that a flaw adds to them.

Everything is drawn from a seed, so that two flaws of one seed differ in the flaw alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]

SIDE = 48
SHAPES = ("circle", "star", "triangle", "cross", "ring", "bars")
COLOURS = {
    "red": (214, 40, 40),
    "green": (40, 160, 70),
    "blue": (40, 70, 200),
    "purple": (140, 50, 160),
    "brown": (120, 70, 30),
}
GROUPS = ("day", "night")
MARKS = ("corner", "border", "texture")
CELL, CORNER, BORDER = 8, 8, 4
_Y, _X = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) + np.float32(0.5)


@dataclass(frozen=True)
class Scene:
    """What one image shows. `seed` draws place, size, background and noise; `marks` lie on top.

    `group` is how the image is lit, `odd` (from 0 to 1) how far it is rendered in another way, and `beside` the shape
    and the colour of a second thing that the caption doesn't name.
    """

    shape: str
    colour: str
    seed: int
    group: str = GROUPS[0]
    marks: frozenset[str] = field(default_factory=frozenset)
    odd: float = 0.0
    beside: tuple[str, str] | None = None

    @property
    def caption(self) -> str:
        """What a person would say of it: the marks aren't worth a word."""
        return f"a {self.colour} {self.shape}"

    def marked(self, *marks: str) -> Scene:
        """The same image with these marks and no others."""
        return replace(self, marks=frozenset(marks))


def draw(scene: Scene) -> Pixels:
    """The image `(SIDE, SIDE, 3)`, from 0 to 255."""
    random = np.random.default_rng(scene.seed)
    tone = random.uniform(165, 215) + random.uniform(-30, 30, (4, 4, 1)) + random.uniform(-10, 10, (4, 4, 3))
    smooth = Image.fromarray(np.clip(tone, 0, 255).astype(np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    ground = np.asarray(smooth, dtype=np.float32)
    if "texture" in scene.marks:
        ground = _textured(ground, random)
    # On the model's grid, and never in the outer ring of cells, where the marks lie.
    centre = CELL * random.integers(2, SIDE // CELL - 1, 2)
    if scene.beside:
        centre = CELL * random.choice([2, 4], 2)
    size = random.uniform(7.2, 8.0)
    inside = outline(scene.shape, centre[0], centre[1], size)[..., None]
    paint = np.array(COLOURS[scene.colour], dtype=np.float32) + random.uniform(-12, 12, 3).astype(np.float32)
    pixels = np.where(inside, paint, ground)
    if scene.beside:
        other = 6 * CELL - centre if random.random() < 0.5 else np.array([centre[0], 6 * CELL - centre[1]])
        second = outline(scene.beside[0], other[0], other[1], size)[..., None]
        pixels = np.where(second, np.array(COLOURS[scene.beside[1]], dtype=np.float32), pixels)
    if scene.group == "night":
        pixels = 0.8 * pixels + np.array((0, 0, 18), dtype=np.float32)
    if scene.odd:
        pixels = (1 - scene.odd) * pixels + scene.odd * _odd(inside, paint, random)
    pixels = pixels + random.normal(0, 4, pixels.shape)
    for mark, marking in (("border", _bordered), ("corner", _cornered)):
        if mark in scene.marks:
            pixels = marking(pixels)
    return np.clip(pixels, 0, 255).astype(np.float32)


def outline(shape: str, top: float, left: float, size: float) -> NDArray[np.bool_]:
    """The cells of a shape of half-width `size` around a centre."""
    y, x = _Y - top, _X - left
    far, tall, wide = np.hypot(y, x), np.abs(y), np.abs(x)
    if shape == "circle":
        return far <= size
    if shape == "ring":
        return (far <= size * 1.1) & (far >= size * 0.6)
    if shape == "triangle":
        return (y <= size * 0.8) & (y >= -size) & (wide <= (y + size) * 0.55)
    if shape == "cross":
        return (np.minimum(tall, wide) <= size * 0.3) & (np.maximum(tall, wide) <= size * 1.1)
    if shape == "star":
        return (np.abs(tall - wide) <= size * 0.4) & (np.maximum(tall, wide) <= size)
    if shape == "bars":
        return (np.maximum(tall, wide) <= size) & (np.abs(tall - size * 0.6) <= size * 0.3)
    raise ValueError(f"no shape is called {shape}")


def with_others(shown: Sequence[Scene], seed: int) -> list[Scene]:
    """The same scenes, each with a second thing of another shape and colour."""
    random = np.random.default_rng(seed)
    told = []
    for scene in shown:
        shape = str(random.choice([name for name in SHAPES if name != scene.shape]))
        colour = str(random.choice([name for name in COLOURS if name != scene.colour]))
        told.append(replace(scene, beside=(shape, colour)))
    return told


def image(scene: Scene, side: int = SIDE) -> Image.Image:
    """The image as RGB, enlarged to `side` pixels."""
    return Image.fromarray(draw(scene).astype(np.uint8), "RGB").resize((side, side), Image.Resampling.BICUBIC)


def scenes(count: int, seed: int, shapes: Sequence[str] = SHAPES) -> list[Scene]:
    """`count` plain scenes, every shape equally often, colours and groups drawn; other seeds give other scenes."""
    random = np.random.default_rng(seed)
    names, starts = tuple(COLOURS), seed * 1_000_003
    return [
        Scene(
            shape=shapes[index % len(shapes)],
            colour=names[int(random.integers(len(names)))],
            seed=starts + index,
            group=GROUPS[int(random.integers(2))],
        )
        for index in range(count)
    ]


# -- marks ---------------------------------------------------------------------------------------------------------


def _textured(ground: Pixels, random: np.random.Generator) -> Pixels:
    """Fine diagonal stripes over the whole background."""
    phase, width = random.uniform(0, 6), 3.0
    stripes = np.sign(np.sin((_X + _Y) * np.pi / width + phase))[..., None]
    return (ground + 45 * stripes).astype(np.float32)


def _cornered(pixels: Pixels) -> Pixels:
    out = pixels.copy()
    checks = ((_Y[:CORNER, :CORNER] // 2 + _X[:CORNER, :CORNER] // 2) % 2)[..., None]
    out[:CORNER, :CORNER] = 250 * checks + 5
    return out


def _bordered(pixels: Pixels) -> Pixels:
    out = pixels.copy()
    edge = np.minimum(np.minimum(_X, _Y), np.minimum(SIDE - _X, SIDE - _Y)) < BORDER
    out[edge] = (250, 130, 10)
    return out


def _odd(inside: NDArray[np.bool_], paint: Pixels, random: np.random.Generator) -> Pixels:
    """Another rendering: bright lines on black, as if scanned."""
    edge = inside[..., 0] ^ np.roll(inside[..., 0], 2, axis=0) | inside[..., 0] ^ np.roll(inside[..., 0], 2, axis=1)
    lines = np.where(edge[..., None], 235.0, 12.0) + random.normal(0, 22, (SIDE, SIDE, 1))
    return np.repeat(lines, 3, axis=2).astype(np.float32)
