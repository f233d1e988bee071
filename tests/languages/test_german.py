"""Words of the German catalogue: the case of a counted noun in a sentence, and one noun for one thing."""

from __future__ import annotations

import re

from core.findings import every_rule
from core.languages import load_catalogue, say, say_count, speaking, voice_of
from core.languages.catalogue import COUNT, DATIVE

GERMAN = load_catalogue("de")
# A word that another one has replaced, and in which English texts alone it stays.
REPLACED = {
    r"\bangepasste?[nrs]? p\b|p-Werte?n? .{0,60}\bangepasst": None,
    r"\bLabeln\b|\b(?:die|der|keine) Label\b(?!-)": None,
    r"\bBildpunkt": None,
    r"\bTreffsicherheit\b": None,
    r"\bKarteikarte": None,
    r"\b(?:dieser|einer|die ganze) Prüfung\b": "check",
}


def test_a_comparison_is_in_the_dative_after_of() -> None:
    rule = next(rule for rule in every_rule() if rule.id == "groups.difference")
    told = GERMAN.messages[rule.wordings["finding"].condition].partition(" (")[0]
    with speaking(voice_of("de")):
        for count, wanted in ((1, "1 Vergleich"), (147, "147 Vergleichen")):
            assert told.format(count=5, mine=say_count(count, "comparison", "comparisons")).endswith(f"von {wanted}")
        assert say_count(147, "comparison", "comparisons") == "147 Vergleiche"


def test_units_that_an_outcome_counts_are_translated() -> None:
    with speaking(voice_of("de")):
        assert [say(unit) for unit in ("words", "texts", "mosaics")] == ["Wörter", "Texte", "Mosaike"]


def test_one_noun_stands_for_one_thing() -> None:
    for pattern, kept in REPLACED.items():
        for english, told in GERMAN.messages.items():
            assert not re.search(pattern, told) or (kept and kept in english.lower()), told
    assert GERMAN.counted[COUNT, "label"] == GERMAN.counted[DATIVE, "label"] == ("Label", "Labels")
    # The companion: the patterns find the words that were replaced.
    old = "angepasstes p = 1, nach den Labeln, 95 % der Bildpunkte, Treffsicherheit, Karteikarte, Texte dieser Prüfung"
    assert all(re.search(pattern, old) for pattern in REPLACED)
