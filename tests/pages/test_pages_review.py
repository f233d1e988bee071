"""The review on the page of findings: states, a form that adds entries under a name, and what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.content.words import shorten
from core.findings import Finding, Sample, apply_rules
from core.rules import Context
from core.runs import Run, open_run
from core.runs.review import REVIEW, add_entry, finding_review, load_review
from core.runs.shelf import open_elsewhere, shelf_id
from core.settings import ROOT, runs_folder
from pages.parts.finding_card import lead
from pages.parts.review import lines
from tests.pages.test_pages import words
from tests.support.made_run import made_run
from tests.support.page_alone import links_as_words, opened_alone  # noqa: F401  # a fixture of every test here


@pytest.fixture
def run(workspace: Path) -> Run:
    return made_run(runs_folder() / "20260115-093000-abcdef", images=4, methods=("raw", "rise"), failed=1)


def titles(app: AppTest) -> list[str]:
    """The titles of the findings that are shown."""
    return [re.sub(r":\w+-badge\[\w+\]", "", title.value).strip().replace("\\", "") for title in app.tabs[0].subheader]


def submitted(app: AppTest, item: Finding, number: int, label: str, **values: str) -> AppTest:
    """The open form of one finding, filled in and sent; `number` counts what was entered about the finding before."""
    for name, value in values.items():
        (app.text_area if name == "why" else app.text_input)(key=f"review-{item.id}-{number}-{name}").input(value)
    (button,) = [button for button in app.button if button.label == label]
    button.click().run()
    assert not app.exception
    return app


def test_a_person_reviews_a_finding_on_its_page(run: Run) -> None:
    app = opened_alone("findings", run)
    assert "Report: version 1, draft." in words(app).replace("\\", "")
    item = next(one for one in apply_rules(Context(run)) if one.status == "finding")
    # The form opens on the closed card, below its button, and says what it does.
    assert not app.text_area and "**Effect.**" not in words(app)
    app.button(key=f"dismiss-{item.id}").click().run()
    assert len(app.text_area) == 1 and "**Effect.**" not in words(app)
    assert "cannot be changed or removed" in words(app)
    # Without a name or a reason nothing is dismissed, and what was typed stays.
    submitted(app, item, 0, "Dismiss the finding", why="Known since March")
    assert app.error[0].value.replace("\\", "") == "an entry needs the name of its author"
    submitted(app, item, 0, "Dismiss the finding", by="A. Auditor", why="")
    assert "a reason is needed" in app.error[0].value.replace("\\", "") and not (run.folder / REVIEW).exists()
    assert app.text_input(key=f"review-{item.id}-0-by").value == "A. Auditor"
    submitted(app, item, 0, "Dismiss the finding", why="Known since March")
    # The form is gone, the decision stands on the closed card and above, and is not offered again.
    printed = words(app).replace("\\", "")
    assert not app.text_area and "dismissed by A. Auditor on" in printed and "Known since March" in printed
    assert (
        "Dismissed in the review: 1 of " in printed
        and "in the opinion" in printed
        and "1 dismissed)" in app.tabs[0].label
    )
    assert f"dismiss-{item.id}" not in {button.key for button in app.button}
    # The name is asked for once. Another form closes the one that is open.
    app.button(key=f"open-{item.id}").click().run()
    app.button(key=f"comment-{item.id}").click().run()
    app.button(key=f"owner-{item.id}").click().run()
    assert len(app.text_area) == 1 and not [field for field in app.text_input if str(field.key).endswith("-by")]
    submitted(app, item, 1, "Name the owner", owner="B. Owner")
    other = next(one for one in apply_rules(Context(run)) if one.status == "finding" and one.id != item.id)
    app.button(key=f"comment-{item.id}").click().run()
    app.button(key=f"dismiss-{other.id}").click().run()
    assert [field.key for field in app.text_area] == [f"review-{other.id}-0-why"]
    next(button for button in app.button if button.label == "Cancel").click().run()
    assert not app.text_area
    review = finding_review(load_review(run), item.id)
    assert (review.decision, review.decided and review.decided.by) == ("dismissed", "A. Auditor")
    assert review.owner is not None and review.owner.value == "B. Owner" and not review.owner.verified
    printed = words(app).replace("\\", "")
    assert "Owner:" in printed
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
    assert item.title.split()[0] in words(app) and not [one for one in app.button if one.label == "Dismiss"]


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


@pytest.mark.parametrize(("rule", "view"), [("predictions.labels", "classes"), ("predictions.implausible", None)])
def test_the_link_to_the_page_of_a_finding_opens_the_view_that_shows_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, rule: str, view: str | None
) -> None:
    item = next(one for one in apply_rules(Context(run)) if one.status == "finding")
    asked: dict[str, dict[str, str]] = {}
    monkeypatch.setattr("pages.parts.state.findings_of", lambda _: (item.model_copy(update={"rule": rule}),))
    monkeypatch.setattr(st, "page_link", lambda page, **options: asked.update({page: options.get("query_params", {})}))
    app = AppTest.from_file(str(ROOT / "pages" / "findings.py"), default_timeout=90)
    app.session_state["through_app"], app.session_state["run_id"] = True, run.id
    assert not app.run().exception
    assert asked["pages/predictions.py"].get("view") == view


def test_a_closed_card_shows_whole_sentences() -> None:
    assert lead("One. Two is longer. Three.", 20) == "One. Two is longer."
    assert lead("One. Two is longer. Three.", 12) == "One."
    assert lead("Found: a, 1 of 2; b, 3 of 4; c.", 20) == "Found: a, 1 of 2 …"
    assert lead("No end in sight", 8) == shorten("No end in sight", 8) != "No end in sight"


def test_a_closed_card_shows_the_decision_and_the_last_comment(run: Run) -> None:
    item = next(one for one in apply_rules(Context(run)) if one.status == "finding")
    for why in ("First thought", "Second thought"):
        add_entry(run, "Ada", "comment", item.id, why=why)
    add_entry(run, "Ada", "owner", item.id, "B. Owner")
    add_entry(run, "Ada", "accept", item.id, why="Seen")
    log = load_review(open_run(run.folder))
    decision, comment = lines(item, log, whole=False)
    assert decision.startswith("Decision: accepted by Ada on ") and decision.endswith(": Seen")
    assert comment.endswith(": Second thought (1 earlier comment)")
    whole = " ".join(lines(item, log, whole=True))
    assert "First thought" in whole and "Owner: B. Owner" in whole
    # The companion: nothing was entered about another one.
    assert lines(item.model_copy(update={"id": "another"}), log, whole=True) == []
