"""Maps of a made run against boxes drawn where its maps have their hills."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.applications.truth import read_truth
from core.content.parts import Section
from core.datasets import read_annotations
from core.datasets.annotations import keep_annotations
from core.models.geometry import Preprocessing
from core.reporting import localisation
from core.reporting.localisation import COLUMNS, against_drawn
from core.runs import Run
from tests.support.made_run import CLASSES, made_run

METHODS = ("raw", "m2ib", "rise")
# Half the side of a box, in parts of the input.
HALF = 0.2


def annotated(folder: Path, *, elsewhere: bool = False, labels: tuple[str, ...] = CLASSES) -> Run:
    """A run whose images have a box around the hill of the maps, or in the corner that is farthest from it."""
    run = made_run(folder / "run", images=6, methods=METHODS)
    images, drawn = [], []
    for index, image in enumerate(run.dataset.images):
        x, y = 0.35 + 0.3 * ((index * 7) % 5) / 4, 0.4 + 0.2 * ((index * 3) % 4) / 3
        x, y = ((0.1 if x > 0.5 else 0.9), 0.1) if elsewhere else (x, y)
        geometry = Preprocessing(224, 224).geometry(image.width, image.height)
        left, top = geometry.to_original(224 * (x - HALF), 224 * (y - HALF))
        right, bottom = geometry.to_original(224 * (x + HALF), 224 * (y + HALF))
        box = [left, top, right, top, right, bottom, left, bottom]
        box = [float(np.clip(value, 0, (image.width, image.height)[at % 2])) for at, value in enumerate(box)]
        images.append({"id": index, "file_name": image.name, "width": image.width, "height": image.height})
        drawn.append({"image_id": index, "category_id": index % 3, "segmentation": [box], "area": 100})
    categories = [{"id": at, "name": name.upper()} for at, name in enumerate(labels)]
    file = folder / "drawn.json"
    file.write_text(json.dumps({"images": images, "categories": categories, "annotations": drawn}))
    keep_annotations(run.dataset, read_annotations(file))
    return run


def means(section: Section) -> dict[str, list[float]]:
    table, _ = section.tables
    return {row[0]: [float(cell.split(" ")[0].replace("\u2212", "-")) for cell in row[1:]] for row in table.rows}


def test_maps_that_have_their_hill_on_the_object_are_above_the_controls_and_an_inverted_one_below(
    tmp_path: Path,
) -> None:
    section = against_drawn(annotated(tmp_path))
    found = means(section)
    assert list(found)[-2:] == ["Centre (control)", "Chance (control)"]
    title = next(name for name in found if "RISE" in name)
    raw = next(name for name in found if "(control)" not in name and name != title and found[name][0] == 0.0)
    for at, name in enumerate(COLUMNS):
        assert found[title][at] > found["Chance (control)"][at], name
        assert found[raw][at] <= found["Chance (control)"][at], name
    assert found[title][0] == 1.0
    chance = dict(
        zip(COLUMNS, next(row for row in section.tables[0].rows if row[0].startswith("Chance"))[1:], strict=True)
    )
    assert chance.pop("contrast") == "0.00 (exact)"
    assert all(cell.endswith("[no interval]") for cell in chance.values()), "the sizes of six objects"
    assert not any(
        "(exact)" in cell for row in section.tables[0].rows if not row[0].startswith("Chance") for cell in row
    )
    assert "n = 6 images" in section.tables[0].caption
    assert any("6 explained texts" in sentence for sentence in section.sentences)


def by_text(section: Section) -> dict[str, list[str]]:
    return {row[0]: list(row[1:]) for row in section.tables[1].rows}


def test_every_text_has_a_row_that_is_a_mean_over_images_of_means_over_methods(tmp_path: Path) -> None:
    run = annotated(tmp_path)
    section = against_drawn(run)
    values = pd.DataFrame(localisation._measured(run, read_truth(run.dataset.annotations or tmp_path)))
    rows = by_text(section)
    assert list(rows) == sorted(CLASSES) and {cells[0] for cells in rows.values()} == {"2"}
    for text, (_, pointing, overlap, centre, contrast) in rows.items():
        own = values[(values["text"] == text) & ~values["method"].isin(["centre", "chance"])]
        others = values[(values["text"] != text) & ~values["method"].isin(["centre", "chance"])]
        for cell, name in ((pointing, "pointing"), (overlap, "overlap"), (contrast, "contrast")):
            printed = float(cell.split(" ")[0].replace("\u2212", "-"))
            assert printed == pytest.approx(own.groupby("image")[name].mean().mean(), abs=0.006)
            assert name == "pointing" or printed != pytest.approx(others[name].mean(), abs=1e-4)
        assert centre != overlap
    # Two images give a mean no interval; Wilson's of a share exists.
    assert all("[no interval]" in cells[2] and "[no interval]" not in cells[1] for cells in rows.values())


def test_of_many_texts_the_first_are_printed_and_the_rest_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(localisation, "MOST_TEXTS", 2)
    table = against_drawn(annotated(tmp_path)).tables[1]
    assert len(table.rows) == 2 and table.more.startswith("1 more")


def test_boxes_elsewhere_are_missed(tmp_path: Path) -> None:
    found = means(against_drawn(annotated(tmp_path, elsewhere=True)))
    title = next(name for name in found if "RISE" in name)
    assert found[title][0] == 0.0
    assert found[title][list(COLUMNS).index("contrast")] < 0


def test_nothing_is_said_without_annotations_or_without_a_text_that_names_an_object(tmp_path: Path) -> None:
    plain = made_run(tmp_path / "plain", images=2, methods=METHODS)
    assert against_drawn(plain).empty
    assert against_drawn(annotated(tmp_path, labels=("sun", "moon", "star"))).empty


def test_annotations_that_were_damaged_are_named(tmp_path: Path) -> None:
    run = annotated(tmp_path)
    path = run.dataset.annotations
    assert path is not None
    path.write_text("{")
    section = against_drawn(run)
    assert not section.tables and section.sentences[0].startswith("Not measured: ")


def test_crowds_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = annotated(tmp_path)
    before = means(against_drawn(run))
    mask = localisation.Truth.mask

    def half_a_crowd(self: object, *args: object) -> object:
        found = mask(self, *args)  # type: ignore[arg-type]
        assert found is not None
        found[:, : found.shape[1] // 2] = -1
        return found

    monkeypatch.setattr(localisation.Truth, "mask", half_a_crowd)
    after = means(against_drawn(run))
    assert after["Chance (control)"] != before["Chance (control)"]


def test_phrases_with_boxes_are_compared_with_the_maps_of_the_same_phrases(tmp_path: Path) -> None:
    as_objects = against_drawn(annotated(tmp_path / "a"))
    run = made_run(tmp_path / "b" / "run", images=6, methods=METHODS)
    lines = ["path,phrase,x,y,w,h,image_width,image_height"]
    drawn = json.loads((tmp_path / "a" / "drawn.json").read_text())
    for image, entry in zip(drawn["images"], drawn["annotations"], strict=True):
        left, top, right, _, _, bottom, *_ = entry["segmentation"][0]
        phrase, size = CLASSES[entry["category_id"]].upper(), f"{image['width']},{image['height']}"
        middle = (left + right) / 2
        # Two boxes of one phrase, and a small one of another phrase inside, which takes nothing away.
        for x, across in ((left, middle - left), (middle, right - middle)):
            lines.append(f"{image['file_name']},{phrase},{x},{top},{across},{bottom - top},{size}")
        lines.append(f"{image['file_name']},another phrase,{middle - 20},{top + 5},40,{(bottom - top) / 2},{size}")
    table = tmp_path / "boxes.csv"
    table.write_text("\n".join(lines) + "\n")
    keep_annotations(run.dataset, read_annotations(table))
    as_phrases = against_drawn(run)
    found, expected = means(as_phrases), means(as_objects)
    assert list(found) == list(expected)
    for name, values in expected.items():
        assert found[name] == pytest.approx(values, abs=0.02), name
    # Without the second box of each phrase the regions are others.
    table.write_text("\n".join(line for at, line in enumerate(lines) if at % 3 != 2) + "\n")
    keep_annotations(run.dataset, read_annotations(table))
    assert any(means(against_drawn(run))[name] != pytest.approx(expected[name], abs=0.02) for name in expected)
