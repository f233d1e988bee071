"""The page of methods shows every card, and those alone that the address or the person names."""

from __future__ import annotations

from core.methods import METHODS
from core.rules.writing import NO_BREAK
from pages.parts.address import NOTE
from pages.parts.words import plain
from tests.pages.test_pages import opened, words


def test_every_method_has_its_card() -> None:
    app = opened("methods")
    assert [one.label for one in app.expander] == [
        info.title
        for family in dict.fromkeys(info.family for info in METHODS.values())
        for info in METHODS.values()
        if info.family == family
    ]
    said = words(app)
    for info in METHODS.values():
        for text in (info.idea, info.assumes, info.fails):
            assert plain(text).replace(NO_BREAK, " ") in said, info.name


def test_an_address_opens_the_cards_that_it_names() -> None:
    app = opened("methods", method="rise")
    assert [(one.label, one.proto.expanded) for one in app.expander] == [(METHODS["rise"].title, True)]
    assert NOTE in words(opened("methods", method="none such"))
