"""A map as a file: the raw values come back as they are, the picture is the overlay, texts stay texts."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from core.content import map_files
from core.content.heat import overlay
from core.content.map_files import DrawnMap
from core.models.geometry import Preprocessing

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</title><script>alert(1)</script>\x00 & \u202e"


def drawn(width: int = 300, height: int = 200, title: str = "Grad-CAM", signed: bool = False) -> DrawnMap:
    values = np.random.default_rng(1).normal(size=(4, 6)).astype(np.float32)
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    geometry = Preprocessing(224, 224).geometry(width, height)
    return DrawnMap(values, lambda: image, geometry, signed, title, "a.png, text: a cat", "cosine change")


def test_the_raw_values_come_back_as_they_are() -> None:
    one = drawn()
    read = np.load(io.BytesIO(map_files.npy(one)), allow_pickle=False)
    assert read.dtype == np.float32 and np.array_equal(read, one.values)


def test_cells_are_what_the_model_saw_in_pixels_of_the_image() -> None:
    one = drawn()
    found = map_files.cells(one)
    # 300 x 200 is cut to its middle 200 x 200, which the grid of 4 x 6 divides evenly.
    assert len(found) == 24
    assert found["x"].min() == pytest.approx(50, abs=0.5) and found["x2"].max() == pytest.approx(250, abs=0.5)
    assert (found["x2"] - found["x"]).to_numpy() == pytest.approx(200 / 6, abs=0.5)
    assert (found["y2"] - found["y"]).to_numpy() == pytest.approx(50, abs=0.5)
    for row in found.itertuples():
        assert row.value == pytest.approx(float(one.values[row.row, row.column]))


def test_cells_in_a_border_that_was_padded_are_left_out() -> None:
    padded = Preprocessing(224, 224, mode="longest").geometry(400, 100)
    one = drawn(400, 100)
    found = map_files.cells(DrawnMap(one.values, one.pixels, padded, False, "a", "b", "c"))
    # The image fills the middle quarter of the input: the upper and the lower row of the grid lie outside.
    assert sorted(set(found["row"])) == [1, 2] and found["y"].min() >= 0 and found["y2"].max() <= 100


@pytest.mark.parametrize("signed", [False, True])
def test_the_png_is_the_overlay_at_the_size_of_the_image(signed: bool) -> None:
    one = drawn(signed=signed)
    read = Image.open(io.BytesIO(map_files.png(one)))
    assert read.size == (300, 200)
    wanted = overlay(one.pixels(), one.values, one.geometry, opacity=0.55, signed=signed)
    assert np.array_equal(np.asarray(read), np.asarray(wanted))
    assert not np.array_equal(np.asarray(read), np.asarray(one.painted(2048).transpose(Image.Transpose.ROTATE_180)))


def test_a_large_image_is_made_smaller() -> None:
    assert Image.open(io.BytesIO(map_files.png(drawn(5000, 1000)))).size == (2048, 410)


def test_the_svg_states_title_unit_and_the_ends_of_its_scale() -> None:
    one = drawn()
    root = ElementTree.fromstring(map_files.svg(one))
    said = [element.text for element in root.iter(f"{SVG}text")]
    assert said == [
        "Grad-CAM", "a.png, text: a cat", f"{one.values.min():.3g}", f"{one.values.max():.3g}", "cosine change",
    ]  # fmt: skip
    picture = next(root.iter(f"{SVG}image")).attrib["href"]
    data = base64.b64decode(re.fullmatch("data:image/png;base64,(.*)", picture)[1])  # type: ignore[index]
    assert Image.open(io.BytesIO(data)).size == (300, 200)


def test_a_signed_scale_is_symmetric_and_a_constant_map_has_none() -> None:
    one = drawn(signed=True)
    largest = float(np.abs(one.values).max())
    said = [element.text for element in ElementTree.fromstring(map_files.svg(one)).iter(f"{SVG}text")]
    assert f"{-largest:.3g}" in said and f"{largest:.3g}" in said
    flat = DrawnMap(np.ones((2, 2), np.float32), one.pixels, one.geometry, False, "a", "b", "c")
    told = map_files.svg(flat).decode()
    assert "uninformative" in told and "linearGradient" not in told


def test_markup_in_a_title_stays_text() -> None:
    told = map_files.svg(drawn(title=HOSTILE))
    root = ElementTree.fromstring(told)
    assert not list(root.iter(f"{SVG}script")) and "<script>" in "".join(root.itertext())


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("Grad-CAM", "a.png, text: a cat"), "Grad-CAM-a.png-text-a-cat.svg"),
        (("../../etc/passwd", ""), "etc-passwd.svg"),
        (("\u732b", "\n"), "map.svg"),
        (("x" * 500,), "x" * 100 + ".svg"),
    ],
)
def test_names_of_files_are_plain(parts: tuple[str, ...], name: str) -> None:
    assert map_files.file_name(*parts, ending="svg") == name
