"""Scenes with words printed on them, as an audit pastes them, and letters without meaning in their place."""

from __future__ import annotations

import numpy as np

from benchmarks.planting.scenes import Pixels, Scene, image
from core.applications.reliance.work.stickers import letters_like, pasted, sticker_box

WORD, LETTERS = "word", "letters"


def printed(scene: Scene, word: str, kind: str | None, side: int, random: np.random.Generator) -> Pixels:
    """The scene `(side, side, 3)` with the word, or letters like it, somewhere; `kind` None: bare."""
    shown = image(scene, side)
    if kind is not None:
        box = sticker_box(shown.size, word, random)
        shown = pasted(shown, word if kind == WORD else letters_like(word, random), box)
    return np.asarray(shown, dtype=np.float32)
