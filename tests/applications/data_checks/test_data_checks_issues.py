"""What is measured of one image and of pairs, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from core.applications.data_checks.copies import FINE, aligned, coarse, copies, joined
from core.applications.data_checks.issues import measured_image, reduced
from core.applications.data_checks.kinds import kinds, robust_z
from core.datasets.languages import languages, name_of
from tests.support.made_photos import near_copy, night, photo


def test_values_of_plain_images_are_those_of_their_colour() -> None:
    red = measured_image(Image.new("RGB", (80, 40), (255, 0, 0)))
    # cleanvision weighs the channels by 0.241, 0.691 and 0.068 and takes the root.
    assert red["light"] == red["light_99"] == red["light_5"] == pytest.approx(np.sqrt(0.241))
    assert red["aspect"] == 0.5 and red["size"] == pytest.approx(np.sqrt(3200))
    assert red["colour"] == 1.0 and red["colours"] == 0.0 and red["even"] == 1.0 and red["slope"] == 0.0
    assert red["contrast"] == pytest.approx(0.0, abs=1e-12)
    halves = Image.fromarray(np.repeat(np.uint8([[[0, 0, 0]] * 32 + [[255, 255, 255]] * 32]), 64, axis=0))
    assert measured_image(halves)["contrast"] == pytest.approx(0.5)
    assert measured_image(halves)["entropy"] == pytest.approx(np.log2(6))


def test_a_blurred_image_is_less_sharp_and_darkening_alone_changes_little() -> None:
    for seed in range(4):
        image = photo(seed)
        dim = Image.fromarray((np.asarray(image) * 0.6).astype(np.uint8))
        sharp, blurred, dark = (measured_image(one)["sharpness"] for one in (image, night(image), dim))
        assert blurred < sharp - 1 and abs(dark - sharp) < 0.5


def test_copies_are_found_and_other_images_are_not() -> None:
    images = [photo(seed) for seed in range(12)]
    images += [near_copy(images[at], at) for at in range(6)]
    grids, fine = np.stack([coarse(image) for image in images]), [reduced(image, FINE) for image in images]
    # Embeddings in which every image is as near as its copy do not exclude a pair.
    pairs = copies(grids, fine, np.ones((len(images), 4)))
    assert [(pair.first, pair.second) for pair in pairs] == [(at, 12 + at) for at in range(6)]
    assert min(pair.correlation for pair in pairs) > 0.9
    # The companion: of two different images, or of one that is mirrored, the correlation is low.
    assert aligned(fine[0], fine[1]) < 0.8 and aligned(fine[0], fine[0][:, ::-1].copy()) < 0.8
    assert copies(grids[:12], fine[:12], np.ones((12, 4))) == []


def test_pairs_make_groups() -> None:
    assert joined([(5, 2), (1, 2), (7, 8)]) == [[1, 2, 5], [7, 8]]
    assert joined([(5, 2), (1, 2), (7, 8)], least=3) == [[1, 2, 5]]


def test_a_kind_needs_odd_looks_and_its_own_neighbours() -> None:
    random = np.random.default_rng(0)
    looks = {name: random.normal(0.5, 0.05, 40) for name in ("colour", "colours", "even", "slope")}
    embeddings = random.normal(size=(40, 16))
    embeddings[:5] += 6 * random.normal(size=16)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    assert kinds(looks, embeddings, 5.0) == []
    odd = {**looks, "colour": np.where(np.arange(40) < 5, 0.0, looks["colour"])}
    (kind,) = kinds(odd, embeddings, 5.0)
    assert kind.members == (0, 1, 2, 3, 4) and kind.signal == "colour" and kind.z < -5 and kind.inside == 5
    # Images that are as odd but lie among the others are no group.
    scattered = {**looks, "colour": np.where(np.arange(40) % 8 == 7, 0.0, looks["colour"])}
    assert kinds(scattered, embeddings, 5.0) == []
    assert not robust_z(np.ones(9)).any()


def test_languages_of_sentences_and_none_of_words() -> None:
    texts = ["a dog runs along the beach", "ein Hund rennt am Strand entlang", "un perro corre por la playa", "dog"]
    assert [one.code for one in languages(texts)] == ["en", "de", "es", ""]
    assert name_of("de") == "German" and name_of("xx") == "xx" and name_of("") == "unknown"
