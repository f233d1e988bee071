"""The families of tests that this application makes. No torch."""

from __future__ import annotations

from core.statistics.families import Family

REGIONS = Family("reliance.border", "Student's t test", "pairs of topic and region")
BACKGROUNDS = Family("reliance.background", "pair of t tests", "classes")
ALONE = Family("reliance.alone", "Welch's t test", "pairs of class and region shown alone")
SURROUNDINGS = Family("reliance.surroundings", "Welch's t test", "classes")
DOMINANCE = Family("reliance.dominant", "exact binomial test", "topics")
CONCEPTS = Family("reliance.concept", "Student's t test", "pairs of topic and unrelated concept")
DECLARED = Family("reliance.declared", "Student's t test", "declared concepts")
FUNCTION_WORDS = Family("words.function", "Student's t test", "methods with a text side")
