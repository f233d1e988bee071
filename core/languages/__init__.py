"""The language of texts for people: catalogues, numbers and dates. English unless another one is set. No torch.

A sentence of the product is written once, in English, as the template that is passed to `say`; the same English text is
its key in the catalogue of every other language (`core/locale/<language>/LC_MESSAGES/loupe.po`). What is stored as
evidence is English whatever the language of a report is.
"""

from core.languages.catalogue import SOURCE, Catalogue, load_catalogue, offered
from core.languages.numbers import day, localised, minute, named, number_format, typeset
from core.languages.sentences import say, say_count
from core.languages.voice import Voice, language, speaking, voice, voice_of

__all__ = [
    "SOURCE", "Catalogue", "Voice", "day", "language", "load_catalogue", "localised", "minute", "named", "offered",
    "number_format", "say", "say_count", "speaking", "typeset", "voice", "voice_of",
]  # fmt: skip
