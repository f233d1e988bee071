"""Thresholds that stay as they are while the built-in ones are tuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from core.findings import Thresholds
from core.rules.limits import limits_model

PINNED = Thresholds(
    limits_model().model_validate(
        {
            "version": "1",
            "general": {"least_images": 8, "significance": 0.05},
            "severity": {"high": 0.4, "medium": 0.15},
            "trust": {"controls": {"least_difference": 0.0}, "hiding": {"least_correlation": 0.5}},
            "agreement": {
                "methods": {"least_correlation": 0.3},
                "images": {"least_correlation": 0.1, "most_share": 0.2},
            },
            "maps": {"constant": {"most_share": 0.05}},
            "scores": {"flat": {"most_share": 0.2}},
            "additive": {"share": {"least": 0.5}},
            "sums": {"rest": {"most": 0.1}},
            "sanity": {
                "least_images": 7,
                "model": {"most_correlation": 0.6, "most_correlation_text": 0.8},
                "text": {"most_correlation": 0.95},
                "seed": {"least_correlation": 0.3},
                "flip": {"least_correlation": 0.3},
                "paraphrase": {"least_correlation": 0.5},
            },
            "data": {
                "refused": {"most_share": 0.0},
                "duplicates": {"most_share": 0.05},
            },
            "reliance": {
                "topics": {"least_images": 8, "least_candidates": 30},
                "concept": {"least_share": 0.1, "most_related": 0.8},
                "dominant": {"least_share": 0.5},
                "border": {"least_share": 0.15},
                "background": {"least_share": 0.15, "least_alone": 0.25},
                "surroundings": {"least_share": 0.25},
                "alone": {"least_share": 0.25},
                "typographic": {"least_effect": 0.25},
            },
            "prompts": {"templates": {"most_changed": 0.25}},
            "words": {
                "function": {"most_excess": 0.0},
                "ignored": {"least_change": 0.1, "least_words": 8},
                "merged": {"most_distance": 0.1},
            },
            "groups": {"difference": {"least_effect": 0.64}, "least_group": 8},
            "run": {"failures": {"most_share": 0.0}},
        }
    ),
    b"",
)


def with_values(thresholds: Thresholds, values: Mapping[str, float]) -> Thresholds:
    """The same thresholds with some values, by dotted name, replaced."""
    limits = thresholds.limits.model_dump()
    for name, value in values.items():
        *sections, last = name.split(".")
        section = limits
        for part in sections:
            section = section[part]
        section[last] = value
    return replace(thresholds, limits=limits_model().model_validate(limits))
