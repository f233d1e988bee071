"""The information bottleneck against the literal loop of the paper, in float64 with the same noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.support.tiny import CNNS, TEXTS, Zoo, double, fresh, pixels
from core import explain
from core.attribution import m2ib
from core.attribution.context import estimate_context
from core.attribution.contract import Context, Work
from core.errors import InputError
from core.methods import method_info
from core.models.model import Model, state_digest
from core.models.trunk import ImageTrunk, TextTrunk
from tests.attribution import plain as ref

TOLERANCE = 1e-8
IMAGES = ("vit", "vit_wide", "timm_map", "siglip", "registers", *CNNS)
TEXTUAL = ("vit", "siglip", "registers", "bert_mean", "bert_cls")
SHORT: dict[str, Any] = {"steps": 6, "samples": 2}


def work_of(model: Model, images: Tensor, texts: tuple[str, ...] = TEXTS, seed: int = 3, **more: Any) -> Work:
    return Work(model, ImageTrunk(model, images), TextTrunk(model, texts), seed=seed, **more)


def options(**chosen: Any) -> Any:
    return method_info("m2ib").parse(chosen)


def agrees(got: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    assert got.shape == expected.shape
    error = float((got - expected).abs().max() / expected.abs().max())
    assert error <= tolerance, f"off by {error:.1e} of the largest value"


def own_prior(plain: ref.Plain, state: Tensor) -> tuple[Tensor, Tensor] | None:
    """Mean and spread of each channel over the places, written out."""
    if plain.kind != "cnn":
        return None
    channels, rows, columns = state.shape
    mean, spread = torch.empty(channels, 1, 1).double(), torch.empty(channels, 1, 1).double()
    for channel in range(channels):
        values = state[channel].flatten()
        mean[channel] = values.sum() / (rows * columns)
        spread[channel] = ((values - mean[channel]) ** 2).sum().div(rows * columns).sqrt().clamp(min=1e-3)
    return mean, spread


def literal_image(plain: ref.Plain, work: Work, image: int, text: int, layer: int, **chosen: Any) -> Tensor:
    """The map `(places,)` of one pair."""
    state = plain.states(work.images.pixels[image])[layer + 1]
    kept = ref.m2ib(
        state,
        lambda mixed: plain.tail(mixed, layer + 1),
        plain.words(work.texts.texts[text]),
        work.generator("m2ib", "image", work.image_keys[image], work.texts.texts[text]),
        prior=own_prior(plain, state),
        **chosen,
    )
    return kept.sum(dim=0).flatten() if plain.kind == "cnn" else kept.sum(dim=1)[plain.prefix :]


def literal_text(plain: ref.Plain, work: Work, image: int, text: int, layer: int, **chosen: Any) -> Tensor:
    """The values `(tokens,)` of one pair."""
    words = work.texts.texts[text]
    states, ids, bias = plain.text_states(words)
    kept = ref.m2ib(
        states[layer + 1],
        lambda mixed: plain.text_tail(mixed, ids, bias, layer + 1),
        plain.image(work.images.pixels[image]),
        work.generator("m2ib", "text", work.image_keys[image], words),
        **chosen,
    )
    return kept.sum(dim=1)


@pytest.mark.parametrize("family", IMAGES)
def test_images_against_the_literal_loop(zoo: Zoo, family: str) -> None:
    model = double(zoo(family))
    plain = ref.Plain(model)
    work = work_of(model, pixels(zoo(family)).double(), TEXTS[:2])
    got = m2ib.attribute_image(work, options(**SHORT))
    layer = model.image.depth - 3
    expected = literal_image(plain, work, 1, 0, layer, **SHORT)
    agrees(got[1, 0].flatten(), expected)
    mutants = (-got[1, 0], got[1, 0].flip(0), got[1, 1], got[0, 0], got[1, 0].T)
    for mutant in mutants:
        with pytest.raises(AssertionError):
            agrees(mutant.flatten(), expected, 1e3 * TOLERANCE)


def test_the_whole_loop_of_ten_steps_and_ten_samples(zoo: Zoo) -> None:
    model = double(zoo("vit"))
    plain, work = ref.Plain(model), work_of(model, pixels(zoo("vit"), 1).double(), TEXTS[:1])
    got = m2ib.attribute_image(work, options())
    expected = literal_image(plain, work, 0, 0, 1)
    agrees(got[0, 0].flatten(), expected)
    # Nine steps, another price and other noise are other maps.
    for other in ({"steps": 9}, {"beta": 0.2}, {"lr": 0.9}, {"samples": 9}):
        with pytest.raises(AssertionError):
            agrees(m2ib.attribute_image(work, options(**other))[0, 0].flatten(), expected, 1e3 * TOLERANCE)


@pytest.mark.parametrize(("layer", "beta", "lr"), [(0, 1.0, 0.5), (2, 0.1, 1.0), (-2, 0.0, 2.0)])
def test_options_reach_the_loop(zoo: Zoo, layer: int, beta: float, lr: float) -> None:
    model = double(zoo("siglip"))
    plain, work = ref.Plain(model), work_of(model, pixels(zoo("siglip"), 1).double(), TEXTS[:1])
    chosen = {"beta": beta, "lr": lr, "steps": 4, "samples": 2}
    got = m2ib.attribute_image(work, options(layer=layer, **chosen))
    agrees(got[0, 0].flatten(), literal_image(plain, work, 0, 0, layer % 4, **chosen))


@pytest.mark.parametrize("family", TEXTUAL)
def test_texts_against_the_literal_loop(zoo: Zoo, family: str) -> None:
    model = double(zoo(family))
    plain, work = ref.Plain(model), work_of(model, pixels(zoo(family)).double())
    got = m2ib.attribute_text(work, options(**SHORT))
    for text in range(len(TEXTS)):
        expected = literal_text(plain, work, 1, text, 1, **SHORT)
        agrees(got[1, text, : len(expected)], expected)
        assert not got[1, text, len(expected) :].any()
        for mutant in (-got[1, text, : len(expected)], got[0, text, : len(expected)]):
            with pytest.raises(AssertionError):
                agrees(mutant, expected, 1e3 * TOLERANCE)


@pytest.mark.parametrize("family", ["vit", "efficientnet"])
def test_single_precision_gives_nearly_the_same_map(zoo: Zoo, family: str) -> None:
    images = pixels(zoo(family), 1)
    exact = m2ib.attribute_image(work_of(double(zoo(family)), images.double(), TEXTS[:1]), options(**SHORT))
    # The noise is keyed by the image's bytes, which differ with the precision: here both use the same key.
    single = work_of(zoo(family), images, TEXTS[:1])
    single.image_keys = work_of(double(zoo(family)), images.double(), TEXTS[:1]).image_keys
    agrees(m2ib.attribute_image(single, options(**SHORT)).double(), exact, 1e-3)


@pytest.mark.parametrize("family", ["vit", "siglip", "efficientnet", "bert_mean"])
def test_a_batch_is_the_sum_of_single_runs(zoo: Zoo, family: str) -> None:
    model = double(zoo(family))
    images = pixels(zoo(family)).double()
    together = work_of(model, images)
    found = m2ib.attribute_image(together, options(**SHORT)), m2ib.attribute_text(together, options(**SHORT))
    for i in range(len(images)):
        for t, text in enumerate(TEXTS):
            alone = work_of(model, images[i : i + 1], (text,))
            agrees(m2ib.attribute_image(alone, options(**SHORT))[0, 0], found[0][i, t])
            value = m2ib.attribute_text(alone, options(**SHORT))[0, 0]
            agrees(value, found[1][i, t, : len(value)])
    backwards = work_of(model, images.flip(0), TEXTS[::-1])
    agrees(m2ib.attribute_image(backwards, options(**SHORT)).flip(0, 1), found[0])
    with pytest.raises(AssertionError):
        agrees(m2ib.attribute_image(backwards, options(**SHORT)), found[0], 1e-3)


def test_pairs_taken_one_by_one_for_want_of_memory_are_the_same(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    model = double(zoo("vit"))
    images = pixels(zoo("vit")).double()
    plenty = m2ib.attribute_image(work_of(model, images), options(**SHORT))
    monkeypatch.setenv("LOUPE_BYTES", "1")
    agrees(m2ib.attribute_image(work_of(model, images), options(**SHORT)), plenty)


def test_the_loss_must_be_a_sum_over_pairs(zoo: Zoo) -> None:
    """The release's Adam has eps 1e-8: gradients divided by the number of pairs are another optimisation."""
    logits = torch.full((4,), 5.0, dtype=torch.float64)
    gradient = torch.tensor([1e-8, -2e-8, 3e-7, -1e-6], dtype=torch.float64)

    def step(gradient: Tensor) -> Tensor:
        leaf = logits.clone().requires_grad_()
        optimiser = torch.optim.Adam([leaf], lr=1.0)
        leaf.grad = gradient
        optimiser.step()
        return leaf.detach()

    assert float((step(gradient) - step(gradient / 50)).abs().max()) > 0.1


