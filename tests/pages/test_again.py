"""An earlier audit as the start of a new one: nothing of its plan is lost, and what no longer exists is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.datasets import Dataset, ingest
from core.errors import RunError
from core.replanning import earlier_plan
from core.request import AuditRequest, applications_at, begin, methods_at, trust_at
from core.runs import Run, list_runs, open_run
from core.runs.succession import predecessor_of
from core.settings import ROOT, datasets_folder, runs_folder
from tests.pages.test_pages import opened, start_recorded, unfolded, words

SMALL = ROOT / "tests" / "sample"
ID = "20260115-093000-abcdef"


@pytest.fixture
def dataset(workspace: Path) -> Dataset:
    return ingest([SMALL / "images", SMALL / "captions.csv"], store=datasets_folder(), name="Mine")


@pytest.fixture
def run(dataset: Dataset, tmp_path: Path) -> Run:
    """A run whose plan differs from the usual one wherever the form has a field."""
    thresholds = tmp_path / "mine.toml"
    thresholds.write_text('version = "mine"\n')
    request = AuditRequest.build(
        out=runs_folder() / ID,
        dataset=dataset.root,
        limit=5,
        seed=7,
        texts={
            "captions": False,
            "prompts": ("a dog", "a cat on a sofa"),
            "classes": ("cat", "dog", "bird"),
            "templates": ("a drawing of a {}.", "{}"),
            "top_classes": 2,
        },
        methods=methods_at("quick", ("raw", "rise", "gradcam"), {"rise": {"masks": 77}}),
        applications=applications_at("quick", ("knowledge", "sanity")),
        trust=trust_at("quick", removal="black", again=("blur",)),
        thresholds=thresholds,
        declared={"title": "First", "purpose": "to repeat", "preparer": "A. Preparer", "licence": "CC0"},
    )
    return begin(request)


def click(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label == label).click()
    return app.run()


def edited(run: Run) -> AppTest:
    """The form of a new audit, filled with the plan of a run."""
    app = click(opened("runs", run), "Edit and run again")
    # The browser is on the page of the form now.
    app.switch_page("pages/audit.py").run()
    assert not app.exception, [item.message for item in app.exception]
    return app


def test_a_plan_that_is_not_changed_is_the_same_plan(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    start_recorded(monkeypatch)
    app = edited(run)
    assert "Planned from First" in words(app).replace("\\", "") and not app.warning
    click(app, "Start the audit")
    new, old = list_runs(runs_folder())
    assert old.id == ID and new.plan.digest == old.plan.digest and new.plan.declared == old.plan.declared
    assert (new.folder / "thresholds.toml").read_bytes() == (old.folder / "thresholds.toml").read_bytes()
    assert new.manifest["predecessor"] == {"run": ID, "plan_sha256": old.plan.digest} and predecessor_of(old) == ""
    assert "Planned from First" in words(opened("runs", new)).replace("\\", "")
    # The next audit is planned from none.
    app.session_state["audit_view"] = "new"
    assert "Planned from" not in words(app.run())


def test_what_is_changed_differs_and_nothing_else(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    start_recorded(monkeypatch)
    app = unfolded(edited(run), "methods", "scope")
    app.checkbox(key="method-rise").set_value(False).run()
    app.number_input(key="seed").set_value(8).run()
    app.checkbox(key="earlier_thresholds").set_value(False).run()
    click(app, "Start the audit")
    new, old = list_runs(runs_folder())
    assert [part.name for part in new.plan.methods] == ["raw", "gradcam"] and new.plan.seed == 8
    # Another seed draws other images.
    assert new.plan.images != old.plan.images and new.plan.thresholds == ""
    same = {"methods", "seed", "images", "thresholds", "dataset_root", "shard"}
    assert new.plan.model_dump(exclude=same) == old.plan.model_dump(exclude=same)


def changed(run: Run, change: Any) -> None:
    """The run with a plan as another version may have written it."""
    path = run.folder / "plan.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_what_no_longer_exists_is_named_in_one_line_each(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    start_recorded(monkeypatch)

    def change(content: dict[str, Any]) -> None:
        content["methods"].append({"name": "phrenology", "options": {}})
        content["methods"][1]["options"]["moons"] = 3
        content["applications"].append({"name": "astrology", "options": {}})
        content["model"] = {"name": "/gone/model", "pretrained": None, "weights": None, "device": "auto"}

    changed(run, change)
    told = [line.replace("\\", "") for line in (item.value for item in edited(run).warning)]
    assert told == [
        "RISE: the option moons was left out: it no longer exists.",
        "The method phrenology no longer exists and was left out.",
        "The analysis astrology no longer exists and was left out.",
        "The model model cannot be chosen here; choose another one.",
    ]
    assert earlier_plan(run).plan.methods[1].options == {"masks": 77}


def test_a_deleted_dataset_is_named_and_another_can_be_taken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    start_recorded(monkeypatch)
    other = ingest([SMALL / "images"], store=datasets_folder(), name="Other")
    shutil.rmtree(datasets_folder() / run.plan.dataset)
    app = edited(run)
    assert f"The dataset {run.plan.dataset[:8]} of that audit no longer exists here" in app.warning[0].value
    click(app, "Start the audit")
    new = list_runs(runs_folder())[0]
    assert new.plan.dataset == other.id and new.plan.methods == run.plan.methods and len(new.plan.images) == 5


def test_a_deleted_dataset_is_named_also_where_there_is_no_other(run: Run) -> None:
    shutil.rmtree(datasets_folder() / run.plan.dataset)
    app = edited(run)
    assert f"The dataset {run.plan.dataset[:8]} of that audit no longer exists here" in app.warning[0].value
    assert "There is no dataset yet" in app.info[0].value


def test_a_plan_of_which_nothing_is_left_is_refused(run: Run) -> None:
    changed(run, lambda content: content.update(methods=[{"name": "phrenology"}], applications=[]))
    with pytest.raises(RunError, match="exists in this version; plan a new audit"):
        earlier_plan(run)
    changed(run, lambda content: content.update(methods="none"))
    with pytest.raises(RunError, match="damaged or from another version"):
        earlier_plan(run)
    with pytest.raises(RunError):
        open_run(run.folder)
