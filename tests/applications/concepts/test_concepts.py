"""The stage of concepts: what it writes, that any map follows from it without a model, and what is printed of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.support.tiny import fresh, sample_images, tiny_model
from core.applications.concepts import work as stage
from core.applications.concepts.card import CARD
from core.applications.concepts.chapter import caution, sections, top_concepts, top_groups
from core.applications.concepts.record import ConceptRecord, load, of_run
from core.applications.concepts.tables import rebuilt_words
from core.applications.concepts.work import splice as splice
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.attribution.contract import Work
from core.attribution.convis import embed_crops
from core.attribution.explain import attribute
from core.attribution.kept import KeptCrops
from core.concepts.lattice import PRESETS
from core.concepts.vocabulary import vocabulary
from core.content.assets import Assets
from core.errors import InputError, RunError
from core.models.trunk import ImageTrunk, TextTrunk
from core.runs import Run
from core.settings import ROOT
from tests.support.contexts import context_of
from tests.support.made_run import made_run
from tests.support.own_concepts import OWN, OWN_CONCEPTS

OPTIONS = OWN_CONCEPTS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run with the stage done, the model that did it, and what it said."""
    folder = tmp_path_factory.mktemp("concepts")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOUPE_HOME", str(folder / "home"))
        model = fresh(tiny_model("vit", folder))
        run = made_run(folder / "run", images=3)
        told: list[str] = []
        run_stage(Subject(run, model), "concepts", OPTIONS, told.append)
        yield run, model, told


@pytest.fixture
def record(made: Any) -> ConceptRecord:
    """The record of that run."""
    found = of_run(made[0])
    assert found is not None
    return found


def test_the_stage_says_where_it_is_and_counts_its_work(made: Any, record: ConceptRecord) -> None:
    run, model, told = made
    assert told == [
        "reading the glosses of 20 concepts",
        *(f"concepts: image {at} of 3" for at in (1, 2, 3)),
        "reconstructing each image from words",
    ]
    assert record.about["image_forwards"] == 3 * (164 + 1) == 3 * CARD.cost_model(CARD.parse(OPTIONS))
    # A gloss and a name of each concept.
    assert record.about["text_forwards"] == 2 * len(record.graph) == 40
    assert CARD.cost_model(CARD.parse({})) == 731
    # A second time the glosses are read, not embedded.
    with model.meter.measuring() as spent:
        stage.embed_glosses(model, record.graph)
    assert spent.text == 0
    assert set(run.manifest["applications"]["concepts"]["files"]) == {
        f"applications/concepts/{name}" for name in (
            "about.json", "best.npy", "concepts.parquet", "crops.npy", "glosses.npy", "own.npy", "images.npy",
            "images.parquet", "presence.npy", "rebuilt.parquet", "top.parquet",
        )
    }  # fmt: skip


@pytest.mark.parametrize(("planned", "forwards"), [("fast", 3 * 1), ("exact", 3 * (1 + 164))])
def test_crops_that_the_maps_have_cut_are_not_cut_again(made: Any, tmp_path: Path, planned: str, forwards: int) -> None:
    run, model, _ = made
    kept = KeptCrops()
    for image in run.dataset.images:
        pixels, geometry = model.preprocess([run.dataset.open(image)])
        work = Work(model, ImageTrunk(model, pixels), TextTrunk(model, ["a dog"]))
        attribute(work, "convis", geometry, sides=["image"], preset=planned, score="similarity")
        kept.keep(work.pools)
    again = made_run(tmp_path / "run", images=3)
    run_stage(Subject(again, model, kept), "concepts", OPTIONS, lambda line: None)
    first, second = of_run(run), of_run(again)
    assert first is not None and second is not None
    assert second.about["image_forwards"] == forwards
    assert np.array_equal(np.asarray(first.crops), np.asarray(second.crops))


def test_any_map_follows_from_the_record(made: Any, record: ConceptRecord) -> None:
    run, model, _ = made
    subject = Subject(run, model)
    embedded = stage.embed_images(model, [subject.open(image) for image in subject.images], record.graph, preset="fast")
    for name in ("animal", "dog", "word 3"):
        at = record.graph.position(name)
        for place, direct in enumerate(embedded.maps(name)):
            stored = record.map(at, place)
            # Stored in half precision: a rank may move by one of 19 in a few crops.
            assert np.abs(stored.values - direct.values).max() < 0.02
            assert stored.presence == pytest.approx(float(record.presence[place, at]), abs=1e-6)
            assert stored.best == pytest.approx(float(record.best[place, at]), abs=1e-6)
    # Another image's map and a transposed one are further off than that, shown by the liveliest concept.
    lively = max(range(20), key=lambda at: float(np.ptp(record.map(at, 0).values)))
    first, second = record.map(lively, 0).values, record.map(lively, 1).values
    assert np.abs(first - second).max() > 0.03
    assert np.abs(first - first.T).max() > 0.03
    animal, dog = (record.graph.position(name) for name in ("animal", "dog"))
    assert (record.map(animal, 0).values >= record.map(dog, 0).values).all()
    assert (record.presence[:, animal] >= record.own[:, animal]).all()
    with pytest.raises(InputError, match="'cow' is not among the 20 concepts"):
        embedded.maps("cow")


