"""The instrumented forward of both towers against the library's own, for every family."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.support.tiny import ATTENTIVE, CNNS, FAMILIES, LAYERED, TEXTS, Zoo, fresh, pixels
from core.models.model import Model
from core.models.trunk import ImageTrunk, TextTrunk

TOLERANCE = 1e-6
TEXT_FAMILIES = ("vit", "vit_layer_scale", "vit_quick", "siglip", "registers", "bert_mean", "bert_cls", "bert_first")


def unit(values: Tensor) -> Tensor:
    return F.normalize(values, dim=-1)


def library_images(model: Model, images: Tensor) -> Tensor:
    with torch.no_grad():
        return model.net.encode_image(images, normalize=True)


def library_texts(model: Model, texts: tuple[str, ...]) -> Tensor:
    with torch.no_grad():
        return model.net.encode_text(model.text.tokenizer(list(texts)), normalize=True)


def close(a: Tensor, b: Tensor, tolerance: float = TOLERANCE) -> None:
    assert a.shape == b.shape
    error = float((a - b).abs().max())
    assert error <= tolerance, f"differs by {error:.2e}"


@pytest.mark.parametrize("family", LAYERED)
def test_the_image_tower_taken_apart_gives_the_library_s_embedding(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    images = pixels(model)
    plain = library_images(model, images)
    state = model.image.enter(images)
    for index in range(model.image.depth):
        state = model.image.block(index, state)
    close(unit(model.image.leave(state)), plain)
    trunk = ImageTrunk(model, images)
    close(trunk.embeddings, plain)
    close(model.embed_images(images), plain)
    # Two images aren't one: the comparison is able to fail.
    with pytest.raises(AssertionError):
        close(trunk.embeddings.flip(0), plain, 1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_text_tower_taken_apart_gives_the_library_s_embedding(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    plain = library_texts(model, TEXTS)
    ids = model.text.full(TEXTS)
    state, mask = model.text.enter(ids)
    for index in range(model.text.depth):
        state = model.text.block(index, state, mask)
    close(unit(model.text.leave(state, ids)), plain)
    close(model.embed_texts(TEXTS), plain)
    with pytest.raises(AssertionError):
        close(model.embed_texts(TEXTS[::-1]), plain, 1e-3)


def test_a_tower_of_another_kind_embeds_and_offers_nothing_else(zoo: Zoo) -> None:
    model = zoo("byobnet")
    images = pixels(model)
    close(ImageTrunk(model, images).embeddings, library_images(model, images))
    assert model.image.capabilities == {"embeddings"}
    with pytest.raises(NotImplementedError):
        model.image.block(0, images)


@pytest.mark.parametrize("family", LAYERED)
def test_prefix_then_suffix_is_the_whole_image_tower_for_every_layer(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    images = pixels(model)
    plain, tower = library_images(model, images), model.image
    trunk = ImageTrunk(model, images)
    for layer in range(tower.depth + 1):
        close(unit(tower.leave(tower.run(trunk.entering(layer), layer))), plain)
        close(tower.run(tower.enter(images), 0, layer), trunk.entering(layer), 1e-4)
    # The state of the other image gives the other embedding.
    with pytest.raises(AssertionError):
        close(unit(tower.leave(tower.run(trunk.entering(1).flip(0), 1))), plain, 1e-3)


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("family", TEXT_FAMILIES)
def test_prefix_then_suffix_is_the_whole_text_tower_for_every_layer(zoo: Zoo, family: str, padded: bool) -> None:
    model = zoo(family)
    tower, plain = model.text, library_texts(model, TEXTS)
    ids = tower.full(TEXTS) if padded else tower.tokenize(TEXTS)
    for layer in range(tower.depth + 1):
        state, mask = tower.enter(ids)
        state = tower.run(state, mask, 0, layer)
        close(unit(tower.leave(tower.run(state, mask, layer), ids)), plain)


@pytest.mark.parametrize("family", TEXT_FAMILIES)
def test_a_trimmed_text_embeds_like_the_untrimmed_one(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    tower, plain = model.text, library_texts(model, TEXTS)
    for index, text in enumerate(TEXTS):
        alone = TextTrunk(model, [text])
        close(unit(tower.leave(alone.entering(tower.depth), alone.ids)), plain[index : index + 1])
    together = TextTrunk(model, TEXTS)
    close(unit(tower.leave(together.entering(tower.depth), together.ids)), plain)
    if family == "siglip":  # it reads the last position of a full row: nothing may go
        assert together.ids.shape[1] == tower.context
    else:
        assert together.ids.shape[1] < tower.context


@pytest.mark.parametrize("family", ["vit", "bert_mean"])
def test_the_mask_of_a_text_tower_matters(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    ids = model.text.full(TEXTS)
    state, _ = model.text.enter(ids)
    with pytest.raises(AssertionError):
        close(unit(model.text.leave(model.text.run(state, None, 0), ids)), library_texts(model, TEXTS), 1e-3)


def identity(weights: Tensor) -> Tensor:
    return weights


@pytest.mark.parametrize("family", ATTENTIVE)
def test_explicit_attention_of_images_is_the_plain_block(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    trunk = ImageTrunk(model, pixels(model))
    for index in range(model.image.depth):
        plain = trunk.entering(index + 1)
        scale = float(plain.abs().max())
        explicit = model.image.block(index, trunk.entering(index), identity)
        close(explicit / scale, plain / scale, 2e-6)
        turned = model.image.block(index, trunk.entering(index), lambda weights: weights.transpose(-2, -1))
        with pytest.raises(AssertionError):
            close(turned / scale, plain / scale, 1e-3)


@pytest.mark.parametrize("family", TEXT_FAMILIES)
def test_explicit_attention_of_texts_is_the_plain_block(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    trunk = TextTrunk(model, TEXTS)
    for index in range(model.text.depth):
        plain = trunk.entering(index + 1)
        scale = float(plain.abs().max())
        close(model.text.block(index, trunk.entering(index), trunk.mask, identity) / scale, plain / scale, 2e-6)


@pytest.mark.parametrize("family", ["vit", "registers", "bert_mean"])
def test_attention_weights_sum_to_one_and_respect_the_mask(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    seen: list[Tensor] = []

    def keep(weights: Tensor) -> Tensor:
        seen.append(weights)
        return weights

    trunk = TextTrunk(model, TEXTS)
    model.text.block(0, trunk.entering(0), trunk.mask, keep)
    close(seen[0].sum(dim=-1), torch.ones_like(seen[0][..., 0]), 1e-5)
    if family == "bert_mean":
        padding = trunk.ids == model.text.tokenizer.tokenizer.pad_token_id
        assert padding.any()
        assert float(seen[0].transpose(1, 3)[padding].max()) == 0
    else:
        above = torch.ones(trunk.ids.shape[1], trunk.ids.shape[1]).triu(1).bool()
        assert float(seen[0][..., above].max()) == 0


@pytest.mark.parametrize("family", LAYERED)
def test_one_forward_of_each_tower_serves_a_whole_trunk(zoo: Zoo, family: str) -> None:
    model = fresh(zoo(family))
    images = pixels(model)
    with model.meter.measuring() as spent:
        trunk = ImageTrunk(model, images)
        for layer in range(model.image.depth + 1):
            trunk.entering(layer)
        assert trunk.embeddings is trunk.embeddings
        trunk.grid()
        if "places" in model.capabilities:
            assert trunk.places.shape[1] == trunk.grid()[0] * trunk.grid()[1]
    assert spent.image == len(images)


@pytest.mark.parametrize(
    ("family", "grid"),
    [("vit", (4, 4)), ("vit_wide", (3, 5)), ("timm_cls", (10, 10)), ("siglip", (4, 4)), ("efficientnet", (5, 5))],
)
def test_the_grid_is_the_places_of_the_tower(zoo: Zoo, family: str, grid: tuple[int, int]) -> None:
    model = zoo(family)
    assert ImageTrunk(model, pixels(model, 1)).grid() == grid


@pytest.mark.parametrize("family", ["vit", "vit_wide", "timm_cls", "siglip"])
def test_a_transformer_refuses_pixels_of_another_size(zoo: Zoo, family: str) -> None:
    from core.errors import InputError

    model = zoo(family)
    with pytest.raises(InputError, match="takes images of"):
        model.preprocess(torch.zeros(1, 3, 32, 96))


@pytest.mark.parametrize("family", CNNS)
def test_a_convolutional_tower_has_no_attention(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    trunk = ImageTrunk(model, pixels(model, 1))
    with pytest.raises(NotImplementedError):
        model.image.block(0, trunk.entering(0), identity)
    with pytest.raises(NotImplementedError):
        model.image.value_attention(0, trunk.entering(0))


def places_by_hand(model: Model, images: Tensor) -> Tensor:
    """Every place on its own through the library's modules, `(images, places, embedding)`, not normalised."""
    visual, trunk = model.net.visual, getattr(model.net.visual, "trunk", None)
    found = []
    for image in images:
        cells = []
        if trunk is None:
            kept: list[Tensor] = []
            hook = visual.transformer.register_forward_hook(lambda module, given, out, kept=kept: kept.append(out))
            visual(image[None])
            hook.remove()
            for place in kept[0][0, 1:]:
                cells.append(visual.ln_post(place) @ visual.proj)
        else:
            features = trunk.forward_features(image[None])
            if features.ndim == 4:
                for row in range(features.shape[2]):
                    for column in range(features.shape[3]):
                        one = features[:, :, row : row + 1, column : column + 1]
                        cells.append(visual.head(trunk.forward_head(one))[0])
            else:
                for place in features[0, trunk.num_prefix_tokens :]:
                    one = place[None] if trunk.attn_pool is None else trunk.attn_pool(place[None, None])
                    cells.append(visual.head(trunk.fc_norm(one))[0])
        found.append(torch.stack(cells))
    return torch.stack(found)


@pytest.mark.parametrize("family", [name for name in LAYERED if name != "vit_attentional"])
def test_places_are_projected_one_by_one(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    images = pixels(model)
    with torch.no_grad():
        expected = unit(places_by_hand(model, images))
    got = ImageTrunk(model, images).places
    close(got, expected, 2e-6)
    rows, columns = ImageTrunk(model, images).grid()
    turned = expected.unflatten(1, (rows, columns)).transpose(1, 2).flatten(1, 2)
    with pytest.raises(AssertionError):
        close(got, turned, 1e-3)


def spoil(change: Callable[[Model], None], model: Model) -> Model:
    copy = fresh(model)
    with torch.no_grad():
        change(copy)
    return copy


def test_the_comparison_sees_a_changed_layer_scale(zoo: Zoo) -> None:
    model = zoo("vit_layer_scale")
    images = pixels(model)
    other = spoil(lambda copy: copy.net.visual.transformer.resblocks[0].ls_1.gamma.mul_(0.5), model)
    with pytest.raises(AssertionError):
        close(ImageTrunk(other, images).embeddings, library_images(model, images), 1e-3)
