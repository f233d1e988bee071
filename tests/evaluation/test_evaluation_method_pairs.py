"""The tables of a summary against the former implementation, which walked pairs one by one, and what they cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.summaries import made_plan, made_rows
from core.evaluation import method_pairs
from core.evaluation.agreement import common_grid, stored_grid, stored_grids, top_overlap
from core.evaluation.gains import above_floor
from core.evaluation.method_pairs import method_agreement
from core.evaluation.metrics import STORED
from core.evaluation.summary import Summary, summary_of
from core.statistics import ranks
from tests.support import pairwise

METHODS = 9
# Bounds of many intervals at once and of one differ in the last digits.
ROUNDING = 1e-13
MEASURES = tuple(metric.name for metric in STORED)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rows = made_rows(images=24, methods=METHODS, texts=3)
    # A method that fails for the first images, one that has a map of one image only, and one without any.
    early = rows.image_name < "image-00003.jpg"
    late = rows.image_name != "image-00020.jpg"
    rows.loc[early & (rows.method == "method_01"), "status"] = "failed"
    rows["map"] = rows["map"].mask(late & (rows.method == "method_05"), None)
    rows["map"] = rows["map"].mask(rows.method == "method_07", None)
    return rows


@pytest.fixture(scope="module")
def summary(rows: pd.DataFrame) -> Summary:
    return summary_of(rows, made_plan(METHODS))


def walked(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The tables of the pairwise walk, of rows above the floor of the gain."""
    return pairwise.tables(above_floor(rows)[0], MEASURES, seed=0)


def stored(table: pd.DataFrame) -> pd.DataFrame:
    """Without the metrics that are worked out of curves, which have tests of their own."""
    return table[table["metric"].isin(MEASURES)].reset_index(drop=True) if "metric" in table else table


def largest_difference(table: pd.DataFrame, expected: pd.DataFrame) -> float:
    assert list(table.columns) == list(expected.columns)
    assert len(table) == len(expected)
    largest = 0.0
    for name in expected:
        if name in ("a", "b", "method", "kind", "metric", "control", "image", "image_name", "text", "text_kind"):
            assert list(table[name]) == list(expected[name])
            continue
        values, others = table[name].to_numpy(float), expected[name].to_numpy(float)
        assert (np.isnan(values) == np.isnan(others)).all(), name
        largest = max(largest, float(np.nan_to_num(np.abs(values - others)).max()))
    return largest


@pytest.mark.parametrize("name", ["trust", "versus", "agreement", "pair_agreement", "texts"])
def test_every_table_is_that_of_the_pairwise_walk(name: str, rows: pd.DataFrame, summary: Summary) -> None:
    expected = walked(rows)[name]
    assert len(expected) > 1
    assert largest_difference(stored(getattr(summary, name)), expected) < ROUNDING


def test_the_comparison_sees_another_map(rows: pd.DataFrame, summary: Summary) -> None:
    changed = rows.copy()
    at = changed.index[changed["map"].notna() & (changed.method == "method_00")][0]
    changed.at[at, "map"] = -changed.at[at, "map"]
    expected = walked(changed)
    assert largest_difference(summary.agreement, expected["agreement"]) > 1e-3
    assert largest_difference(summary.pair_agreement, expected["pair_agreement"]) > 1e-3


