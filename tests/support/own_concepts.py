"""Options of the application `concepts` with concepts of an auditor's own: a few of them, and enough for groups."""

from __future__ import annotations

from typing import Any

OWN = (
    "animal | a thing that lives",
    "bird | a red bird on the mat | animal",
    "dog | a dog on the shore | animal",
    "cat | cat on the mat | animal",
    "kitten | in the photo | cat",
    *(f"word {at} | the shore {at} of nothing" for at in range(15)),
)
OWN_CONCEPTS: dict[str, Any] = {"preset": "fast", "vocabulary": "own", "own": OWN, "in_distribution": "animal"}
