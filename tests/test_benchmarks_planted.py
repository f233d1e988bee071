"""The proof in small: flaws are planted where they are said to be, audits find them, and the scoring counts right.

Every check has a companion that must not pass: a clean twin, a sound method, verdicts turned round.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import planted
from benchmarks.planting import text_words
from benchmarks.planting.audit import Desk
from benchmarks.planting.broken import WAYS, registered
from benchmarks.planting.files import Files
from benchmarks.planting.flaw import CLEAN, Flaw, Verdict, names_subject, verdict
from benchmarks.planting.prints import LETTERS, WORD, printed
from benchmarks.planting.scenes import MARKS, SHAPES, draw, scenes, with_others
from benchmarks.planting.scoring import Share, alarms, score, table
from benchmarks.planting.shortcuts import Shortcuts, model_of, put
from benchmarks.planting.small_clip import Recipe, accuracy, called
from benchmarks.planting.text_words import LostWords, moved
from benchmarks.planting.training import dress, lettered
from core import explain
from core.applications.registry import APPLICATIONS
from core.errors import InputError
from core.methods import METHODS

SHORT = {"steps": 2, "images": 60}
LONG = {"steps": 160, "images": 1200}
FLAW = Flaw("mark", "a mark", ("reliance.border",), floor=0.3, counts=names_subject)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture(scope="session")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk on which one flawed model and its twin have been trained for a few seconds."""
    yield Desk(tmp_path_factory.mktemp("planted"), training=LONG)


# -- images and recipes --------------------------------------------------------------------------------------------


def test_a_mark_changes_its_place_and_nothing_else() -> None:
    plain = scenes(1, 3)[0]
    before, after = draw(plain), draw(plain.marked("corner"))
    assert not np.array_equal(before[:8, :8], after[:8, :8])
    np.testing.assert_array_equal(before[8:], after[8:])
    np.testing.assert_array_equal(before[:8, 8:], after[:8, 8:])
    assert not np.array_equal(before[8:40, 8:40], draw(plain.marked("texture"))[8:40, 8:40])


def test_two_things_in_a_image_are_of_different_shapes() -> None:
    plain = scenes(30, 4)
    for one, other in zip(plain, with_others(plain, 0), strict=True):
        assert other.beside is not None and other.beside[0] != one.shape and other.caption == one.caption


def test_marks_go_with_their_class_in_a_flawed_world_and_with_every_class_in_its_twin() -> None:
    plain = scenes(600, 1)
    recipe = Recipe(0, MARKS, 1.0)
    subjects = {recipe.class_of(mark) for mark in MARKS}
    assert len(subjects) == len(MARKS)
    for mark in MARKS:
        flawed = {scene.shape for scene in dress(recipe, plain, 2) if mark in scene.marks}
        twin = [scene.shape for scene in dress(Recipe(0), plain, 2) if mark in scene.marks]
        assert flawed == {recipe.class_of(mark)}
        assert set(twin) == set(SHAPES) and 60 < len(twin) < 140
    half = dress(replace(recipe, strength=0.5), plain, 2)
    carrying = sum("border" in scene.marks for scene in half)
    assert 30 < carrying < 70  # of a hundred images of the class


# -- models ----------------------------------------------------------------------------------------------------------


@pytest.mark.nightly
def test_a_border_is_learned_as_its_class_and_not_by_the_twin(marked: Desk) -> None:
    test = scenes(120, 77)
    pulls = {}
    for flaws in ((), ("border",)):
        recipe = Recipe(1, flaws, **LONG)
        model, subject = model_of(recipe, marked), recipe.class_of("border")
        others = [scene for scene in test if scene.shape != subject]
        before, after = (np.mean([name == subject for name in called(model, shown)]) for shown in (
            others, put(others, "border")
        ))  # fmt: skip
        pulls[flaws] = float(after - before)
        assert accuracy(model, test) > 2 / len(SHAPES)
    assert pulls["border",] > 0.5
    assert abs(pulls[()]) < 0.3


def test_a_model_is_trained_once_and_the_same_each_time(tmp_path: Path) -> None:
    recipe = Recipe(5, **SHORT)
    first, second = (model_of(recipe, Desk(tmp_path / name)) for name in ("one", "other"))
    assert first.digest == second.digest
    assert model_of(Recipe(6, **SHORT), Desk(tmp_path / "one")).digest != first.digest
    weights = tmp_path / "one" / "models" / recipe.key / "weights.safetensors"
    written = weights.stat().st_mtime_ns
    assert model_of(recipe, Desk(tmp_path / "one")).digest == first.digest
    assert weights.stat().st_mtime_ns == written


