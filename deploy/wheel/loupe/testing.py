"""The contract tests of plug-ins: `from loupe.testing import *` in a file that pytest collects."""

from __future__ import annotations

import pytest

from loupe import _enter

_enter()
pytest.register_assert_rewrite("core.testing")

from core.testing import *  # noqa: E402, F403
from core.testing import __all__ as __all__  # noqa: E402