def test_spans_of_rows_do_not_change_anything(
    rows: pd.DataFrame, summary: Summary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(method_pairs, "MAPS_AT_ONCE", 20)
    assert largest_difference(summary_of(rows, made_plan(METHODS)).agreement, summary.agreement) < ROUNDING


def test_the_chance_level_rests_on_a_draw_where_there_are_more_images_than_it_takes(
    rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (method_pairs, pairwise):
        monkeypatch.setattr(module, "MOST_UNRELATED", 24)
    expected = walked(rows)["agreement"]
    got = method_agreement(rows[(rows.kind == "method") & (rows.status == "ok")], 0).methods
    assert largest_difference(got, expected) < ROUNDING
    monkeypatch.setattr(method_pairs, "MOST_UNRELATED", 6)
    explained = rows[(rows.kind == "method") & (rows.status == "ok")]
    few, again, other = (method_agreement(explained, seed).methods for seed in (0, 0, 1))
    assert largest_difference(few, expected) > 1e-6
    assert largest_difference(few, again) < ROUNDING < 1e-6 < largest_difference(few, other)


def test_a_text_that_stands_twice_with_an_image_counts_once() -> None:
    rows = made_rows(images=6, methods=3, texts=1)
    twice = pd.concat([rows, rows[rows.image_name == "image-00002.jpg"]], ignore_index=True)
    got, expected = summary_of(twice, made_plan(3)), walked(twice)
    assert largest_difference(got.agreement, expected["agreement"]) < ROUNDING
    assert largest_difference(stored(got.trust), expected["trust"]) < ROUNDING
    assert largest_difference(got.versus, expected["versus"]) < 1e-6, "single precision, in another order"


def test_grids_of_several_shapes_are_those_of_each_map() -> None:
    random = np.random.default_rng(0)
    shapes = [(7, 7), (5, 9), (7, 7), (9, 5), (1, 1)]
    maps = [random.normal(size=shape).astype(np.float32) for shape in shapes]
    flat = np.empty(len(maps), dtype=object)
    flat[:] = [values.ravel() for values in maps]
    got = stored_grids(flat, np.array(shapes))
    assert all((grid == common_grid(values.astype(float))).all() for grid, values in zip(got, maps, strict=True))
    turned = stored_grids(flat, np.array(shapes)[:, ::-1])
    assert not np.allclose(turned[1], got[1])


def test_overlaps_count_the_first_of_level_cells() -> None:
    random = np.random.default_rng(0)
    maps = random.integers(0, 3, size=(4, 5, 14, 14)).astype(float)
    ranked, known = ranks.centred_ranks(maps.reshape(20, -1))
    assert known.all()
    got = method_pairs._overlaps(ranked.reshape(4, 5, -1))
    for at in range(4):
        expected = [[top_overlap(a, b) for b in maps[at]] for a in maps[at]]
        assert (got[at] == np.array(expected)).all()
        assert not (got[at] == np.array([[top_overlap(a.T, b.T) for b in maps[at]] for a in maps[at]])).all()


def test_every_pair_of_methods_is_in_one_of_two_tables(rows: pd.DataFrame) -> None:
    rows = rows.copy()
    # A constant map wherever there is one, and two methods without an image in common.
    flat = rows.method == "method_02"
    rows.loc[flat, "map"] = rows.loc[flat, "map"].map(lambda values: [0.5] * len(values), na_action="ignore")
    early = rows.image_name < "image-00010.jpg"
    rows["map"] = rows["map"].mask(early & (rows.method == "method_03"), None)
    rows["map"] = rows["map"].mask(~early & (rows.method == "method_04"), None)
    explained = rows[(rows.kind == "method") & (rows.status == "ok")]
    got = method_agreement(explained, seed=0)
    methods = set(explained[explained["map"].notna()].method)
    listed, missing = ({frozenset(pair) for pair in zip(table.a, table.b, strict=True)} for table in (got[0], got[3]))
    assert not listed & missing
    assert listed | missing == {frozenset((a, b)) for a in methods for b in methods if a != b}
    reasons = {frozenset((row.a, row.b)): row.reason for row in got.incomparable.itertuples()}
    assert reasons[frozenset(("method_03", "method_04"))] == method_pairs.APART
    assert all(reasons[frozenset(("method_02", one))] == method_pairs.CONSTANT for one in methods - {"method_02"})
    assert len(reasons) == 1 + len(methods) - 1 + sum(
        "method_05" in pair for pair in missing if "method_02" not in pair
    )


def test_where_every_pair_can_be_compared_none_is_missing(rows: pd.DataFrame) -> None:
    explained = rows[(rows.kind == "method") & (rows.status == "ok") & rows.method.isin(["method_00", "method_06"])]
    got = method_agreement(explained, seed=0)
    assert len(got.methods) == 1 and got.incomparable.empty


# -- cost ------------------------------------------------------------------------------------------------------------


class Counter:
    """How often something was ranked, and how many rows that were."""

    def __init__(self, rank: Callable[..., Any]) -> None:
        self.rank, self.calls, self.rows = rank, 0, 0

    def __call__(self, values: Any, **options: Any) -> Any:
        self.calls += 1
        self.rows += len(values) if np.ndim(values) > 1 else 1
        return self.rank(values, **options)


def test_every_map_is_ranked_once(rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = Counter(ranks.rankdata)
    monkeypatch.setattr(ranks, "rankdata", counter)
    summary_of(rows, made_plan(METHODS))
    maps = rows[(rows.kind == "method") & (rows.status == "ok") & rows["map"].notna()]["map"]
    with_order = sum(bool(np.isfinite(values).all() and np.ptp(values) > 0) for values in maps)
    assert 300 < counter.rows == with_order < len(maps)
    assert counter.calls <= 1 + len(maps) * 2 / method_pairs.MAPS_AT_ONCE
    # The pairwise walk ranks both maps of every pair.
    counter.rows = counter.calls = 0
    walked(rows)
    assert counter.rows == counter.calls > 4 * with_order


def _vector(row: Any) -> Any:
    return ranks.rank_vector(stored_grid(row.map, row.rows, row.columns))


def test_maps_of_other_images_are_compared_over_all_their_texts(rows: pd.DataFrame) -> None:
    explained = rows[(rows.kind == "method") & (rows.status == "ok") & rows["map"].notna()]
    first, second = (
        {
            image: np.stack([vector for vector in map(_vector, part.itertuples()) if vector is not None])
            for image, part in explained[explained.method == method].groupby("image")
        }
        for method in ("method_00", "method_02")
    )
    assert min(len(vectors) for vectors in first.values()) > 1
    got = method_agreement(explained[explained.method.isin(["method_00", "method_02"])], 0).methods.iloc[0]

    def mean(texts: slice) -> float:
        """Of every text of an image with every text of another one."""
        return float(np.mean([(first[i][texts] @ second[j][texts].T).mean() for i in first for j in second if i != j]))

    assert got.chance == pytest.approx(mean(slice(None)), abs=1e-12)
    assert got.chance != pytest.approx(mean(slice(1)), abs=1e-4), "not of the first text alone"


def test_the_agreement_of_each_image_has_the_means_of_the_table(summary: Summary) -> None:
    table, images = summary.agreement, summary.image_agreement
    assert list(images.columns) == list(zip(table.a, table.b, strict=True)) and len(images) == 24
    assert np.allclose(images.mean().to_numpy(), table.value) and list(images.count()) == list(table.n)
