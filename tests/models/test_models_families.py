"""Towers of every further family against the library's own forward, apart, differentiated and with tokens gone."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.support.tiny import EVERY, MORE, TEXTS, Zoo, double, pixels
from core.errors import InputError
from core.models.image_tower import OpaqueTower, TokenTower
from core.models.model import Model, state_digest
from core.models.trunk import ImageTrunk, TextTrunk

TOLERANCE = 1e-5
WRONG = 1e-3
MAPS = ("mobileclip_s", "swin", "convnext_mlp")
NO_WEIGHTS = (*MAPS, "relpos")
ATTENTIVE = tuple(name for name in MORE if name not in NO_WEIGHTS)
# A stem that overlaps, positions in pairs and windows: here the grid has to stay whole.
WHOLE = ("resnet_clip", "efficientnet", "convnext", "resnet", "byobnet", "vitamin", *NO_WEIGHTS)
# Their blocks turn by position: they have to be told which tokens are left.
TURNED: tuple[str, ...] = ()


def unit(values: Tensor) -> Tensor:
    return F.normalize(values, dim=-1)


def error(got: Tensor, expected: Tensor) -> float:
    assert got.shape == expected.shape
    return float((got - expected).detach().abs().max())


def identity(weights: Tensor) -> Tensor:
    return weights


def library(model: Model, images: Tensor) -> Tensor:
    with torch.no_grad():
        # CoCa with two poolers keeps an axis of its one query.
        return model.net.encode_image(images, normalize=True).flatten(1)


# -- plain and taken apart ----------------------------------------------------------------------------------------


@pytest.mark.sampled(2)
@pytest.mark.parametrize("family", MORE)
def test_the_image_tower_taken_apart_is_the_library_s_forward_at_every_layer(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    images, tower = pixels(model), model.image
    whole = library(model, images)
    assert not isinstance(tower, OpaqueTower)
    trunk = ImageTrunk(model, images)
    assert error(trunk.embeddings, whole) <= TOLERANCE
    for layer in range(tower.depth + 1):
        state = trunk.entering(layer)
        with torch.no_grad():
            assert error(unit(tower.leave(tower.run(state, layer))), whole) <= TOLERANCE
            # The other image's state ends elsewhere.
            assert error(unit(tower.leave(tower.run(state.flip(0), layer))), whole) > WRONG


@pytest.mark.parametrize("family", MORE)
def test_a_batch_is_its_images_one_by_one(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    images = pixels(model, 3)
    together = ImageTrunk(model, images)
    for index in range(3):
        one = ImageTrunk(model, images[index : index + 1])
        assert error(one.embeddings, together.embeddings[index : index + 1]) <= TOLERANCE
        assert error(one.places, together.places[index : index + 1]) <= TOLERANCE
        assert error(one.places, together.places[(index + 1) % 3][None]) > WRONG


@pytest.mark.parametrize("family", ATTENTIVE)
def test_explicit_attention_is_the_plain_block(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    trunk = ImageTrunk(model, pixels(model))
    with torch.no_grad():
        for index in range(model.image.depth):
            plain = trunk.entering(index + 1)
            scale = float(plain.abs().max())
            explicit = model.image.block(index, trunk.entering(index), identity)
            assert error(explicit, plain) <= TOLERANCE * scale
            turned = model.image.block(index, trunk.entering(index), lambda weights: weights.transpose(-2, -1))
            assert error(turned, plain) > WRONG * scale
            assert model.image.value_attention(index, trunk.entering(index)).shape == plain.shape


@pytest.mark.parametrize("family", NO_WEIGHTS)
def test_a_tower_without_readable_weights_says_so(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    state = ImageTrunk(model, pixels(model, 1)).entering(0)
    assert model.image.capabilities == {"embeddings", "places", "image_layers"}
    with pytest.raises(NotImplementedError):
        model.image.block(0, state, identity)
    with pytest.raises(NotImplementedError):
        model.image.value_attention(0, state)


@pytest.mark.parametrize(
    "family", ["eva01", "eva02", "eva02_post_norm", "pe_core", "vitamin", "coca", "swin", "relpos"]
)
def test_gradients_of_a_state_are_those_of_the_whole_forward(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    images, tower = pixels(model, 1), model.image
    with torch.no_grad():
        word = model.embed_texts(TEXTS[:1])[0]
    seen = images.clone().requires_grad_()
    (whole,) = torch.autograd.grad((unit(tower.plain(seen)) @ word).sum(), seen)
    parted = images.clone().requires_grad_()
    state = tower.enter(parted)
    if "image_attention" in tower.capabilities:
        for index in range(tower.depth):
            state = tower.block(index, state, identity)
    else:
        state = tower.run(state, 0)
    (got,) = torch.autograd.grad((unit(tower.leave(state)) @ word).sum(), parted)
    scale = float(whole.abs().max())
    assert error(got, whole) <= 1e-4 * scale
    assert error(got.flip(-1), whole) > 1e-2 * scale


# -- places and grids ---------------------------------------------------------------------------------------------

GRIDS = {"vit_own_attention": (3, 5), "coca_wide": (3, 5), "eva02_wide": (3, 5), "swin": (8, 8), "mobileclip_s": (2, 2),
         "convnext_mlp": (2, 2)}  # fmt: skip


@pytest.mark.parametrize("family", MORE)
def test_places_fill_the_grid_row_by_row(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    trunk = ImageTrunk(model, pixels(model, 1))
    rows, columns = trunk.grid()
    assert (rows, columns) == GRIDS.get(family, (4, 4))
    assert trunk.places.shape[1] == rows * columns


@pytest.mark.parametrize("family", ["vit_own_attention", "eva02_wide", "pe_core", "swin"])
def test_a_place_moves_with_its_own_pixels(zoo: Zoo, family: str) -> None:
    """Of all places, the one whose pixels change changes most before any block; a transposed grid would show."""
    model = zoo(family)
    images = pixels(model, 1)
    tower, (height, width) = model.image, images.shape[-2:]
    with torch.no_grad():
        state = tower.enter(images)
        rows, columns = tower.grid(state, height, width)
        for row, column in ((0, columns - 1), (rows - 1, 0), (1, 2)):
            changed = images.clone()
            high, wide = height // rows, width // columns
            changed[:, :, row * high : (row + 1) * high, column * wide : (column + 1) * wide] += 1
            moved = (tower.enter(changed) - state).abs()
            moved = moved.sum(dim=1).flatten(1) if tower.layout == "maps" else moved.sum(dim=-1)
            places = moved[0, tower.prefix_tokens :]
            assert int(places.argmax()) == row * columns + column


@pytest.mark.parametrize("family", ["vit_parallel", "vit_cascade", "coca", "coca_wide", "pe_core"])
def test_the_pool_of_one_place_is_its_projection(zoo: Zoo, family: str) -> None:
    """The library's own pool on a single token, which is what `project` claims to be."""
    model = zoo(family)
    trunk = ImageTrunk(model, pixels(model, 1))
    visual, place = model.net.visual, trunk.final[:, -1:]
    with torch.no_grad():
        if family == "pe_core":
            expected = visual.head(visual.trunk.forward_head(visual.trunk.norm(place)))
        elif family == "coca_wide":  # averages all queries but the first; with one token all are alike
            expected = visual._pool(place)[0] @ visual.proj
        else:
            expected = model.image.leave(place)
        got = model.image.places(trunk.final)[:, -1]
        other = model.image.places(trunk.final)[:, 0]
    assert error(got, expected) <= TOLERANCE * float(expected.abs().max())
    assert error(other, expected) > WRONG * float(expected.abs().max())


