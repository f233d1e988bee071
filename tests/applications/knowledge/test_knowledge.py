"""Mutual knowledge end to end on tiny models: records, counts, labels, the stage of a run and what is read from it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.support.tiny import Zoo, sample_images, tiny_model
from core.applications.knowledge.card import CARD, KnowledgeOptions
from core.applications.knowledge.chapter import sections
from core.applications.knowledge.measures import model_table, rank_correlations, seeds_told, signs_told, spread
from core.applications.knowledge.record import KnowledgeRecord, load, of_run, shared_descriptors
from core.applications.knowledge.work import grouped, mutual_knowledge
from core.applications.knowledge.work.study import Gallery
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.applications.work.visual_concepts import part_labels
from core.content.assets import Assets
from core.errors import CapabilityError, InputError, RunError
from core.models.image_tower import OpaqueTower
from core.settings import ROOT
from tests.audit.small import CLASSES as RUN_CLASSES
from tests.audit.small import loaded, new_run, plan_for, save_model, take_in
from tests.support.contexts import context_of

CLASSES = ("dog", "bird", "grey shore")
OWN = tuple(f"{colour} {thing}" for colour in ("red", "grey", "two") for thing in ("mat", "evidence", "photo", "walk",
            "people", "fur", "wings", "roof", "wheels"))  # fmt: skip
OPTIONS = KnowledgeOptions(parts=3, descriptors=OWN, bank="attributes", class_concepts=6, least_group=2)
FAMILIES = ("vit", "vit_wide", "siglip", "registers", "vit_attentional", "convnext", "efficientnet")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny-models")
    return lambda family: tiny_model(family, folder)


@pytest.fixture(scope="module")
def images() -> list[Any]:
    return sample_images(5, seed=2)


@pytest.fixture(scope="module")
def result(zoo: Zoo, images: list[Any]) -> Any:
    return mutual_knowledge(zoo("vit"), images, CLASSES, options=OPTIONS, seed=1)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_tower_with_places_is_served_and_the_work_is_counted(family: str, zoo: Zoo, images: list[Any]) -> None:
    model = zoo(family)
    with model.meter.measuring() as spent:
        found = mutual_knowledge(model, images[:3], CLASSES, options=OPTIONS)
    frame = found.partitions
    assert len(frame) == 6 and set(frame["variant"]) == {"pca", "kmeans"}
    present = sum(len(set(labels) - {-1}) for labels in frame["parts"])
    assert spent.image == 3 + 3 * present
    # Descriptors and classes once, and the classes once more without their template.
    assert spent.text == len(OWN) + 3 + 3
    assert set(frame["predicted"]) <= set(CLASSES) and frame["label"].isna().all()
    assert (frame["auc"] <= frame["score"] + 1e-12).all() and (frame["visual"] <= 9).all()
    expected = np.where(frame.shared > 0, np.log(np.maximum(frame.visual * frame.textual * frame.shared, 1)), 0)
    np.testing.assert_allclose(frame["score"], expected)
    rows, columns = frame[["rows", "columns"]].iloc[0]
    assert all(len(labels) == rows * columns for labels in frame["parts"])
    assert found.about["assignment"] == "zero-shot" and found.about["bank"]["size"] == len(OWN)


def test_rows_agree_with_the_tables_of_concepts(result: Any) -> None:
    for row in result.partitions.itertuples():
        named = result.concepts[(result.concepts["image"] == row.image) & (result.concepts["variant"] == row.variant)]
        of_class = result.classes[result.classes["class"] == row.predicted]
        assert len(named) == row.visual and len(of_class) == row.textual == 6
        shared = set(named["descriptor"]) & set(of_class["descriptor"])
        assert len(shared) == row.shared == (named["class_rank"] >= 0).sum()
        assert named.sort_values("rank")["relevance"].is_monotonic_decreasing
        assert all(len(parts) >= 1 for parts in named["parts"])
        assert row.expected_shared == pytest.approx(row.visual * 6 / len(OWN))


def test_another_class_would_share_other_concepts(result: Any) -> None:
    """The companion of the table above: with the wrong class's concepts the counts don't fit."""
    wrong = 0
    for row in result.partitions.itertuples():
        named = result.concepts[(result.concepts["image"] == row.image) & (result.concepts["variant"] == row.variant)]
        other = CLASSES[(CLASSES.index(row.predicted) + 1) % 3]
        shared = set(named["descriptor"]) & set(result.classes[result.classes["class"] == other]["descriptor"])
        wrong += len(shared) != row.shared
    assert wrong > 0


def test_features_are_the_last_blocks_tokens_without_the_class_token(zoo: Zoo, images: list[Any]) -> None:
    model = zoo("vit")
    seen: list[torch.Tensor] = []
    hook = model.net.visual.transformer.resblocks[-1].register_forward_hook(lambda *args: seen.append(args[-1]))
    try:
        with torch.no_grad():
            model.net.visual(model.preprocess(images[:2])[0])
    finally:
        hook.remove()
    gallery = Gallery(model, images[:2], "tokens", lambda line: None)
    np.testing.assert_allclose(gallery.features([0, 1]), seen[0][:, 1:].numpy(), atol=1e-5)
    assert np.abs(gallery.features([0, 1]) - seen[0][:, :-1].numpy()).max() > 0.1
    keys = Gallery(model, images[:2], "keys", lambda line: None).features([0, 1])
    assert keys.shape == gallery.features([0, 1]).shape and np.abs(keys - gallery.features([0, 1])).max() > 0.1


def test_little_memory_costs_forwards_and_changes_nothing(
    zoo: Zoo, images: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = zoo("vit")
    ample = Gallery(model, images, "tokens", lambda line: None)
    monkeypatch.setenv("LOUPE_BYTES", "4096")
    scarce = Gallery(model, images, "tokens", lambda line: None)
    with model.meter.measuring() as spent:
        kept = ample.features([4, 0, 2])
    assert spent.image == 0
    with model.meter.measuring() as spent:
        made = scarce.features([4, 0, 2])
    assert spent.image == 3
    np.testing.assert_allclose(made, kept, atol=1e-5)
    np.testing.assert_allclose(scarce.embeddings, ample.embeddings, atol=1e-6)
    assert np.abs(kept - ample.features([0, 4, 2])).max() > 0.1


def test_the_same_seed_gives_the_same_bytes(zoo: Zoo, images: list[Any], result: Any, tmp_path: Path) -> None:
    again = mutual_knowledge(zoo("vit"), images, CLASSES, options=OPTIONS, seed=1)
    for folder, one in (("a", result), ("b", again)):
        (tmp_path / folder).mkdir()
        one.save(tmp_path / folder)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["classes.parquet", "concepts.parquet", "knowledge.json", "partitions.parquet"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_spread_over_seeds_is_that_of_runs_with_these_seeds(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = zoo("vit"), sample_images(9, seed=3)
    # One start and many parts on few cells, so that seeds do differ.
    monkeypatch.setattr("core.applications.work.visual_concepts.KMEANS_STARTS", 1)
    options = KnowledgeOptions(**{**OPTIONS.model_dump(), "parts": 6, "variants": "kmeans", "seeds": 3})
    with model.meter.measuring() as spent:
        found = mutual_knowledge(model, images, CLASSES, options=options, seed=1)
    record = KnowledgeRecord(found.about, found.partitions, found.concepts, found.classes)
    rows_of = record.seed_spread
    checked = sorted(set(rows_of["image"]))
    assert (
        len(checked) == 2
        and set(checked) < set(map(str, range(9)))
        and sorted(set(rows_of["seed"])) == [1, 2, 3]
        and len(rows_of) == 6
    )
    alone = KnowledgeOptions(**{**options.model_dump(), "seeds": 1})
    for seed in (1, 2, 3):
        with model.meter.measuring() as once:
            other = mutual_knowledge(model, images, CLASSES, options=alone, seed=seed)
        expected = other.partitions.set_index("image").loc[checked]
        got = rows_of[rows_of["seed"] == seed].set_index("image").loc[checked]
        for column in ("score", "auc", "shared"):
            np.testing.assert_allclose(got[column].astype(float), expected[column].astype(float))
        if seed == 1:
            base = once.image
        assert other.about["seed_spread"] == []
    # The companion: another seed's rows are not these.
    rows = [rows_of[rows_of["seed"] == seed].sort_values("image")[["score", "auc"]].to_numpy() for seed in (1, 2, 3)]
    assert any(np.abs(rows[0] - other).max() > 1e-6 for other in rows[1:])
    # Within what the card says, and less where seeds agree on a part.
    assert base < spent.image <= base + 2 * 2 * 3 * 6
    assert options.ways == ("kmeans",) and CARD.cost_model(options) == 1 + 3 * 6 * (1 + 2 / 4)
    assert CARD.cost_model(alone) == 1 + 3 * 6
    by = rows_of.groupby("image")["auc"].std()
    assert spread(rows_of, "auc").value == pytest.approx(by.mean()) and spread(rows_of, "auc").n == 2
    assert seeds_told(record).startswith("3 seeds: standard deviation of the score over seeds")
    scores = found.partitions.set_index("image")["score"]
    assert f", {scores.loc[checked].std():.2f} between these images" in seeds_told(record)
    # The companion: over all images it is another number.
    assert f"{scores.loc[checked].std():.2f}" != f"{scores.std():.2f}"


def test_without_seeds_or_kmeans_or_images_no_spread_is_told(zoo: Zoo, images: list[Any], result: Any) -> None:
    assert len({row["image"] for row in result.about["seed_spread"]}) == 1
    few = mutual_knowledge(zoo("vit"), images[:3], CLASSES, options=OPTIONS)
    principal, clusters = (
        mutual_knowledge(
            zoo("vit"), images, CLASSES, options=KnowledgeOptions(**{**OPTIONS.model_dump(), "variants": way})
        )
        for way in ("pca", "kmeans")
    )

    def record(found: Any, about: Any = None) -> KnowledgeRecord:
        return KnowledgeRecord(about or found.about, found.partitions, found.concepts, found.classes)

    for found in (few, principal):
        assert found.about["seed_spread"] == [] and seeds_told(record(found)) == ""
    for found in (few, clusters):
        assert found.about["flips_spread"] == [] and signs_told(record(found)) == ""
    assert len(record(clusters).sign_agreement) == 0
    # Records of before have none.
    about = {name: value for name, value in few.about.items() if name not in ("seed_spread", "flips_spread")}
    assert record(few, about).seed_spread.empty and record(few, about).sign_spread.empty


def test_the_spread_over_signs_is_that_of_parts_with_these_signs(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = zoo("vit"), sample_images(9, seed=3)
    options = KnowledgeOptions(**{**OPTIONS.model_dump(), "parts": 4, "variants": "pca", "seeds": 3})
    found = mutual_knowledge(model, images, CLASSES, options=options, seed=1)
    record = KnowledgeRecord(found.about, found.partitions, found.concepts, found.classes)
    table = record.sign_spread
    checked, choices = sorted(set(table["image"])), sorted(set(table["flips"]))
    assert len(checked) == 2 and len(choices) == 3 and choices[0] == 0 and len(table) == 6
    rows = []
    for flips in choices:
        # The same run whose rule is the other sign.
        with monkeypatch.context() as patched:
            patched.setattr(
                "core.applications.knowledge.work.study.part_labels",
                lambda *given, f=flips, **named: part_labels(*given, **{**named, "flips": f}),
            )
            other = mutual_knowledge(model, images, CLASSES, options=options, seed=1)
        expected = other.partitions.set_index("image").loc[checked]
        got = table[table["flips"] == flips].set_index("image").loc[checked]
        for column in ("score", "auc", "shared"):
            np.testing.assert_allclose(got[column].astype(float), expected[column].astype(float))
        rows.append(got[["score", "auc"]].to_numpy(float))
    # The companion: another choice's rows are not these.
    assert any(np.abs(rows[0] - other).max() > 1e-6 for other in rows[1:])
    told = signs_told(record)
    assert told.startswith("3 choices of signs: standard deviation of the score over choices ")
    assert "between these images" in told and "adjusted Rand index of parts with other signs" in told
    assert len(record.sign_agreement) == len(found.about["groups"])


def test_labels_group_images_and_judge_them_but_concepts_stay_those_of_the_choice(
    zoo: Zoo, images: list[Any], result: Any
) -> None:
    labels = ["dog", "bird", None, "grey shore", "no such class"]
    found = mutual_knowledge(zoo("vit"), images, CLASSES, labels=labels, options=OPTIONS, seed=1)
    assert found.about["assignment"] == "labels" and found.about["unlabelled"] == 2
    by = found.partitions.drop_duplicates("image").set_index("image")
    plain = result.partitions.drop_duplicates("image").set_index("image")
    assert by["predicted"].tolist() == plain["predicted"].tolist()
    assert by["assigned"].tolist()[:2] == ["dog", "bird"] and by.loc["2", "assigned"] == plain.loc["2", "predicted"]
    record = KnowledgeRecord(found.about, found.partitions, found.concepts, found.classes)
    assert record.labelled == 3
    truth = [plain.loc[str(at), "predicted"] == labels[at] for at in (0, 1, 3)]
    assert record.images["correct"].mean() == pytest.approx(np.mean(truth))
    assert KnowledgeRecord(result.about, result.partitions, result.concepts, result.classes).labelled == 0


def test_small_classes_are_pooled_with_the_nearest_and_large_ones_split() -> None:
    weights = np.array([[1.0, 0], [0.9, 0.1], [0, 1.0]])
    assigned = np.array([0] * 9 + [1] * 3 + [2] * 20)
    options = KnowledgeOptions(least_group=8, largest_group=12)
    found = grouped(assigned, weights, options)
    assert found == [list(range(12)), list(range(12, 22)), list(range(22, 32))]
    assert [len(group) for group in grouped(assigned, weights, KnowledgeOptions(paper_exact=True))] == [9, 3, 20]
    assert grouped(np.array([2, 2]), weights, options) == [[0, 1]]


def test_paper_exact_takes_the_second_component(zoo: Zoo, images: list[Any]) -> None:
    exact = KnowledgeOptions(**{**OPTIONS.model_dump(), "paper_exact": True})
    found = mutual_knowledge(zoo("vit"), images, CLASSES, options=exact)
    assert {group["component"] for group in found.about["groups"]} == {"second"}
    assert found.about["candidates"] == 500


def test_the_record_is_read_as_it_was_written(result: Any, tmp_path: Path) -> None:
    result.save(tmp_path)
    record = load(tmp_path)
    assert len(record.images) == 5
    first = result.partitions[result.partitions["image"] == "0"]
    assert record.images.set_index("image").loc["0", "auc"] == pytest.approx(first["auc"].mean())
    longest = max(map(len, result.partitions["curve"]))
    padded = np.zeros((10, longest))
    for at, curve in enumerate(result.partitions["curve"]):
        padded[at, : len(curve)] = curve
    np.testing.assert_allclose(record.removal_curve(), padded.mean(axis=0))
    for which in ("insertion_curve", "deletion_curve"):
        curve = record.edit_curve(which)
        ends = [np.mean([row[at] for row in result.partitions[which]]) for at in (0, -1)]
        assert (curve[0], curve[-1]) == pytest.approx(tuple(ends))
    shared = shared_descriptors(record)
    assert (shared["images"] <= shared["n"]).all() and (shared.groupby("class").size() <= 5).all()
    assert 0 <= record.class_balance <= 1
    (tmp_path / "partitions.parquet").write_bytes(b"no table")
    with pytest.raises(RunError, match="run this application again"):
        load(tmp_path)


def test_records_say_what_keeps_them_from_being_compared(zoo: Zoo, images: list[Any], result: Any) -> None:
    def record(found: Any) -> KnowledgeRecord:
        return KnowledgeRecord(found.about, found.partitions, found.concepts, found.classes)

    assert record(result).comparable(record(result)) == []
    other = KnowledgeOptions(**{**OPTIONS.model_dump(), "per_part": 2, "descriptors": OWN[:-1]})
    less = mutual_knowledge(zoo("vit"), images[:4], CLASSES[:2], options=other)
    assert record(result).comparable(record(less)) == ["images", "classes", "options", "descriptors"]


def test_models_are_ranked_only_if_there_are_enough() -> None:
    frame = pd.DataFrame({"auc": [1.0, 2.0, 3.0, 4.0], "margin": [0.1, 0.2, 0.3, 0.9], "confidence": 0.5})
    for column in ("template_agrees", "modality_gap", "class_balance", "correct"):
        frame[column] = [4.0, 3.0, 2.0, None]
    found = rank_correlations(frame).set_index("with")["value"]
    assert found["margin"] == pytest.approx(1) and pd.isna(found["confidence"]) and pd.isna(found["correct"])
    assert rank_correlations(frame.head(3))["value"].isna().all()


def test_what_cannot_be_done_is_told_in_one_line(zoo: Zoo, images: list[Any]) -> None:
    model = zoo("vit")
    with pytest.raises(InputError, match="at least two classes"):
        mutual_knowledge(model, images, ("dog", "dog"), options=OPTIONS)
    with pytest.raises(InputError, match="at least one image"):
        mutual_knowledge(model, [], CLASSES, options=OPTIONS)
    with pytest.raises(CapabilityError, match="chosen image layer"):
        mutual_knowledge(replace(model, image=OpaqueTower(model.net.visual)), images, CLASSES, options=OPTIONS)
    keys = KnowledgeOptions(**{**OPTIONS.model_dump(), "features": "keys"})
    with pytest.raises(CapabilityError, match="self-attention"):
        mutual_knowledge(zoo("convnext"), images, CLASSES, options=keys)


# -- the stage of a run ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    folder = tmp_path_factory.mktemp("staged")
    config = save_model(folder / "model")
    run = new_run(folder / "run", plan_for(take_in(folder), config))
    model = loaded(config)
    run.update_manifest(model=model.describe())
    subject = Subject(run, model)
    run_stage(subject, "knowledge", {"bank": "attributes", "parts": 2, "class_concepts": 60}, lambda line: None)
    return subject


def test_a_run_keeps_its_record_and_prints_it(staged: Subject) -> None:
    record = of_run(staged.run)
    assert record is not None
    assert set(record.images["image"]) == set(staged.run.plan.images)
    assert record.about["classes"] == list(RUN_CLASSES) and record.about["bank"]["size"] > 300
    assert not [text for text in record.classes["descriptor"] if {"circle", "square", "triangle"} & set(text.split())]
    assets = Assets()
    chapter = sections(context_of(staged.run, assets))
    assert [section.empty for section in chapter] == [False] * 4
    assert "n = 4" in chapter[0].tables[0].rows[0][1]
    assert len(chapter[3].heats) == 6 and all(heat.asset in assets.items for heat in chapter[3].heats)
    assert "labels of the metadata are not used here" in chapter[0].facts[0].value
    (random,) = (fact.value for fact in chapter[0].facts if fact.name == "K-means variability")
    assert random.startswith("3 seeds: ") and "n = 1" in random
    (arbitrary,) = (fact.value for fact in chapter[0].facts if fact.name == "Variability of component signs")
    assert arbitrary.startswith("3 choices of signs: ")
    table = model_table({"a": record})
    assert table.loc[0, "auc_n"] == 4 and pd.isna(table.loc[0, "correct"])


def test_a_run_without_it_has_no_section(staged: Subject, tmp_path: Path) -> None:
    other = new_run(tmp_path / "run", staged.run.plan)
    assert of_run(other) is None and sections(context_of(other, Assets())) == ()


def test_a_run_without_classes_or_with_an_unknown_column_is_refused(staged: Subject, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column 'kind'"):
        run_stage(staged, "knowledge", {"labels": "kind"}, lambda line: None)
    assert of_run(staged.run) is not None
    texts = staged.run.plan.texts.model_copy(update={"classes": ()})
    bare = new_run(tmp_path / "run", staged.run.plan.model_copy(update={"texts": texts}))
    with pytest.raises(InputError, match="add a list of classes"):
        run_stage(Subject(bare, staged.model), "knowledge", {}, lambda line: None)
    assert not (bare.folder / "applications" / "knowledge").exists()


def test_reading_and_printing_need_no_torch() -> None:
    check = (
        "import sys; import core.applications.knowledge.record, core.applications.knowledge.chapter; "
        "import core.concepts.descriptors; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr
