"""Thresholds that stay as they are while the built-in ones are tuned."""

from __future__ import annotations

from core.findings import Thresholds

PINNED = Thresholds(
    {
        "version": "1",
        "general": {"least_images": 8, "significance": 0.05},
        "severity": {"high": 0.4, "medium": 0.15},
        "trust": {"controls": {"least_difference": 0.0}, "hiding": {"least_correlation": 0.5}},
        "agreement": {
            "methods": {"least_correlation": 0.3},
            "pictures": {"least_correlation": 0.1, "most_share": 0.2},
        },
        "maps": {"constant": {"most_share": 0.05}},
        "scores": {"flat": {"most_share": 0.2}},
        "additive": {"share": {"least": 0.5}},
        "sums": {"rest": {"most": 0.1}},
        "sanity": {
            "least_images": 4,
            "model": {"most_correlation": 0.6, "most_correlation_text": 0.8},
            "text": {"most_correlation": 0.95},
            "seed": {"least_correlation": 0.3},
            "flip": {"least_correlation": 0.3},
            "paraphrase": {"least_correlation": 0.5},
        },
        "data": {
            "refused": {"most_share": 0.0},
            "duplicates": {"most_share": 0.05},
            "outliers": {"least_z": 3.5, "least_group_z": 2.0, "least_group_look": 4.0},
        },
        "reliance": {
            "topics": {"least_pictures": 8, "least_candidates": 30},
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
        "groups": {"difference": {"least_difference": 0.5, "least_group": 8, "most_groups": 8}},
        "run": {"failures": {"most_share": 0.0}},
    },
    "1",
    b"",
)
