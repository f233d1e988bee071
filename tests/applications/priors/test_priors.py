"""Semantic priors over a run: what is recorded adds up, costs are counted, and a report can be made of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr

from core import explain
from core.applications.priors import work as priors
from core.applications.priors.card import CARD
from core.applications.priors.chapter import (
    comparison,
    differences,
    region_lines,
    sections,
)
from core.applications.priors.record import PriorsRecord, load
from core.applications.priors.tables import COMPARISON
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.content.assets import Assets
from core.errors import InputError, RunError
from core.models.loading import load_model
from core.runs import Run, TextPlan
from core.settings import ROOT
from tests.audit.small import CLASSES, loaded, new_run, plan_for, save_model, take_in
from tests.support.contexts import context_of
from tests.support.tiny_coca import write_coca

OPTIONS: dict[str, Any] = {"regions": 4, "caption_regions": 3, "images": 3, "caption_length": 8}
IMAGES = 3


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Subject, PriorsRecord]:
    """A run whose model is a tiny transformer; a CoCa that has learnt nothing writes the captions."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("priors")
    config, weights = write_coca(folder / "coca", train=False)
    vit = save_model(folder / "vit", "vit")
    run = new_run(folder / "run", plan_for(take_in(folder, 4), vit))
    model = loaded(vit)
    run.update_manifest(model=model.describe())
    subject = Subject(run, model)
    told: list[str] = []
    options = {**OPTIONS, "captioner": str(config), "captioner_weights": str(weights)}
    out = run_stage(subject, "priors", options, told.append)
    assert told == [f"semantic priors: image {number} of 3" for number in (1, 2, 3)]
    return subject, load(out)


def test_there_is_a_row_for_every_way(made: tuple[Subject, PriorsRecord]) -> None:
    _, record = made
    assert record.maps.columns.tolist() == PriorsRecord.SCHEMAS["maps"].names
    found = set(record.maps[["value", "prior", "way"]].itertuples(index=False, name=None))
    every = {(value, prior, "sentence") for value in ("similarity", "caption_soft", "generated")
             for prior in ("semantic", "superpixels", "grid")}  # fmt: skip
    assert every <= found
    assert ("similarity", "semantic", "tokens") in found
    assert ("generated", "semantic", "tokens") in found
    assert record.maps["image"].nunique() == IMAGES
    assert record.about["images_left_out"] == 1
    assert record.about["bank"] == 2 + len(CLASSES)
    assert set(record.captions["prior"]) == {"semantic", "superpixels", "grid"}


def test_shares_sum_to_what_the_image_brings_and_paint_the_map(made: tuple[Subject, PriorsRecord]) -> None:
    _, record = made
    for row in record.maps[record.maps["way"] == "sentence"].itertuples():
        assert sum(row.shares) == pytest.approx(row.full - row.empty, abs=1e-9)
        assert sum(row.areas) == pytest.approx(1)
        assert len(row.map) == row.rows * row.columns
        # A cell's value is a mean of its regions' values.
        assert min(row.shares) - 1e-6 <= min(row.map) <= max(row.map) <= max(row.shares) + 1e-6
    tokens = record.maps[(record.maps["way"] == "tokens") & (record.maps["value"] == "similarity")]
    assert any(abs(sum(row.shares) - (row.full - row.empty)) > 1e-4 for row in tokens.itertuples())


def test_the_recorded_map_is_the_methods(made: tuple[Subject, PriorsRecord]) -> None:
    subject, record = made
    rows = record.maps[(record.maps["value"] == "similarity") & (record.maps["way"] == "sentence")]
    for row in rows.itertuples():
        image = next(one for one in subject.images if one.id == row.image)
        result = explain(
            subject.model, [subject.open(image)], [row.text], "semantic_priors", regions=row.prior, count=4
        )
        assert result.image is not None
        assert np.abs(result.image[0, 0].ravel() - row.map).max() < 1e-5
        assert np.abs(-result.image[0, 0].ravel() - row.map).max() > 1e-4