def test_one_crop_is_where_the_lattice_says(made: Any, record: ConceptRecord) -> None:
    run, model, _ = made
    subject = Subject(run, model)
    pixels, _ = model.preprocess(subject.open(subject.images[2]))
    crops = embed_crops(model, pixels[0], PRESETS["fast"]).numpy()
    assert record.crops.shape == (3, 164, crops.shape[1])
    assert np.abs(record.crops[2].astype(np.float32) - crops).max() < 1e-3
    assert np.abs(record.crops[1].astype(np.float32) - crops).max() > 1e-2


def test_top_concepts_are_listed_best_first(record: ConceptRecord) -> None:
    for _, rows in record.top.groupby("image"):
        assert rows["rank"].tolist() == list(range(1, 21))
        assert (rows["presence"].diff().dropna() <= 1e-7).all()
    name = record.top["concept"].iloc[0]
    at = record.graph.position(name)
    assert record.top["presence"].iloc[0] == pytest.approx(record.own[0].max())
    assert record.top["cosine"].iloc[0] == pytest.approx(float(record.whole[0] @ record.glosses[at]), abs=1e-3)


def test_the_fit_is_the_best_leaf(made: Any, record: ConceptRecord) -> None:
    _, model, _ = made
    words = model.embed_texts(["a red bird on the mat", "a dog on the shore", "in the photo"]).detach().numpy()
    assert np.allclose(record.images["fit"], (record.whole @ words.T).max(axis=1), atol=1e-4)
    assert not np.allclose(record.images["fit"], (record.whole @ words.T).mean(axis=1), atol=1e-3)


def test_each_image_is_written_as_names_with_what_they_leave(made: Any, record: ConceptRecord) -> None:
    run, model, _ = made
    subject = Subject(run, model)
    names, direct = splice.rebuild_images(
        model, [subject.open(image) for image in subject.images], record.graph, penalty=0.2
    )
    assert names == [concept.title for concept in record.graph.concepts]
    assert record.rebuilt["image"].tolist() == record.images["image"].tolist()
    for at, row in enumerate(record.rebuilt.itertuples()):
        order = [name for _, name in sorted(zip(-direct.weights[at], names, strict=True)) if direct.weights[at].any()]
        assert list(row.words) == order[: len(row.words)]
        assert len(row.words) == int((direct.weights[at] > 0).sum())
        assert np.allclose(row.weights, np.sort(direct.weights[at])[::-1][: len(row.words)], atol=1e-4)
        assert row.cosine == pytest.approx(direct.cosine[at], abs=1e-4)
        assert 0 <= row.cosine <= 1
    assert (record.rebuilt["words"].map(len) > 0).any()
    assert np.abs(direct.cosine - direct.cosine[::-1]).max() > 1e-3


def test_the_words_of_images_are_printed_with_their_residual(made: Any, record: ConceptRecord) -> None:
    (section,) = [part for part in sections(context_of(made[0], Assets())) if "reconstruct" in part.title]
    assert "n = 3" in section.sentences[0] and "[" in section.sentences[0]
    assert "fewer than 20" in section.sentences[1]
    rows = section.tables[0].rows
    assert [row[0] for row in rows] == record.rebuilt["image_name"].tolist()
    for row, kept in zip(rows, record.rebuilt.itertuples(), strict=True):
        assert row[1].startswith(kept.words[0] if len(kept.words) else "no word")
        assert row[2] == f"{100 * (1 - kept.cosine**2):.0f} %"
    assert rebuilt_words(["a", "b", "c"], [0.5, 0.25, 0.1], most=2) == "a 0.500, b 0.250 and 1 more"


def test_an_earlier_record_has_no_words(made: Any, tmp_path: Path) -> None:
    place = tmp_path / ConceptRecord.NAME
    shutil.copytree(ConceptRecord.folder_of(made[0]), place)
    (place / "rebuilt.parquet").unlink()
    found = load(place)
    assert found is not None and found.rebuilt.empty
    one = pd.DataFrame({"image": ["x"], "image_name": ["x.png"]})
    assert splice.rebuilt_frame(made[1], found.graph, one, found.whole[:1], 0.2).empty


