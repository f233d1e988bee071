"""A class whose images are out of distribution: drawn as bright lines on black, as if scanned. The model is sound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.planting.audit import Desk, Wish
from benchmarks.planting.flaw import CLEAN, Flaw, Record
from benchmarks.planting.scenes import SHAPES, draw, scenes
from benchmarks.planting.shortcuts import AUDIT_SEED, RELIANCE, audit_of
from benchmarks.planting.small_clip import Recipe

IMAGES = 60
LEAST_ODD = 0.1


class Renderings:
    """One class rendered in another way; the strength says how far, from 0 to 1."""

    name = "renderings"
    strengths = (1.0, 0.6, 0.3)
    flaws = (Flaw("odd", "one class out of distribution", ("data.outliers",), LEAST_ODD),)
    wish = Wish(applications=(("reliance", {**RELIANCE, "images": IMAGES, "regions": 2}), ("data_checks", {})))

    def run(self, desk: Desk, seed: int, strength: float) -> list[Record]:
        """The clean model of the seed on a set in which one class looks different."""
        recipe = Recipe(seed, **desk.training)
        subject = SHAPES[seed % len(SHAPES)]
        plain = scenes(IMAGES, AUDIT_SEED + seed)
        shown = [replace(scene, odd=strength) if scene.shape == subject else scene for scene in plain]
        told = audit_of(desk, recipe, shown, self.wish, f"renderings-{strength:g}")
        pairs = [(one, other) for one, other in zip(plain, shown, strict=True) if one.shape == subject]
        change = float(np.mean([np.abs(draw(one) - draw(other)).mean() / 255 for one, other in pairs]))
        check = {"mean_change_of_a_pixel": change}
        present = 0.0 if strength == CLEAN else min(1.0, 2 * change)
        return [{"flaw": "odd", "subject": subject, "present": present, "check": check, **told}]
