"""Heat maps: the display scale, constant and signed maps, and that a cell lands on the right part of the image."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from core.content.heat import (
    Range,
    bar_ends,
    colour_bar,
    colours,
    display,
    fit,
    overlay,
    shade_words,
    value_range,
)
from core.models.geometry import Preprocessing

SIZES = ((320, 240), (240, 320), (300, 300), (420, 200))


def hot(image: Image.Image, values: np.ndarray, mode: str = "shortest", side: int | None = None) -> tuple[float, float]:
    """The centre (x, y) of the hottest part of the overlay as shares of the image's width and height."""
    geometry = Preprocessing(224, 224, mode=mode).geometry(*image.size)  # type: ignore[arg-type]
    painted = np.asarray(overlay(image, values, geometry, smooth=False, opacity=1.0, side=side), dtype=int)
    found = np.abs(painted - colours(np.array(1.0)).astype(int)).sum(axis=-1) < 6
    y, x = np.nonzero(found)
    return (x.mean() + 0.5) / painted.shape[1], (y.mean() + 0.5) / painted.shape[0]


def one_hot(row: int, column: int) -> np.ndarray:
    values = np.zeros((7, 7))
    values[row, column] = 1.0
    return values


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("side", [None, 160])
def test_cell_lands_where_the_model_saw_it(size: tuple[int, int], mode: str, side: int | None) -> None:
    image = Image.new("RGB", size, (128, 128, 128))
    row, column = 2, 4
    x, y = hot(image, one_hot(row, column), mode, side)
    box = Preprocessing(224, 224, mode=mode).geometry(*size).cell_box(row, column, 7, 7)  # type: ignore[arg-type]
    wanted = ((box[0] + box[2]) / 2 / size[0], (box[1] + box[3]) / 2 / size[1])
    assert (x, y) == pytest.approx(wanted, abs=0.012)
    # Companion: the transposed grid must not pass.
    assert hot(image, one_hot(column, row), mode, side) != pytest.approx(wanted, abs=0.012)


def test_places_the_model_never_saw_carry_no_heat() -> None:
    image = Image.new("RGB", (400, 200), (128, 128, 128))
    geometry = Preprocessing(224, 224).geometry(400, 200)
    painted = np.asarray(overlay(image, np.random.default_rng(0).normal(size=(7, 7)), geometry))
    left, _, right, _ = geometry.seen()
    spread = np.ptp(painted.astype(int), axis=-1)
    assert spread[:, : int(left) - 1].max() == 0 and spread[:, int(right) + 1 :].max() == 0
    assert spread[:, int(left) + 2 : int(right) - 2].mean() > 20
    assert len(np.unique(painted[:, : int(left) - 1].reshape(-1, 3), axis=0)) == 2  # two tones: hatched


def test_display_scale() -> None:
    values = np.array([[1.0, 3.0], [2.0, 5.0]])
    np.testing.assert_allclose(display(values), [[0, 0.5], [0.25, 1]])
    signed = display(np.array([[-1.0, 0.0], [0.5, 2.0]]), signed=True)
    np.testing.assert_allclose(signed, [[-0.5, 0], [0.25, 1]])
    assert signed[0, 1] != pytest.approx(display(np.array([[-1.0, 0.0], [0.5, 2.0]]))[0, 1])


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("value", [0.0, -3.5, 0.2])
def test_constant_map_gives_zeros(signed: bool, value: float) -> None:
    values = np.full((7, 7), value)
    assert (display(values, signed=signed) == 0).all()
    assert value_range(values) == Range(value, value, constant=True)
    image = Image.new("RGB", (64, 48), (128, 128, 128))
    geometry = Preprocessing(224, 224, mode="squash").geometry(64, 48)
    assert len(np.unique(np.asarray(overlay(image, values, geometry, signed=signed)).reshape(-1, 3), axis=0)) == 1


def test_values_that_are_not_finite_become_zero_and_do_not_set_the_scale() -> None:
    shown = display(np.array([[np.nan, 1.0], [np.inf, 3.0]]))
    np.testing.assert_allclose(shown, [[0, 0], [0, 1]])
    assert value_range(np.full((2, 2), np.nan)).empty


def test_signed_colours_are_neutral_at_zero_blue_below_and_red_above() -> None:
    low, zero, high = colours(np.array([-1.0, 0.0, 1.0]), signed=True).astype(int)
    assert np.ptp(zero) <= 2 and zero.min() > 240
    assert low[2] > low[0] and high[0] > high[2]
    assert bar_ends(Range(-1.0, 3.0, constant=False), signed=True) == (-3.0, 3.0)
    assert bar_ends(Range(-1.0, 3.0, constant=False)) == (-1.0, 3.0)


def test_sequential_colours_get_lighter_all_the_way() -> None:
    ramp = np.asarray(colour_bar(256, 1)).astype(float)[0]
    light = ramp @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(light) > -0.6).all()
    assert light[-1] - light[0] > 200


def test_fit_never_enlarges() -> None:
    assert fit(Image.new("L", (100, 50)), 40).size == (40, 20)
    assert fit(Image.new("RGB", (100, 50)), 400).size == (100, 50)
    assert fit(Image.new("RGB", (900, 3)), 100).size == (100, 1)


def test_words_are_white_without_attribution_and_readable() -> None:
    words = shade_words(["a", "red", "dog"], [0.0, 0.5, 2.0])
    assert words[0].background == "#ffffff" and words[2].background == "#d6604d"
    assert [word.value for word in words] == [0.0, 0.5, 2.0]
    assert {word.background for word in shade_words(["a", "b"], [0.0, 0.0])} == {"#ffffff"}
    assert shade_words(["a"], [-1.0])[0].background == "#ffffff"
    assert shade_words(["a"], [-1.0], signed=True)[0].background == "#2166ac"
    with pytest.raises(ValueError):
        shade_words(["a"], [1.0, 2.0])
