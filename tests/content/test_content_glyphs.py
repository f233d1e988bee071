"""What no font can draw is found by the fonts' own tables, and told with the package that brings a font."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.content import glyphs
from core.content.glyphs import CJK, CORE, EMOJI, unreadable, warning
from tests.support.tiny_font import tiny_font

NONE: tuple[Path, ...] = ()


def found(text: str, files: tuple[Path, ...] = NONE) -> dict[str, tuple[str, str]]:
    return {part.script: (part.characters, part.package) for part in unreadable(text, files)}


@pytest.mark.parametrize(
    ("text", "script", "package"),
    [
        ("一只红色的猫", "Han", CJK),
        ("ねこ", "Hiragana", CJK),
        ("ネコ", "Katakana", CJK),
        ("고양이", "Hangul", CJK),
        ("。", "East Asian signs", CJK),
        ("قطة", "Arabic", CORE),
        ("חתול", "Hebrew", CORE),
        ("बिल्ली", "Devanagari", CORE),
        ("แมว", "Thai", CORE),
        ("😀", "emoji and pictographs", EMOJI),
        ("\ue000", "private use", ""),
        ("\U0001fffd", "unassigned", ""),
    ],
)
def test_each_script_names_its_package(text: str, script: str, package: str) -> None:
    assert found(text) == {script: ("".join(sorted(set(text))), package)}


def test_a_font_that_has_the_characters_makes_them_readable(tmp_path: Path) -> None:
    font = tiny_font(tmp_path / "a.ttf", "一只猫قط")
    assert found("一只猫", (font,)) == {}
    assert found("一只红猫", (font,)) == {"Han": ("红", CJK)}
    # Two fonts together have what neither has alone.
    other = tiny_font(tmp_path / "b.ttf", "红")
    assert found("一只红猫", (font, other)) == {}


def test_the_own_fonts_and_what_has_no_ink_count_as_drawn() -> None:
    assert found("Käfer, été — “niño” кот α\u00a0\u200d\ufe0f\u202e\u3000\u3164") == {}
    assert ord("é") in glyphs.own_characters() and ord("猫") not in glyphs.own_characters()


def test_an_emoji_of_several_characters_is_told_by_those_with_ink() -> None:
    assert found("🏳️‍🌈") == {"emoji and pictographs": ("🌈🏳", EMOJI)}


def test_the_warning_is_readable_itself_and_names_what_to_install() -> None:
    line = warning(unreadable("猫😀\ue000", NONE))
    assert line.isascii() and line == (
        "In the PDF 3 characters appear as boxes, because no font on the machine that makes it contains them "
        "(Han: U+732B; emoji and pictographs: U+1F600; private use: U+E000). Install the Debian packages "
        "fonts-noto-cjk (Noto Sans CJK), fonts-noto-color-emoji (Noto Color Emoji) and generate the report again."
    )
    assert warning(unreadable("猫", NONE)).count("it (Han: U+732B). Install the Debian package fonts-noto-cjk") == 1
    assert "Install" not in warning(unreadable("\ue000", NONE)) and warning(()) == ""
    assert "U+4E07 and 12 more" in warning(unreadable("".join(map(chr, range(0x4E00, 0x4E14))), NONE))


def test_a_file_that_is_no_font_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.ttf").write_bytes(b"no font")
    with pytest.raises(ValueError, match="is not a font"):
        unreadable("猫", (tmp_path / "x.ttf",))
