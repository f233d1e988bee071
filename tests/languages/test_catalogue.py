"""Catalogues in gettext's format: how they are read, and which translations are refused."""

from __future__ import annotations

import pytest

from benchmarks import messages
from core.languages import Catalogue, Voice, say, say_count, speaking
from core.languages.catalogue import fault, faults, names, read_catalogue

HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'
PO = (
    HEAD + 'msgid "With {n} of {all:,} images"\nmsgstr "Mit {n} von {all:,} Bildern"\n\n'
    'msgctxt "count"\nmsgid "image"\nmsgid_plural "images"\nmsgstr[0] "Bild"\nmsgstr[1] "Bilder"\n\n'
    'msgctxt "count, dative"\nmsgid "image"\nmsgid_plural "images"\nmsgstr[0] "Bild"\nmsgstr[1] "Bildern"\n\n'
    'msgid "open"\nmsgstr ""\n\n#, fuzzy\nmsgid "unsure"\nmsgstr "unsicher"\n'
)


@pytest.fixture
def german() -> Voice:
    return Voice(read_catalogue(PO.encode(), "de"))


def test_a_message_is_filled_with_numbers_as_the_language_writes_them(german: Voice) -> None:
    assert say("With {n} of {all:,} images", n=3, all=1234) == "With 3 of 1,234 images"
    with speaking(german):
        assert say("With {n} of {all:,} images", n=3, all=1234) == "Mit 3 von 1.234 Bildern"
        assert say("open") == "open" and say("unsure") == "unsure" and say("not there {n}", n=0.5) == "not there 0,5"
    assert say("With {n} of {all:,} images", n=3, all=1234).startswith("With")


def test_nouns_have_the_form_of_their_number_and_of_their_case(german: Voice) -> None:
    assert [say_count(count, "image", "images") for count in (1, 2, 1000)] == ["1 image", "2 images", "1,000 images"]
    with speaking(german):
        assert [say_count(count, "image", "images") for count in (1, 2, 1000)] == ["1 Bild", "2 Bilder", "1.000 Bilder"]
        assert f"{say_count(2, 'image', 'images'):dative}" == "2 Bildern"
        assert say_count(2, "map", "maps") == "2 maps"


def test_the_wording_of_a_house_comes_before_the_catalogue(german: Voice) -> None:
    own = Voice(german.catalogue, {"With {n} of {all:,} images": "{n}/{all}"})
    with speaking(own):
        assert say("With {n} of {all:,} images", n=1, all=2) == "1/2"
    with speaking(Voice(Catalogue("en"), {"open": "unresolved"})):
        assert say("open") == "unresolved"


@pytest.mark.parametrize(
    ("english", "told", "why"),
    [
        ("With {n} images", "Mit {n} Bildern", ""),
        ("With {n:,} images", "Mit {n} Bildern", ""),
        ("{value:.2f} [{low:.2f}, {high:.2f}]", "{value:.2f} [{low:.2f}; {high:.2f}]", ""),
        ("{images} and {pairs}", "{pairs:dative} und {images:dative}", ""),
        ("With {n} images", "Mit Bildern", "lacks {n}"),
        ("With {n} images", "Mit {m} Bildern", "names {m}"),
        ("With {n} images", "Mit {n.__class__} Bildern", "names {n.__class__}"),
        ("With {n} images", "Mit {n[0]} Bildern", "names {n[0]}"),
        ("With {n} images", "Mit {n!r} Bildern", "in a form"),
        ("With {n} images", "Mit {n:>99999999} Bildern", "in a form"),
        ("With {n} images", "Mit {n:{n}} Bildern", "in a form"),
        ("With {n} images", "Mit {n} Bildern}", "brace"),
    ],
)
def test_a_translation_has_the_placeholders_of_its_text_and_no_others(english: str, told: str, why: str) -> None:
    found = fault(english, told)
    assert (why in found) if why else found == ""


def test_faults_name_the_message(german: Voice) -> None:
    assert faults(german.catalogue, ["With {n} of {all:,} images"]) == []
    (line,) = faults(german.catalogue, [])
    assert "With {n} of" in line and "is not a text of this version" in line


@pytest.mark.parametrize(("data", "code"), [(b"msgid x\n", "de"), (PO.encode(), "xx_nowhere"), (PO.encode(), "../de")])
def test_what_is_no_catalogue_is_refused_in_one_line(data: bytes, code: str) -> None:
    with pytest.raises(ValueError, match=r"catalogue|language") as refused:
        read_catalogue(data, code)
    assert "\n" not in str(refused.value)


def test_the_template_of_catalogues_is_current() -> None:
    found = messages.texts()
    assert messages.TEMPLATE.read_bytes() == messages.template(found), "run: PYTHONPATH=. python benchmarks/messages.py"
    assert len(found) > 1000 and all(not names(text.english) or "{" in text.english for text in found)


def test_the_check_of_the_template_sees_a_new_text() -> None:
    found = messages.texts()
    new = messages.Text("A text that nobody has written yet.", "core/new.py")
    assert messages.template([*found, new]) != messages.template(found)