def test_costs_are_what_the_meter_says(made: tuple[Subject, PriorsRecord], tmp_path: Path) -> None:
    subject, record = made
    options = CARD.parse({**OPTIONS, "generate": False})
    with subject.model.meter.measuring() as spent:
        priors.work(subject, options, tmp_path, lambda words: None)
    rows = load(tmp_path).maps
    shown = rows[(rows["value"] == "similarity") & (rows["way"] == "sentence")]
    counted = shown.drop_duplicates(["image", "prior"])["image_forwards"].sum()
    assert spent.image == IMAGES + counted <= IMAGES * CARD.cost_model(options)
    assert (shown["image_forwards"] == 2 ** shown["regions"]).all()
    words = rows[rows["way"] == "tokens"]
    assert (words["alone_forwards"] == words["image_forwards"] * words["tokens"].map(len)).all()
    assert (words["alone_forwards"] > words["image_forwards"]).all()
    generated = record.maps[record.maps["value"] == "generated"]
    assert (generated["decoder_forwards"] > generated["image_forwards"]).all()


def test_more_texts_cost_no_more_images(made: tuple[Subject, PriorsRecord], tmp_path: Path) -> None:
    subject, _ = made
    prompts = tuple(f"thing {number}" for number in range(19))
    spent = []
    for name, texts in (("one", TextPlan()), ("twenty", TextPlan(prompts=prompts))):
        plan = subject.run.plan.model_copy(update={"texts": texts})
        other = Subject(new_run(tmp_path / name, plan), subject.model)
        out = tmp_path / f"{name}-out"
        out.mkdir()
        options = CARD.parse({**OPTIONS, "texts": 20, "generate": False, "baselines": False, "images": 3})
        assert len(other.embeddings(other.images, print)) == len(other.images)
        with subject.model.meter.measuring() as meter:
            priors.work(other, options, out, lambda words: None)
        spent.append(meter.image)
        assert load(out).maps["text"].nunique() == {"one": 2, "twenty": 21}[name]
    assert spent[1] <= 1.1 * spent[0]


def test_agreement_is_the_rank_correlation_with_the_first_way(made: tuple[Subject, PriorsRecord]) -> None:
    _, record = made
    for (value, _, _), part in record.maps.groupby(["value", "image", "text"]):
        first = part.iloc[0]
        assert first["prior"] == "semantic" and first["way"] == "sentence"
        for row in part.itertuples():
            if len(set(row.map)) > 1 and len(set(first["map"])) > 1:
                assert row.agreement == pytest.approx(spearmanr(row.map, first["map"]).statistic, abs=1e-6), value
            else:
                assert row.agreement is None or np.isnan(row.agreement)


def test_a_run_without_texts_is_told_so(made: tuple[Subject, PriorsRecord], tmp_path: Path) -> None:
    subject, _ = made
    plan = subject.run.plan.model_copy(update={"texts": TextPlan(captions=False)})
    with pytest.raises(InputError, match="give captions, prompts or classes"):
        priors.work(Subject(new_run(tmp_path / "run", plan), subject.model), CARD.parse(OPTIONS), tmp_path, print)
    with pytest.raises(RunError, match="incomplete or damaged"):
        load(tmp_path / "nowhere")


def test_the_audited_model_writes_its_own_captions_if_it_can(
    made: tuple[Subject, PriorsRecord], tmp_path: Path
) -> None:
    subject, _ = made
    config, weights = write_coca(tmp_path / "coca", train=False)
    coca = load_model(str(config), weights=weights, device="cpu")
    priors.work(Subject(subject.run, coca), CARD.parse({**OPTIONS, "images": 1}), tmp_path, lambda words: None)
    record = load(tmp_path)
    assert record.about["captioner"] == record.about["encoder"] == coca.title
    # The audited model names its regions; those of the captioner's own input stay without a name.
    semantic = record.maps[record.maps["prior"] == "semantic"]
    own = semantic["value"] != "generated"
    assert own.any() and not own.all()
    assert [len(names) > 0 for names in semantic["names"]] == own.tolist()
    off = CARD.parse({**OPTIONS, "images": 1, "generate": False})
    priors.work(Subject(subject.run, coca), off, tmp_path, lambda words: None)
    assert load(tmp_path).about["captioner"] is None
    assert load(tmp_path).captions.empty


