"""Saliency, input x gradient, SmoothGrad and integrated gradients against captum in float64, and their sums."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from torch import Tensor, nn

from benchmarks.support import tiny
from benchmarks.support.tiny import TEXTS, Zoo, double
from core import explain
from core.attribution import input_gradient, integrated_gradients, pixels, saliency, smoothgrad
from core.attribution.contract import Measured, Work
from core.methods import method_info
from core.methods.pixel_gradient import InputGradientOptions, SaliencyOptions
from core.models.coalitions import removed
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref

TOLERANCE = 1e-7
FAMILIES = ("vit", "vit_wide", "siglip", "resnet_clip", "byobnet", "efficientnet")
TEXTUAL = ("vit", "siglip", "bert_mean", "bert_cls")
STEPS = 5
SUMS_WITHIN = 0.01


class Cosine(nn.Module):
    """The library's own forward as captum wants it: images to cosines with some texts."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.net = model.net
        with torch.no_grad():
            self.words = ref.unit(self.net.encode_text(model.text.full(TEXTS)))

    def forward(self, images: Tensor) -> Tensor:
        return ref.unit(self.net.encode_image(images)) @ self.words.T


class TextCosine(nn.Module):
    """Embeddings of one text's tokens to cosines with some images."""

    def __init__(self, plain: ref.Plain, text: str, images: Tensor) -> None:
        super().__init__()
        self.plain, (_, self.ids, self.bias) = plain, plain.text_states(text)
        self.seen = torch.stack([plain.image(image) for image in images])

    def forward(self, states: Tensor) -> Tensor:
        units = [self.plain.text_tail(state, self.ids, self.bias, 0) for state in states]
        return torch.stack(units) @ self.seen.T


def work_of(model: Model, count: int = 2, texts: tuple[str, ...] = TEXTS) -> Work:
    wide = double(model)
    return Work(wide, ImageTrunk(wide, tiny.pixels(model, count).double()), TextTrunk(wide, texts))


def run(work: Work, module: Any, side: str = "image", **options: Any) -> Tensor:
    parsed = method_info(module.__name__.split(".")[-1]).parse(options)
    found = getattr(module, f"attribute_{side}")(work, parsed)
    return found.values if isinstance(found, Measured) else found


def cells(values: Tensor, grid: tuple[int, int], mean: bool) -> Tensor:
    """Pixels `(height, width)` to cells, pixel by pixel."""
    (height, width), whole = values.shape, values.numpy()
    total, count = np.zeros(grid), np.zeros(grid)
    for row in range(height):
        for column in range(width):
            cell = int((row + 0.5) * grid[0] / height), int((column + 0.5) * grid[1] / width)
            total[cell] += whole[row, column]
            count[cell] += 1
    return torch.from_numpy(total / count if mean else total)


def empty_words(plain: ref.Plain, text: str, positions: list[int]) -> Tensor:
    """The embeddings of a text whose words are padding `(tokens, width)`, row by row."""
    state = plain.text_states(text)[0][0].clone()
    for position in positions:
        with torch.no_grad():
            if plain.bert:
                own = plain.text.transformer.embeddings
                row = (
                    own.word_embeddings.weight[plain.text.config.pad_token_id]
                    + own.position_embeddings.weight[position]
                )
                state[position] = own.LayerNorm(row + own.token_type_embeddings.weight[0])
            else:
                # CLIP's tokenizers pad with the number 0.
                state[position] = plain.text.token_embedding.weight[0] + plain.text.positional_embedding[position]
    return state


def agrees(got: Tensor, wanted: Tensor, tolerance: float = TOLERANCE) -> None:
    assert got.shape == wanted.shape
    error = float((got - wanted).abs().max() / wanted.abs().max())
    assert error <= tolerance, f"off by {error:.1e} of the largest value"


