"""The review on the page of findings: states, a form that adds entries under a name, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.content.words import shorten
from core.findings import Sample, apply_rules
from core.rules import Context
from core.runs import Run
from core.runs.review import REVIEW, finding_review, load_review
from core.runs.shelf import open_elsewhere, shelf_id
from core.settings import ROOT, runs_folder
from pages.parts.finding_card import lead
from tests.pages.test_pages import words
from tests.support.made_run import made_run
from tests.support.page_alone import links_as_words, opened_alone  # noqa: F401  # a fixture of every test here


@pytest.fixture
def run(workspace: Path) -> Run:
    return made_run(runs_folder() / "20260115-093000-abcdef", images=4, methods=("raw", "rise"), failed=1)


def titles(app: AppTest) -> list[str]:
    """The titles of the findings that are shown."""
    return [re.sub(r":\w+-badge\[\w+\]", "", title.value).strip().replace("\\", "") for title in app.tabs[0].subheader]


def submitted(app: AppTest, key: str, kind: str, **values: str) -> AppTest:
    """The form of one finding, filled in and sent."""
    app.segmented_control(key=f"{key}-kind").set_value(kind).run()
    for name, value in values.items():
        (app.text_area if name == "why" else app.text_input)(key=f"{key}-{name}").input(value)
    at = next(at for at, one in enumerate(app.text_area) if one.key == f"{key}-why")
    [button for button in app.button if button.label == "Add to the review log"][at].click().run()
    assert not app.exception
    return app


def test_a_person_reviews_a_finding_on_its_page(run: Run) -> None:
    app = opened_alone("findings", run)
    assert "Report: version 1, draft." in words(app).replace("\\", "")
    item = next(one for one in apply_rules(Context(run)) if one.status == "finding")
    key = f"review-{item.id}"
    # The card is closed; its button opens it with the form for that kind of entry, and the address names it.
    assert not app.text_area and "**Effect.**" not in words(app)
    app.button(key=f"dismiss-{item.id}").click().run()
    assert app.segmented_control(key=f"{key}-0-kind").value == "dismiss"
    assert app.query_params["finding"] in (item.id, [item.id])
    # Without a reason nothing is dismissed, and what was typed stays.
    submitted(app, f"{key}-0", "dismiss", by="A. Auditor")
    assert "a reason is needed" in app.error[0].value.replace("\\", "") and not (run.folder / REVIEW).exists()
    assert app.text_input(key=f"{key}-0-by").value == "A. Auditor"
    submitted(app, f"{key}-0", "dismiss", by="A. Auditor", why="Known since March")
    # The name is asked for once.
    assert not [field for field in app.text_input if field.key == f"{key}-1-by"]
    submitted(app, f"{key}-1", "owner", owner="B. Owner")
    review = finding_review(load_review(run), item.id)
    assert (review.decision, review.decided and review.decided.by) == ("dismissed", "A. Auditor")
    assert review.owner is not None and review.owner.value == "B. Owner" and not review.owner.verified
    printed = words(app).replace("\\", "")
    assert "dismissed by A. Auditor on" in printed and "Known since March" in printed and "Owner:" in printed
    # What was dismissed can be filtered out, and the choice is in the address.
    kinds = app.button_group(key=f"decision-{run.id}")
    assert "open" in kinds.options[0] and "dismissed" in kinds.options[1] and len(kinds.options) == 2
    assert len(titles(app)) > 1 and item.title in titles(app)
    kinds.set_value(["open"]).run()
    assert item.title not in titles(app) and "open" in app.query_params["decision"]
    app.button_group(key=f"decision-{run.id}").set_value(["dismissed"]).run()
    assert titles(app) == [item.title]
    app.button_group(key=f"decision-{run.id}").set_value([]).run()
    # A damaged log is told, and the findings stay.
    (run.folder / REVIEW).write_bytes(b"{}\n")
    app.run()
    assert "not an entry of a review log" in app.error[0].value and not app.exception
    assert item.title.split()[0] in words(app) and not [one for one in app.button if "review log" in one.label]


def test_the_links_of_a_card_name_the_audit_as_the_app_lists_it(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = open_elsewhere(made_run(tmp_path / "out", images=4, methods=("raw", "rise"), failed=1).folder)
    item = next(one for one in apply_rules(Context(elsewhere)) if one.status == "finding")
    listed = tuple(Sample(image=image.id, image_name=image.name) for image in elsewhere.dataset.images)
    monkeypatch.setattr("pages.parts.state.findings_of", lambda _: (item.model_copy(update={"samples": listed}),))
    asked: list[dict[str, str]] = []
    monkeypatch.setattr(st, "page_link", lambda page, **options: asked.append(options.get("query_params", {})))
    app = AppTest.from_file(str(ROOT / "pages" / "findings.py"), default_timeout=90)
    app.session_state["through_app"], app.session_state["run_id"] = True, shelf_id(elsewhere)
    assert not app.run().exception
    links = [one for one in asked if one]
    assert links and {one["run"] for one in links} == {shelf_id(elsewhere)} != {elsewhere.id}
    assert any(one.get("by", "").startswith("finding: ") for one in links)


def test_a_closed_card_shows_whole_sentences() -> None:
    assert lead("One. Two is longer. Three.", 20) == "One. Two is longer."
    assert lead("One. Two is longer. Three.", 12) == "One."
    assert lead("No end in sight", 8) == shorten("No end in sight", 8) != "No end in sight"
