"""Foreground, parts and ellipses against plain float64 computations; every tolerance has a companion that fails."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from benchmarks.support.tiny import double, pixels, tiny_model
from core.applications.work.visual_concepts import (
    Ellipse,
    border_contrast,
    circled,
    drawn,
    ellipse_of,
    foreground,
    largest_patches,
    left_vectors,
    part_embeddings,
    part_labels,
    sign_agreement,
    sign_choices,
    unit_rows,
)
from core.models.geometry import Preprocessing

Floats = NDArray[np.float64]
GRID = (6, 9)
PLAIN = Preprocessing(48, 80, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))


def object_masks() -> NDArray[np.bool_]:
    """Three images with an object off the border, none of them symmetric."""
    masks = np.zeros((3, *GRID), dtype=bool)
    masks[0, 1:4, 2:7] = True
    masks[1, 2:5, 1:3] = True
    masks[2, 1:3, 4:8] = True
    return masks


def planted(seed: int = 0, width: int = 20) -> tuple[Floats, NDArray[np.bool_]]:
    """Features `(images, places, width)`: much in common, leaning one way on the objects and the other behind."""
    random = np.random.default_rng(seed)
    masks = object_masks()
    common, lean = random.normal(size=(2, width))
    noise = 0.1 * random.normal(size=(*masks.shape, width))
    features = common + np.where(masks[..., None], 0.8, -0.3) * lean + noise
    return features.reshape(3, -1, width), masks


# -- foreground --------------------------------------------------------------------------------------------------


def up_to_sign(found: Floats, expected: Floats) -> float:
    signs = np.sign((found * expected).sum(axis=0))
    return float(np.abs(found * signs - expected).max())


def test_left_vectors_are_those_of_the_thin_decomposition() -> None:
    rows = np.random.default_rng(1).normal(size=(200, 12))
    expected = np.linalg.svd(rows, full_matrices=False)[0][:, :3]
    assert up_to_sign(left_vectors(rows, 3), expected) < 1e-10


def test_companion_right_vectors_or_another_order_fail() -> None:
    rows = np.random.default_rng(1).normal(size=(200, 12))
    expected = np.linalg.svd(rows, full_matrices=False)[0]
    assert up_to_sign(left_vectors(rows, 3), expected[:, 1:4]) > 0.01
    assert up_to_sign(left_vectors(rows, 3), rows[:, :3]) > 0.01


def test_vectors_of_vanishing_values_are_left_out() -> None:
    rows = np.outer(np.arange(1.0, 9.0), np.ones(5))
    assert left_vectors(rows, 3).shape == (8, 1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_planted_object_is_the_foreground(seed: int) -> None:
    features, masks = planted(seed)
    found = foreground(features, GRID)
    np.testing.assert_array_equal(found.masks, masks)
    assert found.whole == () and found.contrast == pytest.approx(border_contrast(masks)) and found.contrast > 0.3


def test_companion_a_transposed_grid_is_not_the_foreground() -> None:
    features, masks = planted()
    turned = foreground(features, GRID[::-1])
    assert (turned.masks.transpose(0, 2, 1) != masks).mean() > 0.1


def test_the_sign_of_the_decomposition_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    features, masks = planted()
    real = left_vectors
    for signs in ([-1, 1, 1], [1, -1, 1], [-1, -1, -1]):
        monkeypatch.setattr(
            "core.applications.work.visual_concepts.left_vectors", lambda r, c, s=signs: real(r, c) * s[:c]
        )
        np.testing.assert_array_equal(foreground(features, GRID).masks, masks)
        np.testing.assert_array_equal(foreground(features, GRID, 1).masks, masks)


def test_a_given_component_takes_the_smaller_side_as_the_release_does() -> None:
    features, masks = planted()
    assert masks.mean() < 0.5
    fixed = foreground(features, GRID, 1)
    np.testing.assert_array_equal(fixed.masks, masks)
    # Where the object fills most of the image that rule marks the background; the border still tells them apart.
    large = np.zeros((3, *GRID), dtype=bool)
    large[:, 1:-1, 1:-1] = True
    large[:, 1, 1:] = True
    large[0, :, 4] = large[1, :, 3] = large[2, 4:, 6] = True
    common, lean = np.random.default_rng(0).normal(size=(2, 20))
    filled = (common + np.where(large[..., None], 0.3, -0.8) * lean).reshape(3, -1, 20)
    assert large.mean() > 0.5
    np.testing.assert_array_equal(foreground(filled, GRID).masks, large)
    assert (foreground(filled, GRID, 1).masks & large).sum() == 0


def test_a_image_without_foreground_counts_as_a_whole() -> None:
    features, masks = planted()
    features[1] = features[0].reshape(*GRID, -1)[0, 0]
    found = foreground(features, GRID)
    assert found.whole == (1,) and found.masks[1].all()
    np.testing.assert_array_equal(found.masks[[0, 2]], masks[[0, 2]])


@pytest.mark.parametrize(("second", "kept"), [(4, False), (5, True)])
def test_the_second_patch_needs_five_of_196_cells(second: int, kept: bool) -> None:
    mask = np.zeros((14, 14), dtype=bool)
    mask[1:4, 1:4] = True
    mask[8, 2 : 2 + second] = True
    mask[12, 12] = True
    found = largest_patches(mask)
    assert found[1:4, 1:4].all() and not found[12, 12] and found[8].any() == kept


def test_cells_that_touch_at_a_corner_are_one_patch() -> None:
    mask = np.eye(14, dtype=bool)
    mask[0, 8:13] = True
    assert np.array_equal(largest_patches(mask), mask)
    assert largest_patches(np.zeros((3, 3), dtype=bool)).sum() == 0


# -- parts -------------------------------------------------------------------------------------------------------


def with_parts(seed: int = 0) -> tuple[Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """Objects whose columns are three planted parts."""
    random = np.random.default_rng(seed)
    masks = object_masks()
    truth = np.where(masks, np.arange(GRID[1]) % 3, -1)
    centres = random.normal(size=(4, 20))
    features = centres[truth] + 0.1 * random.normal(size=(*masks.shape, 20))
    return features.reshape(3, -1, 20), masks, truth


def agree(found: NDArray[Any], truth: NDArray[Any]) -> bool:
    """Whether the labels are the same up to their names; the background has one."""
    names = sorted({int(value) for value in np.unique(truth) if value >= 0})
    return any(
        np.array_equal(found, np.select([truth == name for name in names], order, -1)) for order in permutations(names)
    )


def test_planted_parts_are_found_by_kmeans() -> None:
    features, masks, truth = with_parts()
    found = part_labels(features, masks, 3, "kmeans", seed=3)
    assert agree(found, truth)
    np.testing.assert_array_equal(found, part_labels(features, masks, 3, "kmeans", seed=3))
    # The largest cluster comes first.
    sizes = [(found == part).sum() for part in range(3)]
    assert sizes == sorted(sizes, reverse=True)


def test_companion_shuffled_places_have_no_such_parts() -> None:
    features, masks, truth = with_parts()
    assert not agree(part_labels(features[:, ::-1], masks, 3, "kmeans", seed=3), truth)


def parts_by_svd(features: Floats, masks: NDArray[np.bool_], parts: int, scaled: bool = True) -> NDArray[np.int64]:
    """Principal parts by a full decomposition, component by component."""
    rows = unit_rows(features.reshape(-1, features.shape[-1])[masks.reshape(-1)])
    vectors, values, _ = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    columns = []
    for at in range(parts):
        column = vectors[:, at] * values[at]
        if sum(column**3) < 0:
            column = -column
        columns.append((column - column.min()) / (column.max() - column.min()) if scaled else column)
    labels = np.full(masks.size, -1)
    labels[masks.reshape(-1)] = np.argmax(columns, axis=0)
    return labels.reshape(masks.shape)


def test_principal_parts_are_those_of_the_full_decomposition() -> None:
    features, masks, _ = with_parts(1)
    np.testing.assert_array_equal(part_labels(features, masks, 5, "pca"), parts_by_svd(features, masks, 5))


def parts_by_library(features: Floats, masks: NDArray[np.bool_], parts: int, turn: int | None = None) -> NDArray[Any]:
    """Principal parts as released: scikit-learn's components of the features as they are, scaled, the largest."""
    rows = features.reshape(-1, features.shape[-1])[masks.reshape(-1)]
    values = PCA(parts, svd_solver="full").fit_transform(rows)
    if turn is not None:
        values[:, turn] *= -1
    labels = np.full(masks.size, -1)
    # Divided, not multiplied by an inverse: the largest cell of two components is exactly 1 in both.
    labels[masks.reshape(-1)] = ((values - values.min(axis=0)) / np.ptp(values, axis=0)).argmax(axis=1)
    return labels.reshape(masks.shape)


