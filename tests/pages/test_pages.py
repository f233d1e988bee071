"""Every page opens, empty and with runs, shows what it should, and says in one line what is wrong."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.applications.registry import APPLICATIONS
from core.datasets import ingest
from core.findings import apply_rules
from core.findings.opinion import OPINIONS
from core.processes import owner_of
from core.rules import Context
from core.rules.writing import NO_BREAK
from core.runs import Run, list_runs
from core.runs.shelf import set_label
from core.settings import ROOT, datasets_folder, runs_folder
from tests.support.made_run import made_run

OWN_PAGES = tuple(name for name, application in APPLICATIONS.items() if application.page is not None)
PAGES = ("home", "dataset", "audit", "explore", *OWN_PAGES, "compare", "findings", "report")
SAMPLE = ROOT / "core" / "sample"
HOSTILE = "<script>alert(1)</script> **bold** :red[x] [link](http://x.test) $a$ `c`"


def opened(page: str, run: Run | None = None, **query: str) -> AppTest:
    """The app at `page`, after one run of the script."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name, value in ({"run": run.id} if run else {}).items() | query.items():
        app.query_params[name] = value
    app.run()
    if page != "home":
        app.switch_page(f"pages/{page}.py").run()
    assert not app.exception, [item.message for item in app.exception]
    return app


def unfolded(app: AppTest, *sections: str) -> AppTest:
    """The form of a new audit with these sections open."""
    for name in sections:
        app.session_state[f"section-{name}"] = True
    return app.run()


def words(app: AppTest) -> str:
    """All that the page says, with plain spaces."""
    kinds = (
        "title",
        "header",
        "subheader",
        "markdown",
        "caption",
        "text",
        "info",
        "warning",
        "error",
        "success",
        "code",
    )
    return "\n".join(str(item.value) for kind in kinds for item in getattr(app, kind)).replace(NO_BREAK, " ")


@pytest.fixture
def run(workspace: Path) -> Run:
    """A finished run with one failed row."""
    return made_run(runs_folder() / "20260115-093000-abcdef", failed_rows=1)


@pytest.fixture
def sample_stored(workspace: Path) -> str:
    """The id of a few images with captions, taken in."""
    small = ROOT / "tests" / "sample"
    return ingest([small / "images", small / "captions.csv"], store=datasets_folder(), name="Bundled sample").id


