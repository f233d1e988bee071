"""From a cell of a map back to the original image, against open_clip's real transform."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from benchmarks.support.tiny import Zoo
from core.errors import InputError
from core.models.geometry import Geometry, Preprocessing, ResizeMode

SQUARE, WIDE = (64, 64), (48, 80)
CASES = [
    (original, size, mode)
    for original in ((300, 200), (200, 301), (257, 255), (91, 640), (50, 33))
    for size in (SQUARE, WIDE)
    for mode in ("shortest", "longest", "squash")
]


def transformed(image: Image.Image, size: tuple[int, int], mode: str) -> np.ndarray:
    """What the real transform shows the model of a black and white image: (height, width), black is 0."""
    cfg = PreprocessCfg(size=size, mode="RGB", mean=(0, 0, 0), std=(1, 1, 1), resize_mode=mode)
    return np.asarray(image_transform_v2(cfg, is_train=False)(image)[0], dtype=float)


def painted(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    left, top, right, bottom = box
    values = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    values[top:bottom, left:right] = 255
    return Image.fromarray(values)


def centre(values: np.ndarray) -> tuple[float, float]:
    """The centre of mass (x, y) in pixel-edge coordinates."""
    rows, columns = values.shape
    total = values.sum()
    x = (values.sum(axis=0) * (np.arange(columns) + 0.5)).sum() / total
    y = (values.sum(axis=1) * (np.arange(rows) + 0.5)).sum() / total
    return float(x), float(y)


@pytest.mark.parametrize(("original", "size", "mode"), CASES)
def test_a_bright_square_is_found_where_it_was_painted(
    original: tuple[int, int], size: tuple[int, int], mode: str
) -> None:
    width, height = original
    geometry = Preprocessing(*size, mode=mode).geometry(width, height)  # type: ignore[arg-type]
    left, top, right, bottom = geometry.seen()
    # Squares well inside what the model sees, off the centre in both directions.
    for share_x, share_y in ((0.3, 0.4), (0.7, 0.35), (0.45, 0.7)):
        x, y = left + share_x * (right - left), top + share_y * (bottom - top)
        half = max(2, round(0.12 * min(right - left, bottom - top)))
        box = (round(x) - half, round(y) - half, round(x) + half, round(y) + half)
        seen = transformed(painted(original, box), size, mode)
        back = geometry.to_original(*centre(seen))
        wanted = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        assert abs(back[0] - wanted[0]) <= 0.5
        assert abs(back[1] - wanted[1]) <= 0.5
        if width != height:
            swapped = geometry.to_original(*centre(seen.T))
            assert max(abs(swapped[0] - wanted[0]), abs(swapped[1] - wanted[1])) > 0.5


@pytest.mark.parametrize(("original", "size", "mode"), CASES)
def test_a_cell_of_the_map_lands_on_the_pixels_it_was_computed_from(
    original: tuple[int, int], size: tuple[int, int], mode: str
) -> None:
    width, height = original
    rows, columns = size[0] // 16, size[1] // 16
    geometry = Preprocessing(*size, mode=mode).geometry(width, height)  # type: ignore[arg-type]
    for row, column in ((1, 2), (rows - 2, 1)):
        one = np.zeros((rows, columns))
        one[row, column] = 1
        over = geometry.on_original(one, smooth=False)
        lit = np.nan_to_num(over) > 0.5
        if not lit.any():  # the cell lies in the padding
            assert mode == "longest"
            continue
        # The lit region's edges are the cell's, to half an original pixel.
        box = geometry.cell_box(row, column, rows, columns)
        clipped = (max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height))
        ys, xs = np.nonzero(lit)
        found = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        assert np.abs(np.subtract(found, clipped)).max() <= 0.5 + 1e-9
        # The real transform moves the lit region back into that cell: half an original pixel off at most.
        seen = transformed(Image.fromarray(np.repeat(lit[..., None], 3, axis=2).astype(np.uint8) * 255), size, mode)
        x, y = centre(seen)
        wanted = geometry.to_input((clipped[0] + clipped[2]) / 2, (clipped[1] + clipped[3]) / 2)
        assert abs(x - wanted[0]) <= 0.5 * geometry.scale_x + 0.05
        assert abs(y - wanted[1]) <= 0.5 * geometry.scale_y + 0.05
        inside = seen[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16].sum()
        assert inside > 0.7 * seen.sum()


def test_a_transposed_map_lands_elsewhere() -> None:
    geometry = Preprocessing(64, 64).geometry(300, 200)
    one = np.zeros((4, 4))
    one[1, 2] = 1
    straight, turned = (np.nan_to_num(geometry.on_original(m, smooth=False)) for m in (one, one.T))
    assert not (straight * turned).any()
    assert centre(straight)[0] > centre(turned)[0] + 40


def test_half_an_original_pixel_is_a_strict_bound() -> None:
    geometry = Preprocessing(64, 64).geometry(300, 200)
    shifted = Geometry(**{**vars(geometry), "left": geometry.left + 1})
    box = (140, 90, 170, 120)
    back = shifted.to_original(*centre(transformed(painted((300, 200), box), SQUARE, "shortest")))
    assert abs(back[0] - 155) > 0.5


def made(size: tuple[int, int], mode: ResizeMode, width: int, height: int) -> Geometry:
    try:
        return Preprocessing(size[0], size[1], mode).geometry(width, height)
    except InputError:
        reject()


def test_a_image_that_leaves_nothing_is_refused_in_one_line() -> None:
    fitted = Preprocessing(64, 64, "longest")
    assert fitted.geometry(17, 2048).scale_x == 1 / 17
    for size in ((16, 2048), (2048, 16)):
        with pytest.raises(InputError, match=f"{size[0]} x {size[1]} pixels is too narrow: scaled to 64 x 64"):
            fitted.geometry(*size)
    assert Preprocessing(64, 64).geometry(16, 2048).scale_x == 4


def geometries() -> st.SearchStrategy[Geometry]:
    side = st.integers(16, 3000)
    return st.builds(
        made,
        st.sampled_from([(64, 64), (224, 224), (48, 80), (336, 224)]),
        st.sampled_from(["shortest", "longest", "squash", "none"]),
        side,
        side,
    )


@settings(max_examples=150, deadline=None)
@given(geometries(), st.floats(-500, 4000), st.floats(-500, 4000))
def test_there_and_back_is_the_same_point(geometry: Geometry, x: float, y: float) -> None:
    back = geometry.to_original(*geometry.to_input(x, y))
    assert math.isclose(back[0], x, abs_tol=1e-6)
    assert math.isclose(back[1], y, abs_tol=1e-6)


@settings(max_examples=150, deadline=None)
@given(geometries())
def test_the_seen_part_lies_inside_the_image_and_is_never_empty(geometry: Geometry) -> None:
    left, top, right, bottom = geometry.seen()
    assert 0 <= left < right <= geometry.width
    assert 0 <= top < bottom <= geometry.height


@settings(max_examples=60, deadline=None)
@given(geometries(), st.integers(1, 15), st.integers(1, 15), st.booleans())
def test_pixels_never_seen_are_nan_and_only_those(geometry: Geometry, rows: int, columns: int, smooth: bool) -> None:
    width, height = min(geometry.width, 40), min(geometry.height, 30)
    values = np.arange(rows * columns, dtype=float).reshape(rows, columns)
    over = geometry.on_original(values, width, height, smooth)
    assert over.shape == (height, width)
    x = (np.arange(width) + 0.5) * geometry.width / width * geometry.scale_x - geometry.left
    y = (np.arange(height) + 0.5) * geometry.height / height * geometry.scale_y - geometry.top
    hidden = ((x < 0) | (x >= geometry.input_width))[None, :] | ((y < 0) | (y >= geometry.input_height))[:, None]
    assert np.array_equal(np.isnan(over), hidden)
    if not hidden.all():
        assert np.nanmin(over) >= values.min() - 1e-5
        assert np.nanmax(over) <= values.max() + 1e-5


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_a_crop_hides_and_a_squash_shows_everything(mode: str) -> None:
    over = Preprocessing(64, 64, mode=mode).geometry(300, 200).on_original(np.ones((4, 4)))  # type: ignore[arg-type]
    assert np.isnan(over).any() == (mode == "shortest")
    assert np.allclose(over[~np.isnan(over)], 1)


def test_preprocessing_survives_a_manifest() -> None:
    preprocessing = Preprocessing(48, 80, "longest", "bilinear", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 127)
    assert Preprocessing.from_dict(preprocessing.as_dict()) == preprocessing


@pytest.mark.parametrize("family", ["vit", "vit_wide", "efficientnet"])
def test_a_model_s_own_images_carry_the_geometry_of_its_transform(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    box = (60, 70, 100, 110)
    pixels, (geometry,) = model.preprocess([painted((180, 160), box)])
    assert tuple(pixels.shape[-2:]) == (model.preprocessing.height, model.preprocessing.width)
    values = pixels[0, 0].double().numpy()
    values = values - np.median(values)  # the image is mostly black
    x, y = geometry.to_original(*centre(values))
    assert abs(x - 80) <= 0.5
    assert abs(y - 90) <= 0.5


def test_pixels_given_as_a_tensor_are_their_own_original(zoo: Zoo) -> None:
    model = zoo("vit")
    pixels, _ = model.preprocess([painted((64, 64), (3, 3, 9, 9))])
    same, (geometry,) = model.preprocess(pixels)
    assert same.equal(pixels)
    assert geometry.cell_box(1, 2, 4, 4) == (32, 16, 48, 32)
