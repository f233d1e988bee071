"""`python -m core user-study`: maps without names for raters, sheets out and in, and what their votes show."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from core.characters import brief
from core.content.heat import geometry_of, overlay
from core.content.words import measured, p_value, plural
from core.datasets.sheets import read_sheet
from core.datasets.texts import write_csv
from core.drafts import own_folder
from core.errors import InputError
from core.evaluation.user_preference import PREFERENCE, Preference, agreement, preferences
from core.evaluation.user_study import (
    CHOICES,
    QUESTION,
    STUDY,
    Study,
    add_votes,
    counted,
    designed,
    load_study,
    load_votes,
    start_study,
)
from core.methods import method_info
from core.rules.parts import title_of
from core.run_commands import Answer, find_run
from core.runs import Run
from core.runs.results import ResultRow
from core.runs.rows import typed
from core.settings import study_folder

COLUMNS = ("number", "pair", "text", "image", "left", "right", "choice")
IMAGES, SIDE = 12, 640
MAPS = "maps"


def user_study(chosen: argparse.Namespace) -> Answer:
    """Start a study of a run, write a rater's sheet, read a filled one, and state what the votes show."""
    place = Path(chosen.place)
    if (place / STUDY).exists():
        folder = place
        if chosen.methods or chosen.images or chosen.seed is not None or chosen.out:
            raise InputError(f"{place} is a study already; --methods, --images, --seed and --out start one from a run")
    else:
        folder = _started(chosen)
    study = load_study(folder)
    rater = " ".join((chosen.rater or "").split())
    if (chosen.sheet or chosen.read) and not rater:
        raise InputError("--sheet and --read need --rater with the name of the person who rates")
    if chosen.read is not None:
        add_votes(folder, rater, filled(chosen.read, study))
    if chosen.sheet is not None:
        write_sheet(chosen.sheet, study, rater)
    return _answer(folder, study, chosen.sheet)


def study_of(run: Run, methods: list[str], images: int, seed: int) -> Study:
    """A study of the maps of some methods in a run. Raises `InputError` if no image and text has a map of each."""
    wanted = list(dict.fromkeys(methods))
    rows = run.results()
    rows = rows[(rows.kind == "method") & (rows.status == "ok") & rows["map"].notna() & rows.method.isin(wanted)]
    maps: dict[tuple[str, str, str], list[str]] = {}
    for row in typed(rows, ResultRow):
        maps.setdefault((row.image, row.image_name, str(row.text)), []).append(str(row.method))
    complete = {key: sorted(set(found)) for key, found in maps.items() if set(found) == set(wanted)}
    if not complete or len(wanted) < 2:
        every = ", ".join(wanted)
        raise InputError(
            f"{run.handle} has no image and text with a map of each of {every}; name two or more methods of the audit "
            "that have image maps"
        )
    return designed(run.id, complete, images, seed)


def write_sheet(path: Path, study: Study, rater: str) -> None:
    """Write the pairs in the rater's order as CSV, with an empty column for the choices. No method is named.

    Raises `InputError` if it cannot be written.
    """
    rows = [
        {
            "number": number,
            "pair": at,
            "text": study.pairs[at].text,
            **{side: f"{MAPS}/{at:04d}-{side}.jpg" for side in ("image", "left", "right")},
            "choice": "",
        }
        for number, at in enumerate(study.order(rater), 1)
    ]
    try:
        write_csv(path, rows, COLUMNS)
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); name a file in a folder that exists") from error


def filled(path: Path, study: Study) -> dict[int, str]:
    """The choices of a filled sheet by pair; rows without one are left out. Raises `InputError` with the row."""
    title = brief(path.name, 80)
    found: dict[int, str] = {}
    seen: set[int] = set()
    for number, cells in read_sheet(path, ("pair", "choice")):
        pair, choice = cells["pair"].strip(), cells["choice"].strip().lower()
        if not pair.isdecimal() or int(pair) >= len(study.pairs):
            raise InputError(f"{title}: row {number} has the pair {brief(pair, 40)!r}, which is not in this study")
        if int(pair) in seen:
            raise InputError(f"{title}: row {number} repeats the pair {pair}; keep one row for each pair")
        seen.add(int(pair))
        if choice and choice not in CHOICES:
            raise InputError(f"{title}: row {number} has the choice {brief(choice, 40)!r}; use {', '.join(CHOICES)}")
        if choice:
            found[int(pair)] = choice
    if not found:
        raise InputError(f"{title} has no choices; fill in the column choice with {', '.join(CHOICES)}")
    return found