def refuses_mutants(maps: Tensor, wanted: Tensor) -> None:
    """The comparison fails for a turned sign, a turned and a transposed grid, another text, another image."""
    mutants = [-maps[0, 0], maps[0, 0].flip((0, 1)), maps[0, 1], maps[1, 0]]
    if maps.shape[-1] == maps.shape[-2]:
        mutants.append(maps[0, 0].T)
    for mutant in mutants if wanted.numel() > 1 else mutants[:1]:
        with pytest.raises(AssertionError):
            agrees(mutant, wanted, 1e4 * TOLERANCE)


@pytest.mark.parametrize("family", FAMILIES)
def test_images_against_captum(zoo: Zoo, family: str) -> None:
    work = work_of(zoo(family))
    cosine = Cosine(work.model)
    given = work.images.pixels
    start = removed(work.model, given, "black").to(given)
    grid = (14, 14) if family == "byobnet" else work.images.grid()
    found = [run(work, module) for module in (saliency, input_gradient)]
    found.append(run(work, integrated_gradients, steps=STEPS))
    for t in range(len(TEXTS)):
        wanted = (
            Saliency(cosine).attribute(given, target=t, abs=True).amax(dim=1),
            InputXGradient(cosine).attribute(given, target=t).sum(dim=1),
            IntegratedGradients(cosine)
            .attribute(given, start, target=t, n_steps=STEPS, method="gausslegendre")
            .sum(dim=1),
        )
        for maps, whole, mean in zip(found, wanted, (True, False, False), strict=True):
            for i in range(2 if t == 0 else 1):
                agrees(maps[i, t], cells(whole[i].detach(), grid, mean))
            if t == 0:
                refuses_mutants(maps, cells(whole[0].detach(), grid, mean))


@pytest.mark.parametrize("family", TEXTUAL)
def test_texts_against_captum(zoo: Zoo, family: str) -> None:
    work, plain = work_of(zoo(family)), ref.Plain(zoo(family))
    found = [run(work, module, "text") for module in (saliency, input_gradient)]
    found.append(run(work, integrated_gradients, "text", steps=STEPS))
    for t, text in enumerate(TEXTS):
        cosine = TextCosine(plain, text, work.images.pixels)
        state = plain.text_states(text)[0][0][None]
        bare = empty_words(plain, text, work.texts.content[t][0])[None]
        for i in range(2):
            wanted = (
                Saliency(cosine).attribute(state.clone(), target=i).norm(dim=-1),
                InputXGradient(cosine).attribute(state.clone(), target=i).sum(dim=-1),
                IntegratedGradients(cosine)
                .attribute(state, bare, target=i, n_steps=STEPS, method="gausslegendre")
                .sum(dim=-1),
            )
            for values, whole in zip(found, wanted, strict=True):
                count = whole.shape[1]
                # Embedding times gradient cancels nearly behind a norm, which costs digits.
                agrees(values[i, t, :count], whole[0].detach(), 10 * TOLERANCE)
                assert not values[i, t, count:].any()
                for mutant in (-values[i, t, :count], values[1 - i, t, :count]):
                    with pytest.raises(AssertionError):
                        agrees(mutant, whole[0].detach(), 1e4 * TOLERANCE)


@pytest.mark.parametrize("norm", ["max", "l2"])
def test_smoothgrad_is_the_mean_over_its_noisy_copies(zoo: Zoo, norm: str) -> None:
    work = work_of(zoo("vit"))
    cosine = Cosine(work.model)
    maps = run(work, smoothgrad, samples=4, noise=0.3, norm=norm)
    for i, image in enumerate(work.images.pixels):
        generator = work.generator("smoothgrad", work.image_keys[i])
        spread = 0.3 * (image.max() - image.min())
        copies = [image + spread * torch.randn(image.shape, generator=generator).double() for _ in range(4)]
        for t in range(len(TEXTS)):
            slopes = [Saliency(cosine).attribute(copy[None], target=t, abs=False)[0] for copy in copies]
            mean = torch.stack(slopes).mean(dim=0)
            size = mean.abs().amax(dim=0) if norm == "max" else mean.square().sum(dim=0).sqrt()
            agrees(maps[i, t], cells(size, work.images.grid(), mean=True))
            with pytest.raises(AssertionError):
                other = torch.stack(slopes[:3]).mean(dim=0)
                agrees(maps[i, t], cells(other.abs().amax(dim=0), work.images.grid(), mean=True), 1e4 * TOLERANCE)
    refuses_mutants(maps, maps[0, 0])


