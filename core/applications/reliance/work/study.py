"""What one run of the application gathers, image by image."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from core.applications.reliance.card import RelianceOptions
from core.applications.reliance.work.texts import Bank, Pair
from core.applications.reliance.work.words import TextGame
from core.applications.work.subject import Subject

Row = dict[str, Any]


@dataclass
class Study:
    """What one run of the application gathers.

    alone, lost: of each region its embedding when shown alone, and what that of the whole image loses without it.
    """

    subject: Subject
    options: RelianceOptions
    bank: Bank
    stored: pd.DataFrame
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    alone: list[Tensor] = field(default_factory=list)
    lost: list[Tensor] = field(default_factory=list)
    of_text: dict[tuple[str, str], Pair] = field(default_factory=dict)
    games: dict[str, TextGame] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)

    @property
    def seed(self) -> int:
        """The run's seed."""
        return self.subject.run.plan.seed

    def random(self, *parts: object) -> np.random.Generator:
        """A generator whose stream depends on the seed and on `parts` alone."""
        digest = hashlib.sha256(repr((self.seed, *parts)).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))
