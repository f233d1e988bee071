"""Does the audit find flaws that are known because they were planted, and keep silent where there are none?

    PYTHONPATH=. python benchmarks/planted.py --keep FOLDER [--types shortcuts words ...] [--models 20] [--first 0]
        [--strengths 1 0.5] [--markdown FILE] [--json FILE]

Trains small CLIPs with flaws and clean twins on synthetic images, audits each by Loupe's own doors, and scores the
findings: recall at full strength, false alarms on the twins, the weakest strength still found, and how severity
follows strength. Models and records are kept in FOLDER; what is there isn't done again, so that a run can be stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmarks.planting.audit import Desk
from benchmarks.planting.files import Files
from benchmarks.planting.flaw import CLEAN, Family, Verdict, verdict
from benchmarks.planting.methods import BrokenMethods
from benchmarks.planting.readers import Readers
from benchmarks.planting.renderings import Renderings
from benchmarks.planting.scoring import Score, alarms, score, table
from benchmarks.planting.shortcuts import Groups, Shortcuts
from benchmarks.planting.text_words import LostWords
from core.runs.manifest import code_digest

ROOT = Path(__file__).resolve().parent.parent
# What only reads records.
READERS = ("flaw", "scoring")
FAMILIES: tuple[Family, ...] = (
    Files(), BrokenMethods(), Shortcuts(), Renderings(), LostWords(), Groups(), Readers(),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Plant, audit, score and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [family.name for family in FAMILIES]
    parser.add_argument("--keep", type=Path, required=True, help="where models, runs and records are kept")
    parser.add_argument("--types", nargs="+", choices=names, default=names)
    parser.add_argument("--models", type=int, default=20, help="seeds of each type")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--strengths", nargs="+", type=float, help="only these (0: the clean twin); default: all")
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--score-only", action="store_true", help="plant and audit nothing, score what is kept")
    chosen = parser.parse_args(arguments)
    os.environ["LOUPE_HOME"] = str(chosen.keep.resolve() / "home")
    torch.set_num_threads(1)
    desk = Desk(chosen.keep.resolve())
    families = [family for family in FAMILIES if family.name in chosen.types]
    seeds = range(chosen.first, chosen.first + chosen.models)
    records = []
    for family, seed, strength in trials(families, seeds, chosen.strengths):
        kept = record_path(desk, family, seed, strength)
        if not kept.exists() and chosen.score_only:
            continue
        records += recorded(desk, family, seed, strength)
    scores = scored(families, records)
    twins = alarms(records)
    text = "\n".join([table(scores), "", "| finding | raised on clean twins |", "|---|---|"])
    text += "".join(f"\n| `{name}` | {share} |" for name, share in twins.items())
    print(text)
    told = {"code": digest(), "seeds": list(seeds), "rows": [row.to_dict() for row in scores]}
    told["alarms"] = {name: {"hits": share.hits, "n": share.n} for name, share in twins.items()}
    if chosen.markdown:
        chosen.markdown.write_text(text + "\n")
    if chosen.json:
        chosen.json.write_text(json.dumps(told, indent=1) + "\n")


def trials(
    families: Sequence[Family], seeds: Sequence[int], strengths: Sequence[float] | None
) -> Iterator[tuple[Family, int, float]]:
    """Every trial that is asked for: all families of one seed together, so that its model is loaded once."""
    for seed in seeds:
        for family in families:
            for strength in (CLEAN, *family.strengths):
                if strengths is None or any(abs(strength - wanted) < 1e-9 for wanted in strengths):
                    yield family, seed, strength


def record_path(desk: Desk, family: Family, seed: int, strength: float) -> Path:
    """Where the records of a trial are kept; other code, rules or thresholds have another place."""
    return desk.trials / digest() / f"{family.name}-{seed}-{strength:g}.json"


def recorded(desk: Desk, family: Family, seed: int, strength: float) -> list[dict[str, Any]]:
    """The records of a trial, from the folder if it was done before."""
    path = record_path(desk, family, seed, strength)
    if path.exists():
        return json.loads(path.read_text())
    began, spun = time.monotonic(), time.process_time()
    found = [{**record, "seed": seed, "strength": strength} for record in family.run(desk, seed, strength)]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(found))
    draft.replace(path)
    spent = f"{time.monotonic() - began:.0f} s, {time.process_time() - spun:.0f} s of a processor"
    print(f"{family.name} {seed} at {strength:g}: {spent}", file=sys.stderr, flush=True)
    return found


def scored(families: Sequence[Family], records: Sequence[dict[str, Any]]) -> list[Score]:
    """The rows of every flaw of which there are records."""
    rows = []
    for family in families:
        for flaw in family.flaws:
            own: list[Verdict] = [verdict(flaw, record) for record in records if record["flaw"] == flaw.name]
            if own:
                rows.append(score(flaw, own))
    return rows


@cache
def digest() -> str:
    """Over all that a record follows from: the product with its rules and thresholds, and what plants and audits.

    Read once a process: what is edited later isn't what runs.
    """
    found = hashlib.sha256(code_digest().encode())
    rooms = (ROOT / "core" / room for room in ("rules", "findings", "applications"))
    rules = (path for room in rooms for path in room.rglob("*") if path.suffix in (".py", ".toml"))
    planting = (path for path in (ROOT / "benchmarks" / "planting").glob("*.py") if path.stem not in READERS)
    for path in sorted((*rules, *planting)):
        found.update(path.read_bytes())
    return found.hexdigest()[:8]


if __name__ == "__main__":
    main()
