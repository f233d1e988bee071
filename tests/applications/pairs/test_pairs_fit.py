"""The fit of captions with images, against a plain loop over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from core.applications.pairs import fit as module
from core.applications.pairs.fit import caption_fit
from core.characters import folded
from tests.support.captioned import pair_set, unit_rows

Floats = NDArray[np.float64]


def by_loops(images: Floats, captions: Floats, owner: NDArray[np.int64], texts: list[str]) -> dict[str, list[float]]:
    """Every value by loops over all pairs."""

    def unrelated(caption: int, image: int) -> bool:
        return all(
            folded(texts[other]) != folded(texts[caption]) for other in range(len(texts)) if owner[other] == image
        )

    scores = [[float(np.dot(caption, image)) for image in images] for caption in captions]

    def scaled(caption: int, image: int) -> float:
        row = [scores[caption][other] for other in range(len(images)) if unrelated(caption, other)]
        column = [scores[other][image] for other in range(len(captions)) if unrelated(other, image)]
        value = scores[caption][image]
        return float(((value - np.mean(row)) / np.std(row) + (value - np.mean(column)) / np.std(column)) / 2)

    pool = [scaled(c, i) for c in range(len(captions)) for i in range(len(images)) if unrelated(c, i)]
    values: dict[str, list[float]] = {"fit": [], "share": [], "image_rank": [], "caption_rank": [], "best": []}
    for caption, image in enumerate(owner.tolist()):
        own, mine = scaled(caption, image), scores[caption][image]
        values["fit"].append(own)
        values["share"].append((1 + sum(other >= own for other in pool)) / (1 + len(pool)))
        rivals = [other for other in range(len(images)) if unrelated(caption, other)]
        values["image_rank"].append(1 + sum(scores[caption][other] > mine for other in rivals))
        values["caption_rank"].append(
            1 + sum(scores[other][image] > mine for other in range(len(captions)) if unrelated(other, image))
        )
        values["best"].append(max(rivals, key=lambda other: scores[caption][other]))
    return values


@pytest.mark.parametrize(("images", "each", "noise"), [(9, 1, 0.1), (7, 2, 0.6), (11, 3, 1.5)])
def test_every_value_is_that_of_a_plain_loop(
    images: int, each: int, noise: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, captions, owner, texts = pair_set(images, images, each, noise)
    texts[-1] = f"  {texts[0].upper()} "  # the same text as that of another image
    expected = by_loops(pixels, captions, owner, texts)
    for chunk in (4, 512):
        monkeypatch.setattr(module, "CHUNK", chunk)
        fit = caption_fit(pixels, captions, owner, texts)
        np.testing.assert_allclose(fit.fit, expected["fit"], atol=1e-9)
        np.testing.assert_allclose(fit.unrelated_share, expected["share"], atol=1e-9)
        assert fit.image_rank.tolist() == expected["image_rank"]
        assert fit.caption_rank.tolist() == expected["caption_rank"]
        assert fit.best_image.tolist() == expected["best"]
    # The companion: with captions and owners shifted against each other nothing of it holds.
    wrong = caption_fit(pixels, captions, np.roll(owner, 1), texts)
    assert np.abs(wrong.fit - expected["fit"]).max() > 0.1


def test_a_sample_of_unrelated_pairs_gives_nearly_the_same_share(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, captions, owner, texts = pair_set(3, 120, 1, 1.2)
    whole = caption_fit(pixels, captions, owner, texts)
    monkeypatch.setattr(module, "MOST_UNRELATED", 6000)
    sampled = caption_fit(pixels, captions, owner, texts, seed=1)
    assert whole.unrelated == 120 * 119 and 5000 < sampled.unrelated < 7000
    assert np.abs(whole.unrelated_share - sampled.unrelated_share).max() < 0.03
    np.testing.assert_array_equal(whole.fit, sampled.fit)


def test_captions_that_all_belong_everywhere_are_refused() -> None:
    pixels, captions, owner, texts = pair_set(1, 5, 1, 0.1)
    with pytest.raises(ValueError, match="all images but one"):
        caption_fit(pixels, captions, owner, ["the same"] * len(texts))


def test_equal_embeddings_give_no_fit_and_no_warning() -> None:
    pixels = np.tile(unit_rows(np.random.default_rng(0), 1), (6, 1))
    fit = caption_fit(pixels, pixels.copy(), np.arange(6), [f"{at}" for at in range(6)])
    assert np.isfinite(fit.fit).all() and (fit.unrelated_share > 0.2).all()
