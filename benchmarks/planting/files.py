"""Flaws of a set of files: images that repeat each other, files that can't be read, images damaged after intake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.planting.audit import Desk, Wish, audited, prepared, take_in, write_set
from benchmarks.planting.flaw import Flaw, Record
from benchmarks.planting.scenes import scenes
from benchmarks.planting.shortcuts import AUDIT_SEED, model_of, spec_of
from benchmarks.planting.small_clip import Recipe
from core.datasets import Dataset

IMAGES = 24


def _repeated(folder: Path, count: int, random: np.random.Generator) -> None:
    """Saved copies: a little brighter, and once more compressed."""
    for path in sorted(folder.glob("*.png"))[:count]:
        pixels = np.asarray(Image.open(path), dtype=np.float32) * random.uniform(1.02, 1.06)
        copy = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        copy.save(folder / f"copy-of-{path.stem}.jpg", quality=92)


def _cut_short(folder: Path, count: int, random: np.random.Generator) -> None:
    """Files that end in the middle, beside the sound ones."""
    for path in sorted(folder.glob("*.png"))[:count]:
        data = path.read_bytes()
        (folder / f"broken-{path.name}").write_bytes(data[: int(len(data) * random.uniform(0.3, 0.7))])


def _untouched(folder: Path, count: int, random: np.random.Generator) -> None:
    """Nothing is wrong with the files that come in."""


FILES: dict[str, Callable[[Path, int, np.random.Generator], None]] = {
    "repeated": _repeated,
    "cut_short": _cut_short,
    "damaged": _untouched,
}


class Files:
    """Each flaw in a set of its own, audited with the clean model of the seed."""

    name = "files"
    strengths = (0.5, 0.25, 0.1, 0.05)
    flaws = (
        Flaw("repeated", "saved copies of images in the set", ("data.duplicates",)),
        Flaw("cut_short", "files that end in the middle", ("data.refused",)),
        Flaw("damaged", "images damaged between intake and audit", ("run.failures",)),
    )
    wish = Wish(methods=(("raw", {}),), applications=(("data_checks", {}),))

    def run(self, desk: Desk, seed: int, strength: float) -> list[Record]:
        """Strength is the number of bad files beside that of sound ones."""
        recipe = Recipe(seed, **desk.training)
        model = model_of(recipe, desk)
        count = round(strength * IMAGES)
        records = []
        for flaw in self.flaws:
            random = np.random.default_rng(seed)
            folder = desk.scratch(f"files-{flaw.name}-{strength:g}-{recipe.key}")
            images = write_set(folder / "images", scenes(IMAGES, AUDIT_SEED + seed))
            FILES[flaw.name](images, count, random)
            dataset = take_in(images, folder / "data")
            if flaw.name == "damaged":
                damage(dataset, count)
            run = prepared(folder, dataset, model, spec_of(recipe, desk), self.wish, seed)
            told = audited(run, model, self.wish)
            check = {"bad_files": count, "sound_files": IMAGES}
            records.append({"flaw": flaw.name, "subject": "", "present": count / IMAGES, "check": check, **told})
        return records


def damage(dataset: Dataset, count: int) -> None:
    """Cut the stored files of the first images short, as a failing disk would."""
    for image in dataset.images[:count]:
        path = dataset.path(image)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
