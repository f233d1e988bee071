"""The spot check of a run: a random sample of its images with one statement each, and what people marked. No torch.

It lies in `spot_check.json` of the run, is replaced whole under a lock, and is sealed with the run. Marks are only
added; of several marks of one judge on one image the last counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from core.characters import folded, line_of
from core.drafts import write_whole
from core.errors import InputError, Refused, RunError, first_line
from core.processes import locked
from core.runs import access
from core.runs.access import Actor
from core.runs.opened import check_changeable
from core.runs.parts import Name, Part, Seed
from core.runs.plan import first_problem
from core.runs.run import Run
from core.sandbox.files import read_file
from core.settings import LIMITS

SPOT_CHECK = "spot_check.json"
Verdict = Literal["right", "wrong", "unsure"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
# What a judge is asked to mark; the report prints it.
PROTOCOL = (
    "Right: the statement is true of what is clearly visible in the image. Wrong: it is not. Unsure: the image does "
    "not show whether it is true."
)  # messages
MOST_MARKS, MOST_BYTES = 200_000, 64 * 2**20

Judge = Annotated[str, BeforeValidator(line_of), Field(min_length=1, max_length=100)]


class Stratum(Part):
    """A part of the images from which a simple random sample was drawn: its name, its size and how many were drawn."""

    name: Name
    size: int = Field(ge=1)
    drawn: int = Field(ge=1)


class DrawnImage(Part):
    """A drawn image: the statement to be marked, and the position of its stratum."""

    image: Name
    image_name: str = Field(max_length=LIMITS.path_characters)
    statement: str = Field(max_length=LIMITS.text_characters)
    stratum: int = Field(ge=0)


class Mark(Part):
    """What one judge marked on one image. `at`: when, in ISO form, in UTC. `verified`: whether the name of the judge is
    that of an identity which was checked, and not only typed.
    """

    image: Name
    judge: Judge
    verdict: Verdict
    at: str = Field(max_length=40)
    verified: bool = False


class SpotCheck(Part):
    """The sample, in the order in which it is shown, and the marks in the order in which they were made."""

    version: Literal[1] = 1
    application: Name
    seed: Seed
    strata: tuple[Stratum, ...] = Field(min_length=1)
    sample: tuple[DrawnImage, ...] = Field(min_length=1, max_length=LIMITS.files)
    marks: tuple[Mark, ...] = Field((), max_length=MOST_MARKS)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [entry.image for entry in self.sample]
        if len(set(ids)) < len(ids):
            raise ValueError("an image was drawn twice")
        drawn = [0] * len(self.strata)
        for entry in self.sample:
            if entry.stratum >= len(drawn):
                raise ValueError("an image belongs to an unknown stratum")
            drawn[entry.stratum] += 1
        if drawn != [stratum.drawn for stratum in self.strata]:
            raise ValueError("the strata and the sample do not belong together")
        if any(stratum.drawn > stratum.size for stratum in self.strata):
            raise ValueError("more images were drawn from a stratum than it has")
        if not {mark.image for mark in self.marks} <= set(ids):
            raise ValueError("a mark is of an image that was not drawn")
        return self

    @property
    def population(self) -> int:
        """How many images the sample stands for."""
        return sum(stratum.size for stratum in self.strata)

    @property
    def judges(self) -> tuple[str, ...]:
        """Who marked, in the order of their first mark."""
        return tuple(dict.fromkeys(mark.judge for mark in self.marks))

    def probability(self, entry: DrawnImage) -> float:
        """The probability with which an image of this stratum was drawn."""
        stratum = self.strata[entry.stratum]
        return stratum.drawn / stratum.size

    def is_verified(self, judge: str) -> bool:
        """Whether every mark of a judge was made under a verified identity."""
        return all(mark.verified for mark in self.marks if mark.judge == judge)

    def verdicts(self, judge: str) -> dict[str, Verdict]:
        """The last verdict of a judge on each image that they marked."""
        return {mark.image: mark.verdict for mark in self.marks if mark.judge == judge}

    def together(self) -> dict[str, Verdict]:
        """One verdict for each image that anybody marked: "unsure" where judges differ."""
        found: dict[str, set[Verdict]] = {}
        for judge in self.judges:
            for image, verdict in self.verdicts(judge).items():
                found.setdefault(image, set()).add(verdict)
        return {image: verdicts.pop() if len(verdicts) == 1 else "unsure" for image, verdicts in found.items()}


def load_spot_check(run: Run) -> SpotCheck | None:
    """The spot check of a run, None if none was drawn. Raises `RunError` if its file is damaged."""
    return run.once(_load)


def _load(run: Run) -> SpotCheck | None:
    path = run.folder / SPOT_CHECK
    if not os.path.lexists(path):
        return None
    try:
        return SpotCheck.model_validate(json.loads(read_file(path, MOST_BYTES, links=False)))
    except ValidationError as error:
        raise RunError(
            f"{path} is damaged ({first_problem(error)}); restore it, or remove it to start again"
        ) from error
    except (Refused, ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged ({first_line(error)}); restore it, or remove it to start again") from error


def start_spot_check(run: Run, check: SpotCheck, by: Actor | None = None) -> SpotCheck:
    """Store a new sample; `by` is who draws it, the account of this process unless given.

    Raises `InputError` where an earlier one has marks, which would be lost, and for whoever may not draw one.
    """
    check_changeable(run)
    access.check(by or access.actor_here(), "reviewer", "draw a spot check")
    with locked(run.folder):
        earlier = _load(run)
        if earlier is not None and earlier.marks:
            raise InputError(
                f"a spot check with {len(earlier.marks)} marks exists; remove {SPOT_CHECK} from the folder of the run "
                "to draw another sample"
            )
        _save(run, check)
    return check


def add_marks(run: Run, judge: str | Actor, verdicts: Mapping[str, str], at: str = "") -> SpotCheck:
    """Add a judge's verdicts by image id, all or none; a verdict that is the judge's last one already is left out.

    A judge is known by name, without case and repeated blanks. Raises `InputError` for an empty or too long name, for
    whoever may not mark images, an image that was not drawn, or a verdict that is not one of `VERDICTS`; `RunError`
    where no sample was drawn.
    """
    actor = judge if isinstance(judge, Actor) else Actor(judge)
    check_changeable(run)
    access.check(actor, "reviewer", "mark images of a spot check")
    moment = at or datetime.now(UTC).isoformat(timespec="seconds")
    with locked(run.folder):
        check = _load(run)
        if check is None:
            raise RunError(
                "no spot check was drawn for this run; draw one with `python -m core spot-check RUN --sheet`"
            )
        known = {folded(name): name for name in check.judges}
        name = known.get(folded(actor.name), " ".join(str(line_of(actor.name)).split()))
        before = check.verdicts(name)
        new = [
            {"image": image, "judge": name, "verdict": verdict, "at": moment, "verified": actor.verified}
            for image, verdict in verdicts.items()
            if before.get(image) != verdict
        ]
        if not name:
            raise InputError("a mark needs the name of the judge; give it")
        if not new:
            return check
        try:
            marked = SpotCheck.model_validate({**check.model_dump(), "marks": [*check.model_dump()["marks"], *new]})
        except ValidationError as error:
            raise InputError(f"the marks cannot be stored: {first_problem(error)}") from error
        _save(run, marked)
    return marked


def _save(run: Run, check: SpotCheck) -> None:
    text = json.dumps(check.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    write_whole(run.folder / SPOT_CHECK, text.encode())


def counts(verdicts: Iterable[str]) -> dict[str, int]:
    """How often each verdict was given."""
    given = list(verdicts)
    return {verdict: given.count(verdict) for verdict in VERDICTS}