def test_the_comparison_has_intervals_over_images(made: tuple[Subject, PriorsRecord]) -> None:
    _, record = made
    frame = comparison(record)
    row = frame[(frame["value"] == "similarity") & (frame["prior"] == "grid")].iloc[0]
    rows = record.maps[(record.maps["value"] == "similarity") & (record.maps["prior"] == "grid")]
    assert row["n"] == IMAGES
    assert row["faithfulness"] == pytest.approx(rows.groupby("image")["faithfulness"].mean().mean())
    assert pd.isna(row["faithfulness_low"]) and pd.isna(row["faithfulness_high"]), "three images have no interval"
    again = [record.maps.assign(image=word + record.maps["image"]) for word in ("", "again", "once more")]
    thrice = comparison(replace(record, maps=pd.concat(again, ignore_index=True)))
    nine = thrice[(thrice["value"] == "similarity") & (thrice["prior"] == "grid")].iloc[0]
    assert nine["faithfulness_low"] <= row["faithfulness"] <= nine["faithfulness_high"]
    first = frame[(frame["prior"] == "semantic") & (frame["way"] == "sentence")]
    assert np.allclose(first["agreement"].dropna().astype(float), 1)
    rows = COMPARISON.table("", frame).rows
    assert len(rows) == len(frame) and all("n = " in cells[6] for cells in rows)


def test_differences_are_paired_by_image_and_text(made: tuple[Subject, PriorsRecord]) -> None:
    _, record = made
    found = differences(record)
    assert set(found["value"]) == {"similarity", "caption_soft", "generated"}
    rows = record.maps[(record.maps["value"] == "similarity") & (record.maps["way"] == "sentence")]
    by = rows.pivot(index="image", columns="prior", values="faithfulness")
    row = found[(found["value"] == "similarity") & (found["prior"] == "grid")].iloc[0]
    assert row["difference"] == pytest.approx((by["semantic"] - by["grid"]).mean())
    assert row["difference"] != pytest.approx((by["semantic"] - by["superpixels"]).mean())
    assert row["n"] == IMAGES


def test_the_report_shows_table_charts_maps_and_captions(made: tuple[Subject, PriorsRecord], tmp_path: Path) -> None:
    subject, record = made
    assets = Assets()
    chapter = sections(context_of(subject.run, assets))
    titles = [section.title for section in chapter]
    assert titles == ["Semantic priors", "Cost and result of the types of explanation", "Contributions of the regions",
                      "Captions with regions hidden"]  # fmt: skip
    table, charts, heats = chapter[1].tables[0], chapter[1].charts, chapter[2].heats
    assert len(table.rows) == len(comparison(record))
    assert {len(cells) for cells in table.rows} == {len(table.columns)}
    assert len(charts) == 3
    assert len(heats) == 3 * 3 * IMAGES
    assert all(heat.asset in assets.items and heat.bar in assets.items for heat in heats)
    assert "CoCa".lower() in chapter[0].facts[-1].value.lower()
    assert chapter[3].tables[0].rows
    assert sections(context_of(Run(tmp_path), assets)) == ()
    line = region_lines(next(record.maps.itertuples()))[0]
    assert "% of the image, nearest to" in line


def test_the_stage_is_named_in_the_manifest_and_read_without_torch(made: tuple[Subject, PriorsRecord]) -> None:
    subject, _ = made
    files = subject.run.manifest["applications"]["priors"]["files"]
    assert {Path(name).name for name in files} == {"maps.parquet", "captions.parquet", "about.json"}
    folder = subject.run.folder / "applications" / "priors"
    assert json.loads((folder / "about.json").read_text())["options"]["regions"] == 4
    code = (
        "import sys; from pathlib import Path; from core.applications.priors.record import load; "
        f"import core.applications.priors.chapter; load(Path({str(folder)!r})); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr
