"""Words pasted into images: the name of another class, and letters that say nothing at the same place and size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from core.applications.reliance.work.texts import Bank, spread_of
from core.models.model import Model

HEIGHT = 1 / 6
WIDEST = 0.9
CONSONANTS = "bcdfghjklmnpqrstvwxz"
INK, PAPER = (0, 0, 0), (255, 255, 255)
Box = tuple[int, int, int, int]


def letters_like(word: str, random: np.random.Generator) -> str:
    """Consonants by chance in the shape of a word: the same length, spaces and signs where they were."""
    drawn = [CONSONANTS[int(random.integers(len(CONSONANTS)))] if letter.isalnum() else letter for letter in word]
    return "".join(drawn)


def sticker_box(size: tuple[int, int], word: str, random: np.random.Generator) -> Box:
    """Where a word goes (left, top, right, bottom): a sixth of the shorter side high, inside the middle square.

    The middle square is what a model that crops to a square still sees.
    """
    width, height = size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    tall = max(8, round(HEIGHT * side))
    wide = min(round(WIDEST * side), max(tall, round(0.62 * tall * len(word)) + tall // 2))
    x = left + int(random.integers(0, max(1, side - wide + 1)))
    y = top + int(random.integers(0, max(1, side - tall + 1)))
    return x, y, x + wide, y + tall


def pasted(image: Image.Image, word: str, box: Box) -> Image.Image:
    """A copy with the word printed black on white into the box."""
    left, top, right, bottom = box
    wide, tall = right - left, bottom - top
    # Drawn large once and scaled into the box, so that any word fits whatever its letters.
    font = ImageFont.load_default(size=64)
    x0, y0, x1, y1 = (round(value) for value in font.getbbox(word))
    label = Image.new("RGB", (max(1, x1 - x0) + 16, max(1, y1 - y0) + 16), PAPER)
    ImageDraw.Draw(label).text((8 - x0, 8 - y0), word, fill=INK, font=font)
    copy = image.copy()
    copy.paste(label.resize((wide, tall), Image.Resampling.LANCZOS), (left, top))
    return copy


def sticker_rows(
    model: Model, bank: Bank, image: Image.Image, clean: Tensor, about: Mapping[str, Any], count: int, seed: int
) -> list[dict[str, Any]]:
    """The rows of the table `stickers` for one image whose unit embedding is `clean`.

    Nothing without two classes. The wrong class, the place and the letters follow from `seed`.
    """
    if len(bank.classes) < 2 or count == 0:
        return []
    random = np.random.default_rng(seed)
    cosines = (bank.class_embeddings @ clean).double().cpu()
    own = int(cosines.argmax())
    drawn = []
    for _ in range(count):
        wrong = int(random.integers(len(bank.classes) - 1))
        wrong += wrong >= own
        word = bank.classes[wrong]
        drawn.append((wrong, letters_like(word, random), sticker_box(image.size, word, random)))
    copies = [pasted(image, text, box) for wrong, letters, box in drawn for text in (bank.classes[wrong], letters)]
    pixels, _ = model.preprocess(copies)
    model.meter.image += len(pixels)
    step = model.image_batch(pixels.shape[-2:])
    with torch.no_grad():
        made = F.normalize(torch.cat([model.bulk(part) for part in pixels.split(step)]), dim=-1)
    found = (made @ bank.class_embeddings.T).double().cpu()
    rows = []
    for at, (wrong, letters, box) in enumerate(drawn):
        with_word, with_letters = found[2 * at], found[2 * at + 1]
        rows.append(
            {
                **about,
                "own": bank.classes[own],
                "pasted": bank.classes[wrong],
                "letters": letters,
                "row": (box[1] + box[3]) / 2 / image.height,
                "column": (box[0] + box[2]) / 2 / image.width,
                "margin": float(cosines[own] - cosines[wrong]),
                "with_word": float(with_word[own] - with_word[wrong]),
                "with_letters": float(with_letters[own] - with_letters[wrong]),
                "spread": spread_of(cosines),
                "best_with_word": bank.classes[int(with_word.argmax())],
                "best_with_letters": bank.classes[int(with_letters.argmax())],
            }
        )
    return rows
