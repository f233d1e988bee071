"""A user study of heat maps: pairs of maps of one image and text, without the names of their methods. No torch.

A study is a folder: `study.json` holds the pairs, and with them the key to the names; `votes.jsonl` the votes, to which
lines are only added. Of several votes of one rater on one pair the last counts, and the earlier ones stay.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import numpy as np
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from core.characters import folded, line_of
from core.drafts import write_whole
from core.errors import InputError, Refused, RunError, first_line
from core.processes import locked
from core.runs.parts import Name, Part, Seed
from core.runs.plan import first_problem
from core.sandbox.files import read_file
from core.settings import LIMITS

STUDY, VOTES = "study.json", "votes.jsonl"
Choice = Literal["left", "right", "neither"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
# What a rater is asked; the sheet and the page print it.
QUESTION = (
    "Which map shows better where the image contains what the text says? Choose neither where you see no difference."
)
MOST_PAIRS, MOST_VOTES, MOST_BYTES = 5_000, 200_000, 64 * 2**20
Rater = Annotated[str, BeforeValidator(line_of), Field(min_length=1, max_length=100)]


class Pair(Part):
    """Two maps of one image and text, by the methods that made them."""

    image: Name
    image_name: str = Field(max_length=LIMITS.path_characters)
    text: str = Field(max_length=LIMITS.text_characters)
    left: Name
    right: Name


class Vote(Part):
    """What one rater chose of one pair, counted from 0. `at`: when, in ISO form, in UTC."""

    pair: int = Field(ge=0)
    rater: Rater
    choice: Choice
    at: str = Field(max_length=40)


class Study(Part):
    """The design of a study: the run that the maps are of, its seed and its pairs."""

    version: Literal[1] = 1
    run: Name
    seed: Seed
    methods: tuple[Name, ...] = Field(min_length=2)
    pairs: tuple[Pair, ...] = Field(min_length=1, max_length=MOST_PAIRS)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(pair.left == pair.right or not {pair.left, pair.right} <= set(self.methods) for pair in self.pairs):
            raise ValueError("a pair is not of two methods of the study")
        return self

    def order(self, rater: str) -> list[int]:
        """The pairs in the order in which a rater sees them: shuffled with the seed and the rater's name."""
        name = int.from_bytes(hashlib.sha256(folded(rater).encode()).digest()[:8], "big")
        found: list[int] = np.random.default_rng([self.seed, name]).permutation(len(self.pairs)).tolist()
        return found


def designed(run: str, maps: Mapping[tuple[str, str, str], Sequence[str]], count: int, seed: int) -> Study:
    """A study of `count` images drawn at random: every pair of methods once for each.

    maps: the methods that have a map, by image id, name and text; all have the same methods. One text is drawn for each
    image. Sides are balanced: of the images of one pair of methods, each method is left in half, as far as their number
    allows. Raises `InputError` where there are fewer than two methods or no image.
    """
    methods = tuple(sorted({method for each in maps.values() for method in each}))
    if len(methods) < 2:
        raise InputError("a study compares the maps of at least two methods")
    random = np.random.default_rng(seed)
    texts: dict[str, list[tuple[str, str, str]]] = {}
    for key in sorted(maps):
        texts.setdefault(key[0], []).append(key)
    images = sorted(texts)
    chosen = [images[at] for at in sorted(random.permutation(len(images))[:count].tolist())]
    keys = [texts[image][int(random.integers(len(texts[image])))] for image in chosen]
    pairs = []
    for first, second in combinations(methods, 2):
        turned = random.permutation(np.arange(len(keys)) % 2)
        # With an odd number of images chance decides which of the two is left once more.
        swap = int(random.integers(2))
        for (image, name, text), turn in zip(keys, turned.tolist(), strict=True):
            left, right = (first, second) if (turn + swap) % 2 else (second, first)
            pairs.append({"image": image, "image_name": name, "text": text, "left": left, "right": right})
    try:
        return Study.model_validate({"run": run, "seed": seed, "methods": methods, "pairs": pairs})
    except ValidationError as error:
        raise InputError(f"the study cannot be made: {first_problem(error)}; choose fewer images or methods") from error


