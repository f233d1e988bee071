"""The embedding map of a run: no pass beyond the shared embeddings, equal bytes again, and its chapter."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.applications.embedding_map.chapter import layout_chart, sections
from core.applications.embedding_map.layout import COMPONENTS, TSNE
from core.applications.embedding_map.record import RANDOM, LayoutRecord
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.content.assets import Assets
from core.content.groups import OTHERS, best_classes, frequent
from core.runs import Run
from core.settings import ROOT
from tests.audit.small import loaded, new_run, plan_for, save_model, take_in
from tests.support.contexts import context_of
from tests.support.made_layout import write_layout
from tests.support.made_run import CLASSES, made_run


def subject_of(folder: Path, images: int) -> Subject:
    config = save_model(folder / "vit")
    return Subject(new_run(folder / "run", plan_for(take_in(folder, images), config, ("raw",))), loaded(config))


def test_the_layout_takes_no_pass_of_its_own_and_is_the_same_again(tmp_path: Path) -> None:
    subject = subject_of(tmp_path, 12)
    subject.embeddings(subject.images, lambda line: None)
    before = subject.model.meter.image
    lines: list[str] = []
    folder = run_stage(subject, "embedding_map", {"steps": 50}, lines.append)
    assert subject.model.meter.image == before and "embedding map: step 300 of 300" in lines
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    record = LayoutRecord.load(folder)
    assert record.about["image_forwards"] == 0 and record.about["method"] == TSNE
    assert record.points["image"].tolist() == [image.id for image in subject.images]
    assert set(record.layouts["layout"]) == {TSNE, COMPONENTS, RANDOM} and (record.layouts["n"] == 12).all()
    again = run_stage(subject, "embedding_map", {"steps": 50}, lines.append)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == files
    other = run_stage(subject, "embedding_map", {"steps": 60}, lines.append)
    assert (other / "points.parquet").read_bytes() != files["points.parquet"]


@pytest.mark.parametrize("images", [1, 3])
def test_few_images_have_a_map(tmp_path: Path, images: int) -> None:
    subject = subject_of(tmp_path, images)
    record = LayoutRecord.load(run_stage(subject, "embedding_map", {}, lambda line: None))
    assert len(record.points) == images
    # One image has no neighbour.
    assert bool(len(record.layouts)) == (images == 3)
    (section,) = sections(context_of(subject.run))
    assert ("there are no neighbours" in section.results[0]) == (images == 1)


def made(folder: Path) -> Run:
    run = made_run(folder / "run", images=6, methods=("raw",))
    write_layout(run)
    return run


def test_the_chapter_prints_a_figure_its_faithfulness_and_how_to_read_it(tmp_path: Path) -> None:
    run = made(tmp_path)
    assets = Assets()
    (section,) = sections(context_of(run, assets))
    assert (
        "0.60 [0.50, 0.70], n = 6" in section.results[0] and "random positions (one draw): 0.20" in section.results[0]
    )
    assert [row[0] for row in section.tables[0].rows] == [TSNE, TSNE, "Random positions", "Random positions"]
    assert "have no meaning" in section.sentences[0]
    (chart,) = section.charts
    assert "Colours and shapes" in chart.caption and "drawn at random" not in chart.caption
    assert sections(context_of(made_run(tmp_path / "bare", methods=("raw",)))) == ()


def test_of_many_images_a_random_part_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path)
    monkeypatch.setattr("core.applications.embedding_map.chapter.MOST_POINTS", 4)
    (section,) = sections(context_of(run))
    assert "4 of 6 images, drawn at random." in section.charts[0].caption
    points = write_layout(run).points
    first, second = (layout_chart(points, {}, seed).to_dict()["datasets"] for seed in (0, 0))
    assert first == second and [len(rows) for rows in first.values()] == [4]


def test_the_best_class_is_that_of_the_highest_score(tmp_path: Path) -> None:
    run = made(tmp_path)
    best = best_classes(context_of(run).summary.scores)
    assert [best[image.id] for image in run.dataset.images] == [CLASSES[at % 3] for at in range(6)]
    captions = context_of(run).summary.scores.query("text_kind == 'caption'")
    assert best_classes(captions) == {}


def test_of_many_groups_the_most_frequent_have_a_name() -> None:
    values = [f"class {at:02}" for at in range(16) for _ in range(16 - at)]
    assert frequent(values) == [f"class {at:02}" for at in range(13)] and OTHERS not in frequent(values)
    assert frequent(values[:-3]) == [f"class {at:02}" for at in range(14)]
    assert frequent(["b", "a", "b"]) == ["b", "a"]


def test_reading_a_layout_loads_no_library_of_layouts() -> None:
    source = (ROOT / "core" / "applications" / "embedding_map" / "chapter.py").read_text()
    assert "layout import" not in source
