"""The loops of the releases in `benchmarks/release` give what ours gives, and cost what is said of them.

Nothing is timed. Every tolerance has a companion on a wrong sign, place, text or count that must not pass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.release import convis, knowledge, m2ib, priors, surgery
from benchmarks.release.towers import counting, image_blocks, unit_texts
from benchmarks.support.tiny import TEXTS, Zoo, double, pixels, sample_images, tiny_model
from benchmarks.systems import agreed, table
from core import explain
from core.applications.knowledge.card import KnowledgeOptions
from core.applications.knowledge.overlap import image_concepts
from core.applications.knowledge.work import mutual_knowledge
from core.attribution import m2ib as ours_m2ib
from core.attribution.clip_surgery import feature_surgery
from core.attribution.contract import Work
from core.attribution.convis import embed_crops, stretched
from core.attribution.regions import regions_of, released_regions
from core.concepts.lattice import Lattice
from core.concepts.relevance import concept_map, similarities
from core.methods import method_info
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk

SHORT: dict[str, Any] = {"steps": 4, "samples": 2}
TEXT = TEXTS[0]
PHRASES = [
    f"{what} {where}" for what in ("red", "grey", "round", "soft") for where in ("wing", "tail", "leg", "eye", "roof")
]
CLASSES = ("bird", "dog", "shore")


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny-models")
    return lambda family: tiny_model(family, folder)


def work_of(model: Model, images: Tensor, texts: tuple[str, ...] = (TEXT,)) -> Work:
    return Work(model, ImageTrunk(model, images), TextTrunk(model, list(texts)), seed=0)


def off(got: Any, expected: Any) -> float:
    """The largest difference as a share of the expected range."""
    one, other = np.asarray(got, dtype=np.float64).ravel(), np.asarray(expected, dtype=np.float64).ravel()
    found = agreed(other, one)["largest_difference"]
    assert found is not None
    return found


# -- counting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["vit", "efficientnet", "bert_mean"])
def test_forwards_and_backwards_are_counted_from_outside(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    images = pixels(model, 3)
    with counting(model) as spent, torch.no_grad():
        model.image.plain(images)
        unit_texts(model, TEXTS[:2])
    assert (spent.image, spent.text) == pytest.approx((3, 2))
    depth, start = model.image.depth, model.image.depth - 2
    state = ImageTrunk(model, images).entering(start).requires_grad_()
    with counting(model) as spent, torch.enable_grad():
        model.image.leave(model.image.run(state, start)).sum().backward()
    # Two of the blocks, forwards and back.
    assert spent.image == pytest.approx(3 * 3 * 2 / depth)
    with torch.no_grad():
        model.image.plain(images)
    assert spent.image == pytest.approx(3 * 3 * 2 / depth), "a hook was left behind"
    assert not any(block._forward_hooks for block in image_blocks(model))


# -- M2IB --------------------------------------------------------------------------------------------------------


def released_m2ib(model: Model, work: Work, side: str, text: str, layer: int | None = None) -> Tensor:
    generator = work.generator("m2ib", side, work.image_keys[0], text)
    tower: Any = model.image if side == "image" else model.text
    prior = None
    if side == "image" and model.image.layout == "maps":
        state = work.images.entering(tower.depth - 2)
        spread = state.std(dim=(2, 3), keepdim=True, correction=0).clamp_min(1e-3)
        prior = (state.mean(dim=(2, 3), keepdim=True), spread)
    return m2ib.literal(
        model,
        work.images.pixels,
        text,
        lambda shape: torch.randn(shape, generator=generator),
        side=side,
        layer=tower.depth - 3 if layer is None else layer,
        prior=prior,
        **SHORT,
    )


@pytest.mark.parametrize("family", ["vit", "efficientnet"])
def test_m2ib_as_released_is_ours_at_a_fraction_of_the_forwards(zoo: Zoo, family: str) -> None:
    model = double(zoo(family))
    work = work_of(model, pixels(zoo(family), 1).double())
    # The prior of maps asks for one state; that forward is none of the loop's.
    work.images.entering(0)
    options = method_info("m2ib").parse(SHORT)
    for side in ("image", "text"):
        with counting(model) as released:
            expected = released_m2ib(model, work, side, TEXT)
        assert off(expected, expected.flip(0)) > 1e-3
        fresh = work_of(model, work.images.pixels)
        attribute = ours_m2ib.attribute_image if side == "image" else ours_m2ib.attribute_text
        with counting(model) as watched, model.meter.measuring() as ours, torch.enable_grad():
            got = attribute(fresh, options)[0, 0].detach().flatten()[: len(expected)]
        assert off(got, expected) < 1e-6
        # Every step is three forwards of both whole towers with all samples.
        rounds = SHORT["steps"] * SHORT["samples"]
        assert (released.image, released.text) == pytest.approx((3 * rounds, 3 * rounds))
        depth = model.image.depth if side == "image" else model.text.depth
        # Tails of two blocks there and, but for the last step, back, and at most one forward of each tower before them.
        tails = (3 * rounds - 2 * SHORT["samples"]) * 2 / depth
        for spent in (watched, ours):
            assert tails < spent.image + spent.text < tails + 2 + 1e-6
        wrong = released_m2ib(model, work, side, TEXT, layer=depth - 2) if side == "text" else expected.flip(0)
        assert off(got, wrong) > 1e-3
    other = released_m2ib(model, work, "image", TEXTS[2])
    assert off(other, released_m2ib(model, work, "image", TEXT)) > 1e-3
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in model.net.parameters())


# -- ConVis ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["vit", "resnet_clip"])
def test_convis_as_released_is_ours_from_the_windows_that_touch_the_image(zoo: Zoo, family: str) -> None:
    model, lattice = zoo(family), Lattice(7)
    images = pixels(model, 1)
    glosses, members = unit_texts(model, PHRASES), [3, 7, 11]
    seen: list[int] = []
    hook = model.net.visual.register_forward_hook(lambda module, given, out: seen.append(len(given[0])))
    try:
        found = convis.literal(model, images[0], glosses, members, torch.Generator().manual_seed(5), cells=7)
        windows = sum(seen)
    finally:
        hook.remove()
    with model.meter.measuring() as ours:
        crops = embed_crops(model, images[0], lattice, torch.Generator().manual_seed(5))
    cosines = similarities(crops.numpy(), glosses.numpy())

    def map_of(concepts: list[int]) -> np.ndarray:
        values = concept_map(cosines, np.array(concepts), lattice).values
        return np.kron(stretched(torch.from_numpy(values)).numpy(), np.ones((10, 10)))

    # 64 pixels are enlarged to 70, 7 cells of 10; a rank that rounding swaps moves a cell by less than this.
    assert found.shape == (70, 70)
    assert off(map_of(members), found) < 0.01
    assert off(map_of([2, 5]), found) > 0.1
    assert off(map_of(members).T, found) > 0.1
    assert (windows, ours.image) == (2 * 15 * 15, 164)
    # The published lattice: 1,800 windows, of which 730 touch the image.
    assert (2 * 30 * 30, len(Lattice(14))) == (1800, 730)


# -- CLIP Surgery ------------------------------------------------------------------------------------------------


def test_feature_surgery_as_released_is_the_closed_form() -> None:
    generator = torch.Generator().manual_seed(0)
    features = F.normalize(torch.randn(1 + 9, 16, generator=generator), dim=-1)
    texts = F.normalize(torch.randn(7, 16, generator=generator), dim=-1)
    expected = surgery.literal(features, texts)
    assert off(feature_surgery(features[None, 1:], features[:1], texts)[0], expected) < 1e-6
    # Without weights, and with the class token of another image.
    plain = features[1:] @ texts.T
    assert off(plain - plain.mean(dim=1, keepdim=True), expected) > 1e-3
    assert off(feature_surgery(features[None, 1:], features[1:2], texts)[0], expected) > 1e-3


# -- semantic priors ---------------------------------------------------------------------------------------------


def test_semantic_priors_as_released_are_ours_with_one_set_of_coalitions(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    regions = regions_of(work_of(model, images), 0, "semantic", 4)
    with counting(model) as released:
        values = priors.literal(model, images[0], regions.masks, list(TEXTS))
    expected = regions.spread(values)
    options: dict[str, Any] = {"regions": "semantic", "count": 4, "removal": "black"}
    spent = []
    for texts in (TEXTS, TEXTS[:1]):
        with model.meter.measuring() as ours:
            got = explain(model, images, texts, "semantic_priors", **options)
        assert got.image is not None
        assert off(got.image[0], expected[: len(texts)]) < 1e-3
        spent.append((ours.image, ours.text))
    games = 2 ** len(regions)
    assert (released.image, released.text) == pytest.approx((games * len(TEXTS), len(TEXTS)))
    assert spent == [(1 + games, len(TEXTS)), (1 + games, 1)]
    # The released fault, and swapped texts.
    faulty = priors.literal(model, images[0], regions.masks, [TEXT], empty_shows_image=True)
    assert off(regions.spread(faulty)[0], expected[0]) > 1e-2
    assert got.image is not None and off(expected.flip(0)[0], got.image[0, 0]) > 1e-2


def test_semantic_priors_with_the_released_fault_are_ours_as_in_the_paper(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    regions = released_regions(work_of(model, images), 0, 4)
    got = explain(model, images, [TEXT], "semantic_priors", count=4, paper_exact=True)
    assert got.image is not None
    faulty = priors.literal(model, images[0], regions.masks, [TEXT], empty_shows_image=True)
    assert off(got.image[0, 0], regions.spread(faulty)[0]) < 1e-5
    sound = priors.literal(model, images[0], regions.masks, [TEXT])
    assert off(got.image[0, 0], regions.spread(sound)[0]) > 1e-2


# -- mutual knowledge --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["vit", "efficientnet"])
def test_mutual_knowledge_as_released_is_ours(zoo: Zoo, family: str) -> None:
    model, images = zoo(family), sample_images(4)
    options = KnowledgeOptions(
        paper_exact=True,
        descriptors=tuple(PHRASES),
        bank="attributes",
        parts=3,
        candidates=12,
        class_concepts=6,
        seeds=1,
    )
    with counting(model) as released:
        found = knowledge.literal(model, list(images), list(CLASSES), list(PHRASES), parts=3, candidates=12, textual=6)
    with model.meter.measuring() as ours:
        got = mutual_knowledge(model, list(images), CLASSES, options=options)
    rows = got.partitions.assign(at=got.partitions["image"].astype(int)).sort_values(["at", "variant"])
    assert rows["variant"].tolist() == [one.way for one in found]
    scores = [one.score for one in found]
    assert any(scores) and off(rows["score"], scores) < 1e-9
    assert off(rows["auc"], [one.auc for one in found]) < 1e-9
    named = got.concepts.sort_values("rank").groupby(["image", "variant"])["descriptor"].apply(list)
    listed = [named[row.image, row.variant] for row in rows.itertuples()]
    expected = [[PHRASES[concept] for concept in one.concepts] for one in found]
    assert listed == expected
    assert listed != [names[::-1] for names in expected]
    # The table of matches with what mutual information would subtract.
    assert off([2 * np.log(len(one.concepts) * 6) - one.score for one in found], scores) > 1e-3
    # One forward an image and three a part on both sides: here the release wastes none.
    assert released.image == pytest.approx(ours.image) and released.image > len(images)
    assert ours.text == pytest.approx(released.text + len(CLASSES))


def test_all_rounds_of_transport_end_where_ours_stops_early() -> None:
    random = np.random.default_rng(0)
    units = random.normal(size=(40, 8))
    bank = units / np.linalg.norm(units, axis=1, keepdims=True)
    parts, whole = bank[:4] + 0.3, bank[:4].mean(axis=0)
    expected = knowledge.image_concepts(parts, whole, bank, 30, 0.02, 3)
    assert image_concepts(parts, whole, bank, candidates=30).order.tolist() == expected
    assert image_concepts(parts, -whole, bank, candidates=30).order.tolist() != expected


# -- the table ---------------------------------------------------------------------------------------------------


def test_agreement_is_a_share_of_the_range_and_none_for_constant_values() -> None:
    values = np.array([0.0, 1.0, 4.0])
    assert agreed(values, values + 0.4) == {"correlation": pytest.approx(1), "largest_difference": pytest.approx(0.1)}
    assert agreed(values, -values)["correlation"] == pytest.approx(-1)
    assert agreed(values, np.ones(3))["correlation"] is None
    with pytest.raises(AssertionError, match="two ways"):
        agreed(values, values[:2])


def test_the_table_shows_what_was_counted() -> None:
    side = {"image_forwards": 1800, "text_forwards": 0, "seconds": 90.0, "processor_seconds": 80.0}
    row = {
        "title": "ConVis",
        "model": "demo-vit",
        "ways": [{**side, "peak_bytes": 2**21}, {**side, "image_forwards": 730, "seconds": 0.03, "peak_bytes": 2**20}],
        "ratio": {"forwards": 2.466, "wall": 3.0, "processor": 2.9},
        "agreement": {"map": {"correlation": 0.99999, "largest_difference": 0.001}},
    }
    line = table([row]).splitlines()[-1]
    assert "1800 + 0 → 730 + 0" in line and "2.47 x" in line and "3.00 x (90.0 s → 30 ms)" in line
    assert "2 MB → 1 MB" in line and "map 0.99999, 1.0e-03" in line
