"""The mosaic pointing game of a run: what is drawn, what is recorded, and that a method that points wins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from core.applications.mosaic import work as stage
from core.applications.mosaic.card import CARD
from core.applications.mosaic.chapter import is_signed, sections, tile_caption
from core.applications.mosaic.layout import mosaic
from core.applications.mosaic.measures import mosaic_table, typical_text
from core.applications.mosaic.record import MapRow, MosaicRecord, load, of_run
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.attribution.contract import Work
from core.attribution.explain import attribute
from core.content.assets import Assets
from core.datasets import ingest
from core.errors import InputError, RunError
from core.methods import METHODS
from core.models.trunk import ImageTrunk, TextTrunk
from core.runs import Run, TextPlan
from core.runs.rows import typed
from tests.audit.small import draw_images, loaded, new_run, plan_for, save_model
from tests.support.contexts import context_of

METHODS_HERE = ("raw", "rollout", "rise")


def subject_of(folder: Path, **parts: Any) -> Subject:
    config = save_model(folder / "vit")
    drawn = draw_images(folder / "drawn", 6)
    words = ("dog", "cat", "bird", "shore", "mat", "photo")
    lines = ["file,caption", *(f"drawn-{at}.png,a {word}" for at, word in enumerate(words))]
    (drawn / "captions.csv").write_text("\n".join(lines) + "\n")
    dataset = ingest([drawn], store=folder / "data")
    run = new_run(folder / "run", plan_for(dataset, config, METHODS_HERE, **parts))
    return Subject(run, loaded(config))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Subject, MosaicRecord]:
    """Three mosaics of a tiny transformer; RISE can pay for two of them."""
    torch.set_num_threads(1)
    subject = subject_of(tmp_path_factory.mktemp("mosaic"))
    cost = METHODS["rise"].cost({"masks": 96}, subject.model.image.depth)
    each = cost.image + cost.pool * cost.kept
    told: list[str] = []
    out = run_stage(subject, "mosaic", {"mosaics": 3, "side": 64, "budget": 2.5 * each}, told.append)
    assert told == [f"mosaics: {number} of 3" for number in (1, 2, 3)]
    return subject, load(out)


def test_no_mosaic_has_a_text_twice_and_every_image_comes_up() -> None:
    texts = ["a", "b", "a", "c", "d", "e", "a", "f"]
    drawn = stage.draw(texts, CARD.parse({"mosaics": 6, "tiles": 3}), seed=1)
    assert len(drawn) == 6
    for places in drawn:
        assert len({texts[at] for at in places}) == 3
    assert {at for places in drawn for at in places} == set(range(len(texts)))
    assert drawn == stage.draw(texts, CARD.parse({"mosaics": 6, "tiles": 3}), seed=1)
    assert drawn != stage.draw(texts, CARD.parse({"mosaics": 6, "tiles": 3}), seed=2)
    assert stage.draw(["a", "b", "a"], CARD.parse({"tiles": 3}), seed=1) == []


def test_every_method_explains_every_tile_within_its_budget(made: tuple[Subject, MosaicRecord]) -> None:
    subject, record = made
    assert record.maps.columns.tolist() == MosaicRecord.SCHEMAS["maps"].names and record.about["problems"] == []
    counted = record.maps.groupby("method")["mosaic"].nunique().to_dict()
    assert counted == {"raw": 3, "rollout": 3, "rise": 2}
    assert {name: told["mosaics"] for name, told in record.about["methods"].items()} == counted
    for _, part in record.maps.groupby(["mosaic", "method"]):
        assert part["tile"].tolist() == [0, 1, 2, 3] and part["text"].nunique() == 4
    assert record.about["image_forwards"] > 3
    # What is stored is the method's map of that very mosaic.
    known = {entry.id: entry for entry in subject.images}
    images = [subject.open(known[image]) for image in record.images(1)]
    pixels, geometry = subject.model.preprocess([mosaic(images, 64)])
    rows = record.maps[(record.maps["mosaic"] == 1) & (record.maps["method"] == "raw")]
    work = Work(subject.model, ImageTrunk(subject.model, pixels), TextTrunk(subject.model, rows["text"].tolist()))
    expected = attribute(work, "raw", geometry, sides=["image"]).image
    assert expected is not None
    for at, row in enumerate(rows.itertuples()):
        assert np.allclose(record.grid(row), expected[0, at], atol=1e-6)
        assert not np.allclose(record.grid(row), expected[0, at - 1], atol=1e-6)


def test_a_map_that_ignores_the_text_is_at_chance_exactly(made: tuple[Subject, MosaicRecord]) -> None:
    _, record = made
    table = mosaic_table(record).set_index("method")
    assert record.chance == 0.25
    for measure in ("share", "energy"):
        assert table.loc["rollout", measure] == pytest.approx(0.25, abs=1e-6)
        assert table.loc["raw", measure] != pytest.approx(0.25, abs=1e-6)
    # Two mosaics give no interval, and no p either.
    assert table.loc["rise", "n"] == 2 and table["share_low"].isna().all() and table["p"].isna().all()


def planted(record: MosaicRecord, *, tile_off: int) -> MosaicRecord:
    """The record with a method whose maps light the tile `tile_off` beyond the right one, and a little else."""
    random = np.random.default_rng(0)
    rows = record.maps[record.maps["method"] == "raw"].copy()
    # Enough mosaics for an interval.
    rows = pd.concat([rows.assign(mosaic=rows["mosaic"] + at * 100) for at in range(8)], ignore_index=True)
    maps = []
    for row in rows.itertuples():
        values = 0.05 * random.random((4, 4))
        at = (row.tile + tile_off) % 4
        values[2 * (at // 2) : 2 * (at // 2) + 2, 2 * (at % 2) : 2 * (at % 2) + 2] += 1
        maps.append(values.ravel().tolist())
    return MosaicRecord(record.about, rows.assign(rows=4, columns=4, map=maps))


@pytest.mark.parametrize("tile_off", [0, 1])
def test_a_method_that_points_at_its_image_wins(made: tuple[Subject, MosaicRecord], tile_off: int) -> None:
    table = mosaic_table(planted(made[1], tile_off=tile_off))
    (row,) = table.itertuples()
    assert (row.share > 0.9) == (tile_off == 0) and (row.p < 0.01) == (tile_off == 0)
    assert row.pointing == (1.0 if tile_off == 0 else 0.0)


def test_the_report_prints_a_mosaic_and_every_method(made: tuple[Subject, MosaicRecord]) -> None:
    subject, record = made
    first, shown = sections(context_of(subject.run, Assets()))
    (table,) = first.tables
    assert len(table.rows) == 3 and len(first.charts) == 1
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert shown.heats[0].title == "Mosaic" and len(shown.heats) == 4
    told = record.about | {"problems": [["raw", 1, "no gradient"]]}
    (MosaicRecord.folder_of(subject.run) / "about.json").write_text(json.dumps(told))
    last = sections(context_of(subject.run, Assets()))[-1]
    assert last.tables[0].rows == ((METHODS["raw"].title, "2", "no gradient"),)


def test_the_mosaic_shown_is_that_of_the_median_text_and_its_caption_is_counted() -> None:
    rows, shares = [], (0.2, 0.3, 0.5, 0.9, 0.35, 0.6, 0.7)
    for number, share in enumerate(shares):
        rest = (1 - share) / 3
        values = [share, 2 * rest, rest / 2, rest / 2]
        rows.append((number, 0, str(number), f"{number}.png", f"text {number}", "raw", 2, 2, values))
    columns = ["mosaic", "tile", "image", "image_name", "text", "method", "rows", "columns", "map"]
    record = MosaicRecord({"tiles": 4}, pd.DataFrame(rows, columns=columns))
    assert typical_text(record, ["raw"]) == (2, 0) and typical_text(record, ["raw", "rise"]) is None
    captions = [tile_caption(record, row) for row in typed(record.maps, MapRow)]
    assert captions[2] == "50 % in its tile, highest cell inside"
    assert captions[0] == "20 % in its tile (more in the upper right one: 53 %), highest cell outside"
    # Without a map that has the median nothing is shown.
    assert typical_text(MosaicRecord({"tiles": 4}, record.maps.head(0)), ["raw"]) is None


def test_maps_with_a_sign_have_its_colours(made: tuple[Subject, MosaicRecord]) -> None:
    assert is_signed("raw") and not is_signed("rollout") and not is_signed("a method of another version")
    _, shown = sections(context_of(made[0].run, Assets()))[:2]
    heats = {heat.title: heat for heat in shown.heats}
    raw = heats[METHODS["raw"].title]
    assert raw.low.lstrip("\u2212") == raw.high and "raw " in raw.caption and "in its tile" in raw.caption
    assert "median of all texts" in shown.sentences[0]


def test_what_is_lacking_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="4 images whose texts differ"):
        run_stage(subject_of(tmp_path, texts=TextPlan(captions=False, prompts=("a cat",))), "mosaic", {}, print)
    assert of_run(Run(tmp_path)) is None
    with pytest.raises(RunError, match="run this application again"):
        load(tmp_path)