# -- information --------------------------------------------------------------------------------------------------


def naive(logits: Tensor, state: Tensor) -> Tensor:
    share = torch.sigmoid(logits)
    return 0.5 * ((share * state) ** 2 + (1 - share) ** 2 - torch.log((1 - share) ** 2) - 1)


def test_information_is_the_closed_form_of_the_divergence() -> None:
    generator = torch.Generator().manual_seed(0)
    state, logits = (torch.randn(6, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    kl, signal, noise = m2ib.information(logits, state)
    assert torch.allclose(kl, naive(logits, state), atol=1e-12)
    assert torch.allclose(signal + noise, torch.ones_like(signal))
    pair = torch.distributions.Normal(signal * state, noise), torch.distributions.Normal(0.0, 1.0)
    assert torch.allclose(kl, torch.distributions.kl_divergence(*pair), atol=1e-12)
    assert not torch.allclose(-kl, naive(logits, state), atol=1e-3)


def test_information_of_a_channel_prior_is_measured_in_its_spread() -> None:
    generator = torch.Generator().manual_seed(1)
    state, logits = (torch.randn(3, 4, 2, 2, generator=generator, dtype=torch.float64) for _ in range(2))
    mean, spread = torch.randn(3, 4, 1, 1, generator=generator).double(), torch.rand(3, 4, 1, 1).double() + 0.5
    kl, signal, noise = m2ib.information(logits, state, (mean, spread))
    for index in np.ndindex(*state.shape):
        corner = (*index[:2], 0, 0)
        share = float(signal[index])
        scaled = float((state[index] - mean[corner]) / spread[corner])
        expected = 0.5 * (share**2 * scaled**2 + (1 - share) ** 2 - 1) - np.log(1 - share)
        assert abs(float(kl[index]) - expected) < 1e-12
    # It is the divergence of N(mean + signal (state - mean), (noise spread)^2) from N(mean, spread^2).
    mixed = torch.distributions.Normal(mean + signal * (state - mean), noise * spread)
    prior = torch.distributions.Normal(mean.expand_as(state), spread.expand_as(state))
    assert torch.allclose(kl, torch.distributions.kl_divergence(mixed, prior), atol=1e-12)


def test_information_stays_finite_where_the_naive_form_doesn_t() -> None:
    logits, state = torch.full((3,), 30.0), torch.tensor([0.0, 1.0, -2.0])
    kl, _, _ = m2ib.information(logits, state)
    assert torch.isfinite(kl).all()
    assert torch.allclose(kl, 30 + 0.5 * (state**2 - 1), atol=1e-4)
    assert torch.isinf(naive(logits, state)).all()
    leaf = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(m2ib.information(leaf, state)[0].sum(), leaf)
    assert torch.isfinite(gradient).all()


def test_information_is_never_negative(zoo: Zoo) -> None:
    generator = torch.Generator().manual_seed(2)
    logits, state = 20 * torch.randn(2000, generator=generator), 3 * torch.randn(2000, generator=generator)
    assert float(m2ib.information(logits, state)[0].min()) >= -1e-6
    result = explain(zoo("vit"), pixels(zoo("vit")), TEXTS, "m2ib", **SHORT)
    assert result.image is not None
    assert result.text is not None
    assert result.image.min() >= 0
    assert result.text.min() >= 0


def test_everything_is_kept_at_the_start() -> None:
    kl, signal, _ = m2ib.information(torch.full((1,), m2ib.START), torch.zeros(1))
    assert float(signal) == pytest.approx(0.9933, abs=1e-4)
    assert float(kl) == pytest.approx(-np.log(1 - 0.993307) - 0.5 + 0.5 * 0.006693**2, abs=1e-3)


# -- priors and options -------------------------------------------------------------------------------------------


def test_the_context_replaces_the_image_s_own_channels(zoo: Zoo) -> None:
    model = double(zoo("efficientnet"))
    plain, images = ref.Plain(model), pixels(zoo("efficientnet"), 3).double()
    layer = model.image.depth - 3
    context = estimate_context(model, images.split(2), [layer])
    mean, spread = context.channels[layer]
    states = torch.stack([plain.states(image)[layer + 1] for image in images])
    assert torch.allclose(mean.double(), states.mean(dim=(0, 2, 3)), atol=1e-6)
    assert torch.allclose(spread.double(), states.std(dim=(0, 2, 3), correction=0).clamp_min(1e-3), atol=1e-6)
    work = work_of(model, images[:1], TEXTS[:1], context=context)
    got = m2ib.attribute_image(work, options(**SHORT))
    state = states[0]
    prior = mean.double()[:, None, None], spread.double()[:, None, None]
    expected = ref.m2ib(
        state,
        lambda mixed: plain.tail(mixed, layer + 1),
        plain.words(TEXTS[0]),
        work.generator("m2ib", "image", work.image_keys[0], TEXTS[0]),
        prior=prior,
        **SHORT,
    )
    agrees(got[0, 0].flatten(), expected.sum(dim=0).flatten())
    alone = m2ib.attribute_image(work_of(model, images[:1], TEXTS[:1]), options(**SHORT))
    with pytest.raises(AssertionError):
        agrees(alone, got, 1e-3)


def test_a_context_doesn_t_depend_on_batches(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model, 4)
    one, other = (estimate_context(model, images.split(size), [0, 2]) for size in (1, 4))
    for block in (0, 2):
        for a, b in zip(one.channels[block], other.channels[block], strict=True):
            assert torch.allclose(a, b, atol=1e-5)
    assert isinstance(one, Context)


def test_a_channel_prior_serves_transformers_and_texts_too(zoo: Zoo) -> None:
    model = zoo("vit")
    images = pixels(model, 1)
    channel, standard = (
        explain(model, images, TEXTS, "m2ib", prior=prior, **SHORT) for prior in ("channel", "standard")
    )
    for a, b in ((channel.image, standard.image), (channel.text, standard.text)):
        assert a is not None
        assert b is not None
        assert np.isfinite(a).all()
        assert not np.allclose(a, b, rtol=1e-2)
    auto = explain(model, images, TEXTS, "m2ib", **SHORT)
    assert np.array_equal(auto.image, standard.image)  # type: ignore[arg-type]


def test_as_released_values_run_from_0_to_1(zoo: Zoo) -> None:
    model = zoo("vit")
    work = work_of(model, pixels(model))
    for found in (m2ib.attribute_image(work, options(paper_exact=True, **SHORT)).flatten(2),):
        assert torch.allclose(found.amin(dim=-1), torch.zeros(2, 3))
        assert torch.allclose(found.amax(dim=-1), torch.ones(2, 3))
    plain = m2ib.attribute_image(work, options(**SHORT)).flatten(2)
    exact = m2ib.attribute_image(work, options(paper_exact=True, **SHORT)).flatten(2)
    assert torch.equal(plain.argsort(dim=-1), exact.argsort(dim=-1))


def test_as_released_texts_run_from_0_to_1_with_their_special_tokens(zoo: Zoo) -> None:
    work = work_of(zoo("bert_mean"), pixels(zoo("bert_mean")))
    exact, plain = (m2ib.attribute_text(work, options(paper_exact=on, **SHORT)) for on in (True, False))
    for text in range(len(TEXTS)):
        length = work.texts.own_ids(text).shape[1]
        values = exact[:, text, :length]
        assert torch.allclose(values.amin(dim=-1), torch.zeros(2)) and torch.allclose(
            values.amax(dim=-1), torch.ones(2)
        )
        assert torch.equal(values.argsort(dim=-1), plain[:, text, :length].argsort(dim=-1))
        assert not exact[:, text, length:].any()
    # Without the special tokens' part in it, the range of a text's words isn't 0 to 1.
    words, _ = work.texts.content[2]
    assert float(exact[:, 2, words].amax(dim=-1).min()) < 1 or float(exact[:, 2, words].amin(dim=-1).max()) > 0


@pytest.mark.parametrize("layer", [3, 4, -5, 17])
def test_a_layer_without_a_block_behind_it_is_refused(zoo: Zoo, layer: int) -> None:
    model = zoo("vit")
    with pytest.raises(InputError, match="at least one block must follow the layer"):
        explain(model, pixels(model, 1), TEXTS, "m2ib", layer=layer)


@pytest.mark.parametrize("family", ["vit", "siglip", "efficientnet"])
def test_the_bottleneck_sits_after_the_third_block_from_the_end(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    work = work_of(model, pixels(model, 1), TEXTS[:1])
    default = m2ib.attribute_image(work, options(**SHORT))
    depth = model.image.depth
    for same in (depth - 3, -3):
        assert torch.equal(default, m2ib.attribute_image(work, options(layer=same, **SHORT)))
    other = m2ib.attribute_image(work, options(layer=depth - 2, **SHORT))
    assert other.shape != default.shape or not torch.allclose(other, default, rtol=1e-2)
    assert m2ib.bottleneck_layer(None, 12, "image") == 9
    assert m2ib.bottleneck_layer(None, 24, "image") == 21
    text = m2ib.attribute_text(work, options(**SHORT))
    assert torch.equal(text, m2ib.attribute_text(work, options(layer=model.text.depth - 3, **SHORT)))


@pytest.mark.parametrize("family", ["vit", "siglip", "registers", "bert_cls"])
def test_the_channel_prior_of_tokens_against_the_literal_loop(zoo: Zoo, family: str) -> None:
    model = double(zoo(family))
    plain, images = ref.Plain(model), pixels(zoo(family)).double()
    work = work_of(model, images, TEXTS[:2])
    got = m2ib.attribute_image(work, options(prior="channel", **SHORT))
    state = plain.states(images[1])[model.image.depth - 2]
    prior = state.mean(dim=0, keepdim=True), ((state - state.mean(dim=0)) ** 2).mean(dim=0, keepdim=True).sqrt()
    kept = ref.m2ib(
        state,
        lambda mixed: plain.tail(mixed, model.image.depth - 2),
        plain.words(TEXTS[0]),
        work.generator("m2ib", "image", work.image_keys[1], TEXTS[0]),
        prior=prior,
        **SHORT,
    )
    expected = kept.sum(dim=1)[plain.prefix :]
    agrees(got[1, 0].flatten(), expected)
    with pytest.raises(AssertionError):
        agrees(m2ib.attribute_image(work, options(**SHORT))[1, 0].flatten(), expected, 1e-2)
    words = TEXTS[1]
    states, ids, bias = plain.text_states(words)
    state = states[model.text.depth - 2]
    prior = state.mean(dim=0, keepdim=True), state.std(dim=0, keepdim=True, correction=0).clamp(min=1e-3)
    kept = ref.m2ib(
        state,
        lambda mixed: plain.text_tail(mixed, ids, bias, model.text.depth - 2),
        plain.image(images[0]),
        work.generator("m2ib", "text", work.image_keys[0], words),
        prior=prior,
        **SHORT,
    )
    values = m2ib.attribute_text(work, options(prior="channel", **SHORT))
    agrees(values[0, 1, : len(kept)], kept.sum(dim=1))
    with pytest.raises(AssertionError):
        agrees(m2ib.attribute_text(work, options(**SHORT))[0, 1, : len(kept)], kept.sum(dim=1), 1e-2)


# -- what a bottleneck lets through ---------------------------------------------------------------------------------


def test_every_place_counts_where_there_is_no_class_token(zoo: Zoo) -> None:
    for family, prefix in (("siglip", 0), ("efficientnet", 0), ("vit", 1), ("registers", 3)):
        model = double(zoo(family))
        work = work_of(model, pixels(zoo(family)).double(), TEXTS[:1])
        found = m2ib.image_bottlenecks(work, options(**SHORT), [m2ib.Pair(0, 0, 3), m2ib.Pair(1, 0, 3)])
        places = found.places.flatten(1)
        state = work.images.entering(model.image.depth - 2)
        assert model.image.prefix_tokens == prefix
        assert places.shape[1] + prefix == (state.shape[1] if state.ndim == 3 else state[0, 0].numel())
        ratio = places.sum(dim=1) / found.total
        assert torch.allclose(ratio, torch.ones_like(ratio)) if prefix == 0 else bool((ratio < 0.999).all()), family


@pytest.mark.parametrize("family", ["vit", "siglip"])
def test_seeds_together_are_seeds_alone(zoo: Zoo, family: str) -> None:
    model = double(zoo(family))
    images = pixels(zoo(family)).double()
    work = work_of(model, images, seed=11)
    pairs = [m2ib.Pair(image, text, seed) for image, text in ((0, 0), (1, 2), (0, 1)) for seed in (3, 4, 8)]
    chosen = options(**SHORT)
    sides = ((m2ib.image_bottlenecks, m2ib.attribute_image), (m2ib.text_bottlenecks, m2ib.attribute_text))
    for optimise, attribute in sides:
        found = optimise(work, chosen, pairs)
        for row, pair in enumerate(pairs):
            alone = attribute(work_of(model, images, seed=pair.seed), chosen)[pair.image, pair.text]
            agrees(found.places[row], alone)
        for row, other in ((0, 1), (0, 3), (3, 6)):
            with pytest.raises(AssertionError):
                agrees(found.places[row], found.places[other], 1e3 * TOLERANCE)


def test_the_cosine_that_passes_is_that_of_the_mixed_state(zoo: Zoo) -> None:
    """One step, so that lambda is still sigmoid(5): drawn by hand, mixed by hand, read by the literal tower."""
    model = double(zoo("vit"))
    plain, images = ref.Plain(model), pixels(zoo("vit")).double()
    work = work_of(model, images)
    found = m2ib.image_bottlenecks(work, options(steps=1, samples=3), [m2ib.Pair(1, 2, 3)], floor=True)
    state, layer = plain.states(images[1])[2], 2
    generator = work.generator("m2ib", "image", work.image_keys[1], TEXTS[2])
    first, second = (torch.randn((3, *state.shape), generator=generator).double() for _ in range(2))
    share = 1 / (1 + np.exp(-5.0))
    target = plain.words(TEXTS[2])
    passed = torch.stack([plain.tail(share * state + (1 - share) * noise, layer) @ target for noise in first]).mean()
    noise_only = torch.stack([plain.tail(noise, layer) @ target for noise in second]).mean()
    assert found.floor is not None
    agrees(found.cosine, passed[None])
    agrees(found.floor, noise_only[None])
    for mutant in (work.scores[1, 2], noise_only, -passed):
        with pytest.raises(AssertionError):
            agrees(found.cosine, mutant[None], 1e-6)
    assert m2ib.image_bottlenecks(work, options(steps=1, samples=3), [m2ib.Pair(1, 2, 3)]).floor is None


@pytest.mark.parametrize("family", ["vit", "siglip", "efficientnet", "bert_mean"])
def test_an_open_bottleneck_passes_all_and_a_shut_one_nothing(
    zoo: Zoo, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits lambda -> 1 and lambda -> 0."""
    model = double(zoo(family))
    work = work_of(model, pixels(zoo(family)).double(), TEXTS[:2])
    pair, chosen = [m2ib.Pair(1, 0, 3)], options(steps=1, samples=2)
    score = work.scores[1, 0]
    for optimise in (m2ib.image_bottlenecks, m2ib.text_bottlenecks):
        monkeypatch.setattr(m2ib, "START", 40.0)
        whole = optimise(work, chosen, pair)
        agrees(whole.cosine, score[None], 1e-6)
        monkeypatch.setattr(m2ib, "START", -40.0)
        shut = optimise(work, chosen, pair, floor=True)
        assert float(shut.total.abs().max()) < 1e-9 < float(whole.total.min())
        assert shut.floor is not None
        monkeypatch.setattr(m2ib, "START", 5.0)
        half = optimise(work, chosen, pair)
        for other in (shut.cosine, half.cosine):
            with pytest.raises(AssertionError):
                agrees(other, score[None], 1e-6)


def untouched(model: Model, before: tuple[str, Tensor], images: Tensor) -> None:
    """Weights, embeddings, hooks, gradients and mode are as they were."""
    assert state_digest(model.net) == before[0]
    assert torch.equal(model.embed_images(images), before[1])
    for part in model.net.modules():
        assert not part._forward_hooks and not part._forward_pre_hooks and not part._backward_hooks
        assert not part.training
    for value in model.net.parameters():
        assert not value.requires_grad and value.grad is None


def test_nothing_of_the_model_is_changed_by_an_exception(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fresh(zoo("vit"))
    images = pixels(model)
    before = state_digest(model.net), model.embed_images(images)
    calls = []
    leave = type(model.image).leave

    def failing(self: Any, state: Tensor) -> Tensor:
        calls.append(1)
        if len(calls) == 4:
            raise RuntimeError("in the middle of the loop")
        return leave(self, state)

    with monkeypatch.context() as patch:
        patch.setattr(type(model.image), "leave", failing)
        with pytest.raises(RuntimeError, match="in the middle"):
            explain(model, images, TEXTS, "m2ib", sides=["image"], **SHORT)
    untouched(model, before, images)
    explain(model, images, TEXTS, "m2ib", **SHORT)
    untouched(model, before, images)
    hook = next(iter(model.net.visual.children())).register_forward_hook(lambda *args: None)
    with pytest.raises(AssertionError):
        untouched(model, before, images)
    hook.remove()
    model.net.logit_scale.requires_grad_(True)
    with pytest.raises(AssertionError):
        untouched(model, before, images)
