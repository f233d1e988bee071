"""Images with the statistics of photographs, made by a seed: coloured noise with a falling spectrum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter


def photo(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A smooth coloured landscape of noise; no two seeds share a place."""
    random = np.random.default_rng(seed)
    width, height = size
    channels = [_noise(random, height, width) for _ in range(3)]
    common = _noise(random, height, width)
    pixels = np.stack([0.5 + 0.18 * (0.8 * common + 0.5 * channel) for channel in channels], axis=2)
    pixels += random.uniform(-0.08, 0.08, size=3)
    return Image.fromarray((pixels.clip(0, 1) * 255).astype(np.uint8))


def scan(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A grey image, smooth and round, like a scan."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    bell = np.zeros((size[1], size[0]))
    for centre in random.uniform(0, 1, (4, 2)) * (size[1], size[0]):
        bell += np.exp(-(((rows - centre[0]) / size[1]) ** 2 + ((columns - centre[1]) / size[0]) ** 2) * 12) / 2
    grey = (255 * (0.2 + 0.6 * bell + 0.02 * random.standard_normal(bell.shape))).clip(0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def night(image: Image.Image) -> Image.Image:
    """The image blurred and darkened."""
    return ImageEnhance.Brightness(image.filter(ImageFilter.GaussianBlur(2))).enhance(0.35)


def near_copy(image: Image.Image, way: int) -> Image.Image:
    """The image reduced and enlarged again, or cropped by a few percent; of the same size."""
    width, height = image.size
    box = (round(0.04 * width), round(0.03 * height), round(0.98 * width), height)
    ways = (
        lambda: image.resize((round(0.6 * width), round(0.6 * height))).resize((width, height)),
        lambda: ImageEnhance.Brightness(image.crop(box).resize((width, height))).enhance(1.1),
        lambda: image.crop(box).resize((width, height)),
    )
    return ways[way % 3]()


def folder_of(folder: Path, images: dict[str, Image.Image], table: str = "") -> Path:
    """The images saved as PNG files, with a table beside them."""
    folder.mkdir(parents=True)
    for name, image in images.items():
        image.save(folder / name)
    if table:
        (folder / "table.csv").write_text(table)
    return folder


def _noise(random: np.random.Generator, rows: int, columns: int) -> NDArray[np.float64]:
    frequencies = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None])
    frequencies[0, 0] = 1.0
    spectrum = np.fft.fft2(random.standard_normal((rows, columns))) / frequencies**1.2
    field = np.fft.ifft2(spectrum).real
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float64)
