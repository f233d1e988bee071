"""The page on predictions: implausible ones with hostile texts, and a spot check that survives a reload."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.applications.predictions import labels
from core.applications.predictions.record import PredictionsRecord
from core.applications.predictions.tables import LISTED
from core.content.words import plural
from core.evaluation.summary import summarise
from core.findings import judge, save_findings
from core.glossary import definition
from core.runs import Run
from core.runs.review import REVIEW, add_entry
from core.runs.spot_check import load_spot_check
from core.settings import runs_folder
from pages.parts.words import plain
from tests.pages.test_pages import HOSTILE, opened, words
from tests.support.made_predictions import record_of
from tests.support.made_run import made_run


def with_labels(run: Run, monkeypatch: pytest.MonkeyPatch, wrong: int) -> None:
    """Labels in the column light: the first image is called other, the other wrong ones same."""
    record = PredictionsRecord.of_run(run)
    assert record is not None
    rows = record.predictions[["image", "image_name", "predicted"]]
    names = ["other", *["same"] * (len(rows) - 1)]
    rows = rows.assign(label=names, right=[at >= wrong for at in range(len(rows))])
    monkeypatch.setattr(labels, "labelled", lambda run, record: labels.Labelled("light", rows, 0))


@pytest.fixture
def run(workspace: Path) -> Run:
    """A finished run of twelve images with a record of predictions, four of them wrong."""
    run = made_run(runs_folder() / "20260115-093000-abcdef", images=12)
    record = record_of(12, 4, ids=[image.id for image in run.dataset.images])
    record.predictions.loc[0, ["caption", "predicted"]] = HOSTILE
    record.save(PredictionsRecord.folder_of(run))
    return run


def at_spot_check(run: Run) -> AppTest:
    app = opened("predictions", run)
    app.segmented_control(key="predictions-view").set_value("spot-check").run()
    assert not app.exception
    return app


def name_judge(app: AppTest, name: str) -> None:
    app.text_input(key="spot-check-judge").set_value(name)
    next(button for button in app.button if button.label == "Start marking").click().run()
    # A field that had the focus would take the keys of the verdicts as letters.
    assert "spot-check-judge" not in {field.key for field in app.text_input}


def test_implausible_predictions_are_listed_with_their_texts_as_text(run: Run) -> None:
    app = opened("predictions", run)
    assert not app.error and "Share of images with an implausible prediction: 0.33" in words(app)
    table = app.dataframe[0].value
    assert len(table) == 4 and HOSTILE in set(table["Predicted"])
    app.segmented_control(key="predictions-view").set_value("classes").run()
    assert not app.exception and "Predicted class" in app.dataframe[0].value


def test_marks_survive_a_reload_and_can_be_changed(run: Run) -> None:
    app = at_spot_check(run)
    app.button[0].click().run()
    check = load_spot_check(run)
    assert check is not None and not check.marks
    assert not [button for button in app.button if button.key == "spot-check-right"]
    name_judge(app, "Ada")
    app.button(key="spot-check-right").click().run()
    app.button(key="spot-check-wrong").click().run()
    check = load_spot_check(run)
    assert check is not None and [mark.verdict for mark in check.marks] == ["right", "wrong"]
    assert [mark.image for mark in check.marks] == [entry.image for entry in check.sample[:2]]
    # Neither the name of the file nor the score is shown to a judge.
    assert check.sample[2].image_name not in words(app) and "implausible" not in words(app)
    again = at_spot_check(run)
    name_judge(again, "ada")
    assert not again.exception and f"Image 3 of {len(check.sample)}" in words(again)
    again.button(key="spot-check-back").click().run()
    again.button(key="spot-check-unsure").click().run()
    check = load_spot_check(run)
    assert check is not None and check.verdicts("Ada")[check.sample[1].image] == "unsure" and check.judges == ("Ada",)


def test_the_sample_is_said_to_be_drawn_from_groups(run: Run) -> None:
    app = at_spot_check(run).button[0].click().run()
    check = load_spot_check(run)
    assert check is not None
    said = f"drawn at random (seed {check.seed}) from each of {plural(len(check.strata), 'group')} by plausibility"
    assert plain(said) in words(app) and "strata" not in words(app)


def test_predictions_that_changed_are_not_marked(run: Run) -> None:
    at_spot_check(run).button[0].click().run()
    record_of(12, 0, ids=[image.id for image in run.dataset.images]).save(PredictionsRecord.folder_of(run))
    assert "have changed since this sample was drawn" in words(at_spot_check(run))


def test_the_page_begins_with_what_the_checks_of_its_application_report(run: Run) -> None:
    assert "Checks on this page" not in words(opened("predictions", run))
    judged = judge(run, summarise(run))
    save_findings(run, judged)
    own = [item for item in judged if item.rule.startswith("predictions.")]
    text = words(opened("predictions", run))
    assert own and f"Checks on this page: {sum(item.status == 'finding' for item in own)} finding" in text
    for item in own:
        assert plain(item.title.removeprefix("Inconclusive: ")[1:]) in text


def test_the_classes_begin_with_the_label_that_the_fewest_predictions_agree_with(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = PredictionsRecord.of_run(run)
    assert record is not None
    rows = record.predictions[["image", "image_name", "predicted"]]
    rows = rows.assign(label=["other", *rows["predicted"].iloc[1:]], right=[False, *[True] * (len(rows) - 1)])
    monkeypatch.setattr(labels, "labelled", lambda run, record: labels.Labelled("light", rows, 0))
    app = opened("predictions", run)
    app.segmented_control(key="predictions-view").set_value("classes").run()
    assert not app.exception and "By label, least agreement first" in words(app)
    by_label, errors, by_class = (table.value for table in app.dataframe)
    assert by_label.iloc[0]["Label"] == "other" and by_label["Images"].sum() == len(rows)
    assert list(errors.iloc[0][["Label", "Predicted instead"]]) == ["other", rows["predicted"].iloc[0]]
    assert "Predicted class" in by_class


def test_every_wrong_prediction_can_be_reached_and_a_label_is_part_of_the_address(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made_run(runs_folder() / "20260115-093000-abcdef", images=14)
    record_of(14, 4, ids=[image.id for image in run.dataset.images]).save(PredictionsRecord.folder_of(run))
    with_labels(run, monkeypatch, 14)
    monkeypatch.setattr("streamlit.pagination", lambda pages, **options: pages)
    record = PredictionsRecord.of_run(run)
    assert record is not None
    images = record.predictions["image_name"].tolist()
    app = opened("predictions", run, view="classes")
    # The label with one image comes last, and so stands on the last page.
    assert plain(f"{images[0]}: other, predicted") in words(app) and "Images 13 to 14 of 14" in words(app)
    assert "label" not in app.query_params
    app.multiselect(key=f"predictions-labels-{run.id}").set_value(["other"]).run()
    assert app.query_params["label"] in ("other", ["other"]) and "Images 13" not in words(app)
    again = opened("predictions", run, view="classes", label="other")
    captions = [item.value for item in again.caption if "predicted as" in item.value]
    assert len(captions) == 1 and "other" in captions[0]
    assert "names nothing" in words(opened("predictions", run, view="classes", label="windmill"))


def test_the_column_of_the_score_says_what_it_is_and_its_reasons_are_explained() -> None:
    assert "Score" not in [column.title for column in LISTED.columns]
    helps = LISTED.helps
    assert helps["Implausibility"] == definition("Implausibility")
    for term in ("Entropy of the classes", "Changed copy"):
        assert definition(term) in helps["Reasons"]


def test_a_finding_has_the_tag_of_its_review_on_the_page_of_its_application(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = next(one for one in judge(run, summarise(run)) if one.rule == "predictions.implausible")
    item = judged.model_copy(update={"status": "finding", "severity": "medium"})
    save_findings(run, (item,))
    monkeypatch.setattr("pages.parts.state.findings_of", lambda _: (item,))
    assert "-badge[dismissed]" not in words(opened("predictions", run))
    add_entry(run, "Ada", "dismiss", item.id, why="Known since March")
    (line,) = [one.value for one in opened("predictions", run).markdown if plain(item.title) in one.value]
    assert line.endswith(":violet-badge[dismissed]")
    assert "Dismissed in the review: 1 of " in words(opened("requirements", run)).replace("\\", "")
    add_entry(run, "Ada", "accept", item.id, why="Seen again")
    assert ":green-badge[accepted]" in words(opened("predictions", run))
    assert "Dismissed" not in words(opened("requirements", run))
    (run.folder / REVIEW).write_text("no log")
    damaged = opened("predictions", run)
    assert damaged.error and plain(item.title) in words(damaged)
