"""Applications and comparisons behind the units: complete or not at all, never the end of an audit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import Field

from core.applications.application import Work
from core.applications.card import ApplicationInfo
from core.audit.stages import compare_runs, run_applications
from core.content.assets import Assets
from core.errors import InputError
from core.evaluation.comparison import load_comparisons
from core.methods.info import Options
from core.models.model import Meter
from core.reporting.applications import applications as chapter
from core.runs import ApplicationPlan, Run, create_run
from core.runs.integrity import APPLICATIONS
from tests.support.applications import add_application
from tests.support.contexts import context_of
from tests.support.made_run import made_run


class CountOptions(Options):
    fail: str = ""
    times: int = Field(1, ge=1)


def card(name: str, needs: tuple[str, ...] = ("embeddings",)) -> ApplicationInfo:
    words = dict.fromkeys(("title", "paper", "question", "idea", "assumes", "fails", "differs"), f"{name} of a test")
    return ApplicationInfo(
        name=name, year=2026, needs=needs, schema=CountOptions, cost_model=lambda options: 1.0, **words
    )


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Two applications of a test; the names of those that worked."""
    made: list[str] = []

    def work_of(name: str) -> Work:
        def work(subject: Any, options: CountOptions, out: Path, tell: Any) -> None:
            made.append(name)
            (out / "found.json").write_text(str(len(subject.images) * options.times))
            if options.fail == "told":
                raise InputError("there is nothing to count; give an image")
            if options.fail == "wild":
                raise ZeroDivisionError("division by zero")

        return work

    for name, needs in (("counting", ("embeddings",)), ("sensing", ("image_attention",))):
        add_application(monkeypatch, card(name, needs), work_of(name))
    yield made


def planned(folder: Path, *parts: ApplicationPlan) -> Run:
    """A finished run whose plan also names applications."""
    done = made_run(folder / "done", images=3)
    plan = done.plan.model_copy(update={"applications": parts, "dataset_root": str(done.dataset.root)})
    run = create_run(folder / "run", plan)
    run.update_manifest(**done.manifest)
    run.store.set(state="running")
    return run


MODEL: Any = SimpleNamespace(capabilities=frozenset({"embeddings"}), meter=Meter())


def test_an_application_leaves_its_record_with_hashes_and_is_not_done_twice(calls: list[str], tmp_path: Path) -> None:
    run = planned(tmp_path, ApplicationPlan(name="counting", options={"times": 2}))
    told: list[str] = []
    assert run_applications(run, MODEL, told.append)
    assert (run.folder / APPLICATIONS / "counting" / "found.json").read_text() == "6"
    record = run.manifest[APPLICATIONS]["counting"]
    assert list(record["files"]) == ["applications/counting/found.json"]
    assert len(record["files"]["applications/counting/found.json"]) == 64
    assert run_applications(run, MODEL, told.append)
    assert calls == ["counting"]


@pytest.mark.parametrize(
    ("fail", "line"),
    [("told", "there is nothing to count; give an image"), ("wild", "ZeroDivisionError: division by zero")],
)
def test_a_failure_is_told_and_leaves_nothing_half_written(
    calls: list[str], tmp_path: Path, fail: str, line: str
) -> None:
    run = planned(tmp_path, ApplicationPlan(name="counting", options={"fail": fail}))
    assert run_applications(run, MODEL, lambda text: None)
    assert run.manifest["application_problems"] == {"counting": line}
    assert not list((run.folder / APPLICATIONS).iterdir())
    assert APPLICATIONS not in run.manifest
    (section,) = chapter(context_of(run, Assets()))[0].sections
    assert section.facts[0].value == f"failed: {line}"


def test_one_that_the_model_cannot_serve_is_listed_with_the_reason(calls: list[str], tmp_path: Path) -> None:
    run = planned(tmp_path, ApplicationPlan(name="sensing"))
    assert run_applications(run, MODEL, lambda text: None)
    assert calls == []
    name, side, reason = run.manifest["not_run"][-1]
    assert (name, side) == ("sensing", "data set")
    assert "attention" in reason
    assert chapter(context_of(run, Assets()))[0].sections[0].facts[0].value == f"not run: {reason}"


def test_a_cancelled_run_stops_between_applications(calls: list[str], tmp_path: Path) -> None:
    run = planned(tmp_path, ApplicationPlan(name="counting"))
    run.store.set(state="cancelling")
    assert not run_applications(run, MODEL, lambda text: None)
    assert calls == []


def test_a_run_that_cannot_be_compared_says_so_and_the_others_are(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2)
    other = made_run(tmp_path / "other", images=2, seed=4)
    other.update_manifest(model={**other.manifest["model"], "digest": "e" * 64, "title": "Another"})
    run.update_manifest(compare_with=[str(other.folder), str(tmp_path / "gone")])
    compare_runs(run)
    assert [one.other for one in load_comparisons(run)] == ["Another"]
    (problem,) = run.manifest["comparison_problems"]
    assert "gone" in problem and "\n" not in problem
