"""Views that teacher and student share."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from training.backbone import resized_positions
from training.image_tower import _places
from training.images import cut, normalised, view_box

sides = st.integers(8, 400)


@given(sides, sides, st.integers(0, 10**6), st.integers(0, 9))
def test_a_view_lies_inside_its_image_and_is_always_the_same(rows: int, columns: int, index: int, view: int) -> None:
    top, left, height, width = view_box(rows, columns, index, view)
    assert top >= 0 and left >= 0 and height >= 1 and width >= 1
    assert top + height <= rows and left + width <= columns
    assert view_box(rows, columns, index, view) == (top, left, height, width)


def test_view_zero_is_the_centre_square() -> None:
    assert view_box(100, 160, 5, 0) == (0, 30, 100, 100)
    assert view_box(100, 160, 5, 1) != view_box(100, 160, 6, 1)


def test_a_crop_has_the_asked_size_and_its_own_pixels() -> None:
    image = torch.zeros(3, 40, 60, dtype=torch.uint8)
    image[:, :, 30:] = 255
    assert cut(image, (0, 0, 40, 30), 16).max() == 0
    assert cut(image, (0, 30, 40, 30), 16).min() == 1
    assert cut(image, (0, 0, 40, 60), 16).shape == (3, 16, 16)


def test_pixels_are_normalised_a_channel() -> None:
    batch = normalised(torch.ones(2, 3, 4, 4), [0.5, 0.0, 1.0], [0.5, 2.0, 1.0])
    assert batch[0, :, 0, 0].tolist() == [1.0, 0.5, 0.0]


def test_positions_of_the_same_grid_stay_and_places_keep_their_order() -> None:
    grid = torch.randn(49, 5, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(resized_positions(grid, 7), grid, atol=1e-5)
    patches = torch.zeros(1, 49, 2)
    patches[0, 3 * 7 + 5, 1] = 1.0  # row 3, column 5
    places = _places(patches)
    assert places.shape == (1, 7, 7, 2)
    assert places[0, :, :, 1].argmax() == 3 * 7 + 5
    assert places[0, :, :, 1].T.argmax() != 3 * 7 + 5
