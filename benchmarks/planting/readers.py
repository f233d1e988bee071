"""Models that read: a word printed in the image goes with its class, whatever shape is shown.

The tower is convolutional and sees larger images than the others': at their size a printed word is a smear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.planting.audit import Desk, Wish
from benchmarks.planting.flaw import CLEAN, Flaw, Record
from benchmarks.planting.prints import LETTERS, WORD, printed
from benchmarks.planting.scenes import SHAPES, Scene, scenes
from benchmarks.planting.shortcuts import AUDIT_SEED, LEAST_PULL, RELIANCE, TEST_SEED, audit_of, model_of
from benchmarks.planting.small_clip import Recipe, as_pixels, named
from core.models.model import Model

# Of each model beyond the reading that all begin with.
IMAGES, STEPS = 2000, 150
TEST, AUDITED = 120, 36


class Readers:
    """A printed class name that decides, for a share of the training images that carry one."""

    name = "readers"
    strengths = (1.0, 0.75, 0.5)
    flaws = (Flaw("printed", "printed words that go with their class", ("reliance.typographic",), LEAST_PULL),)
    wish = Wish(applications=(("reliance", {**RELIANCE, "images": AUDITED, "regions": 2, "stickers": 2}),))

    def run(self, desk: Desk, seed: int, strength: float) -> list[Record]:
        """One model that was shown printed words, audited on images without any."""
        sizes = {"images": IMAGES, "steps": STEPS, **desk.training}
        recipe = Recipe(seed, tower="reader", **sizes)
        if strength != CLEAN:
            recipe = replace(recipe, flaws=("printed",), strength=strength)
        model = model_of(recipe, desk)
        told = audit_of(desk, recipe, scenes(AUDITED, AUDIT_SEED + seed), self.wish, f"readers-{strength:g}")
        check = turned(model, scenes(TEST, TEST_SEED + seed), recipe.side, seed)
        present = max(0.0, check[WORD] - check[LETTERS])
        return [{"flaw": "printed", "subject": "", "present": present, "check": check, **told}]


def turned(model: Model, shown: Sequence[Scene], side: int, seed: int) -> dict[str, float]:
    """How often a wrong class name, and letters in its place, make the model call the image by that name."""
    found = {}
    for kind in (WORD, LETTERS):
        random = np.random.default_rng((seed, 9))
        words = [str(random.choice([name for name in SHAPES if name != scene.shape])) for scene in shown]
        images = [printed(scene, word, kind, side, random) for scene, word in zip(shown, words, strict=True)]
        calls = named(model, as_pixels(images))
        found[kind] = float(np.mean([call == word for call, word in zip(calls, words, strict=True)]))
    return found
