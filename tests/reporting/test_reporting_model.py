"""What the report says of the files of a model: what was recognised, and every resize."""

from __future__ import annotations

from core.content.recognition import loading_lines
from core.models.geometry import Preprocessing
from core.reporting.subject import _prepared


def test_what_was_recognised_and_every_note_are_facts() -> None:
    found = {
        "kind": "CLIPModel",
        "image_activation": "QuickGELU",
        "text_activation": "GELU",
        "image_pooling": "class token",
        "text_pooling": "first end token (id 1)",
        "context_length": 20,
        "tokenizer": "CLIPTokenizer",
        "notes": ["The positions were interpolated.", "A teacher was left out."],
    }
    facts = loading_lines(found)
    assert ("Kind of files", "CLIPModel") in facts
    assert ("Activations (names in the code)", "QuickGELU (image), GELU (text)") in facts
    assert ("Pooling", "class token (image), first end token (id 1) (text)") in facts
    assert ("Context length", "20 tokens") in facts
    assert [value for name, value in facts if name == "Note on loading"] == found["notes"]
    # A run of an earlier version has nothing of it.
    assert loading_lines({}) == []


def test_a_resize_before_the_crop_is_printed() -> None:
    for resized, told in (
        (37, "shortest edge 37 pixels, then cropped"),
        ((41, 35), "to 35 \u00d7 41 pixels, then cropped"),
    ):
        section = _prepared(Preprocessing(32, 32, resized=resized).as_dict())  # type: ignore[arg-type]
        assert any(told in fact.value for fact in section.facts)
    plain = _prepared(Preprocessing(32, 32).as_dict())
    assert not any("cropped" in fact.value for fact in plain.facts)