def start_recorded(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    started: list[Run] = []
    monkeypatch.setattr("core.audit.launch.start", lambda run, workers=0: started.append(run))
    return started


@pytest.mark.sampled(2)
@pytest.mark.parametrize("page", PAGES)
def test_an_empty_workspace_says_what_to_do_next(page: str) -> None:
    app = opened(page)
    assert not app.error
    assert re.search(r"no dataset yet|Nothing to show yet|There is none yet", words(app))


@pytest.mark.parametrize("page", ["explore", "segmentation"])
def test_an_empty_page_asks_its_question_and_shows_an_example(page: str) -> None:
    app = opened(page)
    assert "?" in words(app) and "Example: an audit of the bundled sample." in words(app)
    assert "Example: an audit" not in words(opened("glossary"))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_with_a_finished_run(page: str, run: Run) -> None:
    app = opened(page, run)
    assert not app.error
    assert app.query_params["run"] in (run.id, [run.id])


@pytest.mark.sampled(3)
@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_with_an_unfinished_run(page: str, workspace: Path) -> None:
    unfinished = made_run(runs_folder() / "20260115-093000-abcdef", images=6, finished=False, failed=1)
    assert not opened(page, unfinished).error


@pytest.mark.sampled(2)
@pytest.mark.parametrize("page", PAGES)
def test_a_damaged_run_is_told_in_one_line(page: str, run: Run) -> None:
    (run.folder / "plan.json").write_text("{}")
    app = opened(page, run)
    assert app.error and all("\n" not in item.value for item in app.error)


def test_the_pages_never_load_torch(workspace: Path, run: Run) -> None:
    pages = ", ".join(f'"pages/{page}.py"' for page in PAGES[1:])
    code = f"""
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file("app.py", default_timeout=60).run()
for page in ({pages}):
    app.switch_page(page).run()
    assert not app.exception, app.exception
loaded = {{"torch", "open_clip", "timm", "transformers"}} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_bundled_sample_is_taken_in() -> None:
    app = opened("dataset")
    app.button_group(key="source").set_value("sample").run()
    next(button for button in app.button if button.label == "Use the bundled sample").click().run()
    assert not app.exception and not app.error
    images = len(list((SAMPLE / "images").iterdir()))
    assert {metric.label: metric.value for metric in app.metric}["Images"] == str(images)


def test_the_versions_of_a_dataset_are_compared() -> None:
    files = sorted((SAMPLE / "images").iterdir())[:4]
    first, second = (ingest(part, store=datasets_folder()) for part in (files[:3], files[1:]))
    for one in (first, second):
        set_label(f"dataset:{one.root.name}", "Animals")
    app = opened("dataset", dataset=second.id)
    assert not app.exception and any(tab.label == ":gray[Versions (2)]" for tab in app.tabs)
    table = next(one.value for one in app.dataframe if "Only in the shown one" in one.value)
    other = table[table["Dataset"] == first.id[:8]].iloc[0]
    assert (other["Images"], other["Only in the shown one"], other["Only in this one"]) == ("3", "1", "1")
    assert f"{second.id[:8]} (shown)" in set(table["Dataset"])


def test_an_upload_is_stored_at_once_and_the_uploader_emptied() -> None:
    app = opened("dataset")
    app.file_uploader[0].upload("two.zip", zipped(("a.png", 40), ("b.png", 90), ("broken.png", 0)))
    app.run()
    assert not app.exception and not app.error
    assert not app.file_uploader[0].value
    shown = {metric.label: metric.value for metric in app.metric}
    assert (shown["Images"], shown["Refused"]) == ("2", "1")


def test_an_unusable_upload_is_told_and_the_uploader_emptied() -> None:
    app = opened("dataset")
    app.file_uploader[0].upload("notes.png", b"no image").run()
    assert len(app.error) == 1
    assert "no image can be used" in app.error[0].value or "no image can be used" in app.error[0].value
    assert not app.file_uploader[0].value
    # It stays until it was read: an import may end while nobody looks.
    assert len(app.run().error) == 1
    app.button(key="close_import").click().run()
    assert not app.error


def test_server_folders_are_offered_only_when_opened(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "server" not in opened("dataset").button_group(key="source").options
    inside = workspace / "open" / "inside"
    inside.mkdir(parents=True)
    (workspace / "open" / "way-out").symlink_to("/etc")
    Image.new("RGB", (32, 32), "red").save(inside / "a.png")
    monkeypatch.setenv("LOUPE_FOLDERS", str(workspace / "open"))
    app = opened("dataset")
    app.button_group(key="source").set_value("server").run()
    box = next(box for box in app.selectbox if box.label == "Folder on the server")
    assert [Path(option).name for option in box.options] == ["open", "inside"]


def test_an_audit_is_planned_costed_and_started(sample_stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started = start_recorded(monkeypatch)
    app = unfolded(opened("audit"), "methods", "scope")
    assert app.checkbox(key="blocked-clip_surgery").disabled
    for box in app.checkbox:
        if box.key and box.key.startswith("method-"):
            box.set_value(box.key in {"method-raw", "method-gradcam"})
    app.multiselect(key="again-").set_value(["road"])
    app.run()
    assert re.search(
        r"\*\*About .*\*\* from a two-second measurement .* · 2 methods · .* [1-9][\d,]* image", words(app)
    )
    next(button for button in app.button if button.label == "Start the audit").click().run()
    assert not app.exception and not app.error
    made = list_runs(runs_folder())
    assert [run.id for run in made] == [run.id for run in started]
    plan = made[0].plan
    assert [method.name for method in plan.methods] == ["raw", "gradcam"]
    assert plan.dataset == sample_stored and plan.texts.prompts and plan.texts.classes
    assert plan.trust.again == ("road",)


def test_a_wrong_declared_concept_is_named_where_it_is_typed_and_the_form_stays(sample_stored: str) -> None:
    app = unfolded(opened("audit"), "declared")
    labels = [item.label for item in app.expander]
    app.text_area(key=f"declared-concepts-{sample_stored}").set_value("no | such").run()
    assert not app.exception and {"Cost by part", *(item.label for item in app.expander)} == {"Cost by part", *labels}
    assert ["is not a declared concept" in item.value for item in app.error] == [True]
    assert next(button for button in app.button if button.label == "Start the audit").disabled
    app.text_area(key=f"declared-concepts-{sample_stored}").set_value("* | watermark | forbidden").run()
    assert not app.error
    assert not next(button for button in app.button if button.label == "Start the audit").disabled


def test_a_plan_that_cannot_work_cannot_be_started(sample_stored: str) -> None:
    app = unfolded(opened("audit"), "methods", "analyses")
    for switch in app.toggle:
        if switch.key and switch.key.startswith("application-"):
            switch.set_value(False)
    next(button for button in app.button if button.label == "None").click().run()
    assert next(button for button in app.button if button.label == "Start the audit").disabled
    assert any("at least one method" in item.value for item in app.warning)


def test_a_wrong_template_is_told_beside_the_start(sample_stored: str) -> None:
    app = unfolded(opened("audit"), "texts")
    app.text_area(key="templates").set_value("a photo").run()
    assert not app.exception and "exactly one" in words(app)


def test_an_unfinished_run_is_shown_first_and_can_be_resumed(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_run(runs_folder() / "20260115-093000-abcdef", finished=False)
    started = start_recorded(monkeypatch)
    app = opened("audit", run)
    app.button_group(key="audit_view").set_value("progress").run()
    assert "cancelled by the user" in words(app)
    next(button for button in app.button if button.label == "Resume").click().run()
    assert [run.id for run in started] == [run.id]


def test_a_running_audit_can_be_cancelled(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_run(runs_folder() / "20260115-093000-abcdef", finished=False)
    run.store.take(owner_of(os.getpid()))
    run.store.set(state="running", stage="explaining")
    app = opened("audit", run)
    assert "explaining" in words(app)
    next(button for button in app.button if button.label == "Cancel").click().run()
    assert not app.exception and run.progress().state == "cancelling"
    assert next(button for button in app.button if button.label == "Cancel").disabled


def test_a_worker_that_died_is_told_and_can_be_resumed(workspace: Path) -> None:
    run = made_run(runs_folder() / "20260115-093000-abcdef", finished=False)
    run.store.set(state="running", stage="explaining")
    (run.folder / "worker.log").write_text('Traceback (most recent call last):\n  File "/home/me/x.py"\nKilled')
    for file in run.folder.glob("run.sqlite*"):
        os.utime(file, (0, 0))
    app = opened("audit", run)
    said = words(app)
    # What the worker printed may be a traceback with paths of this machine.
    assert "it was killed" in said and "Traceback" not in said and "/home/me" not in said
    assert any(button.label == "Resume" for button in app.button)


def test_explore_shows_every_method_with_its_raw_range(run: Run) -> None:
    app = opened("explore", run)
    said = words(app)
    for title in ("Raw similarity", "Grad\\-CAM", "RISE", "Consensus", "Disagreement"):
        assert f"**{title}**" in said
    assert "raw " in said and "Faithfulness" in said


def test_findings_give_evidence_and_what_passed(run: Run) -> None:
    app = opened("findings", run)
    labels = [tab.label for tab in app.tabs]
    assert any("Passed" in label for label in labels) and any("Trust" in label for label in labels)
    item = next(one for one in apply_rules(Context(run)) if one.status == "finding" and one.effect)
    assert app.subheader[0].value in OPINIONS and "**Effect.**" not in words(app)
    app.button(key=f"open-{item.id}").click().run()
    assert "**Effect.**" in words(app) and not app.exception
    app.button(key=f"open-{item.id}").click().run()
    assert "**Effect.**" not in words(app)
    assert "**Effect.**" in words(opened("findings", run, finding=item.id))


def test_markup_in_names_and_captions_stays_text(workspace: Path) -> None:
    hostile = made_run(runs_folder() / "20260115-093000-abcdef", note=HOSTILE)
    for page in ("explore", "findings"):
        said = words(opened(page, hostile))
        assert "<script>" not in said and " **bold**" not in said and "[link](" not in said


def zipped(*images: tuple[str, int]) -> bytes:
    """A ZIP of single-coloured images; 0 gives a broken one."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, shade in images:
            data = io.BytesIO()
            ramp = Image.linear_gradient("L").rotate(shade).convert("RGB")
            ramp.save(data, "PNG")
            archive.writestr(name, data.getvalue() if shade else b"\x89PNG broken")
    return stream.getvalue()
