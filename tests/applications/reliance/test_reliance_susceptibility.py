"""Words in a record of reliance, worked out again value by value; each with the same on something else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.applications.reliance.record import RelianceRecord
from core.applications.reliance.susceptibility import (
    function_words,
    stickers,
    template_changes,
    templates,
    text_excess,
    word_effects,
    word_twins,
)
from core.statistics import interval_of_means, wilson
from tests.support.made_reliance import made_reliance
from tests.support.made_run import made_run

OWN = ("0 {}",)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("words")


def record_of(folder: Path, flaw: str = "") -> RelianceRecord:
    run = made_run(folder / (flaw or "clean"), images=8, methods=("raw",))
    return made_reliance(run, flaw)


@pytest.fixture(scope="module")
def clean(folder: Path) -> RelianceRecord:
    return record_of(folder)


def test_a_printed_word_is_set_against_letters(folder: Path, clean: RelianceRecord) -> None:
    record = record_of(folder, "sticker")
    got = stickers(record, least=0.5)
    fall = spread = flips = 0.0
    for row in record.stickers.itertuples():
        fall += row.with_letters - row.with_word
        spread += row.spread
        flips += row.best_with_word == row.pasted
    assert got.effect.value == pytest.approx(fall / spread) and got.effect.n == 8
    assert got.flips.value == flips / 8 and (got.flips.low, got.flips.high) == pytest.approx(wilson(flips, 8))
    assert got.changes.value == got.flips.value and got.letter_changes.value == 0
    assert got.letter_flips.value == 0 and got.effect.p is not None and got.effect.p < 0.001
    other = stickers(clean, least=0.5)
    assert abs(other.effect.value or 0.0) < 0.1 < (got.effect.value or 0.0) and (other.effect.p or 0.0) > 0.999


def test_templates_count_the_others_and_not_the_plan_s_own(folder: Path, clean: RelianceRecord) -> None:
    record = record_of(folder, "template")
    got, each = templates(record, OWN, least=0.5), template_changes(record, OWN)
    best = dict(zip(record.images["image"], record.images["best"], strict=True))
    parts: dict[str, list[bool]] = {}
    for row in record.templates.itertuples():
        if row.template not in OWN:
            parts.setdefault(row.image, []).append(row.best != best[row.image])
    assert dict(zip(each.image, each.part, strict=True)) == {name: np.mean(values) for name, values in parts.items()}
    assert got.change.value == np.mean([np.mean(values) for values in parts.values()]) == 1.0
    assert got.count == 3 and templates(record, (), least=0.5).count == 4
    assert templates(record, (), least=0.5).change.value == 0.75, "with the plan's own it is another share"
    assert templates(clean, OWN, least=0.5).change.value == 0.0
    own = [0.3 + 0.002 * number for number in range(4)]
    assert got.spread.value == pytest.approx(np.std(own, ddof=1) / 0.05)


def test_function_words_are_counted_by_text(folder: Path, clean: RelianceRecord) -> None:
    record = record_of(folder, "function")
    # The same caption on a second image is the same text.
    again = record.texts.iloc[[0]].assign(image="another", share=0.0)
    twice = RelianceRecord(**{**vars(record), "texts": pd.concat([record.texts, again], ignore_index=True)})
    each = text_excess(twice, "kernel_shap").set_index("text")
    shares: dict[str, list[float]] = {}
    for row in twice.texts.itertuples():
        shares.setdefault(row.text, []).append(row.share)
    assert len(each) == 8 and len(twice.texts) == 9
    for text, values in shares.items():
        assert each.loc[text, "share"] == pytest.approx(np.mean(values))
        assert each.loc[text, "part"] == pytest.approx(np.mean(values) - 3 / 7)
    (row,) = function_words(twice, least=0.1).itertuples()
    expected = interval_of_means(np.array([np.mean(values) - 3 / 7 for values in shares.values()]), counted="texts")
    assert (row.value, row.low, row.n) == pytest.approx((expected.value, expected.low, 8))
    assert row.fall == pytest.approx(0.01 / 0.1)
    (plain,) = function_words(clean, least=0.1).itertuples()
    assert plain.value < 0 < row.value and plain.p > 0.5 > row.p


def test_a_text_without_a_gain_has_no_share_of_it(clean: RelianceRecord) -> None:
    flat = RelianceRecord(**{**vars(clean), "texts": clean.texts.assign(total=0.0)})
    (row,) = function_words(flat, least=0.1).itertuples()
    assert np.isnan(row.fall) and np.isfinite(row.value)
    none = RelianceRecord(**{**vars(clean), "texts": clean.texts.assign(share=np.nan)})
    assert function_words(none, least=0.1).empty


def test_the_effect_of_a_word_is_relative_to_the_typical_one(folder: Path, clean: RelianceRecord) -> None:
    record = record_of(folder, "ignored")
    got = word_effects(record).set_index("word")
    ratios: dict[str, list[float]] = {}
    for row in record.carriers.itertuples():
        ratios.setdefault(row.word, []).append(max(row.change, 0.0) / row.typical)
    for word, values in ratios.items():
        row = got.loc[word]
        expected = (np.mean(values), min(values), max(values), len(values))
        assert (row.value, row.low, row.high, row.n) == pytest.approx(expected)
    assert got.index[0] == "bright" and word_effects(clean)["high"].min() > 10 * got.high.iloc[0]
    # In the texts of the audit: 0.2 against a median of 0.2 over content words; "small" is in none.
    assert got.loc["bright", "own"] == pytest.approx(1.0) and np.isnan(got.loc["small", "own"])


def test_the_nearest_pair_of_words_is_listed_once(folder: Path, clean: RelianceRecord) -> None:
    got = word_twins(record_of(folder, "merged"))
    assert {got.word[0], got.other[0]} == {"bright", "small"} and got.high[0] == pytest.approx(0.001 / 0.4)
    pairs = [frozenset(pair) for pair in zip(got.word, got.other, strict=True)]
    assert len(set(pairs)) == len(pairs) == len(got)
    assert got["high"].is_monotonic_increasing
    assert word_twins(clean).high.min() > 0.2 / 0.4
