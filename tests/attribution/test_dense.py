"""The training-free dense methods against a second implementation in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.support.tiny import TEXTS, Zoo, double, pixels
from core import METHODS, explain
from core.attribution.contract import Work
from core.attribution.registry import method_module
from core.attribution.resclip import together
from core.attribution.self_attention import neighbourhood
from core.errors import InputError
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref
from tests.attribution import plain_dense as dense

TOLERANCE = 1e-8
FAMILIES = ("vit", "vit_wide", "vit_layer_scale", "timm_avg", "timm_map", "siglip", "registers")
FEW = ("vit_wide", "siglip", "registers")
LABELS = ("a red dog", "the grey shore", "two people")


def work_of(model: Model) -> Work:
    return Work(model, ImageTrunk(model, pixels(model).double()), TextTrunk(model, TEXTS))


def maps(work: Work, method: str, **options: Any) -> Tensor:
    return method_module(method)[1].attribute_image(work, METHODS[method].parse(options))


def error(got: Tensor, wanted: Tensor) -> float:
    assert got.numel() == wanted.numel()
    return float((got.flatten() - wanted.flatten()).abs().max() / wanted.abs().max())


def check(zoo: Zoo, family: str, method: str, expected: Any, **options: Any) -> None:
    """Two images and two texts; a turned sign, a transposed grid, another text and image are told apart."""
    plain, work = ref.Plain(zoo(family)), work_of(double(zoo(family)))
    got = maps(work, method, **options)
    with torch.no_grad():
        for i, image in enumerate(work.images.pixels):
            for t in (0, 2):
                assert error(got[i, t], expected(plain, image, TEXTS[t])) <= TOLERANCE
        wanted = expected(plain, work.images.pixels[0], TEXTS[0])
    for mutant in (-got[0, 0], got[0, 0].T, got[0, 0].flip(0), got[0, 2], got[1, 0]):
        assert error(mutant.contiguous(), wanted) > 1e-3


def with_values(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return v


def both(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (dense.pairs(q, q) + dense.pairs(k, k)) @ v


def queries(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return dense.pairs(q, q) @ v


@pytest.mark.parametrize("family", FAMILIES)
def test_maskclip_takes_each_place_s_own_value(zoo: Zoo, family: str) -> None:
    check(zoo, family, "maskclip", lambda p, i, t: dense.last_block(p, i, t, with_values, True, True))


@pytest.mark.parametrize(("residual", "mlp"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("method", ["maskclip", "sclip"])
def test_what_is_kept_of_the_last_block_is_an_option(zoo: Zoo, method: str, residual: bool, mlp: bool) -> None:
    mix = with_values if method == "maskclip" else both
    check(zoo, "vit", method, lambda p, i, t: dense.last_block(p, i, t, mix, residual, mlp), residual=residual, mlp=mlp)


def test_maskclip_on_a_resnet_of_clip_projects_values_without_positions(zoo: Zoo) -> None:
    model = double(zoo("resnet_clip"))
    work = work_of(model)
    got, visual = maps(work, "maskclip"), model.net.visual
    for i, image in enumerate(work.images.pixels):
        x = visual.stem(image[None])
        for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
            x = layer(x)
        places = x[0].flatten(1).T
        pool = visual.attnpool
        features = torch.stack([ref.unit(pool.c_proj(pool.v_proj(place))) for place in places])
        assert error(got[i, 0], features @ work.texts.embeddings[0]) <= TOLERANCE
        moved = places + pool.positional_embedding[1:]
        other = torch.stack([ref.unit(pool.c_proj(pool.v_proj(place))) for place in moved])
        assert error(got[i, 0], other @ work.texts.embeddings[0]) > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_sclip_adds_two_softmaxes(zoo: Zoo, family: str) -> None:
    check(zoo, family, "sclip", lambda p, i, t: dense.last_block(p, i, t, both, True, True))
    work, plain = work_of(double(zoo("vit"))), ref.Plain(zoo("vit"))
    halved = dense.last_block(plain, work.images.pixels[0], TEXTS[0], lambda *one: both(*one) / 2, True, True)
    assert error(maps(work, "sclip")[0, 0], halved) > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_clearclip_is_the_attention_alone(zoo: Zoo, family: str) -> None:
    check(zoo, family, "clearclip", lambda p, i, t: dense.last_block(p, i, t, queries, False, False))


@pytest.mark.parametrize("pair", ["kk", "vv", "qk"])
def test_clearclip_compares_what_it_is_told_to(zoo: Zoo, pair: str) -> None:
    def mix(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        parts = {"q": q, "k": k, "v": v}
        return dense.pairs(parts[pair[0]], parts[pair[1]]) @ v

    check(zoo, "vit", "clearclip", lambda p, i, t: dense.last_block(p, i, t, mix, False, False), attention=pair)
    work = work_of(double(zoo("vit")))
    assert error(maps(work, "clearclip", attention=pair), maps(work, "clearclip")) > 1e-3


def neighbours(plain: ref.Plain, grid: tuple[int, int], std: float) -> Any:
    near = dense.gaussian(*grid, std, plain.prefix)
    return lambda q, k, v: dense.pairs(k, k, near) @ v


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("reduced", [True, False])
def test_naclip_favours_neighbours(zoo: Zoo, family: str, reduced: bool) -> None:
    if not reduced and family not in FEW:
        family = "vit_wide"
    grid = work_of(double(zoo(family))).images.grid()

    def expected(plain: ref.Plain, image: Tensor, text: str) -> Tensor:
        return dense.last_block(plain, image, text, neighbours(plain, grid, 1.5), not reduced, not reduced)

    check(zoo, family, "naclip", expected, std=1.5, reduced=reduced)


def test_the_neighbourhood_of_a_grid_that_isn_t_square() -> None:
    got = neighbourhood(3, 5, 5.0, 1)
    assert error(got, dense.gaussian(3, 5, 5.0, 1)) < 1e-12
    assert not got[0].any() and not got[:, 0].any()
    assert got[1, 1] == 1
    # Transposed, places 1 and 4 of a row of five would be neighbours of other rows.
    assert error(got, dense.gaussian(5, 3, 5.0, 1)) > 1e-2
    assert neighbourhood(2, 2, 1.0, 5).shape == (9, 9)


@pytest.mark.parametrize("family", FAMILIES)
def test_gem_averages_three_self_attentions_over_blocks(zoo: Zoo, family: str) -> None:
    check(zoo, family, "gem", lambda p, i, t: dense.gem(p, i, t, 6, 1, None))


@pytest.mark.parametrize(("depth", "iterations", "sharpness"), [(1, 0, None), (2, 2, None), (2, 1, 3.0)])
def test_gem_follows_its_options(zoo: Zoo, depth: int, iterations: int, sharpness: float | None) -> None:
    options = {"depth": depth, "iterations": iterations, "sharpness": sharpness}
    check(zoo, "vit_wide", "gem", lambda p, i, t: dense.gem(p, i, t, depth, iterations, sharpness), **options)
    work = work_of(double(zoo("vit_wide")))
    assert error(maps(work, "gem", **options), maps(work, "gem")) > 1e-3


@pytest.mark.parametrize("family", FEW)
@pytest.mark.parametrize("base", ["naclip", "clearclip", "sclip"])
def test_resclip_mixes_middle_attention(zoo: Zoo, family: str, base: str) -> None:
    grid = work_of(double(zoo(family))).images.grid()

    def expected(plain: ref.Plain, image: Tensor, text: str) -> Tensor:
        states = plain.states(image)
        # Of four blocks those numbered 1 and 2 lie between five twelfths and three quarters.
        middle = (dense.mean_attention(plain, 1, states[1]) + dense.mean_attention(plain, 2, states[2])) / 2
        near = dense.gaussian(*grid, 5.0, plain.prefix)

        def mix(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            own = {
                "naclip": dense.pairs(k, k, near),
                "clearclip": dense.pairs(q, q),
                "sclip": dense.pairs(q, q) + dense.pairs(k, k),
            }[base]
            return factor * (0.7 * own + 0.3 * middle) @ v

        return dense.last_block(plain, image, text, mix, base == "sclip", base == "sclip")

    factor = 2.0
    check(zoo, family, "resclip", expected, base=base, blend=0.3)
    factor = 1.0
    check(zoo, family, "resclip", expected, base=base, blend=0.3, factor=1.0)
    # Beside a skip connection the factor changes the map; without one only what a bias adds differs.
    if family == "vit_wide":
        work = work_of(double(zoo(family)))
        apart = error(maps(work, "resclip", base=base), maps(work, "resclip", base=base, factor=1.0))
        assert apart > (0.02 if base == "sclip" else 1e-9)


@pytest.mark.parametrize("base", ["naclip", "clearclip", "sclip"])
def test_resclip_without_blend_is_its_base(zoo: Zoo, base: str) -> None:
    work = work_of(double(zoo("vit_wide")))
    assert error(maps(work, "resclip", base=base, blend=0.0), maps(work, base)) < 1e-12
    assert error(maps(work, "resclip", base=base), maps(work, base)) > 1e-3
    one = maps(work, "resclip", base=base, first=0, last=0)
    assert error(one, maps(work, "resclip", base=base, first=1, last=1)) > 1e-3


@pytest.mark.parametrize("family", FEW)
@pytest.mark.parametrize("base", ["naclip", "clearclip", "sclip"])
def test_resclip_refines_scores_by_what_it_has_segmented(zoo: Zoo, family: str, base: str) -> None:
    grid = work_of(double(zoo(family))).images.grid()
    segmented: list[list[int]] = []

    def expected(plain: ref.Plain, image: Tensor, text: str) -> Tensor:
        states = plain.states(image)
        middle = (dense.mean_attention(plain, 1, states[1]) + dense.mean_attention(plain, 2, states[2])) / 2
        near = dense.gaussian(*grid, 5.0, plain.prefix)

        def mixed(feedback: Tensor | None) -> Any:
            def weights(one: Tensor) -> Tensor:
                scores = one @ one.T / one.shape[1] ** 0.5
                if feedback is not None:
                    scores = 1.7 * (0.4 * scores + 0.6 * feedback)
                return (scores + near if base == "naclip" else scores).softmax(dim=-1)

            def mix(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
                own = {"naclip": [k], "clearclip": [q], "sclip": [q, k]}[base]
                return (sum(weights(one) for one in own) + middle) @ v

            return mix

        kept = base == "sclip"
        cosines = [dense.last_block(plain, image, label, mixed(None), kept, kept) for label in LABELS]
        labels = torch.stack(cosines).argmax(dim=0).tolist()
        segmented.append(labels)
        feedback = dense.together(labels, grid[1], plain.prefix)
        return dense.last_block(plain, image, text, mixed(feedback), kept, kept)

    check(zoo, family, "resclip", expected, base=base, labels=LABELS, refine=0.6, gain=1.7)
    assert any(len(set(labels)) > 1 for labels in segmented)
    work = work_of(double(zoo(family)))
    options = {"base": base, "labels": LABELS}
    plain = maps(work, "resclip", base=base)
    assert error(maps(work, "resclip", **options), plain) == 0
    assert error(maps(work, "resclip", **options, refine=0.6), plain) > 1e-4


def test_a_text_s_refined_map_does_not_depend_on_other_texts(zoo: Zoo) -> None:
    options = {"labels": LABELS, "refine": 0.6}
    model = double(zoo("vit_wide"))
    alone = Work(model, ImageTrunk(model, pixels(model).double()), TextTrunk(model, TEXTS[:1]))
    assert error(maps(alone, "resclip", **options)[:, 0], maps(work_of(model), "resclip", **options)[:, 0]) < 1e-12


def test_places_belong_together_by_label_chain_and_distance() -> None:
    labels = np.array([[0, 1, 0], [1, 1, 0], [0, 1, 2]])
    got = together(labels)
    assert np.allclose(got, dense.together(labels.ravel().tolist(), 3, 0).numpy())
    # By hand: the place in the upper left corner is cut off from the two other parts of its label.
    weights = np.array([1, 0, np.exp(-1), 0, 0, np.exp(-1), np.exp(-1), 0, 0])
    lone = np.eye(9)[8]
    assert np.allclose(got[0], weights / weights.sum()) and np.allclose(got[8], lone)
    assert not np.allclose(got, together(labels[::-1]))
    # Of one label everything belongs together.
    assert np.allclose(together(np.zeros((2, 3), dtype=int)), 1)


@pytest.mark.parametrize("options", [{"refine": 0.5}, {"refine": 0.5, "labels": ["a dog", "a dog"]}])
def test_resclip_refines_by_two_labels_at_least(zoo: Zoo, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="refine needs at least two labels"):
        explain(zoo("vit"), pixels(zoo("vit")), TEXTS, "resclip", **options)


@pytest.mark.parametrize("options", [{"first": 2, "last": 1}, {"last": 4}, {"first": 9}])
def test_resclip_refuses_blocks_that_aren_t_there(zoo: Zoo, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="resclip: first and last must be blocks of the image side, 0 to 3"):
        explain(zoo("vit"), pixels(zoo("vit")), TEXTS, "resclip", **options)


SPENT = [
    ("maskclip", {}), ("maskclip", {"mlp": False}), ("sclip", {}), ("clearclip", {}), ("naclip", {}),
    ("naclip", {"reduced": False}), ("gem", {}), ("gem", {"depth": 2, "iterations": 3}), ("resclip", {}),
    ("resclip", {"base": "sclip"}), ("resclip", {"blend": 0.0}), ("resclip", {"first": 0, "last": 2}),
    ("resclip", {"labels": ("a dog 0", "a cat"), "refine": 0.6}),
    ("resclip", {"base": "sclip", "labels": ("a dog 0", "a cat"), "refine": 0.6}),
    ("last_attention", {}), ("rollout", {}), ("rollout", {"layers": 2}), ("clip_prs", {}), ("clip_prs", {"layers": 2}),
    ("clip_prs", {"layer": -1}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "options"), SPENT)
@pytest.mark.parametrize("texts", [1, 20])
def test_the_meter_agrees_with_the_card_and_texts_are_free(
    zoo: Zoo, method: str, options: dict[str, Any], texts: int
) -> None:
    model = zoo("vit")
    info, asked = METHODS[method], [f"a dog {number}" for number in range(texts)]
    with model.meter.measuring() as spent:
        explain(model, pixels(model), asked, method, **options)
    cost = info.cost(options, model.image.depth)
    assert spent.image == pytest.approx(cost.total(2, texts))
    assert spent.image < 2 * 2.0
    # Texts are embedded by their own forward beside the one that the text side keeps.
    twice = texts if "text" in info.sides else 0
    # Labels are no texts that are explained.
    labels = len(options.get("labels", ()))
    assert spent.text - twice - labels == pytest.approx(cost.total_text(2, texts))
