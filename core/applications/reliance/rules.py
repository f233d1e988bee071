"""Every rule on what scores rest on."""

from __future__ import annotations

from core.applications.reliance import (
    concept_rules,
    declared_rules,
    prompt_rules,
    region_rules,
    surroundings_rules,
    word_rules,
)

RULES = (
    concept_rules.CONCEPT,
    concept_rules.DOMINANT,
    declared_rules.FORBIDDEN,
    declared_rules.EXPECTED,
    region_rules.BORDER,
    region_rules.BACKGROUND,
    surroundings_rules.SURROUNDINGS,
    surroundings_rules.ALONE,
    prompt_rules.TYPOGRAPHIC,
    prompt_rules.TEMPLATES,
    word_rules.FUNCTION,
    word_rules.IGNORED,
    word_rules.MERGED,
)