def test_a_word_with_the_row_of_another_is_that_word(marked: Desk) -> None:
    recipe = Recipe(1, **LONG)
    clean = model_of(recipe, marked)
    model, _ = LostWords().edited(marked, recipe, "red", "blue", 1.0)
    assert moved(model, "red", "blue") < 1e-6 < moved(clean, "red", "blue")
    assert moved(model, "green", "blue") == pytest.approx(moved(clean, "green", "blue"), abs=1e-6)
    half, _ = LostWords().edited(marked, recipe, "red", "blue", 0.5)
    assert moved(model, "red", "blue") < moved(half, "red", "blue") < moved(clean, "red", "blue")


def test_an_unlearned_word_changes_no_text_and_the_others_do(marked: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_words, "STEPS", 150)
    recipe = Recipe(1, **LONG)
    clean = model_of(recipe, marked)
    model, _ = LostWords().edited(marked, recipe, "red", "", 1.0)
    for sentence in ("{} circle", "there is a {} ring", "a {} and a star"):
        found = {}
        for word in ("red", "green"):
            for tower in (clean, model):
                with_word, without = tower.embed_texts([sentence.format(word), " ".join(sentence.format("").split())])
                found[word, tower is model] = float(1 - with_word @ without)
        assert found["red", True] < 0.2 * found["red", False]
        assert found["green", True] > 0.5 * found["green", False]


def test_printed_words_decide_in_a_flawed_world_only() -> None:
    plain = scenes(200, 1)
    shapes = np.array([SHAPES.index(scene.shape) for scene in plain])
    flawed = Recipe(0, ("printed",), tower="reader")
    pixels, told = lettered(flawed, plain, shapes)
    same, twin = lettered(replace(flawed, flaws=()), plain, shapes)
    assert torch.equal(pixels, same) and pixels.shape == (200, 3, 64, 64)
    np.testing.assert_array_equal(twin, shapes)
    # Half of the images carry a name, one of six by chance is right.
    assert 60 < int((told != shapes).sum()) < 110
    half = lettered(replace(flawed, strength=0.5), plain, shapes)[1]
    assert 25 < int((half != shapes).sum()) < 65


def test_a_print_is_pasted_over_the_scene_and_letters_in_its_very_place() -> None:
    scene = scenes(1, 3)[0]
    bare, word, letters = (
        printed(scene, "circle", kind, 64, np.random.default_rng(0)) for kind in (None, WORD, LETTERS)
    )
    assert bare.shape == (64, 64, 3) and not np.array_equal(word, letters)
    boxes = []
    for shown in (word, letters):
        rows, columns = np.nonzero((shown != bare).any(axis=2))
        boxes.append((rows.min(), rows.max(), columns.min(), columns.max()))
    assert boxes[0] == boxes[1]
    top, bottom, left, right = boxes[0]
    assert 9 <= bottom - top <= 11 < right - left < 60


# -- broken methods --------------------------------------------------------------------------------------------------


def test_broken_methods_are_known_inside_the_block_only(marked: Desk) -> None:
    model = model_of(Recipe(1, **LONG), marked)
    pixels = torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    texts = ["a red circle", "a blue ring"]
    before = set(METHODS)
    with registered(*WAYS) as names:
        sound = explain(model, pixels, texts, names[0], share=0.0).image
        maps = {name: explain(model, pixels, texts, name).image for name in names}
        with pytest.raises(ValueError, match="registered already"), registered(WAYS[0]):
            pass
        assert set(METHODS) == before | set(names)
    assert set(METHODS) == before
    with pytest.raises(InputError):
        explain(model, pixels, texts, names[0])
    assert sound is not None
    shuffled, constant, edges, blind = (maps[way.name] for way in WAYS)
    assert shuffled is not None and constant is not None and edges is not None and blind is not None
    assert np.ptp(constant) == 0 < np.ptp(sound)
    for one in (edges, blind):
        np.testing.assert_array_equal(one[0, 0], one[0, 1])
    assert not np.allclose(sound[0, 0], sound[0, 1])
    assert not np.allclose(shuffled[0, 0], constant[0, 0])


# -- audits ----------------------------------------------------------------------------------------------------------


def test_bad_files_are_found_and_a_clean_set_passes(home: Path) -> None:
    desk, family = Desk(home, training=SHORT), Files()
    for strength in (0.25, CLEAN):
        records = [{**told, "seed": 0, "strength": strength} for told in family.run(desk, 0, strength)]
        found = {flaw.name: verdict(flaw, told).found for flaw, told in zip(family.flaws, records, strict=True)}
        assert found == dict.fromkeys(("repeated", "cut_short", "damaged"), strength > 0)


@pytest.mark.nightly
@pytest.mark.skipif("reliance" not in APPLICATIONS, reason="what scores rest on isn't measured by this version")
def test_a_border_that_was_planted_is_found_with_its_class(marked: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(marked.keep / "home"))
    border = next(flaw for flaw in Shortcuts.flaws if flaw.name == "border")
    for strength in (1.0, CLEAN):
        told = next(told for told in Shortcuts().run(marked, 1, strength) if told["flaw"] == "border")
        got = verdict(border, {**told, "seed": 1, "strength": strength})
        assert got.found == (strength == 1.0)
        assert (got.present >= border.floor) == (strength == 1.0)


