"""Maps of a made run against boxes drawn where its maps have their hills."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.datasets import read_annotations
from core.datasets.annotations import keep_annotations
from core.models.geometry import Preprocessing
from core.reporting import localisation
from core.reporting.content import Section
from core.reporting.localisation import SHOWN, against_drawn
from core.runs import Run
from tests.support.made_run import CLASSES, made_run

METHODS = ("raw", "m2ib", "rise")
# Half the side of a box, in parts of the input.
HALF = 0.2


def annotated(folder: Path, *, elsewhere: bool = False, labels: tuple[str, ...] = CLASSES) -> Run:
    """A run whose pictures have a box around the hill of the maps, or in the corner that is farthest from it."""
    run = made_run(folder / "run", images=6, methods=METHODS)
    images, drawn = [], []
    for index, picture in enumerate(run.dataset.pictures):
        x, y = 0.35 + 0.3 * ((index * 7) % 5) / 4, 0.4 + 0.2 * ((index * 3) % 4) / 3
        x, y = ((0.1 if x > 0.5 else 0.9), 0.1) if elsewhere else (x, y)
        geometry = Preprocessing(224, 224).geometry(picture.width, picture.height)
        left, top = geometry.to_original(224 * (x - HALF), 224 * (y - HALF))
        right, bottom = geometry.to_original(224 * (x + HALF), 224 * (y + HALF))
        box = [left, top, right, top, right, bottom, left, bottom]
        box = [float(np.clip(value, 0, (picture.width, picture.height)[at % 2])) for at, value in enumerate(box)]
        images.append({"id": index, "file_name": picture.name, "width": picture.width, "height": picture.height})
        drawn.append({"image_id": index, "category_id": index % 3, "segmentation": [box], "area": 100})
    categories = [{"id": at, "name": name.upper()} for at, name in enumerate(labels)]
    file = folder / "drawn.json"
    file.write_text(json.dumps({"images": images, "categories": categories, "annotations": drawn}))
    keep_annotations(run.dataset, read_annotations(file))
    return run


def means(section: Section) -> dict[str, list[float]]:
    (table,) = section.tables
    return {row[0]: [float(cell.split(" ")[0].replace("\u2212", "-")) for cell in row[1:]] for row in table.rows}


def test_maps_that_have_their_hill_on_the_object_are_above_the_controls_and_an_inverted_one_below(
    tmp_path: Path,
) -> None:
    section = against_drawn(annotated(tmp_path))
    found = means(section)
    assert list(found)[-2:] == ["Centre (control)", "Chance (control)"]
    title = next(name for name in found if "RISE" in name)
    raw = next(name for name in found if "(control)" not in name and name != title and found[name][0] == 0.0)
    for at, name in enumerate(SHOWN):
        assert found[title][at] > found["Chance (control)"][at], name
        assert found[raw][at] <= found["Chance (control)"][at], name
    assert found[title][0] == 1.0
    assert found["Chance (control)"][list(SHOWN).index("contrast")] == 0.0
    assert "n = 6 pictures" in section.tables[0].caption
    assert any("6 explained texts" in sentence for sentence in section.sentences)


def test_boxes_elsewhere_are_missed(tmp_path: Path) -> None:
    found = means(against_drawn(annotated(tmp_path, elsewhere=True)))
    title = next(name for name in found if "RISE" in name)
    assert found[title][0] == 0.0
    assert found[title][list(SHOWN).index("contrast")] < 0


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
