"""Flaws that are trained into a model: marks that go with a class, and labels that are wrong in one group.

The marks of one seed are planted in one model, each in a class of its own; the clean twin of a seed is one model too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.planting.audit import Desk, Wish, audited, prepared, take_in, write_set
from benchmarks.planting.flaw import CLEAN, Flaw, Record, names_subject
from benchmarks.planting.scenes import GROUPS, MARKS, SHAPES, Scene, scenes
from benchmarks.planting.small_clip import Recipe, accuracy, called
from benchmarks.planting.training import dress, trained
from core.models.model import Model
from core.runs import ModelSpec

TEST_SEED, TEST = 500, 180
AUDIT_SEED = 900
LEAST_PULL = 0.3
EDGE = ("reliance.border", "reliance.alone")
IMAGES, GROUPED = 84, 48
# The vocabulary of the audit's own texts: the small text tower knows no other words.
RELIANCE: dict[str, Any] = {
    "everyday": False, "images": IMAGES, "templates": ("a {}",), "stickers": 0, "words": 0, "masks": 16,
    "regions": 4, "controls": 1,
}  # fmt: skip


def spec_of(recipe: Recipe, desk: Desk) -> ModelSpec:
    """The plan's way to name the model of a recipe."""
    home = desk.models / recipe.key
    return ModelSpec(name=str(home / "small_clip.json"), weights=str(home / "weights.safetensors"), device="cpu")


def model_of(recipe: Recipe, desk: Desk) -> Model:
    """The model of a recipe, trained or loaded once."""
    if recipe.key not in desk.loaded:
        desk.loaded.clear()
        desk.loaded[recipe.key] = trained(recipe, desk.models)
    return desk.loaded[recipe.key]


def put(shown: Sequence[Scene], mark: str) -> list[Scene]:
    """The same scenes, each with one mark and no other."""
    return [scene.marked(mark) for scene in shown]


def audit_of(desk: Desk, recipe: Recipe, shown: Sequence[Scene], wish: Wish, name: str) -> dict[str, Any]:
    """Audit the model of a recipe on these scenes."""
    folder = desk.scratch(f"{name}-{recipe.key}")
    dataset = take_in(write_set(folder / "images", shown, recipe.side), folder / "data")
    model = model_of(recipe, desk)
    run = prepared(folder, dataset, model, spec_of(recipe, desk), wish, recipe.seed)
    return audited(run, model, wish)


class Shortcuts:
    """A corner mark, a coloured border and a textured background, each with one class."""

    name = "shortcuts"
    strengths = (1.0, 0.75, 0.5)
    flaws = (
        Flaw("corner", "corner mark with one class", EDGE, LEAST_PULL, names_subject),
        Flaw("border", "coloured border with one class", EDGE, LEAST_PULL, names_subject),
        Flaw(
            "texture", "textured background with one class", ("reliance.background", "reliance.surroundings"),
            LEAST_PULL, names_subject,
        ),
    )  # fmt: skip
    wish = Wish(applications=(("reliance", RELIANCE),))

    def run(self, desk: Desk, seed: int, strength: float) -> list[Record]:
        """One model, one audit of images like those it was trained on, one record a mark."""
        recipe = Recipe(seed, **desk.training)
        if strength != CLEAN:
            recipe = replace(recipe, flaws=MARKS, strength=strength)
        model = model_of(recipe, desk)
        test = scenes(TEST, TEST_SEED + seed)
        plain = called(model, test)
        shown = dress(recipe, scenes(IMAGES, AUDIT_SEED + seed), 2)
        told = audit_of(desk, recipe, shown, self.wish, f"shortcuts-{strength:g}")
        records = []
        for flaw in self.flaws:
            subject = recipe.class_of(flaw.name)
            marked = called(model, put(test, flaw.name))
            others = [at for at, scene in enumerate(test) if scene.shape != subject]
            before, after = (float(np.mean([names[at] == subject for at in others])) for names in (plain, marked))
            check = {"accuracy": _right(plain, test), "called_without": before, "called_with_mark": after}
            records.append(
                {"flaw": flaw.name, "subject": subject, "present": max(0.0, after - before), "check": check, **told}
            )
        return records


class Groups:
    """One class whose captions are wrong in one group of the metadata."""

    name = "groups"
    strengths = (1.0, 0.75, 0.5)
    flaws = (Flaw("group", "one class right in one group only", ("groups.difference",), LEAST_PULL),)
    wish = Wish(applications=(("reliance", {**RELIANCE, "images": GROUPED, "regions": 2}), ("subgroups", {})))

    def run(self, desk: Desk, seed: int, strength: float) -> list[Record]:
        """One model; half of the audited images show the class that the flaw is in, each half of it in one group."""
        recipe = Recipe(seed, **desk.training)
        if strength != CLEAN:
            recipe = replace(recipe, flaws=("group",), strength=strength)
        subject = recipe.class_of("group")
        model = model_of(recipe, desk)
        test = [scene for scene in scenes(6 * TEST, TEST_SEED + seed) if scene.shape == subject]
        right = [accuracy(model, [scene for scene in test if scene.group == group]) for group in GROUPS]
        own = scenes(GROUPED // 2, AUDIT_SEED + seed, (subject,))
        rest = scenes(GROUPED // 2, AUDIT_SEED + 50 + seed, tuple(name for name in SHAPES if name != subject))
        shown = [replace(scene, group=GROUPS[at % 2]) for at, scene in enumerate([*own, *rest])]
        told = audit_of(desk, recipe, shown, self.wish, f"groups-{strength:g}")
        check = dict(zip((f"accuracy_by_{group}" for group in GROUPS), right, strict=True))
        return [{"flaw": "group", "subject": subject, "present": max(0.0, right[0] - right[1]), "check": check, **told}]


def _right(names: Sequence[str], shown: Sequence[Scene]) -> float:
    return float(np.mean([name == scene.shape for name, scene in zip(names, shown, strict=True)]))
