"""Prompt points: which cells they come from, where they land, and what Segment Anything is told of them."""

from __future__ import annotations

import importlib.machinery
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from core.applications.segmentation.points import (
    Points,
    common_points,
    draw_points,
    halved,
    load_sam,
    prompt_points,
    sam_mask,
    sam_reason,
)
from core.errors import InputError
from core.models.geometry import Geometry, Preprocessing

WHOLE = Geometry(160, 160, 160, 160, 1.0, 1.0, 0.0, 0.0)


def hill(rows: int = 16, columns: int = 16, row: int = 2, column: int = 12) -> NDArray[np.float64]:
    down, across = np.arange(rows) - row - 0.5, np.arange(columns) - column - 0.5
    return np.exp(-(down[:, None] ** 2 + across[None] ** 2) / 8)


@pytest.mark.parametrize("shape", [(16, 16), (14, 20), (15, 17)])
def test_halving_is_bilinear_interpolation(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    small = (shape[0] // 2, shape[1] // 2)
    expected = F.interpolate(torch.tensor(values)[None, None], small, mode="bilinear", align_corners=False)[0, 0]
    assert np.allclose(halved(values), expected.numpy(), atol=1e-12)
    assert not np.allclose(halved(values), values[::2, ::2][: small[0], : small[1]], atol=1e-3)


def test_a_small_map_is_not_halved() -> None:
    values = np.random.default_rng(0).normal(size=(7, 7))
    assert np.array_equal(halved(values), values)
    assert halved(np.zeros((14, 7))).shape == (14, 7)


def test_points_are_the_centres_of_the_highest_and_lowest_cells() -> None:
    found = prompt_points(hill(), WHOLE)
    # The top between rows 2 and 3 and columns 12 and 13 of 16 is cell (1, 6) of 8, centred at (130, 30) of 160 pixels.
    assert found.positive[0] == (130.0, 30.0)
    assert len(found.positive) == len(found.negative) >= 1
    assert not set(found.positive) & set(found.negative)
    # The foot of the hill lies far down on the left.
    assert all(x < 80 or y > 80 for x, y in found.negative)
    assert prompt_points(hill().T, WHOLE).positive[0] == (30.0, 130.0)
    assert prompt_points(-hill(), WHOLE).positive[0] != found.positive[0]
    assert len(prompt_points(hill(), WHOLE, 0.3).positive) > len(found.positive)


def test_at_most_half_of_the_cells_are_positive_and_a_constant_map_has_no_points() -> None:
    values = np.ones((8, 8))
    values[0, 0] = 0
    found = prompt_points(values, WHOLE)
    assert len(found.positive) == len(found.negative) == 32
    assert prompt_points(np.full((8, 8), 0.3), WHOLE) == Points((), ())


def test_points_lie_on_the_original_image_whatever_was_cut_or_padded() -> None:
    cut = Preprocessing(32, 32).geometry(400, 200)
    assert prompt_points(hill(), cut).positive[0] == pytest.approx((100 + 130 / 160 * 200, 30 / 160 * 200))
    # Half of the padded square is no image; the top lies there and gives no point.
    padded = Preprocessing(32, 32, mode="longest").geometry(400, 100)
    for x, y in (*prompt_points(hill(), padded).positive, *prompt_points(hill(), padded).negative):
        assert 0 <= x < 400
        assert 0 <= y < 100
    assert prompt_points(hill(), padded).positive == ()


def test_several_texts_share_the_negatives_of_their_mean() -> None:
    first, second = hill(row=2, column=12), hill(row=12, column=2)
    found = common_points([first, second], WHOLE)
    assert {(130.0, 30.0), (30.0, 130.0)} <= set(found.positive)
    assert not set(found.positive) & set(found.negative)
    alone = prompt_points(first, WHOLE)
    assert set(alone.negative) & set(found.positive) or set(alone.negative) != set(found.negative)


def test_points_survive_json_and_are_drawn_where_they_are() -> None:
    points = Points(((10.04, 20.0), (30.0, 40.0)), ((50.0, 60.0),))
    assert points.as_dict() == {"positive": [[10.0, 20.0], [30.0, 40.0]], "negative": [[50.0, 60.0]]}
    assert Points.from_dict(points.as_dict()).negative == points.negative
    drawn = np.asarray(draw_points(Image.new("RGB", (90, 90), "black"), points, radius=4))
    assert tuple(drawn[40, 30]) == (0, 158, 115)
    assert tuple(drawn[60, 50]) == (0, 0, 0)  # A ring leaves what it marks to be seen.
    assert drawn[60, 46].any()
    assert not drawn[5:12, 60:80].any()


# -- Segment Anything ---------------------------------------------------------------------------------------------


class Predictor:
    """Answers like the package's: three masks, the middle one best."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.told: dict[str, Any] = {}

    def set_image(self, image: NDArray[Any]) -> None:
        self.told["image"] = image

    def predict(self, **told: Any) -> tuple[NDArray[Any], NDArray[Any], None]:
        self.told |= told
        height, width = self.told["image"].shape[:2]
        masks = np.stack([np.full((height, width), index == 1) for index in range(3)])
        return masks, np.array([0.2, 0.9, 0.5]), None


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    package = types.ModuleType("segment_anything")
    package.__spec__ = importlib.machinery.ModuleSpec("segment_anything", None)
    package.sam_model_registry = {"vit_b": lambda checkpoint: f"read {checkpoint}"}  # type: ignore[attr-defined]
    package.SamPredictor = Predictor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "segment_anything", package)


def test_without_a_checkpoint_or_the_package_points_stand_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = tmp_path / "sam.pth"
    assert "no Segment Anything checkpoint" in str(sam_reason(""))
    monkeypatch.setattr("core.applications.segmentation.points.find_spec", lambda name: None)
    assert "not installed" in str(sam_reason(str(checkpoint)))
    with pytest.raises(InputError, match="only the points are shown"):
        load_sam(str(checkpoint))
    monkeypatch.undo()
    install(monkeypatch)
    assert "is not a file" in str(sam_reason(str(checkpoint)))
    checkpoint.touch()
    assert sam_reason(str(checkpoint)) is None
    with pytest.raises(InputError, match="known: vit_b"):
        load_sam(str(checkpoint), "vit_z")


def test_segment_anything_is_told_the_points_and_its_best_mask_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    checkpoint = tmp_path / "sam.pth"
    checkpoint.touch()
    predictor = load_sam(str(checkpoint))
    assert predictor.model == f"read {checkpoint}"
    mask, score = sam_mask(predictor, Image.new("RGB", (40, 30)), Points(((1.0, 2.0), (3.0, 4.0)), ((5.0, 6.0),)))
    assert mask.shape == (30, 40)
    assert mask.all()
    assert score == 0.9
    assert predictor.told["point_coords"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert predictor.told["point_labels"].tolist() == [1, 1, 0]
    with pytest.raises(InputError, match="no positive point"):
        sam_mask(predictor, Image.new("RGB", (40, 30)), Points((), ()))


def test_points_are_visible_at_the_size_of_print() -> None:
    image = Image.new("RGB", (3000, 2000), "black")
    points = Points(((1500.0, 1000.0),), ((300.0, 200.0),))
    small = image.resize((340, 227))
    drawn = np.asarray(draw_points(small, points.scaled(340 / 3000, 227 / 2000)), dtype=int)
    ring = (drawn[:, :, 0] > 180) & (drawn[:, :, 2] < 60)
    disc = (drawn[:, :, 1] > 130) & (drawn[:, :, 0] < 60)
    assert ring[:60, :80].sum() > 60 and disc[80:150, 120:220].sum() > 100
    assert not ring[80:].any() and not disc[:60].any()
    # Drawn at the size of the original, they would be a few pixels in print.
    late = np.asarray(draw_points(image, points, radius=8).resize((340, 227)), dtype=int)
    assert ((late[:, :, 0] > 180) & (late[:, :, 2] < 60)).sum() < 20
