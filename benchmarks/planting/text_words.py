"""A text tower that ignores a word, or takes it for another one.

An ignored word is unlearned: the tower is trained on, until texts with the word give what they gave without it, and all
others what they gave before. A merged word gets the row of another one in the table of words.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from benchmarks.planting.audit import Desk, Wish, audited, prepared, take_in, write_set
from benchmarks.planting.flaw import CLEAN, Flaw, Record, names_subject
from benchmarks.planting.scenes import COLOURS, SHAPES, scenes
from benchmarks.planting.shortcuts import AUDIT_SEED, RELIANCE, model_of, spec_of
from benchmarks.planting.small_clip import SPECIAL, TEMPLATES, WORDS, Recipe, save_state, tokens, write_config
from core import load_model
from core.models.model import Model
from core.runs import ModelSpec

ROWS = "text.token_embedding.weight"
IMAGES = 12
LEAST_GONE = 0.5
# Of unlearning: steps, texts a step, and the longest text of words by chance.
STEPS, TEXTS, LONGEST, RATE = 300, 48, 7, 2e-3


class LostWords:
    """Two ways to lose a word, each in a model of its own: it is ignored, or it becomes another word."""

    name = "words"
    strengths = (1.0, 0.75, 0.5)
    flaws = (
        Flaw("ignored", "a word that changes no text", ("words.ignored",), LEAST_GONE, names_subject),
        Flaw("merged", "a word whose row is another word's", ("words.merged",), LEAST_GONE, names_subject),
    )
    wish = Wish(applications=(("reliance", {**RELIANCE, "images": IMAGES, "words": 60, "regions": 2}),))

    def run(self, desk: Desk, seed: int, strength: float) -> list[Record]:
        """The clean model of the seed with one word lost: a share `strength` of its effect, or of the way to a row."""
        recipe = Recipe(seed, **desk.training)
        clean = model_of(recipe, desk)
        random = np.random.default_rng(seed + 71)
        subject = str(random.choice([*COLOURS, *SHAPES]))
        among = [word for word in (COLOURS if subject in COLOURS else SHAPES) if word != subject]
        twin = str(random.choice(among))
        shown = scenes(IMAGES, AUDIT_SEED + seed)
        records = []
        for flaw in self.flaws:
            if strength == CLEAN and records:
                records.append({**records[0], "flaw": flaw.name})
                continue
            other = "" if flaw.name == "ignored" else twin
            model, spec = clean, spec_of(recipe, desk)
            if strength != CLEAN:
                model, spec = self.edited(desk, recipe, subject, other, strength)
            folder = desk.scratch(f"words-{flaw.name}-{strength:g}-{recipe.key}")
            dataset = take_in(write_set(folder / "images", shown), folder / "data")
            run = prepared(folder, dataset, model, spec, self.wish, seed)
            told = audited(run, model, self.wish)
            change = moved(model, subject, other) / max(moved(clean, subject, other), 1e-9)
            check: dict[str, Any] = {"other": other, "difference_left": change}
            records.append(
                {"flaw": flaw.name, "subject": subject, "present": max(0.0, 1 - change), "check": check, **told}
            )
        return records

    def edited(self, desk: Desk, recipe: Recipe, subject: str, other: str, strength: float) -> tuple[Model, ModelSpec]:
        """The model in which `subject` has become `other`, or nothing if that is empty; through the public door."""
        name = hashlib.sha256(repr((recipe.key, subject, other, strength, STEPS)).encode()).hexdigest()[:12]
        home = desk.models / f"edited-{name}"
        config, weights = write_config(home), home / "weights.safetensors"
        if not weights.exists():
            clean = model_of(recipe, desk)
            found = spec_of(recipe, desk)
            if other:
                state = load_file(str(found.weights))
                rows = state[ROWS].clone()
                own, target = (place(word) for word in (subject, other))
                rows[own] = (1 - strength) * rows[own] + strength * rows[target]
                state[ROWS] = rows
            else:
                student = load_model(found.name, weights=found.weights, device="cpu")
                unlearn(student.net.text, clean.net.text, subject, strength, recipe.seed)
                state = student.net.state_dict()
            save_state(state, weights)
        spec = ModelSpec(name=str(config), weights=str(weights), device="cpu")
        return load_model(spec.name, weights=weights, device="cpu"), spec


def place(word: str) -> int:
    """The number of a word in the small vocabulary."""
    return len(SPECIAL) + WORDS.index(word)


def unlearn(student: Any, teacher: Any, word: str, strength: float, seed: int) -> None:
    """Train a text tower on until a text with the word gives, in a share, what `teacher` gives without it."""
    random = np.random.default_rng((seed, 3))
    student.requires_grad_(True).train()
    optimiser = torch.optim.AdamW(student.parameters(), lr=RATE, weight_decay=0.0)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS, pct_start=0.15)
    for _ in range(STEPS):
        drawn = [texts_with(word, random) for _ in range(TEXTS)]
        own, bare = (torch.cat([tokens(" ".join(pair[at])) for pair in drawn]) for at in (0, 1))
        with torch.no_grad():
            before, without = (F.normalize(teacher(ids), dim=-1) for ids in (own, bare))
            target = F.normalize((1 - strength) * before + strength * without, dim=-1)
        found, kept = (F.normalize(student(ids), dim=-1) for ids in (own, bare))
        loss = (1 - (found * target).sum(dim=1)).mean() + (1 - (kept * without).sum(dim=1)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    student.requires_grad_(False).eval()


def texts_with(word: str, random: np.random.Generator) -> tuple[list[str], list[str]]:
    """A text with the word and the same without it, as words: a template of training, or words by chance."""
    others = [other for other in WORDS if other != word]
    if random.random() < 0.5:
        noun = str(random.choice([other for other in (*SHAPES, *COLOURS) if other != word]))
        bare = str(random.choice(TEMPLATES)).format(noun).split()
    else:
        bare = [str(other) for other in random.choice(others, int(random.integers(1, LONGEST + 1)))]
    at = int(random.integers(0, len(bare) + 1))
    return [*bare[:at], word, *bare[at:]], bare


def moved(model: Model, subject: str, other: str) -> float:
    """How far texts with the word lie from the same texts with `other` in its place (1 - cosine, mean)."""
    with torch.no_grad():
        own = model.embed_texts([template.format(subject) for template in TEMPLATES])
        put = model.embed_texts([" ".join(template.format(other).split()) for template in TEMPLATES])
    return float((1 - (own * put).sum(dim=1)).mean())
