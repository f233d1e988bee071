"""How the texts of a rule's card are filled."""

from __future__ import annotations

import pytest

from core.languages import typeset
from core.rules.writing import NO_BREAK, filled, unbroken, without_empty


def test_numbers_are_printed_as_everywhere_and_texts_are_inserted_as_they_are() -> None:
    values = {"value": -0.351, "name": "-5% off.png", "count": 1234}
    assert filled("{value:.0%} of {name}, {value:+.2f}, {count:,}", values) == (
        "\u221235 % of -5% off.png, \u22120.35, 1,234"
    )
    with pytest.raises(KeyError):
        filled("{other}", values)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("35% [-3%, 9.5%]", "35 % [\u22123 %, 9.5 %]"),
        ("-.5 to -2", "\u2212.5 to \u22122"),
        ("-0.00 [-0.0, -0.005], -0% and -0. So -0.01", "0.00 [0.0, \u22120.005], 0 % and 0. So \u22120.01"),
        ("ViT-32, 3-5 images, 95 %", "ViT-32, 3-5 images, 95 %"),
    ],
)
def test_a_minus_is_a_sign_and_not_a_hyphen(text: str, expected: str) -> None:
    assert typeset(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Shown for RISE. Undecided: none. Fewer than 4 images: none.", "Shown for RISE."),
        ("Limit 0.05, beyond it: none. Shown for RISE.", "Shown for RISE."),
        ("Undecided: none.", "Undecided: none."),
        ("Between seeds: RISE 0.40; taken as 1: none. Excluded: none.", "Between seeds: RISE 0.40."),
        ("Between seeds: none; taken as 1: none. One passed.", "One passed."),
        ("Lower: none; higher: RISE.", "Lower: none; higher: RISE."),
        ("None is known: nonetheless. All hold.", "None is known: nonetheless. All hold."),
        ("Higher: none, lower: RISE.", "Higher: none, lower: RISE."),
    ],
)
def test_a_sentence_that_only_states_an_absence_is_left_out(text: str, expected: str) -> None:
    assert without_empty(text) == expected


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("89 % [70 %, 97 %], n = 24", "89~% [70~%,~97~%], n~=~24"),
        ("−0.31 [−0.40, −0.25], n = 4 images", "−0.31 [−0.40,~−0.25], n~=~4 images"),
        ("p < 0.0001, R² = 0.9 at β = 3", "p~<~0.0001, R²~=~0.9 at β~=~3"),
        ("7 × 7 cells of 32 px, 0.2 ± 0.1 nats", "7~×~7~cells of 32~px, 0.2~±~0.1~nats"),
        ("11.1 MB in 41 s", "11.1~MB in 41~s"),
        ("5 shapes, 3 hats, [no interval], a = b", "5 shapes, 3 hats, [no interval], a = b"),
        ("< 0.0001", "<~0.0001"),
    ],
)
def test_no_line_ends_inside_a_value(text: str, bound: str) -> None:
    assert unbroken(text) == bound.replace("~", NO_BREAK)
    assert unbroken(unbroken(text)) == unbroken(text) and unbroken(text).replace(NO_BREAK, " ") == text


def test_a_long_text_is_bound_in_one_pass() -> None:
    assert unbroken("[1, " * 20_000).count(NO_BREAK) == 0 and len(unbroken("9 %" * 20_000)) == 60_000
