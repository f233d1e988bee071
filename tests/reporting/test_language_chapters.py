"""Chapters that few runs have, in another language: another model, an earlier run, annotated objects.

Every text of the product comes from a catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.evaluation.comparison import compare, save_comparisons
from core.findings.earlier import keep_earlier, keep_predecessor
from core.languages import Catalogue, Voice, voice_of
from core.languages.catalogue import known
from core.reporting.changes import PLAN_PARTS
from core.reporting.html import FULL, STAKEHOLDER
from core.runs import Plan, Run
from core.runs.succession import follow
from tests.reporting.test_language_edition import (
    data_words,
    edition,
    kept_out,
    marked_voice,
    recorded_words,
    unmarked,
)
from tests.reporting.test_reporting_localisation import annotated
from tests.support.made_run import made_run
from tests.support.made_segmentation import LABELS, made_segmentation


def compared(folder: Path) -> Run:
    """A run beside two others: with methods that only one has, without a value in a table, on few images."""
    run = made_run(folder / "run", images=8, methods=("raw", "m2ib", "rise", "gradcam"))
    other = made_run(folder / "other", images=8, methods=("raw", "rise", "gradcam", "occlusion"), seed=3)
    small = made_run(folder / "small", images=8, methods=("raw", "rise"), seed=5)
    for name, each in (("e", other), ("f", small)):
        each.update_manifest(model={**each.manifest["model"], "digest": name * 64, "title": "RISE"})
    first, second = compare(run, other), compare(run, small)
    parts = {"maps": second.maps[second.maps.method == "raw"], "trust": second.trust[second.trust.method == "rise"]}
    save_comparisons(run, [first, replace(second, **parts)])
    run.update_manifest(comparison_problems=["manifest"])
    return run


def later(folder: Path) -> Run:
    """A run after one of the same plan, in which a unit failed."""
    earlier = made_run(folder / "earlier", images=8, methods=("raw", "rise"), failed=1, failed_rows=1)
    run = made_run(folder / "run", images=8, methods=("raw", "rise"), further=True)
    keep_earlier(run, earlier)
    return run


def changed(folder: Path) -> Run:
    """A run of an edited plan, after other weights and another program; it names the run that it was planned from."""
    earlier = made_run(folder / "earlier", images=8, methods=("raw", "rise"))
    earlier.update_manifest(
        model={**earlier.manifest["model"], "digest": "e" * 64},
        environment={**earlier.manifest["environment"], "code_sha256": "f" * 64},
    )
    run = made_run(folder / "run", images=8, methods=("raw", "gradcam"), failed=1)
    follow(run, earlier)
    keep_predecessor(run)
    assert (run.folder / "earlier.json").exists()
    return run


def orphan(folder: Path) -> Run:
    """A run that was planned from one that is no longer there."""
    run = made_run(folder / "run", images=4, methods=("raw",))
    run.update_manifest(predecessor={"run": "gone", "plan_sha256": "0" * 64})
    keep_predecessor(run)
    return run


def segmented(folder: Path) -> Run:
    """A run whose segmentation, labels and points were compared with masks."""
    run = made_run(folder / "run", images=8, methods=("raw", "rise"), applications=("segmentation",))
    made_segmentation(run)
    return run


MADE: dict[str, Callable[[Path], Run]] = {
    "compared": compared, "later": later, "changed": changed, "orphan": orphan, "annotated": annotated,
    "segmented": segmented,
}  # fmt: skip
# A text that only this run has, as a companion that must be seen without its message.
OWN = {
    "compared": "Comparisons that could not be made",
    "later": "Changes since the earlier run",
    "changed": "Findings that differ between the two runs, with 95 % interval",
    "orphan": "Findings are not compared: {problem}.",
    "annotated": "Maps compared with annotated objects",
    "segmented": "Overlap with drawn objects",
}


@pytest.fixture(scope="module", params=MADE)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Run]:
    return request.param, MADE[request.param](tmp_path_factory.mktemp(request.param))


def test_parts_of_a_plan_have_messages() -> None:
    assert {name.replace("_", " ") for name in Plan.model_fields} <= {*PLAN_PARTS, "declared"}
    assert set(PLAN_PARTS) <= known()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("later", ("Ein Teil der geplanten Arbeit fehlt", "1 erledigt", "bestanden: Anteil fehlgeschlagener")),
        ("changed", ("(anders: Verfahren)", "1 neu", "Gewichte und Programm unterscheiden sich")),
        ("orphan", ("Die Befunde werden nicht verglichen: Er liegt nicht neben diesem Lauf.",)),
        ("compared", ("Loupe demo neben RISE", "Vergleiche, die nicht durchgeführt werden konnten")),
        ("segmented", ("Überdeckung mit eingezeichneten Objekten",)),
        ("annotated", ("Karten im Vergleich mit eingezeichneten Objekten",)),
    ],
)
def test_the_chapter_in_german(name: str, words: tuple[str, ...], tmp_path: Path) -> None:
    page = edition(MADE[name](tmp_path), voice_of("de"), FULL)
    assert [text for text in words if text not in page] == []


def left(run: Run, voice: Voice, template: str) -> set[str]:
    """The words that are neither marked nor data."""
    labels = {word for label in LABELS for word in label.split()}
    return unmarked(kept_out(edition(run, voice, template))) - data_words(run) - recorded_words(run) - labels


def test_every_text_comes_from_the_catalogue(made: tuple[str, Run]) -> None:
    _, run = made
    for template in (FULL, STAKEHOLDER):
        assert left(run, marked_voice(), template) == set()


def test_the_check_sees_a_text_outside_the_catalogue(made: tuple[str, Run]) -> None:
    name, run = made
    whole = marked_voice().catalogue
    without = {english: told for english, told in whole.messages.items() if english != OWN[name]}
    assert left(run, Voice(Catalogue("de", without, whole.counted)), FULL) & set(OWN[name].split())
