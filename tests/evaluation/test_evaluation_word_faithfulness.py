"""Comprehensiveness and sufficiency on a text whose words add up, and against strings that are really shorter."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.support.tiny import Zoo, fresh, pixels
from core.evaluation.word_faithfulness import word_faithfulness
from core.models.word_pool import WordPool

GAINS = np.array([0.01, 0.2, 0.0, 0.1, 0.02, 0.05, 0.0, 0.03, 0.0, 0.04])
IMAGE = torch.tensor([1.0, 0.0], dtype=torch.float64)
TEXT = "two people walk along the grey shore"


def additive() -> Any:
    """A pool whose texts score the sum of their words' gains, and which counts what it is asked."""

    def embeddings(kept: torch.Tensor) -> torch.Tensor:
        return torch.stack([kept.double() @ torch.tensor(GAINS), torch.zeros(len(kept))], dim=1)

    return SimpleNamespace(words=[(f"word {at}", (at,)) for at in range(len(GAINS))], embeddings=embeddings)


def test_on_a_sum_both_measures_are_sums_of_gains() -> None:
    order = np.random.default_rng(3).permutation(len(GAINS)).astype(float)
    found = word_faithfulness(additive(), IMAGE, {"right": GAINS, "other": order})
    falling = np.sort(GAINS)[::-1]
    gained = [falling[:2].sum(), falling[:5].sum()]  # 20 % and 50 % of ten words
    assert found["right"].comprehensiveness == pytest.approx(np.mean(gained))
    assert found["right"].sufficiency == pytest.approx(GAINS.sum() - np.mean(gained))
    best = np.argsort(-order)
    gained = [GAINS[best[:2]].sum(), GAINS[best[:5]].sum()]
    assert found["other"].comprehensiveness == pytest.approx(np.mean(gained))
    assert found["right"].comprehensiveness != pytest.approx(falling[:2].sum())


def test_the_right_order_beats_chance_and_the_wrong_sign_is_worse() -> None:
    random = np.random.default_rng(0)
    shuffled = {f"chance {at}": random.permutation(GAINS) for at in range(40)}
    found = word_faithfulness(additive(), IMAGE, {"right": GAINS, "wrong": -GAINS, **shuffled})
    chance = [found[name] for name in shuffled]
    assert found["right"].comprehensiveness >= max(one.comprehensiveness for one in chance)
    assert found["right"].sufficiency <= min(one.sufficiency for one in chance)
    assert found["wrong"].comprehensiveness < np.mean([one.comprehensiveness for one in chance])
    assert found["wrong"].sufficiency > np.mean([one.sufficiency for one in chance])


@pytest.mark.parametrize("family", ["vit", "bert_mean"])
def test_it_is_the_fall_of_strings_without_those_words(zoo: Zoo, family: str) -> None:
    model = fresh(zoo(family))
    image = model.embed_images(pixels(model, 1))[0].detach()
    pool = WordPool(model, TEXT)
    words = TEXT.split()
    values = np.random.default_rng(1).permutation(len(words)).astype(float)
    best = np.argsort(-values)

    def score(kept: set[int]) -> float:
        return float(model.embed_texts([" ".join(word for at, word in enumerate(words) if at in kept)])[0] @ image)

    everything, tops = set(range(7)), [set(best[:2].tolist()), set(best[:4].tolist())]
    whole = score(everything)
    found = word_faithfulness(pool, image, {"a": values})["a"]
    assert found.comprehensiveness == pytest.approx(
        np.mean([whole - score(everything - top) for top in tops]), abs=1e-5
    )
    assert found.sufficiency == pytest.approx(np.mean([whole - score(top) for top in tops]), abs=1e-5)
    swapped = word_faithfulness(pool, image, {"a": values[::-1].copy()})["a"]
    assert swapped.comprehensiveness != pytest.approx(found.comprehensiveness, abs=1e-5)


def test_sets_of_words_are_embedded_once_for_all_methods_and_images(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    pool = WordPool(model, TEXT)
    seen = model.embed_images(pixels(model, 2)).detach()
    values = np.arange(7.0)
    word_faithfulness(pool, seen[0], {"a": values, "b": 2 * values, "c": values**2})
    assert model.meter.text == 5  # the whole, and two shares without and alone
    word_faithfulness(pool, seen[1], {"a": values})
    assert model.meter.text == 5
    word_faithfulness(pool, seen[1], {"a": -values})
    assert model.meter.text > 5


def test_one_word_has_nothing_left_and_equal_values_are_no_order(zoo: Zoo) -> None:
    one = WordPool(zoo("vit"), "shore")
    assert word_faithfulness(one, torch.ones(1), {"a": np.array([1.0])}) == {}
    level = {"level": np.ones(10), "short": np.arange(9.0), "broken": np.full(10, np.nan)}
    assert word_faithfulness(additive(), IMAGE, level) == {}
    found = word_faithfulness(additive(), IMAGE, {**level, "right": GAINS})
    assert set(found) == {"right"}
