"""A copied link shows the same view in another browser; a wrong or hostile one falls back with one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.findings import Sample, apply_rules
from core.rules import Context
from core.runs import Run, text_id
from core.runs.saved_views import save_view
from core.settings import ROOT, runs_folder
from pages.parts.address import LOCAL, NOTE, is_local
from tests.pages.test_pages import HOSTILE, opened, words
from tests.support.made_run import made_run


@pytest.fixture
def run(workspace: Path) -> Run:
    return made_run(runs_folder() / "20260115-093000-abcdef", images=4)


def all_of(app: AppTest, name: str) -> list[str]:
    found: list[str] | str = app.query_params.get(name, [])
    return [found] if isinstance(found, str) else list(found)


def test_a_link_shows_the_same_image_text_and_methods(run: Run) -> None:
    first = opened("explore", run)
    image = run.plan.images[2]
    first.selectbox(key=f"image-{run.id}").set_value(image).run()
    first.multiselect(key=f"methods-{run.id}").set_value(["rise"]).run()
    texts = next(field for field in first.multiselect if field.label == "Texts")
    texts.set_value([1]).run()
    assert all_of(first, "image") == [image] and all_of(first, "method") == ["rise"]
    second = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    for name in ("run", "image", "text", "method"):
        second.query_params[name] = all_of(first, name)
    second.run()
    second.switch_page("pages/explore.py").run()
    assert second.selectbox(key=f"image-{run.id}").value == image
    assert second.multiselect(key=f"methods-{run.id}").value == ["rise"]
    assert next(field for field in second.multiselect if field.label == "Texts").value == [1]
    assert NOTE not in words(second)


def test_a_hostile_link_falls_back_with_one_line(run: Run) -> None:
    app = opened("explore", run, image=HOSTILE, method="../../etc/passwd", text="x" * 10_000)
    said = words(app)
    assert not app.exception and not app.error and NOTE in said and "script" not in said and "passwd" not in said
    assert app.selectbox(key=f"image-{run.id}").value in run.plan.images
    assert all_of(app, "method") == [] and HOSTILE not in str(dict(app.query_params))


def test_the_filters_of_findings_are_in_the_address(run: Run) -> None:
    app = opened("findings", run, severity="low", subject="nothing")
    assert app.button_group(key=f"severity-{run.id}").value == ["low"] and NOTE in words(app)
    assert all_of(app, "severity") == ["low"] and all_of(app, "subject") == []
    assert text_id("caption:a") != text_id("prompt:a")


def test_a_saved_view_limits_the_samples_of_findings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    item = next(one for one in apply_rules(Context(run)) if one.status == "finding")
    listed = tuple(Sample(image=image.id, image_name=image.name) for image in run.dataset.images)
    monkeypatch.setattr("pages.parts.state.findings_of", lambda _: (item.model_copy(update={"samples": listed}),))
    whole = opened("findings", run, finding=item.id)
    save_view(run, "one", run.plan.images[:1])
    app = opened("findings", run, saved="one", finding=item.id)
    assert not app.exception and len(samples(app)) < len(samples(whole))
    assert "**1 of 4 images**: view one" in words(app) and "Its numbers are of all images" in words(app)
    assert all_of(app, "saved") == ["one"]
    app.button(key="remove-saved-view").click().run()
    assert len(samples(app)) == len(samples(whole)) and all_of(app, "saved") == []


def samples(app: AppTest) -> list[str]:
    return [item.value for item in app.markdown if item.value.startswith("**shape")]


@pytest.mark.parametrize(
    ("link", "local"),
    [
        ("http://127.0.0.1:8501/explore?run=1", True),
        ("http://localhost:8501/explore", True),
        ("http://[::1]:8501/explore", True),
        ("http://0.0.0.0:8501/explore", True),
        ("http://192.168.1.20:8501/explore", False),
        ("https://loupe.example.org/explore?next=127.0.0.1", False),
    ],
)
def test_a_local_address_is_said_to_work_on_this_machine_only(run: Run, link: str, local: bool) -> None:
    app = opened("explore", run)
    app.context["url"] = link
    app.run()
    assert is_local(link) == local == (LOCAL in words(app))