def test_a_little_noise_gives_saliency(zoo: Zoo) -> None:
    work = work_of(zoo("vit"), 1)
    plain = run(work, saliency)
    agrees(run(work, smoothgrad, samples=2, noise=1e-6), plain, 1e-3)
    with pytest.raises(AssertionError):
        agrees(run(work, smoothgrad, samples=2, noise=0.5), plain, 1e-2)


# -- sums -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("family", "baseline"),
    [("vit", "black"), ("vit", "mean"), ("vit", "blur"), ("siglip", "black"), ("convnext", "black")],
)
def test_the_parts_sum_to_the_difference_from_the_baseline(zoo: Zoo, family: str, baseline: str) -> None:
    work, plain = work_of(zoo(family)), ref.Plain(zoo(family))
    options = method_info("integrated_gradients").parse({"baseline": baseline})
    found = integrated_gradients.attribute_image(work, options)
    start = removed(work.model, work.images.pixels, baseline).to(work.images.pixels)  # type: ignore[arg-type]
    words = torch.stack([plain.words(text) for text in TEXTS])
    difference = (
        torch.stack(
            [plain.image(image) - plain.image(empty) for image, empty in zip(work.images.pixels, start, strict=True)]
        )
        @ words.T
    )
    total = found.values.sum(dim=(-2, -1))
    agrees(found.details["difference"], difference)
    agrees(total + found.details["residual"], difference)
    agrees(total, difference, SUMS_WITHIN)
    mutants = [-total, total.flip(0), total.flip(1)]
    if baseline == "black":
        coarse = integrated_gradients.attribute_image(work, options.model_copy(update={"steps": 1}))
        mutants.append(coarse.values.sum(dim=(-2, -1)))
    for mutant in mutants:
        with pytest.raises(AssertionError):
            agrees(mutant, difference, SUMS_WITHIN)


@pytest.mark.parametrize("family", ["vit", "siglip", "bert_mean"])
def test_the_words_sum_to_the_difference_from_no_words(zoo: Zoo, family: str) -> None:
    work, plain = work_of(zoo(family)), ref.Plain(zoo(family))
    found = integrated_gradients.attribute_text(work, method_info("integrated_gradients").parse({}))
    wanted = torch.zeros(2, len(TEXTS), dtype=torch.float64)
    for t, text in enumerate(TEXTS):
        cosine = TextCosine(plain, text, work.images.pixels)
        state = plain.text_states(text)[0][0]
        bare = empty_words(plain, text, work.texts.content[t][0])
        with torch.no_grad():
            ends = cosine(torch.stack([state, bare]))
        wanted[:, t] = ends[0] - ends[1]
    total = found.values.sum(dim=-1)
    agrees(found.details["difference"], wanted)
    agrees(total + found.details["residual"], wanted)
    agrees(total, wanted, SUMS_WITHIN)
    for mutant in (-total, total.flip(0), total.flip(1)):
        with pytest.raises(AssertionError):
            agrees(mutant, wanted, SUMS_WITHIN)


def test_the_residual_reaches_the_caller(zoo: Zoo) -> None:
    model = zoo("vit")
    result = explain(model, tiny.pixels(model), TEXTS, "integrated_gradients", steps=4)
    assert result.image is not None
    assert set(result.details) == {"difference", "residual"}
    assert result.details["residual"].shape == (2, 3)
    together = result.image.sum(axis=(-2, -1)) + result.details["residual"]
    assert np.allclose(together, result.details["difference"], atol=1e-6)
    assert np.abs(result.details["residual"]).max() > 1e-5


def test_the_path_integrates_polynomials_exactly() -> None:
    points, weights = integrated_gradients.path(4)
    for power in range(8):
        assert float((weights * points**power).sum()) == pytest.approx(1 / (power + 1), abs=1e-14)
    assert float((weights * points**8).sum()) != pytest.approx(1 / 9, abs=1e-9)


