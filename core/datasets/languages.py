"""The language of each text, offline and without chance. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from core.languages import named, say

# Texts with fewer words have no reliable language, and what is less certain than this is not called one. Of 1,288
# English captions of photographs none is then called another language.
LEAST_WORDS, LEAST_CERTAIN = 4, 0.9
# Bytes of the nameless temporary file into which py3langid unpacks its model when the first text is read.
UNPACKED = 2**28
NAMES = {
    "ar": "Arabic", "de": "German", "en": "English", "es": "Spanish", "fr": "French", "he": "Hebrew", "hi": "Hindi",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese",
    "ru": "Russian", "sv": "Swedish", "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


@dataclass(frozen=True)
class Language:
    """The code of a text's language (ISO 639-1) and how certain it is, from 0 to 1; an empty code is unknown."""

    code: str
    certain: float


def languages(texts: Sequence[str]) -> list[Language]:
    """The language of each text; unknown for short texts and where no language is certain."""
    return [_language(text) for text in texts]


def name_of(code: str) -> str:
    """The name of a language where it is common, in the language of the report, otherwise its code."""
    return named(code, NAMES.get(code, code or say("unknown")))


def _language(text: str) -> Language:
    # Scripts without spaces have one word.
    if len(text.split()) < LEAST_WORDS and text.isascii():
        return Language("", 0.0)
    code, certain = _identifier().classify(text)
    return Language(str(code) if certain >= LEAST_CERTAIN else "", float(certain))


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Among 139 languages a short text is never certain; dialects and rare ones would share its probability.
    identifier.set_languages(list(NAMES))
    return identifier