@pytest.mark.parametrize("family", ["eva02_wide", "coca_wide", "vitamin", "swin", "relpos"])
def test_a_tower_of_one_size_refuses_another(zoo: Zoo, family: str) -> None:
    with pytest.raises(InputError, match="takes images of"):
        zoo(family).preprocess(torch.zeros(1, 3, 32, 96))


@pytest.mark.parametrize("family", ["mobileclip_s", "convnext_mlp"])
def test_a_convolutional_tower_takes_images_of_any_shape(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    images = torch.sin(torch.arange(3 * 64 * 128.0)).reshape(1, 3, 64, 128)
    trunk = ImageTrunk(model, images)
    rows, columns = trunk.grid()
    assert columns == 2 * rows
    assert trunk.places.shape[1] == rows * columns
    assert error(trunk.embeddings, library(model, images)) <= TOLERANCE


# -- dropping tokens ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", EVERY)
def test_a_tower_says_whether_tokens_may_go(zoo: Zoo, family: str) -> None:
    tower = zoo(family).image
    assert tower.droppable == (family not in (*WHOLE, *TURNED))
    if family in WHOLE:
        with pytest.raises(NotImplementedError):
            tower.keeping(torch.zeros(1, 1, dtype=torch.long))


@pytest.mark.parametrize("family", [name for name in EVERY if name not in WHOLE])
def test_dropped_tokens_are_tokens_that_nobody_looks_at(zoo: Zoo, family: str) -> None:
    # In float64, because attention that is as sharp as here leaves next to nothing for the tokens that are kept.
    model = double(zoo(family))
    images, tower = pixels(model, 1).double(), model.image
    assert isinstance(tower, TokenTower)
    prefix = tower.prefix_tokens
    with torch.no_grad():
        state = tower.enter(images)
        count = state.shape[1] - prefix
        # Two sets of one size: each row of the batch has its own.
        sets = [[place for place in range(count) if place % 3 != gone] for gone in (0, 1)]
        size = min(len(one) for one in sets)
        index = torch.tensor([[*range(prefix), *(prefix + place for place in one[:size])] for one in sets])
        kept = tower.keeping(index)
        got = unit(kept.leave(kept.run(state[0][index], 0)))
        for row in range(2):
            seen = torch.zeros(state.shape[1])
            seen[index[row]] = 1

            def cut(weights: Tensor, seen: Tensor = seen) -> Tensor:
                weights = weights * seen
                return weights / weights.sum(dim=-1, keepdim=True)

            whole = state
            for block in range(tower.depth):
                whole = tower.block(block, whole, cut)
            expected = unit(tower.leave(whole[:, index[row]]))
            assert error(got[row : row + 1], expected) <= TOLERANCE
            assert error(got[1 - row][None], expected) > WRONG / 10


@pytest.mark.parametrize("family", [name for name in EVERY if name not in WHOLE])
def test_a_tower_says_whether_it_reads_more_than_places(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    tower = model.image
    with torch.no_grad():
        state = tower.enter(pixels(model, 1))
        index = torch.arange(tower.prefix_tokens)[None]
        nothing = tower.keeping(index)
        if tower.reads_prefix:
            assert bool(nothing.leave(nothing.run(state[0][index], 0)).isfinite().all())
        elif tower.prefix_tokens:
            assert not bool(nothing.leave(nothing.run(state[0][index], 0)).isfinite().all())


def test_the_full_table_on_other_places_is_another_embedding(zoo: Zoo) -> None:
    """Without its gathered table a rotary tower would put kept places where the first ones are."""
    model = zoo("eva02")
    tower = model.image
    with torch.no_grad():
        state = tower.enter(pixels(model, 1))
        index = torch.tensor([[0, *range(9, 17)]])
        right = tower.keeping(index)
        wrong = tower.keeping(torch.tensor([[0, *range(1, 9)]]))
        kept = state[0][index]
        assert error(unit(right.leave(right.run(kept, 0))), unit(wrong.leave(wrong.run(kept, 0)))) > WRONG / 10


# -- nothing is left behind ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [None, RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("family", MORE)
def test_the_model_is_as_it_was(zoo: Zoo, family: str, problem: type[BaseException] | None) -> None:
    model = zoo(family)
    images = pixels(model, 1)

    def spy(weights: Tensor) -> Tensor:
        if problem is not None:
            raise problem("stopped in the middle")
        return weights * 1

    def attempt() -> None:
        with torch.no_grad():
            state = model.image.enter(images)
            if "image_attention" in model.capabilities:
                state = model.image.block(0, state, spy)
            elif problem is not None:
                model.image.run(state, 0, 1)
                raise problem("stopped in the middle")
            model.image.leave(model.image.run(state, 1))
            texts = TextTrunk(model, TEXTS[:2])
            model.text.block(0, texts.entering(0), texts.mask, spy)

    before = (state_digest(model.net), hooks(model), library(model, images).numpy().tobytes())
    if problem is None:
        attempt()
    else:
        with pytest.raises(problem, match="stopped"):
            attempt()
    assert (state_digest(model.net), hooks(model), library(model, images).numpy().tobytes()) == before


def hooks(model: Model) -> list[tuple[int, int]]:
    return [(len(part._forward_hooks), len(part._forward_pre_hooks)) for part in model.net.modules()]