# -- grid and budget ----------------------------------------------------------------------------------------------


def test_cells_that_don_t_divide_the_image_count_every_pixel_once() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 3, 17, 23, generator=generator, dtype=torch.float64)
    summed, mean = pixels.cell_sums(values, (5, 7)), pixels.cell_means(values, (5, 7))
    for i in range(2):
        for t in range(3):
            agrees(summed[i, t], cells(values[i, t], (5, 7), mean=False), 1e-12)
            agrees(mean[i, t], cells(values[i, t], (5, 7), mean=True), 1e-12)
    assert torch.allclose(summed.sum(dim=(-2, -1)), values.sum(dim=(-2, -1)))
    with pytest.raises(AssertionError):
        agrees(pixels.cell_sums(values.transpose(-1, -2), (7, 5))[0, 0], summed[0, 0].reshape(7, 5), 1e-3)


@pytest.mark.parametrize("module", [saliency, input_gradient, smoothgrad, integrated_gradients])
def test_a_small_byte_budget_changes_nothing(zoo: Zoo, module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"samples": 3} if module is smoothgrad else {"steps": 3} if module is integrated_gradients else {}
    work = work_of(zoo("vit"), 3)
    plenty = run(work, module, **options)
    monkeypatch.setenv("LOUPE_BYTES", "1")
    agrees(run(work, module, **options), plenty, 1e-10)
    assert len(list(pixels.image_chunks(work, 3))) == 3


COSTS: list[tuple[str, dict[str, Any]]] = [
    ("saliency", {}),
    ("input_gradient", {}),
    ("smoothgrad", {"samples": 3}),
    ("integrated_gradients", {"steps": 3}),
]


@pytest.mark.parametrize(("method", "options"), COSTS)
def test_the_card_s_cost_is_what_is_spent(zoo: Zoo, method: str, options: dict[str, Any]) -> None:
    model = tiny.fresh(zoo("vit"))
    images = tiny.pixels(model)
    cost = method_info(method).cost(options, model.image.depth)
    for texts in (TEXTS[:1], TEXTS):
        with model.meter.measuring() as meter:
            explain(model, images, texts, method, **options)
        assert meter.image == pytest.approx(cost.total(2, len(texts)))
        assert meter.text == pytest.approx(cost.total_text(2, len(texts)))


# -- what methods share -----------------------------------------------------------------------------------------------


def spent(work: Work, *methods: ModuleType) -> tuple[list[Tensor], float]:
    """The maps of methods that run on one work after the other, and the image forwards that they have spent."""
    with work.model.meter.measuring() as meter:
        maps = [module.attribute_image(work, OPTIONS[module]) for module in methods]
    return maps, meter.image


OPTIONS: dict[ModuleType, Any] = {saliency: SaliencyOptions(), input_gradient: InputGradientOptions()}


@pytest.mark.parametrize("methods", [(saliency, input_gradient), (input_gradient, saliency)])
def test_methods_on_the_same_gradient_walk_back_once(zoo: Zoo, methods: tuple[ModuleType, ModuleType]) -> None:
    model = tiny.fresh(zoo("efficientnet"))
    images = ImageTrunk(model, tiny.pixels(model, 2))

    def new(texts: tuple[str, ...] = TEXTS, **pools: Any) -> Work:
        work = Work(model, images, TextTrunk(model, texts), **pools)
        assert len(work.texts.embeddings) == len(texts) and len(images.embeddings) == 2
        return work

    alone = [spent(new(), method) for method in methods]
    work = new()
    together, cost = spent(work, *methods)
    for values, ((own,), _) in zip(together, alone, strict=True):
        assert torch.equal(values, own)
    assert cost == pytest.approx(sum(one for _, one in alone) / 2) == pytest.approx(2 * (1 + 2 * len(TEXTS)))
    # The companion: other texts on the same images have gradients of their own, also where the pools are the same.
    (values,), more = spent(new(TEXTS[:1], pools=work.pools), methods[1])
    ((own,), _) = spent(new(TEXTS[:1]), methods[1])
    assert torch.equal(values, own) and more == pytest.approx(2 * 3)