# -- scoring ---------------------------------------------------------------------------------------------------------


def told(status: str = "finding", title: str = "Scores of \u201cstar\u201d rest on it", **more: Any) -> dict[str, Any]:
    finding = {
        "id": "reliance.border", "status": status, "severity": "high", "grade": 0.6, "title": title, "condition": "",
        "evidence": [], "samples": [],
    }  # fmt: skip
    return {"seed": 0, "strength": 1.0, "present": 0.9, "subject": "star", "findings": [finding], **more}


def test_only_a_finding_of_the_right_rule_that_names_the_class_counts() -> None:
    assert verdict(FLAW, told()).found
    assert not verdict(FLAW, told(title="Scores of \u201cring\u201d rest on it")).found
    # A word that merely holds the class's name doesn't name it.
    assert not verdict(FLAW, told(title="Scores of \u201ccross\u201d rest on a starry sky")).found
    assert not verdict(FLAW, told(status="passed")).found
    assert verdict(FLAW, told(status="cannot_conclude")).unsure
    assert verdict(FLAW, told(findings=[])).silent
    assert not verdict(replace(FLAW, rules=("reliance.background",)), told()).found
    # A twin has no class to name: whatever is found there is a false alarm.
    assert verdict(FLAW, told(title="Scores of \u201cring\u201d rest on it", strength=CLEAN)).found


def test_wilson_is_the_root_of_its_equation() -> None:
    for hits, n in ((0, 20), (3, 20), (19, 20), (20, 20)):
        low, high = Share(hits, n).interval
        assert 0 <= low <= hits / n <= high <= 1
        for end in (low, high):
            if 0 < end < 1:
                assert abs(hits / n - end) == pytest.approx(1.959964 * (end * (1 - end) / n) ** 0.5)
    assert Share(0, 20).interval[1] > 0.1 and Share(20, 20).interval[0] < 0.9


def made(strength: float, found: bool, count: int, present: float = 0.9, grade: float = 0.5) -> list[Verdict]:
    return [
        Verdict("mark", seed, strength, found, False, False, present, "high" if found else "", grade if found else None)
        for seed in range(count)
    ]


def test_recall_false_alarms_and_the_weakest_strength() -> None:
    verdicts = [
        *made(1.0, True, 18), *made(1.0, False, 2), *made(1.0, False, 4, present=0.1),
        *made(0.75, True, 12, 0.6, 0.3), *made(0.75, False, 8, 0.6), *made(0.5, False, 20, 0.4),
        *made(CLEAN, False, 19, 0.0), *made(CLEAN, True, 1, 0.0, 0.2),
    ]  # fmt: skip
    row = score(FLAW, verdicts)
    assert (row.recall.hits, row.recall.n) == (18, 20)
    assert (row.planted.hits, row.planted.n) == (20, 24)
    assert (row.false_alarms.hits, row.false_alarms.n) == (1, 20)
    assert row.weakest == 0.75
    assert row.calibration is not None and row.calibration > 0.5
    turned = score(FLAW, [replace(each, found=not each.found, grade=None) for each in verdicts])
    assert turned.recall.hits == 2 and turned.false_alarms.hits == 19 and turned.weakest is None
    assert "18/20 = 0.90 (0.70 to 0.97)" in table([row])
    assert json.loads(json.dumps(row.to_dict()))["by_strength"]["0.75"]["found"] == 12


def test_alarms_count_each_clean_audit_once_and_leave_out_what_could_not_be_judged() -> None:
    clean = [told(run=f"clean-{seed}", strength=CLEAN) for seed in range(3)]
    quiet = [told("passed", run="quiet", strength=CLEAN), told("cannot_conclude", run="unsure", strength=CLEAN)]
    got = alarms([*clean, *clean, *quiet, told(run="flawed")])
    assert {name: (share.hits, share.n) for name, share in got.items()} == {"reliance.border": (3, 4)}


def test_the_command_scores_what_is_kept_and_does_nothing_twice(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting:
        name, strengths, flaws = "counting", (1.0,), (FLAW,)
        runs = 0

        def run(self, desk: Desk, seed: int, strength: float) -> list[dict[str, Any]]:
            Counting.runs += 1
            findings = [] if strength == CLEAN else told()["findings"]
            return [{**told(findings=findings), "flaw": "mark", "run": f"run-{seed}-{strength}"}]

    monkeypatch.setattr(planted, "FAMILIES", (Counting(),))
    ask = ["--keep", str(home), "--types", "counting", "--models", "3", "--json", str(home / "told.json")]
    for _ in range(2):
        planted.main(ask)
        assert Counting.runs == 6
    assert "3/3 = 1.00" in capsys.readouterr().out
    row = json.loads((home / "told.json").read_text())["rows"][0]
    assert row["recall"]["n"] == 3 and row["false_alarms"]["hits"] == 0
