"""Loading a model that must be refused."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import ModelError
from core.models.loading import load_model


def refusal(*arguments: Any, most: int = 600, **options: Any) -> str:
    """The one line, of fewer than `most` characters, with which loading is refused."""
    with pytest.raises(ModelError) as caught:
        load_model(*arguments, **options)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < most
    return line
