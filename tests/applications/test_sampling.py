"""Which images an application measures: a budget, strata by what is known, and the sentence about them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.applications.registry import APPLICATIONS
from core.applications.reliance.card import CARD
from core.applications.sampling import images_of, images_within, joined, known_paths, label_column
from core.applications.work.drawing import Draw, clusters, drawn_images
from core.applications.work.subject import Subject
from core.datasets import DatasetImage, ingest
from tests.audit.small import loaded, new_run, plan_for, save_model

COUNT = 24


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    """Images by names that follow their class: eighteen dark ones of class a, then six light ones of class b."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("sampling")
    (folder / "drawn").mkdir()
    random = np.random.default_rng(0)
    lines = ["file,caption,label,camera"]
    for at in range(COUNT):
        base = 40 if at < 18 else 180
        pixels = np.clip(random.normal(base, 30, (32, 32, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "drawn" / f"{at:02}.png")
        lines.append(f"{at:02}.png,a thing {at},{'a' if at < 18 else 'b'},{'old' if at % 2 else 'new'}")
    (folder / "drawn" / "table.csv").write_text("\n".join(lines) + "\n")
    dataset = ingest([folder / "drawn"], store=folder / "data")
    config = save_model(folder / "vit")
    return Subject(new_run(folder / "run", plan_for(dataset, config, ("raw",))), loaded(config))


def test_a_budget_pays_for_all_images_or_for_some() -> None:
    options = CARD.parse({"forwards": 1000})
    assert images_within(options, 50.0, 15) == 15
    assert images_within(options, 50.0, 100) == 20
    assert images_within(options, 5000.0, 100, fewest=2) == 2
    assert images_within(CARD.parse({"images": 8}), 50.0, 100) == 8
    assert CARD.cost({"forwards": 10_000}, 75) == 75 * CARD.cost_model(CARD.parse())
    assert CARD.cost({"forwards": 1000}, 75) <= 1000


@pytest.mark.parametrize("name", [name for name, part in APPLICATIONS.items() if part.card.embeds])
def test_an_application_without_a_budget_measures_every_image(name: str) -> None:
    card = APPLICATIONS[name].card
    assert card.measured(card.parse({}), 75) == 75


def test_small_strata_are_joined_from_the_finest_part() -> None:
    paths = [("cat", "day", at % 4) for at in range(20)] + [("dog", "day", 0)] * 16
    paths += [("emu", "day", 1), ("gnu", "", 2)]
    keys = joined(paths, 12)
    # Five cats of each cluster are too few for two draws each, so that cats are one stratum; two lone images another.
    assert set(keys) == {("cat", "day"), ("dog", "day", 0), ()}
    assert joined(paths, len(paths) * 2) == paths


def test_a_sample_is_stratified_seeded_and_not_the_first_by_name(subject: Subject) -> None:
    draw = drawn_images(subject, CARD, CARD.parse({"images": 8}))
    names = [image.name for image in draw.images]
    labels = [image.metadata["label"] for image in draw.images]
    assert sorted(names) != [f"{at:02}.png" for at in range(8)]
    assert labels.count("b") == 2 and labels.count("a") == 6
    cameras = [image.metadata["camera"] for image in draw.images]
    assert 3 <= cameras.count("old") <= 5
    assert names == [image.name for image in drawn_images(subject, CARD, CARD.parse({"images": 8})).images]
    larger = drawn_images(subject, CARD, CARD.parse({"images": 8})).rest
    assert sorted(image.name for image in (*larger, *draw.images)) == [image.name for image in subject.images]
    assert draw.about["by"][0] == "column \u201clabel\u201d" and draw.about["by"][-1] == "embedding cluster"


def test_the_record_says_how_images_were_drawn(subject: Subject) -> None:
    draw = drawn_images(subject, CARD, CARD.parse({"images": 8}))
    about = {"images": 8, "images_left_out": COUNT - 8, "design": draw.about}
    strata = len(draw.about["sizes"])
    said = f"8 of 24 images, drawn at random (seed 0) from each of {strata} groups of similar images"
    assert images_of(about | {"design": draw.about | {"forwards": None}}) == said
    # Why not all: what its options say, what its budget pays for, or neither where the verdicts were settled before.
    paid = {**about, "design": draw.about | {"forwards": 2500}}
    assert images_of(paid) == f"{said}; as many as the budget of 2,500 forward passes pays for"
    assert images_of(paid | {"options": {"images": 8}}) == f"{said}; the number that the options set"
    assert images_of(paid | {"options": {"images": 0}}) == images_of(paid)
    settled = {**paid, "design": paid["design"] | {"look": "interim"}}
    assert "budget" not in images_of(settled) and "settled" in images_of(settled)
    assert images_of({**paid, "images": 7}).startswith(f"{said}; 1 of them not measured; as many as")
    assert sum(draw.about["sizes"]) == COUNT and sum(draw.about["counts"]) == 8
    assert draw.about["images"] == [image.id for image in draw.images]
    assert np.mean(draw.about["weights"]) == pytest.approx(1.0, abs=1e-5)
    assert images_of({"images": 5, "images_left_out": 2}) == "5 images (2 of the audit left out)"


def test_all_images_keep_their_order_and_cost_no_embeddings(subject: Subject) -> None:
    fresh = Subject(subject.run, subject.model)
    with subject.model.meter.measuring() as spent:
        draw: Draw = drawn_images(fresh, CARD, CARD.parse({}))
    assert spent.image == 0 and draw.images == fresh.images and not draw.rest
    assert set(draw.about["weights"]) == {1.0}
    with subject.model.meter.measuring() as spent:
        drawn_images(fresh, CARD, CARD.parse({"images": 4}))
        drawn_images(fresh, CARD, CARD.parse({"images": 9}))
    assert spent.image == COUNT


def test_columns_with_many_values_do_not_stratify(subject: Subject) -> None:
    images: list[DatasetImage] = [
        image.model_copy(update={"metadata": {**image.metadata, "number": at}})
        for at, image in enumerate(subject.images)
    ]
    paths, named = known_paths(images, ("label", "camera", "number"))
    assert named == ["column \u201clabel\u201d", "column \u201ccamera\u201d"] and paths[0] == ("a", ("new",))
    assert label_column(("File", "Class")) == "Class" and label_column(("camera",)) is None


def test_clusters_part_what_lies_apart(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    vectors = np.concatenate([random.normal(at, 0.01, (16, 3)) for at in (0.0, 5.0)])
    found = clusters(vectors, seed=0)
    assert not set(found[:16]) & set(found[16:]) and (found == clusters(vectors, seed=0)).all()
    assert set(clusters(np.ones((30, 3)), seed=0)) == {0}