def _started(chosen: argparse.Namespace) -> Path:
    run = find_run(chosen.place)
    names = [name.strip() for name in (chosen.methods or "").split(",") if name.strip()]
    if not names:
        raise InputError("name the methods to compare with --methods, two or more")
    count = IMAGES if chosen.images is None else chosen.images
    if count < 1:
        raise InputError(f"--images must be 1 or more, not {count}")
    study = study_of(run, [method_info(name).name for name in names], count, chosen.seed or 0)
    folder: Path = chosen.out or study_folder(run.id)
    start_study(folder, study)
    _write_maps(run, study, folder)
    return folder


def _write_maps(run: Run, study: Study, folder: Path) -> None:
    """The image and both maps of each pair; all maps are drawn on one scale, from their lowest to highest value."""
    rows = run.results()
    rows = rows[(rows.kind == "method") & (rows.status == "ok") & rows.method.isin(study.methods)]
    found = {(row.image, row.text, row.method): row for row in typed(rows, ResultRow)}
    images = {entry.id: entry for entry in run.dataset.images}
    with own_folder(".maps-", folder) as draft:
        for at, pair in enumerate(study.pairs):
            entry = images[pair.image]
            opened = run.dataset.open(entry)
            small = opened.copy()
            small.thumbnail((SIDE, SIDE))
            small.save(draft / f"{at:04d}-image.jpg", quality=90)
            for side, method in (("left", pair.left), ("right", pair.right)):
                row = found[(pair.image, pair.text, method)]
                values = np.asarray(row.map, dtype=np.float64).reshape(int(row.rows), int(row.columns))
                drawn = overlay(opened, values, geometry_of(run, entry.width, entry.height), side=SIDE)
                drawn.save(draft / f"{at:04d}-{side}.jpg", quality=90)
        draft.chmod(0o755)
        shutil.rmtree(folder / MAPS, ignore_errors=True)
        draft.replace(folder / MAPS)


def result_lines(study: Study, found: list[Preference]) -> list[str]:
    """Each method with its share of preferences and the test, in words."""
    return [
        f"{title_of(one.method)}: preferred in {measured(one.share.value, one.share.low, one.share.high, one.share.n)} "
        f"images ({plural(one.votes, 'vote')}); p = {p_value(one.p)}, adjusted {p_value(one.p_adjusted)}"
        for one in found
    ]


def _answer(folder: Path, study: Study, sheet: Path | None) -> Answer:
    votes = load_votes(folder, study)
    raters = {rater: len(choices) for rater, choices in counted(votes).items()}
    images = len({pair.image for pair in study.pairs})
    lines = [f"{folder}: {plural(len(study.pairs), 'pair')} of maps of {plural(images, 'image')}, seed {study.seed}"]
    if sheet is not None:
        lines.append(f"{sheet}: fill in the column choice with {', '.join(CHOICES)}. {QUESTION}")
    lines += [f"{rater}: {count} of {len(study.pairs)}" for rater, count in raters.items()]
    data: dict[str, Any] = {
        "folder": str(folder),
        "pairs": len(study.pairs),
        "images": images,
        "seed": study.seed,
        "raters": raters,
        "agreement": None,
        "preferences": [],
    }
    if votes:
        alpha, found = agreement(study, votes), preferences(study, votes)
        value = measured(alpha.value, alpha.low, alpha.high, alpha.n)
        lines.append(f"Krippendorff's alpha of the raters: {value} images")
        lines += result_lines(study, found)
        lines.append(
            f"one half means that neither is preferred; p by flipping signs over images, {PREFERENCE.over}; raters are "
            "taken as given"
        )
        data["agreement"] = vars(alpha)
        data["preferences"] = [{**vars(one), "share": vars(one.share)} for one in found]
    return {"text": "\n".join(lines), "data": data}, 0
