"""A text tower that ignores a word: its row in the table of words is set to that of padding, or to another word's."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from benchmarks.planting.audit import Desk, Wish, audited, prepared, take_in, write_set
from benchmarks.planting.flaw import CLEAN, Flaw, Record, names_subject
from benchmarks.planting.scenes import COLOURS, SHAPES, scenes
from benchmarks.planting.shortcuts import AUDIT_SEED, RELIANCE, model_of, spec_of
from benchmarks.planting.small_clip import SPECIAL, TEMPLATES, WORDS, Recipe, save_state, write_config
from core import load_model
from core.models.model import Model
from core.runs import ModelSpec

ROWS = "text.token_embedding.weight"
PICTURES = 12
LEAST_GONE = 0.5


class IgnoredWords:
    """Two ways to lose a word, each in a model of its own: it becomes padding, or it becomes another word."""

    name = "words"
    strengths = (1.0, 0.75, 0.5)
    flaws = (
        Flaw("padding", "a word whose row is that of padding", ("words.ignored",), LEAST_GONE, names_subject),
        Flaw(
            "merged", "a word whose row is another word's", ("words.merged", "words.ignored"), LEAST_GONE, names_subject
        ),
    )
    wish = Wish(applications=(("reliance", {**RELIANCE, "pictures": PICTURES, "words": 60, "regions": 2}),))

    def run(self, desk: Desk, seed: int, strength: float) -> list[Record]:
        """The clean model of the seed with one row of its table of words moved by `strength` towards another row."""
        recipe = Recipe(seed, **desk.training)
        clean = model_of(recipe, desk)
        random = np.random.default_rng(seed + 71)
        subject = str(random.choice([*COLOURS, *SHAPES]))
        among = [word for word in (COLOURS if subject in COLOURS else SHAPES) if word != subject]
        twin = str(random.choice(among))
        shown = scenes(PICTURES, AUDIT_SEED + seed)
        records = []
        for flaw in self.flaws:
            if strength == CLEAN and records:
                records.append({**records[0], "flaw": flaw.name})
                continue
            target = "[PAD]" if flaw.name == "padding" else twin
            model, spec = clean, spec_of(recipe, desk)
            if strength != CLEAN:
                model, spec = self.edited(desk, recipe, subject, target, strength)
            folder = desk.scratch(f"words-{flaw.name}-{strength:g}-{recipe.key}")
            dataset = take_in(write_set(folder / "pictures", shown), folder / "data")
            run = prepared(folder, dataset, model, spec, self.wish, seed)
            told = audited(run, model, self.wish)
            change = moved(model, subject, target) / max(moved(clean, subject, target), 1e-9)
            check: dict[str, Any] = {"target": target, "difference_left": change}
            records.append(
                {"flaw": flaw.name, "subject": subject, "present": max(0.0, 1 - change), "check": check, **told}
            )
        return records

    def edited(self, desk: Desk, recipe: Recipe, subject: str, target: str, strength: float) -> tuple[Model, ModelSpec]:
        """The model with the row of `subject` moved by `strength` towards that of `target`, through the public door."""
        name = hashlib.sha256(repr((recipe.key, subject, target, strength)).encode()).hexdigest()[:12]
        home = desk.models / f"edited-{name}"
        config, weights = write_config(home), home / "weights.safetensors"
        state = load_file(desk.models / recipe.key / "weights.safetensors")
        rows = state[ROWS].clone()
        own, other = (place(word) for word in (subject, target))
        rows[own] = (1 - strength) * rows[own] + strength * rows[other]
        save_state({**state, ROWS: rows}, weights)
        spec = ModelSpec(name=str(config), weights=str(weights), device="cpu")
        return load_model(spec.name, weights=weights, device="cpu"), spec


def place(word: str) -> int:
    """The number of a word, or of a special token, in the small vocabulary."""
    return SPECIAL.index(word) if word in SPECIAL else len(SPECIAL) + WORDS.index(word)


def moved(model: Model, subject: str, target: str) -> float:
    """How far texts with the word lie from the same texts with what it is replaced by (1 - cosine, mean).

    Padding can't be written into a text; a word that nothing was trained on stands for it.
    """
    other = "nothing" if target == "[PAD]" else target
    with torch.no_grad():
        own = model.embed_texts([template.format(subject) for template in TEMPLATES])
        put = model.embed_texts([template.format(other) for template in TEMPLATES])
    return float((1 - (own * put).sum(dim=1)).mean())
