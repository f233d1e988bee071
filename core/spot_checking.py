"""`python -m core spot-check`: the sheet of a spot check, and the marks that people made on it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.applications.spot_check import SIZE, accuracy, agreements, draw, outdated
from core.characters import brief, folded
from core.content.words import measured, plural
from core.datasets.sheets import read_sheet
from core.datasets.texts import escape_cell, write_csv
from core.errors import InputError
from core.run_commands import Answer, find_run
from core.runs import Run
from core.runs.access import actor_here
from core.runs.spot_check import PROTOCOL, VERDICTS, SpotCheck, add_marks, counts, load_spot_check, start_spot_check

COLUMNS = ("number", "id", "image", "class", "mark")


def spot_check(chosen: argparse.Namespace) -> Answer:
    """Draw the sample where there is none, write the sheet, read a filled one, and state what the marks show."""
    run = find_run(chosen.run_directory)
    judge = actor_here(chosen.judge or "")
    if chosen.read is not None and not judge.name:
        raise InputError("--read needs --judge with the name of the person who marked the images")
    check = load_spot_check(run)
    if check is None or chosen.size is not None or chosen.seed is not None:
        if chosen.read is not None:
            raise InputError("no spot check was drawn for this run; export its sheet first with --sheet")
        check = start_spot_check(run, draw(run, chosen.size or SIZE, chosen.seed), judge)
    elif outdated(run, check):
        raise InputError(
            f"the predictions of {run.handle} have changed since its spot check was drawn; remove spot_check.json from "
            "its folder to draw another sample"
        )
    lines = [f"{len(check.sample)} of {plural(check.population, 'image')} drawn, seed {check.seed}"]
    if chosen.read is not None:
        check = add_marks(run, judge, filled(chosen.read, check))
    if chosen.sheet is not None:
        write_sheet(chosen.sheet, check)
        lines += [f"{chosen.sheet}: fill in the column mark with {', '.join(VERDICTS)}. {PROTOCOL}"]
    lines += _lines(check)
    if check.marks:
        lines.append(f"`python -m core report {run.handle}` prints this in the report and seals it")
    return {"text": "\n".join(lines), "data": _data(run, check)}, 0


def write_sheet(path: Path, check: SpotCheck) -> None:
    """Write the sample as CSV, in its order, with an empty column for the marks. Strata and scores are left out.

    Raises `InputError` if it cannot be written.
    """
    rows = [
        {"number": at, "id": entry.image, "image": entry.image_name, "class": entry.statement, "mark": ""}
        for at, entry in enumerate(check.sample, 1)
    ]
    try:
        write_csv(path, rows, COLUMNS)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); name a file in a folder that exists") from error


def filled(path: Path, check: SpotCheck) -> dict[str, str]:
    """The verdicts of a filled sheet by image id; rows without a mark are left out.

    Raises `InputError` with the row for anything that is not of this sample or not a verdict.
    """
    known = {entry.image: entry for entry in check.sample}
    verdicts: dict[str, str] = {}
    title = brief(path.name, 80)
    seen: set[str] = set()
    for number, cells in read_sheet(path, ("id", "class", "mark")):
        image, mark = cells["id"].lstrip("'"), cells["mark"].strip().lower()
        entry = known.get(image)
        if entry is None:
            raise InputError(f"{title}: row {number} has the id {brief(image, 40)!r}, which is not in this sample")
        if image in seen:
            raise InputError(f"{title}: row {number} repeats the id {image}; keep one row for each image")
        seen.add(image)
        if folded(cells["class"]) not in {folded(entry.statement), folded(str(escape_cell(entry.statement)))}:
            wrong = brief(cells["class"], 60)
            raise InputError(f"{title}: row {number} has the class {wrong!r}; the sheet has {entry.statement!r}")
        if mark and mark not in VERDICTS:
            raise InputError(f"{title}: row {number} has the mark {brief(mark, 40)!r}; use {', '.join(VERDICTS)}")
        if mark:
            verdicts[image] = mark
    if not verdicts:
        raise InputError(f"{title} has no marks; fill in the column mark with {', '.join(VERDICTS)}")
    return verdicts


def _lines(check: SpotCheck) -> list[str]:
    lines = []
    for judge in check.judges:
        given = counts(check.verdicts(judge).values())
        lines.append(f"{judge}: " + ", ".join(f"{count} {verdict}" for verdict, count in given.items()))
    if check.marks:
        found = accuracy(check, check.together())
        for case, each in (("wrong", found.least), ("right", found.most)):
            value = measured(each.value, each.low, each.high, each.n)
            lines.append(f"accuracy if images without a clear mark are {case}: {value}")
    for pair in agreements(check):
        kappa = pair.kappa
        value = measured(kappa.value, kappa.low, kappa.high, kappa.n)
        lines.append(f"Cohen's kappa of {pair.first} and {pair.second}: {value}")
    return lines


def _data(run: Run, check: SpotCheck) -> dict[str, Any]:
    found = accuracy(check, check.together()) if check.marks else None
    return {
        "run": str(run.folder),
        "drawn": len(check.sample),
        "images": check.population,
        "seed": check.seed,
        "judges": {judge: counts(check.verdicts(judge).values()) for judge in check.judges},
        "accuracy": None if found is None else {"least": vars(found.least), "most": vars(found.most)},
        "kappa": [{"judges": [each.first, each.second], **vars(each.kappa)} for each in agreements(check)],
    }