def start_study(folder: Path, study: Study) -> None:
    """Store a design in a folder that has none. Raises `InputError` where there is one: its votes would be lost."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if (folder / STUDY).exists():
            raise InputError(f"{folder} already holds a study; name another folder")
        write_whole(folder / STUDY, (study.model_dump_json(indent=1) + "\n").encode())


def load_study(folder: Path) -> Study:
    """The design in a folder. Raises `InputError` if there is none, `RunError` if it is damaged."""
    path = folder / STUDY
    if not path.exists():
        raise InputError(f"{folder} holds no study; start one with `python -m core user-study RUN --out FOLDER`")
    try:
        return Study.model_validate(json.loads(read_file(path, MOST_BYTES, links=False)))
    except ValidationError as error:
        raise RunError(f"{path} is damaged ({first_problem(error)}); restore it") from error
    except (Refused, ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged ({first_line(error)}); restore it") from error


def load_votes(folder: Path, study: Study) -> tuple[Vote, ...]:
    """The votes, in the order in which they were given. Raises `RunError` if a line is damaged."""
    path = folder / VOTES
    if not path.exists():
        return ()
    try:
        lines = read_file(path, MOST_BYTES, links=False).splitlines()
        votes = tuple(Vote.model_validate_json(line) for line in lines)
    except (Refused, ValueError) as error:
        raise RunError(f"{path} is damaged ({first_line(error)}); restore it") from error
    if any(vote.pair >= len(study.pairs) for vote in votes):
        raise RunError(f"{path} is damaged (a vote is on a pair that the study does not have); restore it")
    return votes


def add_votes(folder: Path, rater: str, choices: Mapping[int, str], at: str = "") -> None:
    """Add a rater's choices by the number of the pair, all or none. Raises `InputError` for one that is none.

    A rater is known by name, without case and repeated blanks; a choice that is the rater's last one is left out.
    """
    moment = at or datetime.now(UTC).isoformat(timespec="seconds")
    with locked(folder):
        study = load_study(folder)
        before = load_votes(folder, study)
        known = {folded(vote.rater): vote.rater for vote in before}
        name = known.get(folded(rater), " ".join(str(line_of(rater)).split()))
        last = counted(before).get(name, {})
        given = [
            {"pair": pair, "rater": name, "choice": choice, "at": moment}
            for pair, choice in choices.items()
            if last.get(pair) != choice
        ]
        try:
            votes = [Vote.model_validate(each) for each in given]
        except ValidationError as error:
            raise InputError(f"the votes cannot be stored: {first_problem(error)}") from error
        if any(vote.pair >= len(study.pairs) for vote in votes):
            raise InputError(f"a vote is on a pair that the study does not have; it has {len(study.pairs)}")
        if len(before) + len(votes) > MOST_VOTES:
            raise InputError(f"a study holds at most {MOST_VOTES:,} votes; start another one")
        _append(folder / VOTES, "".join(vote.model_dump_json() + "\n" for vote in votes).encode())


def counted(votes: Sequence[Vote]) -> dict[str, dict[int, Choice]]:
    """The last choice of each rater on each pair, by rater in the order of their first vote."""
    found: dict[str, dict[int, Choice]] = {}
    for vote in votes:
        found.setdefault(vote.rater, {})[vote.pair] = vote.choice
    return found


def sides(study: Study) -> dict[str, tuple[int, int]]:
    """How often each method is on the left and on the right."""
    left, right = (Counter(getattr(pair, side) for pair in study.pairs) for side in ("left", "right"))
    return {method: (left[method], right[method]) for method in study.methods}


def _append(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)
