"""Fit with a declared concept, and how well it tells two sets of images apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.support.tiny import sample_images, tiny_model
from core.applications.concepts.work import out_of_distribution as ood
from core.concepts.graph import Concept, make_graph
from core.errors import InputError

GRAPH = make_graph(
    [Concept(name, name, text) for name, text in (
        ("bird", "a red bird"), ("duck", "two grey people"), ("gull", "the shore"), ("dog", "a dog"), ("pug", "a cat"),
    )],
    {"duck": ["bird"], "gull": ["bird"], "pug": ["dog"]},
    "a test",
)  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace of its own."""
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny transformer."""
    return tiny_model("vit", tmp_path_factory.mktemp("model"))


def test_the_score_is_the_best_leaf(model: Any) -> None:
    images = sample_images(3)
    found = ood.fit(model, images, "bird", graph=GRAPH)
    assert found.leaves == ("duck", "gull")
    with torch.no_grad():
        whole = model.embed_images(model.preprocess(images)[0]).numpy()
        words = model.embed_texts(["two grey people", "the shore", "a red bird"]).numpy()
    cosines = whole @ words.T
    assert np.allclose(found.scores, cosines[:, :2].max(axis=1), atol=1e-5)
    assert np.allclose(found.naive, cosines[:, 2], atol=1e-5)
    # Not the mean, not the concept itself among the leaves, not another concept's leaves.
    assert not np.allclose(found.scores, cosines[:, :2].mean(axis=1), atol=1e-3)
    assert not np.allclose(found.scores, ood.fit(model, images, "dog", graph=GRAPH).scores, atol=1e-3)
    leaf = ood.fit(model, images, "gull", graph=GRAPH)
    assert np.array_equal(leaf.scores, leaf.naive)
    with pytest.raises(InputError, match="'cow' is not among the 5 concepts"):
        ood.fit(model, images, "cow", graph=GRAPH)


def test_lemmas_are_read_in_place_of_glosses(model: Any) -> None:
    images = sample_images(3)
    graph = make_graph(
        [
            Concept("bird", "bird", "a red bird", ("bird", "fowl")),
            Concept("duck", "duck", "two grey people", ("duck", "mallard")),
            Concept("gull", "gull", "the shore"),
        ],
        {"duck": ["bird"], "gull": ["bird"]},
        "a test",
    )
    found = ood.fit(model, images, "bird", graph=graph, texts="lemmas")
    with torch.no_grad():
        whole = model.embed_images(model.preprocess(images)[0]).numpy()
        words = model.embed_texts(["duck, mallard", "gull", "bird, fowl"]).numpy()
    cosines = whole @ words.T
    assert np.allclose(found.scores, cosines[:, :2].max(axis=1), atol=1e-5)
    assert np.allclose(found.naive, cosines[:, 2], atol=1e-5)
    assert not np.allclose(found.scores, ood.fit(model, images, "bird", graph=graph).scores, atol=1e-3)


def test_classes_give_the_largest_logit_and_probability(model: Any) -> None:
    images, classes = sample_images(4), ["a red bird", "the shore", "two grey people", "the shore"]
    found = ood.fit_classes(model, images, classes)
    with torch.no_grad():
        whole = model.embed_images(model.preprocess(images)[0]).double()
        logits = float(model.logit_scale) * whole @ model.embed_texts(classes[:3]).double().T
    assert np.allclose(found.logit, logits.max(dim=1).values, atol=1e-4)
    assert np.allclose(found.share, logits.softmax(dim=1).max(dim=1).values, atol=1e-5)
    # A class that stands twice counts once, and another class changes the probability.
    assert not np.allclose(found.share, ood.fit_classes(model, images, [*classes, "a dog"]).share, atol=1e-4)
    with pytest.raises(InputError, match="give two or more classes"):
        ood.fit_classes(model, images, ["a dog", "a dog"])


def counted(inside: Any, outside: Any) -> float:
    won = sum((a > b) + 0.5 * (a == b) for a in inside for b in outside)
    return won / (len(inside) * len(outside))


def test_the_area_is_the_share_of_pairs_won() -> None:
    random = np.random.default_rng(0)
    inside, outside = random.integers(0, 8, 23) + 2, random.integers(0, 8, 31)
    found = ood.auroc(inside, outside)
    assert found.value == pytest.approx(counted(inside, outside), abs=1e-12)
    assert found.value != pytest.approx(counted(outside, inside), abs=0.05)
    assert (found.inside, found.outside) == (23, 31)
    assert found.low is not None and found.high is not None
    assert found.low < found.value < found.high
    # The trapezoid under the curve of hits against false alarms is the same number.
    cuts = np.arange(-1, 12)
    hits = [(inside > cut).mean() for cut in cuts]
    alarms = [(outside > cut).mean() for cut in cuts]
    assert -np.trapezoid(hits, alarms) == pytest.approx(found.value)


def test_the_interval_is_near_that_of_drawing_images_again() -> None:
    random = np.random.default_rng(1)
    inside, outside = random.normal(1, 1, 40), random.normal(0, 1, 40)
    found = ood.auroc(inside, outside)
    drawn = [counted(random.choice(inside, 40), random.choice(outside, 40)) for _ in range(400)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.low == pytest.approx(low, abs=0.03)
    assert found.high == pytest.approx(high, abs=0.03)
    assert high - low > 0.1
    assert ood.auroc(inside, outside) == ood.auroc(inside, outside)


def test_too_few_images_have_no_interval() -> None:
    single = ood.auroc(np.array([1.0]), np.array([0.0, 2.0]))
    assert (single.value, single.low, single.high) == (0.5, None, None)
    assert ood.auroc(np.array([3.0, 4]), np.array([1.0, 2])).value == 1
    with pytest.raises(InputError, match="images on both sides"):
        ood.auroc(np.array([]), np.array([1.0]))


def test_two_folders_are_told_apart(model: Any, tmp_path: Path) -> None:
    made = sample_images(4)
    for name, some in (("in", made[:2]), ("out", made[2:])):
        (tmp_path / name).mkdir()
        for at, image in enumerate(some):
            image.save(tmp_path / name / f"{at}.png")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    found = ood.separate(model, tmp_path / "in", tmp_path / "out", "bird", graph=GRAPH)
    direct = ood.separate(model, made[:2], made[2:], "bird", graph=GRAPH)
    assert np.allclose(found.inside.scores, direct.inside.scores, atol=1e-6)
    assert found.auroc == direct.auroc
    assert found.auroc.value == pytest.approx(counted(found.inside.scores, found.outside.scores))
    turned = ood.separate(model, made[2:], made[:2], "bird", graph=GRAPH)
    assert turned.auroc.value == pytest.approx(1 - found.auroc.value)
    with pytest.raises(InputError, match="is not a folder"):
        ood.separate(model, tmp_path / "absent", tmp_path / "out", "bird", graph=GRAPH)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="contains no image"):
        ood.separate(model, tmp_path / "empty", tmp_path / "out", "bird", graph=GRAPH)


def test_the_published_pairs_name_concepts_of_wordnet() -> None:
    from core.concepts.wordnet import below

    for pair in ood.PUBLISHED_PAIRS[:2]:
        for name in pair:
            assert len(ood.leaf_positions(below(name), name)) > 20