def test_tables_carry_n_and_an_interval_from_seven_images_on(record: ConceptRecord) -> None:
    found = top_concepts(record)
    assert found["value"].tolist() == sorted(found["value"], reverse=True)
    assert (found["n"] == 3).all()
    assert found["low"].isna().all(), "three images have no interval"
    seven = replace(record, own=np.vstack([record.own, record.own, record.own[:1]]))
    table = top_concepts(seven)
    assert ((table["low"] <= table["value"]) & (table["value"] <= table["high"])).all()
    assert (table["n"] == 7).all()
    assert found["chance"].iloc[0] == pytest.approx(1 / 20)
    at = record.graph.position(found["name"].iloc[0])
    assert found["value"].iloc[0] == pytest.approx(float(record.own[:, at].mean()))
    groups = top_groups(record)
    assert groups.empty or set(groups["name"]) == {"animal"}
    assert caution(record).startswith("Only 20 concepts were ranked")


def test_the_report_prints_it(made: Any) -> None:
    run = made[0]
    assets = Assets()
    chapter = sections(context_of(run, assets))
    titles = [section.title for section in chapter]
    assert titles[0] == "Concepts: most present in the images"
    assert "Similarity to the declared concept" in titles
    pages = {section.title: section for section in chapter}
    heats = pages["Concepts: the most present one in each image"].heats
    assert len(heats) == 6
    assert all(heat.bar and "highest score" in heat.caption and "chance" in heat.caption for heat in heats[1::2])
    for section in chapter:
        for table in section.tables:
            assert all(len(row) == len(table.columns) for row in table.rows)
    first = chapter[0].tables[0].rows[0]
    # Three images are too few for an interval, and the caption does not promise one.
    assert "n = 3" in first[-1] and "[" not in first[-1] and "interval" not in chapter[0].tables[0].caption
    assert {chart.asset for chart in chapter[0].charts} <= set(assets.items)
    again = sections(context_of(run, Assets()))
    assert again == chapter


def test_a_run_without_it_prints_nothing(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2)
    assert sections(context_of(run, Assets())) == ()
    assert of_run(run) is None


def test_a_damaged_record_is_told(made: Any, tmp_path: Path) -> None:
    place = tmp_path / ConceptRecord.NAME
    place.mkdir(parents=True)
    (place / "about.json").write_text((ConceptRecord.folder_of(made[0]) / "about.json").read_text())
    with pytest.raises(RunError, match="incomplete or damaged"):
        load(place)


def test_reading_a_record_never_loads_torch(made: Any) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom core.runs import Run\n"
        "from core.applications.concepts.record import of_run\n"
        "import core.applications.concepts.chapter, core.applications.concepts.boxes, core.concepts.vocabulary\n"
        "found = of_run(Run(Path(sys.argv[1])))\n"
        "print(found.map(0, 0).values.shape, 'torch' in sys.modules, 'nltk' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(made[0].folder)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "(7, 7) False False", done.stderr


def test_a_failure_leaves_nothing(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    run = made_run(tmp_path / "run", images=2)
    for options, what in (
        ({**OPTIONS, "in_distribution": "cow.n.77"}, "no noun"),
        ({**OPTIONS, "own": ("a",)}, "at least two"),
        ({**OPTIONS, "preset": "slow"}, "option 'preset'"),
    ):
        with pytest.raises(InputError, match=what):
            run_stage(Subject(run, made[1]), "concepts", options, lambda text: None)
    assert not list((run.folder / "applications").glob("*"))
    assert of_run(run) is None


def test_concepts_by_python_alone(made: Any) -> None:
    model = made[1]
    graph = vocabulary("own", OWN)
    with model.meter.measuring() as spent, torch.no_grad():
        found = stage.concept_maps(model, sample_images(2), ["animal", "kitten"], graph=graph, preset="fast")
    assert spent.image == 2 * 165
    assert [len(row) for row in found] == [2, 2]
    assert (found[0][0].values >= found[1][0].values).all()
    embedded = stage.embed_images(model, sample_images(1), graph, preset="fast", noise_seed=4)
    plain = stage.embed_images(model, sample_images(1), graph, preset="fast")
    assert np.abs(embedded.crops - plain.crops).max() > 0.01
    scores = plain.scores()[0]
    at = graph.position("kitten")
    assert scores.presence[at] == pytest.approx(plain.maps("kitten")[0].presence, abs=1e-6)


def test_files_are_documented_names(made: Any) -> None:
    run: Run = made[0]
    about = json.loads((ConceptRecord.folder_of(run) / "about.json").read_text())
    assert (about["crops"], about["cells"], about["preset"]) == (164, 7, "fast")
    frame = pd.read_parquet(ConceptRecord.folder_of(run) / "concepts.parquet")
    assert list(frame.columns) == ["name", "title", "gloss", "lemmas", "listed", "parents"]
    assert frame.loc[frame["name"] == "dog", "parents"].iloc[0].tolist() == ["animal"]
