"""Attribution methods that are broken on purpose, audited beside healthy ones on a sound model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.planting.audit import Desk, Wish, audited, prepared, take_in, write_set
from benchmarks.planting.broken import WAYS, Broken, registered
from benchmarks.planting.flaw import Flaw, Record, Told
from benchmarks.planting.scenes import scenes, with_others
from benchmarks.planting.shortcuts import AUDIT_SEED, model_of, spec_of
from benchmarks.planting.small_clip import Recipe
from core.methods import METHODS

IMAGES = 24
MASKS = 192
HEALTHY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("rise", {"masks": MASKS}),
    ("kernel_shap", {"masks": MASKS, "extra": 64, "words": 64}),
    ("occlusion", {}),
)
RULES = ("trust.controls", "sanity.model", "sanity.text", "sanity.seed", "sanity.flip", "sanity.paraphrase")


def named(title: str) -> Callable[[Record, Told], bool]:
    """Whether a finding names the method, in a clean twin as in a broken one."""

    def counts(record: Record, finding: Told) -> bool:
        # The numbers are those of the methods that fail; some rules show only the first few and tell all in the text.
        shown = any(number["name"].startswith(title) for number in finding["evidence"])
        return shown or f"{title}: " in finding["condition"]

    return counts


class BrokenMethods:
    """Four ways to be wrong, each a share of its map; its twin is the same card with a sound map behind it."""

    name = "methods"
    strengths = (1.0, 0.75, 0.5)
    flaws = tuple(Flaw(way.name, way.title, RULES, counts=named(way.title)) for way in WAYS)

    def wish(self, strength: float) -> Wish:
        """Healthy and broken methods together, with curves, controls and sanity checks."""
        broken = tuple((way.name, {"share": strength}) for way in WAYS)
        return Wish(methods=(*HEALTHY, *broken), applications=(("sanity", {}),), curves=True, classes=())

    def run(self, desk: Desk, seed: int, strength: float) -> list[Record]:
        """One run for all methods; the record says which healthy ones were named too."""
        recipe = Recipe(seed, **desk.training)
        model = model_of(recipe, desk)
        folder = desk.scratch(f"methods-{strength:g}-{recipe.key}")
        # With a single thing in each image an edge detector is as good as any method: it outlines that thing.
        shown = with_others(scenes(IMAGES, AUDIT_SEED + seed), seed)
        dataset = take_in(write_set(folder / "images", shown), folder / "data")
        wish = self.wish(strength)
        with registered(*WAYS):
            told = audited(prepared(folder, dataset, model, spec_of(recipe, desk), wish, seed), model, wish)
            titles = {name: METHODS[name].title for name, _ in HEALTHY}
        blamed = {name: _blamed(told, title) for name, title in titles.items()}
        return [self._record(way, told, strength, blamed) for way in WAYS]

    def _record(self, way: Broken, told: dict[str, Any], strength: float, blamed: dict[str, list[str]]) -> Record:
        check = {"healthy_named_by": blamed}
        return {"flaw": way.name, "subject": way.title, "present": strength, "check": check, **told}


def _blamed(told: dict[str, Any], title: str) -> list[str]:
    """The ids of findings that name a method."""
    counts = named(title)
    return [f["id"] for f in told["findings"] if f["status"] == "finding" and f["id"] in RULES and counts({}, f)]
