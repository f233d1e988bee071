"""The bar and the time left cover all work of a run: closed forms, and companions that count images only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from core.runs.steps import IMAGES, MODEL, REPORT, Step, read, share_done, time_left, written
from core.runs.store import RunStore

NOW = 1_000_000.0


def steps() -> tuple[Step, ...]:
    """A run whose images take a third of its time, all done."""
    return (
        Step(MODEL, "Load the model", 10.0, True, "done", 1.0, NOW - 130, 10.0),
        Step(IMAGES, "Explain the images", 100.0, True, "done", 1.0, NOW - 120, 100.0),
        Step("concepts", "Concepts", 120.0, True, "running", 0.25, NOW - 20, 0.0),
        Step(REPORT, "Report", 70.0, True),
    )


def test_a_run_whose_images_are_done_is_neither_whole_nor_over() -> None:
    assert share_done(steps()) == pytest.approx((10 + 100 + 0.25 * 120) / 300)
    # 20 s for a quarter leave 60 s, and the report is still to come.
    assert time_left(steps(), NOW) == pytest.approx(60 + 70)
    ended = tuple(replace(step, state="done", share=1.0) for step in steps())
    assert (share_done(ended), time_left(ended, NOW)) == (1.0, 0.0)


def test_what_was_never_timed_follows_the_pace_of_the_run() -> None:
    unknown = tuple(replace(step, measured=False) for step in steps())
    # Images took what was expected, the running step 20 s for the 30 s of its quarter: (100 + 20) / 130.
    assert time_left(unknown, NOW) == pytest.approx(60 + 70 * 120 / 130)
    first = (replace(unknown[1], state="running", share=0.0, began=NOW, seconds=0.0), unknown[3])
    assert time_left(first, NOW) is None
    assert time_left(tuple(replace(step, measured=True) for step in first), NOW) == pytest.approx(170)


def test_a_step_that_takes_longer_than_expected_is_never_said_to_be_over() -> None:
    late = (Step(REPORT, "Report", 70.0, True, "running", 0.0, NOW - 500),)
    assert time_left(late, NOW) == pytest.approx(7.0)


@pytest.mark.parametrize(
    "text", ["{", "[1]", "null", '[{"name": "x"}]', json.dumps([{**vars(steps()[0]), "expected": float("nan")}])]
)
def test_steps_of_a_strange_run_are_none(text: str) -> None:
    assert read(text) == ()
    assert read(written(steps())) == steps()


def test_the_units_tell_how_far_the_images_are(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.create([("a", 2), ("b", 2)])
    store.set(state="running", steps=written([Step(IMAGES, "Images", 10.0, False, "running"), Step(REPORT, "R", 30.0)]))
    assert store.progress().seconds_left is None
    unit = store.claim("me")
    assert unit is not None
    store.finish(unit, "0" * 64, 1, 20.0)
    now = store.progress()
    # Half of the images took 20 s for 5 s expected: 20 s for the other half, and four times 30 s.
    assert now.share == pytest.approx(5 / 40) and now.seconds_left == pytest.approx(20 + 120)
    store.set(state="done")
    assert store.progress().share == 1.0


def test_a_request_to_stop_is_not_lost_when_the_work_goes_on(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    store.create()
    assert store.enter("reporting", "judging") and store.get("stage") == "judging"
    store.set(state="cancelling")
    assert not store.enter("reporting", "rendering") and store.get("state") == "cancelling"
