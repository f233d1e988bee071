"""Means of sanity checks against plain loops, on a record made without a model."""

from __future__ import annotations

import numpy as np
import pytest

from core.applications.sanity.measures import UNLIMITED, mean, sanity_table
from core.applications.sanity.record import EVERY, SanityRecord
from core.applications.sanity.verdicts import reliability
from core.statistics import Interval, interval_of_means
from tests.support.made_run import made_run
from tests.support.made_sanity import made_sanity

METHODS = ("raw", "rise")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> SanityRecord:
    run = made_run(tmp_path_factory.mktemp("sanity") / "run", images=7, methods=METHODS)
    return made_sanity(run, {"rise": {("text", "wrong 1"): -0.4, ("seed", ""): 0.3}})


def literal(record: SanityRecord, method: str, check: str, variant: str) -> dict[str, float]:
    """Each image's mean."""
    found: dict[str, list[float]] = {}
    for row in record.checks.itertuples():
        if (row.method, row.check) == (method, check) and variant in (EVERY, row.variant):
            found.setdefault(row.image, []).append(row.value)
    return {image: float(np.mean(values)) for image, values in found.items()}


def test_every_row_is_a_mean_over_images_of_each_image_s_mean(record: SanityRecord) -> None:
    table = sanity_table(record)
    assert list(dict.fromkeys(table.method)) == list(METHODS)
    assert not table.duplicated(["method", "check", "variant"]).any()
    for row in table.itertuples():
        means = np.array(list(literal(record, row.method, row.check, row.variant).values()))
        limit = np.inf if row.check in UNLIMITED else 1.0
        expected = interval_of_means(means, within=(-limit, limit))
        assert (row.value, row.low, row.high, row.n) == pytest.approx(
            (expected.value, expected.low, expected.high, 7)
        ), (row.method, row.check, row.variant)
    rows = set(zip(table.method, table.check, table.variant, strict=True))
    for row in record.checks.itertuples():
        assert (row.method, row.check, EVERY) in rows and (row.method, row.check, row.variant or EVERY) in rows


def test_a_ratio_of_spreads_may_exceed_one_and_a_correlation_may_not(record: SanityRecord) -> None:
    raised = SanityRecord(record.about, record.checks.assign(value=record.checks["value"] + 1.4))
    found, capped = mean(raised, "raw", "noise"), mean(raised, "raw", "flip")
    assert found.low is not None and found.value is not None and found.high is not None
    assert 1.5 < found.low < found.value < found.high < 1.7
    assert capped.high == 1.0


def test_variants_are_apart_and_together(record: SanityRecord) -> None:
    one, two = (mean(record, "rise", "text", name).value for name in ("wrong 1", "wrong 2"))
    both = mean(record, "rise", "text").value
    assert one == pytest.approx(-0.4, abs=0.02) and two == pytest.approx(0.4, abs=0.02)
    assert both == pytest.approx((one + two) / 2) and both != pytest.approx(one, abs=0.1)


def test_a_check_that_was_not_made_has_no_mean(record: SanityRecord) -> None:
    assert mean(record, "raw", "seed") == Interval(None, None, None, 0)
    assert sanity_table(record).query("method == 'raw' and check == 'seed'").empty
    assert mean(record, "rise", "seed").n == 7


@pytest.mark.parametrize(("seeds", "expected"), [(0.3, 0.3), (-0.2, 0.0), (1.0, 1.0), (None, 1.0)])
def test_reliability_is_that_of_seeds_from_0_to_1(seeds: float | None, expected: float) -> None:
    assert reliability(Interval(seeds, None, None, 6 if seeds is not None else 0)) == expected
