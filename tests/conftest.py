"""For every test: waiting threads of torch sleep instead of spinning, and long parametrised tests are thinned out."""

import os
from collections import Counter

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test marked `sampled(n)`, mark all but every n-th of its parameters `nightly`."""
    places: Counter[str] = Counter()
    for item in items:
        mark = item.get_closest_marker("sampled")
        if mark is None:
            continue
        test = item.nodeid.partition("[")[0]
        if places[test] % mark.args[0]:
            item.add_marker(pytest.mark.nightly)
        places[test] += 1
