"""The tables on concepts, for the report and the page. No torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.content.tables import ColumnSpec, TableSpec
from core.content.words import measured, number, shorten
from core.languages import localised, say, typeset


def rebuilt_words(words: Any, weights: Any, most: int = 8) -> str:
    """The words that rebuild an image in one line, heaviest first, with their weights."""
    parts = [f"{word} {number(float(weight))}" for word, weight in zip(words, weights, strict=True)]
    told = say(", ").join(parts[:most]) or say("no word")
    return say("{words} and {count} more", words=told, count=len(parts) - most) if len(parts) > most else told


def unexplained(cosine: float) -> str:
    """The share of an embedding's squared length that words with this cosine leave over."""
    return typeset(localised(f"{1 - cosine**2:.0%}"))


def _name(row: Any) -> str:
    return f"{row.title} ({row.name})"


def _presence(row: Any) -> str:
    return measured(row.value, row.low, row.high, row.n, digits=3)


def _gloss(longest: int) -> Callable[[Any], str]:
    return lambda row: shorten(row.gloss, longest)


CONCEPTS = TableSpec(
    ColumnSpec("Concept", _name, share=24),
    ColumnSpec("Gloss", _gloss(90), share=44),
    ColumnSpec(
        "Presence",
        _presence,
        "number",
        help="mean share of an image where the gloss is among the top 1 %, with 95 % interval over images",
    ),
)
GROUPS = TableSpec(
    ColumnSpec("Group", _name, share=34),
    ColumnSpec("Number of concepts", lambda row: localised(f"{row.members:,}"), "number", 14, value="members"),
    ColumnSpec(
        "Chance",
        lambda row: number(row.chance, 3),
        "number",
        12,
        help="presence that a random ranking would give a group of this size",
        value=lambda row: round(row.chance, 3),
    ),
    ColumnSpec("Presence above chance", _presence, "number", help="with 95 % interval over images"),
)
REBUILT = TableSpec(
    ColumnSpec("Image", "image_name", share=22),
    ColumnSpec("Words and weights", lambda row: rebuilt_words(row.words, row.weights), share=54),
    ColumnSpec("Unexplained", lambda row: unexplained(row.cosine), "number"),
)
FITS = TableSpec(
    ColumnSpec("Image", "image_name", share=70),
    ColumnSpec("Fit", lambda row: number(row.fit), "number", value=lambda row: round(row.fit, 3)),
)
IMAGE_CONCEPTS = TableSpec(
    ColumnSpec("Concept", "title"),
    ColumnSpec("Gloss", "gloss"),
    ColumnSpec("Presence", lambda row: number(row.presence), "number", value=lambda row: round(row.presence, 3)),
    ColumnSpec("Mean over all images", lambda row: number(row.mean), "number", value=lambda row: round(row.mean, 3)),
    ColumnSpec("Best crop", lambda row: number(row.best), "number", value=lambda row: round(row.best, 3)),
    ColumnSpec("Cosine", lambda row: number(row.cosine), "number", value=lambda row: round(row.cosine, 3)),
)
