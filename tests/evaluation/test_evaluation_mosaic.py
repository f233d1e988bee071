"""Mosaics whose tiles are known, and a scorer by colour whose maps must lie in their own tile."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from core.applications.mosaic.layout import GREY, layout, mosaic
from core.applications.mosaic.measures import share_in_tile, tile_region
from core.errors import InputError

COLOURS = {"red": (200, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 200), "dark": (10, 10, 10)}
SIDE = 28


def plain(colour: str, size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.new("RGB", size, COLOURS[colour])


def likeness(made: Image.Image, colour: str) -> NDArray[np.float64]:
    """A planted model's true map: how much each place is of the colour, less what is usual."""
    far = np.abs(np.asarray(made, dtype=float) - COLOURS[colour]).sum(axis=2)
    return far.mean() - far


@pytest.mark.parametrize("tiles", [2, 3, 4])
def test_the_true_map_lies_in_its_own_tile_and_in_no_other(tiles: int) -> None:
    names = list(COLOURS)[:tiles]
    made = mosaic([plain(name) for name in names], SIDE)
    for at, name in enumerate(names):
        found = share_in_tile(likeness(made, name), at, tiles)
        assert found["pointing"] == 1.0
        assert (found["share"] or 0.0) > 0.7
        for other in set(range(tiles)) - {at}:
            # The text of another image: the companion that must fail.
            assert share_in_tile(likeness(made, name), other, tiles)["pointing"] == 0.0
        wrong = share_in_tile(-likeness(made, name), at, tiles)
        assert wrong["pointing"] == 0.0 and wrong["share"] == pytest.approx(0.0)


def test_a_transposed_map_lies_in_the_tile_across() -> None:
    made = mosaic([plain(name) for name in COLOURS], SIDE)
    turned = likeness(made, "green").T
    assert share_in_tile(turned, 1, 4)["pointing"] == 0.0
    assert share_in_tile(turned, 2, 4)["pointing"] == 1.0


@pytest.mark.parametrize("tiles", [1, 2, 4])
def test_controls_have_what_chance_gives(tiles: int) -> None:
    random = np.random.default_rng(tiles)
    noise = [share_in_tile(random.uniform(size=(14, 14)), 0, tiles) for _ in range(300)]
    assert np.mean([found["pointing"] for found in noise]) == pytest.approx(1 / tiles, abs=0.1)
    assert np.mean([found["share"] for found in noise]) == pytest.approx(1 / tiles, abs=0.02)
    line = (np.arange(14) + 0.5) / 14 - 0.5
    centre = np.exp(-(line[:, None] ** 2 + line**2) * 8)
    assert share_in_tile(centre, 0, tiles) == pytest.approx(dict.fromkeys(("share", "energy", "pointing"), 1 / tiles))
    assert share_in_tile(np.ones((14, 14)), 0, tiles)["energy"] == pytest.approx(1 / tiles)
    assert share_in_tile(-np.ones((14, 14)), 0, tiles)["share"] is None


def test_tiles_cover_the_map_once_and_images_fill_them_unstretched() -> None:
    whole = np.sum([tile_region(at, 4, (14, 14)) for at in range(4)], axis=0)
    assert np.all(whole == 1)
    assert tile_region(1, 2, (6, 6))[:, 3:].all() and not tile_region(1, 2, (6, 6))[:, :3].any()
    wide = Image.new("RGB", (90, 30), COLOURS["dark"])
    wide.paste(COLOURS["red"], (30, 0, 60, 30))
    three = np.asarray(mosaic([wide, plain("green"), plain("blue")], SIDE))
    # Only the middle third is left of an image three times as wide as its tile.
    assert (np.abs(three[1:13, 1:13].astype(int) - COLOURS["red"]) < 12).all()
    assert (three[14:, 14:] == GREY).all()
    assert (three[:14, 14:] == COLOURS["green"]).all()


def test_other_numbers_of_tiles_are_refused() -> None:
    for count in (0, 5):
        with pytest.raises(InputError, match="one to four"):
            layout(count)
    with pytest.raises(InputError, match="counted from 0"):
        tile_region(3, 3, (4, 4))
