"""Models that transformers saved: the same pixels, token ids and embeddings as transformers itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from benchmarks.capabilities import attributed
from benchmarks.support.hub_models import SAVE, TEXTS, Saved
from benchmarks.support.tiny import sample_images
from core import load_model
from core.methods.info import Side
from core.models.capability_table import methods_of
from core.models.model import Model

TOLERANCE = 1e-5
FAMILIES = tuple(SAVE)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Saved, Model]]:
    """Each family as transformers saved it, and as it is loaded. Don't change them."""
    made = {}
    for family, save in SAVE.items():
        one = save(tmp_path_factory.mktemp("hub") / family)
        made[family] = (one, load_model(one.folder, device="cpu"))
    return made


def images_for(family: str) -> list[Image.Image]:
    """NaFlex keeps shapes, so that only square images have one answer in both."""
    found = sample_images(4, seed=3)
    return [image.resize((90, 90)) for image in found] if family == "siglip2" else found


def theirs(one: Saved, images: list[Image.Image]) -> tuple[Tensor, Tensor]:
    """Unit embeddings of images and texts by transformers."""
    with torch.no_grad():
        seen = one.model.get_image_features(**one.images(images, return_tensors="pt")).pooler_output
        read = one.model.get_text_features(**one.text_ids()).pooler_output
    return F.normalize(seen, dim=-1), F.normalize(read, dim=-1)


@pytest.mark.parametrize("family", FAMILIES)
def test_images_and_texts_are_embedded_as_by_transformers(saved: dict[str, tuple[Saved, Model]], family: str) -> None:
    one, model = saved[family]
    images = images_for(family)
    seen, read = theirs(one, images)
    pixels, _ = model.preprocess(images)
    assert float((model.embed_images(pixels) - seen).abs().max()) <= TOLERANCE
    assert float((model.embed_texts(TEXTS) - read).abs().max()) <= TOLERANCE
    # The comparison can fail: other images and other texts are further away.
    assert float((model.embed_images(pixels.flip(-1)) - seen).abs().max()) > 100 * TOLERANCE
    assert float((model.embed_texts(TEXTS[::-1]) - read).abs().max()) > 100 * TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_pixels_and_token_ids_are_those_of_transformers(saved: dict[str, tuple[Saved, Model]], family: str) -> None:
    one, model = saved[family]
    assert torch.equal(model.text.full(TEXTS), one.text_ids()["input_ids"])
    if family == "siglip2":
        return
    images = images_for(family)
    wanted = one.images(images, return_tensors="pt").pixel_values
    pixels, _ = model.preprocess(images)
    assert float((pixels - wanted).abs().max()) <= TOLERANCE
    assert float((model.preprocess(images[::-1])[0] - wanted).abs().max()) > 100 * TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_the_scale_of_scores_is_theirs(saved: dict[str, tuple[Saved, Model]], family: str) -> None:
    one, model = saved[family]
    assert model.logit_scale == pytest.approx(float(one.model.logit_scale.detach().exp()), rel=1e-6)
    if hasattr(one.model, "logit_bias"):
        assert float(model.net.logit_bias) == pytest.approx(float(one.model.logit_bias.detach()), rel=1e-6)


@pytest.mark.parametrize(("family", "sides"), [
    ("clip", ("image", "text")), ("siglip", ("image", "text")), ("chinese_clip", ("text",)), ("altclip", ("text",)),
])  # fmt: skip
def test_every_method_whose_needs_are_met_runs(
    saved: dict[str, tuple[Saved, Model]], family: str, sides: tuple[Side, ...]
) -> None:
    model = saved[family][1]
    images = model.preprocess(sample_images(1))[0]
    assert {"text_layers", "text_attention", "places", "image_layers", "image_attention"} <= model.capabilities
    for side in sides:
        served = [info for info in methods_of(side) if info.reasons(model.capabilities)[side] is None]
        assert len(served) > 5
        for info in served:
            found = attributed(model, images, info, side)
            maps = found.image if side == "image" else found.text
            assert maps is not None, info.name
            assert bool(np.isfinite(maps).all()), info.name
            assert float(np.ptp(maps)) > 0 or maps.size < 4, info.name
