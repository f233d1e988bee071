"""A truncated image is refused, whatever another library of the process asked Pillow to do."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageFile

from core.datasets import image, label_maps
from core.datasets.bounds import Refused
from core.datasets.pillow import open_whole
from core.models import model
from core.settings import LIMITS
from tests.datasets.made import coded, noise

KINDS = ("JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP")


@pytest.fixture(autouse=True)
def _lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As WeasyPrint leaves it."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)


def truncated(kind: str) -> bytes:
    data = coded(noise(width=120, height=100), kind)
    return data[: len(data) * 2 // 3]


def test_weasyprint_does_set_the_flag() -> None:
    """Otherwise `open_whole` has lost its reason."""
    import weasyprint.images

    assert "LOAD_TRUNCATED_IMAGES = True" in Path(weasyprint.images.__file__).read_text()


def test_pillow_itself_would_take_a_part_for_the_whole() -> None:
    """The companion: with the flag set, the pixels of a truncated JPEG are read without an error."""
    with Image.open(io.BytesIO(truncated("JPEG"))) as opened:
        opened.load()


@pytest.mark.parametrize("kind", KINDS[:5])
def test_the_pixels_of_a_truncated_image_are_an_error(kind: str) -> None:
    with pytest.raises((OSError, SyntaxError)), open_whole(io.BytesIO(truncated(kind))) as opened:
        opened.load()


@pytest.mark.parametrize("kind", KINDS)
def test_the_import_refuses_it(kind: str) -> None:
    with pytest.raises(Refused, match=r"truncated|damaged|no image"):
        image.decode(truncated(kind), LIMITS)


def test_a_label_map_is_refused() -> None:
    with pytest.raises(Refused, match="damaged"):
        label_maps.label_map(truncated_map(), LIMITS.__dict__)


def truncated_map() -> bytes:
    data = coded(noise(width=120, height=100).convert("L"), "PNG")
    return data[: len(data) * 2 // 3]


def test_a_model_is_not_given_a_part_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "half.jpg").write_bytes(truncated("JPEG"))
    with pytest.raises(model.InputError, match="cannot be opened as an image"):
        model._open(tmp_path / "half.jpg")
