"""A share whose interval spans nearly all shares is not printed as a number."""

from __future__ import annotations

from types import SimpleNamespace

from core.applications.layer_sweep.tables import INCREASES


def test_a_share_that_is_not_known_within_a_useful_range_says_so() -> None:
    (column,) = [one for one in INCREASES.columns if one.title == "Increase, random"]
    values = {"": 0.17, "_low": 0.003, "_high": 1.0, "_n": 12}
    row = SimpleNamespace(**{f"random_increase{end}": value for end, value in values.items()})
    assert column.text(row) == "not known: the interval spans nearly all shares"
    # The companion: an interval that excludes half of the shares stands beside its value.
    row.random_increase_high = 0.5
    assert "0.17 [0.003, 0.50]" in column.text(row)
