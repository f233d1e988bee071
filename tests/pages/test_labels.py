"""Annotations on the page Dataset: stored, refused line by line, removed; the column of labels is named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.datasets import Dataset, ingest, read_annotations
from core.settings import ROOT, datasets_folder
from pages.parts import truth
from tests.datasets.made import coded, folder_of, noise
from tests.support.made_truth import made_truth

PAGE = str(ROOT / "pages" / "dataset.py")


@pytest.fixture(autouse=True)
def links_as_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is run alone, outside the navigation that its links need."""
    monkeypatch.setattr(st, "page_link", lambda page, label, **options: st.text(f"{label}: {page}"))


@pytest.fixture
def dataset(workspace: Path) -> Dataset:
    files = {f"{name}.png": coded(noise(number, 48, 48)) for number, name in enumerate("abc")}
    files["t.csv"] = b"file,Class,kind\na.png,dog; cat,x\nb.png,dog,y\n"
    return ingest([folder_of(workspace / "given", files)], store=datasets_folder())


ASKED = truth._asked


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test but those that are about the process waits for one."""
    monkeypatch.setattr(
        truth, "_asked", lambda arguments, data: truth._checked(json.loads(json.dumps(truth.answer(arguments, data))))
    )


def opened() -> AppTest:
    app = AppTest.from_file(PAGE, default_timeout=90)
    app.session_state["through_app"] = True
    app.run()
    assert not app.exception, [item.message for item in app.exception]
    return app


def words(app: AppTest) -> str:
    kinds = ("markdown", "caption", "text", "info", "warning", "error", "success")
    said = "\n".join(str(item.value) for kind in kinds for item in getattr(app, kind))
    return said.replace("\\", "").replace("\u2060", "").replace("\u00a0", " ")


def give(app: AppTest, data: bytes, name: str = "truth.json") -> AppTest:
    uploader = next(box for box in app.file_uploader if "annotations" in box.label)
    uploader.upload(name, data).run()
    assert not app.exception, [item.message for item in app.exception]
    return app


def test_annotations_are_kept_replaced_and_forgotten(dataset: Dataset, tmp_path: Path) -> None:
    app = opened()
    assert "No annotations are stored" in words(app) and dataset.annotations is None
    file = made_truth(tmp_path / "truth.json", ["a.png", "c.png", "z.png"], ["dog", "<b>cat</b>"])
    said = words(give(app, file.read_bytes()))
    assert "2 objects in 2 of 3 images" in said and "Ignored: 1 image of the file" in said
    assert dataset.annotations is not None
    assert dataset.annotations.read_bytes() == read_annotations(file).data != file.read_bytes()
    assert not next(box for box in app.file_uploader if "annotations" in box.label).value
    table = next(frame.value for frame in app.dataframe if "Objects" in frame.value.columns)
    assert dict(zip(table["Label"], table["Objects"], strict=True)) == {"dog": 1, "<b>cat</b>": 1}
    other = made_truth(tmp_path / "other.json", ["a.png"], ["bird"])
    assert "1 object in 1 of 3" in words(give(app, other.read_bytes()))
    next(button for button in app.button if button.label == "Remove these annotations").click().run()
    assert "No annotations are stored" in words(app) and dataset.annotations is None


def test_what_is_left_out_is_listed_and_a_wrong_file_changes_nothing(dataset: Dataset, tmp_path: Path) -> None:
    app = opened()
    file = made_truth(tmp_path / "truth.json", ["a.png"], ["dog"])
    give(app, file.read_bytes())
    content = json.loads(file.read_text())
    content["annotations"] += [{"image_id": 99, "category_id": 0}] * 4 + [{"image_id": 0, "category_id": 0}]
    give(app, json.dumps(content).encode(), "wrong.json")
    # What cannot be used is left out and listed; everything else is stored.
    lines = [item.value.replace("\\", "").replace("\u2060", "") for item in app.warning]
    assert not app.error and len(lines) == 2 and all("\n" not in line for line in lines)
    assert "matches no image in the file (number 2, number 3, number 4 and 1 more)" in lines[0]
    assert dataset.annotations is not None
    assert read_annotations(dataset.annotations).objects == read_annotations(file).objects
    for data, told in (
        (b"no json", "it is not valid JSON"),
        (made_truth(file, ["z.png"], ["x"]).read_bytes(), "annotates no image"),
    ):
        give(app, data)
        assert len(app.error) == 1 and told in words(app)
    app.run()
    assert not app.error


def test_a_damaged_kept_file_is_told_and_can_be_replaced(dataset: Dataset, tmp_path: Path) -> None:
    (dataset.root / "annotations.json").write_text("{")
    app = opened()
    assert len(app.error) == 1 and "is not valid JSON" in words(app)
    give(app, made_truth(tmp_path / "truth.json", ["a.png"], ["dog"]).read_bytes())
    assert not app.error and "1 object in 1 of 3" in words(app)


def test_the_server_never_reads_them_itself(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object) -> None:
        raise AssertionError("read in the server")

    monkeypatch.setattr(truth, "read_annotations", never)
    monkeypatch.setattr(truth, "_asked", ASKED)
    given = made_truth(tmp_path / "truth.json", ["a.png"], ["dog"]).read_bytes()
    assert "1 object in 1 of 3" in words(give(opened(), given))


def test_a_process_that_ends_early_or_takes_too_long_is_one_line(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    (dataset.root / "annotations.json").write_text("{}")
    monkeypatch.setattr(truth, "_asked", ASKED)
    monkeypatch.setattr(truth, "SECONDS", 0.0)
    assert "need more than 0 s" in words(opened())
    monkeypatch.setattr(truth, "SECONDS", 60.0)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    said = words(opened())
    assert "ended early" in said and "Traceback" not in said


def test_the_column_of_labels_is_named(dataset: Dataset, workspace: Path) -> None:
    said = words(opened())
    assert "The column Class is used as true labels: 2 images with 2 different labels (dog (2), cat (1))" in said
    given = folder_of(workspace / "plain", {"d.png": coded(noise(7)), "t.csv": b"file,kind\nd.png,x\n"})
    ingest([given], store=datasets_folder())
    assert "No column is named labels, class or category" in words(opened())
