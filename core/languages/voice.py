"""The current language as a context variable: set once by whoever makes a text, read by everything that writes one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from core.languages.catalogue import SOURCE, Catalogue, load_catalogue


@dataclass(frozen=True)
class Voice:
    """A catalogue, and the words that a house style puts in place of single messages."""

    catalogue: Catalogue = field(default_factory=lambda: Catalogue(SOURCE))
    wording: Mapping[str, str] = field(default_factory=dict)

    @property
    def language(self) -> str:
        """The code of the language."""
        return self.catalogue.language

    def message(self, english: str) -> str:
        """The message for an English text; the text itself where there is none."""
        return self.wording.get(english) or self.catalogue.messages.get(english, english)


_ENGLISH = Voice()
_CURRENT: ContextVar[Voice] = ContextVar("voice", default=_ENGLISH)


def voice() -> Voice:
    """The current voice."""
    return _CURRENT.get()


def voice_of(language: str) -> Voice:
    """The voice of a language that comes with the product. Raises `ValueError` where there is none."""
    return Voice(load_catalogue(language))


def language() -> str:
    """The code of the current language."""
    return _CURRENT.get().language


@contextmanager
def speaking(one: Voice) -> Iterator[None]:
    """Within it, texts are written by this voice."""
    before = _CURRENT.set(one)
    try:
        yield
    finally:
        _CURRENT.reset(before)