def with_lengths(seed: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Parts as planted, but with vectors of very different lengths."""
    features, masks, _ = with_parts(seed)
    return features * np.random.default_rng(seed).lognormal(0, 0.7, (*features.shape[:2], 1)), masks


@pytest.mark.parametrize("seed", range(4))
def test_released_principal_parts_are_those_of_the_library_on_the_features_as_they_are(seed: int) -> None:
    features, masks = with_lengths(seed)
    found = part_labels(features, masks, 5, "pca", released=True)
    np.testing.assert_array_equal(found, parts_by_library(features, masks, 5))
    # The companions: unit vectors, a component turned round, and the features of other places.
    unit = unit_rows(features.reshape(-1, 20)).reshape(features.shape)
    assert (found != parts_by_library(unit, masks, 5)).any()
    assert (found != parts_by_library(features, masks, 5, turn=1)).any()
    assert (found != parts_by_library(features[:, ::-1], masks, 5)).any()
    # Clusters are of unit vectors either way.
    kmeans = part_labels(features, masks, 3, "kmeans", released=True)
    np.testing.assert_array_equal(kmeans, part_labels(unit, masks, 3, "kmeans"))


def test_a_choice_of_signs_turns_the_named_components_against_the_rule() -> None:
    features, masks = with_lengths(0)
    for released, plain in ((True, parts_by_library), (False, None)):
        if plain is not None:
            for turn in range(5):
                found = part_labels(features, masks, 5, "pca", released=released, flips=1 << turn)
                np.testing.assert_array_equal(found, plain(features, masks, 5, turn=turn))
        own = part_labels(features, masks, 5, "pca", released=released)
        np.testing.assert_array_equal(own, part_labels(features, masks, 5, "pca", released=released, flips=0))
        # Bits beyond the components mean nothing; every other choice is another partition.
        np.testing.assert_array_equal(own, part_labels(features, masks, 5, "pca", released=released, flips=1 << 5))
        others = [part_labels(features, masks, 5, "pca", released=released, flips=flips) for flips in range(1, 32)]
        assert all((own != other).any() for other in others)
        expected = np.mean([adjusted_rand_score(own[masks], other[masks]) for other in others])
        assert sign_agreement(features, masks, 5, released=released) == pytest.approx(expected)
        assert expected < 0.9


def test_signs_are_drawn_once_each_the_rule_first() -> None:
    assert sign_choices(5, 1) == [0]
    for parts, count in ((2, 10), (5, 4), (12, 10)):
        chosen = sign_choices(parts, count, seed=3)
        assert chosen[0] == 0 and len(chosen) == len(set(chosen)) == min(count, 2**parts)
        assert all(0 <= flips < 2**parts for flips in chosen)
        assert chosen == sign_choices(parts, count, seed=3)
    assert sign_choices(12, 10, seed=3) != sign_choices(12, 10, seed=4)


def test_companion_principal_parts_without_scaling_fail() -> None:
    features, masks, _ = with_parts(1)
    assert (part_labels(features, masks, 5, "pca") != parts_by_svd(features, masks, 5, scaled=False)).any()


@pytest.mark.parametrize("variant", ["pca", "kmeans"])
def test_a_foreground_of_one_vector_is_one_part(variant: Any) -> None:
    features = np.ones((2, 12, 6))
    masks = np.zeros((2, 3, 4), dtype=bool)
    masks[:, 1, 1:3] = True
    found = part_labels(features, masks, 5, variant)
    np.testing.assert_array_equal(found, np.where(masks, 0, -1))


# -- ellipses ----------------------------------------------------------------------------------------------------


def test_an_ellipse_is_recovered_from_its_own_area() -> None:
    truth = Ellipse(x=110.0, y=70.0, major=45.0, minor=20.0, angle=0.6)
    inside, _ = drawn(truth, 160, 240)
    found = ellipse_of(inside, 160, 240)
    for name, tolerance in (("x", 0.1), ("y", 0.1), ("major", 0.2), ("minor", 0.2), ("angle", 0.01)):
        assert getattr(found, name) == pytest.approx(getattr(truth, name), abs=tolerance)
    turned = ellipse_of(inside.T, 240, 160)
    assert abs(turned.x - truth.x) > 10 and abs(turned.angle - truth.angle) > 0.1


def test_moments_of_cells_are_those_of_their_pixels() -> None:
    mask = np.zeros((5, 4), dtype=bool)
    mask[1, 1:4] = mask[2, 2] = mask[3, 2] = True
    mask[0, 0] = False
    cells = ellipse_of(mask, 50, 80)
    fine = ellipse_of(mask.repeat(10, axis=0).repeat(20, axis=1), 50, 80)
    for name in ("x", "y", "major", "minor", "angle"):
        assert getattr(cells, name) == pytest.approx(getattr(fine, name), abs=1e-9)
    assert abs(ellipse_of(mask, 80, 50).x - fine.x) > 1


@pytest.mark.parametrize("mask", [[[0, 0], [0, 1]], [[1, 1], [0, 0]]])
def test_the_smallest_parts_have_an_ellipse(mask: list[list[int]]) -> None:
    found = ellipse_of(np.array(mask, dtype=bool), 20, 20)
    assert found.minor == pytest.approx(2 * 10 / math.sqrt(12)) and found.major >= found.minor
    with pytest.raises(ValueError, match="empty"):
        ellipse_of(np.zeros((2, 2), dtype=bool), 20, 20)


def test_the_outline_is_closed_and_one_pixel_wide() -> None:
    inside, outline = drawn(Ellipse(40.0, 24.0, 25.0, 12.0, 0.4), 48, 80)
    # A walk from the centre to any side meets the outline once, and not for long.
    for row in outline[14:34]:
        assert 2 <= row.sum() <= 12
    assert not outline[24, 36:44].any() and inside[24, 40] and not inside[0, 0]
    assert outline.sum() == pytest.approx(math.pi * (3 * 37 - math.sqrt(87 * 61)), rel=0.1)


def test_three_images_with_one_ellipse() -> None:
    image = torch.rand(3, 48, 80, generator=torch.Generator().manual_seed(0))
    ellipse = Ellipse(40.0, 24.0, 25.0, 12.0, 0.4)
    mean, std = (torch.tensor(values)[:, None, None] for values in (PLAIN.mean, PLAIN.std))
    made = circled((image - mean) / std, [ellipse], PLAIN)
    assert made.shape == (1, 3, 3, 48, 80)
    plain, grey, blurred = (version * std + mean for version in made[0])
    inside, outline = (torch.from_numpy(part) for part in drawn(ellipse, 48, 80))
    clean, outside = inside & ~outline, ~inside & ~outline
    for version in (plain, grey, blurred):
        torch.testing.assert_close(version[:, clean], image[:, clean])
        torch.testing.assert_close(
            version[:, outline], torch.tensor([1.0, 0, 0])[:, None].expand(3, int(outline.sum()))
        )
    torch.testing.assert_close(plain[:, outside], image[:, outside])
    luma = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
    torch.testing.assert_close(grey[:, outside], luma[None].expand(3, -1, -1)[:, outside])
    assert blurred[:, outside].std() < 0.8 * image[:, outside].std()


def test_part_embeddings_are_means_of_three_plain_embeddings(tmp_path_factory: pytest.TempPathFactory) -> None:
    model = tiny_model("vit", tmp_path_factory.mktemp("tiny"))
    image = pixels(model, 1)[0]
    labels = np.full((4, 4), -1, dtype=np.int8)
    labels[0, :3], labels[2:, 3] = 0, 4
    with model.meter.measuring() as spent:
        present, ellipses, found = part_embeddings(model, image, labels)
    assert present == [0, 4] and spent.image == 6
    exact = double(model)
    expected = []
    for ellipse in ellipses:
        three = circled(image, [ellipse], model.preprocessing)[0].double()
        each = [exact.image.plain(version[None])[0] for version in three]
        expected.append(sum(one / one.norm() for one in each).numpy() / 3)
    np.testing.assert_allclose(found, np.array(expected), atol=2e-5)
    turned = part_embeddings(model, image, labels.T.copy())[2]
    assert np.abs(turned - np.array(expected)).max() > 1e-3
    assert (np.linalg.norm(found, axis=1) < 1).all()
