"""Rules that need English conclude nothing for texts in other languages, and say how certain the language is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from core.findings.judgement import every_rule
from core.findings.language_guard import foreign, guarded, texts_of
from core.rules import Finding

ENGLISH = (
    "a red cat is sitting on the green grass",
    "two dogs are running along the beach in the morning",
    "a boat with white sails on the lake",
)
GERMAN = (
    "eine rote Katze sitzt auf der gr\u00fcnen Wiese",
    "zwei Hunde laufen am Morgen \u00fcber den Strand",
    "ein Boot mit wei\u00dfen Segeln auf dem See",
)
CHINESE = ("\u4e00\u53ea\u7ea2\u8272\u7684\u732b\u5750\u5728\u8349\u5730\u4e0a",)


class Context:
    """As much of a context as the guard reads."""

    def __init__(self, captions: tuple[str, ...] = (), prompts: tuple[str, ...] = (), classes: tuple[str, ...] = ()):
        images = tuple(SimpleNamespace(id=str(at), captions=(text,)) for at, text in enumerate(captions))
        texts = SimpleNamespace(captions=bool(captions), captions_each=1, prompts=prompts, classes=classes)
        plan = SimpleNamespace(images=tuple(image.id for image in images), texts=texts)
        self.run = SimpleNamespace(plan=plan, dataset=SimpleNamespace(images=images))

    def once(self, work_out: Any) -> Any:
        return work_out(self)


def finding(identity: str = "words.function.raw") -> Finding:
    return Finding(
        id=identity, rule="words.function", subject="explanations", title="t", status="finding", severity="high",
        condition="c", criterion="criterion", threshold="",
    )  # fmt: skip


def told(**texts: tuple[str, ...]) -> list[Finding]:
    return list(guarded([finding("a.one"), finding("a.two")], Context(**texts)))  # type: ignore[arg-type]


@pytest.mark.parametrize("texts", [GERMAN, CHINESE, GERMAN[:1] + ENGLISH[:2]])
def test_other_languages_give_one_inconclusive_outcome(texts: tuple[str, ...]) -> None:
    for place in ("captions", "prompts", "classes"):
        (only,) = told(**{place: texts})
        assert (only.id, only.status, only.severity) == ("words.function", "cannot_conclude", "note")
        n = len(texts)
        assert (only.n, only.unit) == (n, "texts") and f"language of {n} of {n} {place} is certain" in only.condition
        assert "probability of at least 0.9" in only.condition and only.criterion == "criterion"
        assert ("German" in only.condition) == (texts != CHINESE)


def test_english_texts_are_judged() -> None:
    assert [each.id for each in told(captions=ENGLISH)] == ["a.one", "a.two"]
    # One in eleven may be something else, such as a quotation; two may not.
    more = tuple(f"{text} near house number {at}" for at in range(4) for text in ENGLISH)
    assert [each.status for each in told(prompts=(*more, GERMAN[0]))] == ["finding", "finding"]
    assert [each.status for each in told(prompts=(*more, *GERMAN[:2]))] == ["cannot_conclude"]


def test_short_texts_are_uncertain_and_decide_nothing() -> None:
    short = ("Hund", "Katze", "rotes Auto")
    assert [each.status for each in told(classes=short)] == ["finding", "finding"]
    reason, n = foreign(Context(classes=(*short, *GERMAN)))  # type: ignore[arg-type]
    assert n == 3 and "The language of 3 of 6 classes is certain" in reason
    # A single word with an accent is as uncertain as one without.
    assert foreign(Context(classes=("caf\u00e9", "pi\u00f1ata", "K\u00e4fer"))) == ("", 0)  # type: ignore[arg-type]


def test_one_kind_of_text_does_not_hide_another() -> None:
    many = tuple(f"{ENGLISH[0]} near house number {at}" for at in range(100))
    assert "captions" in foreign(Context(captions=GERMAN, prompts=many))[0]  # type: ignore[arg-type]


def test_only_texts_that_are_explained_count() -> None:
    context = Context(captions=GERMAN, prompts=ENGLISH)
    assert texts_of(context) == {"captions": [*GERMAN], "prompts": [*ENGLISH]}  # type: ignore[arg-type]
    context.run.plan.texts.captions = False
    assert texts_of(context) == {"prompts": [*ENGLISH]}  # type: ignore[arg-type]


def test_the_rules_on_words_need_english_and_those_on_pixels_do_not() -> None:
    needing = {rule.id for rule in every_rule() if rule.english}
    assert {"words.function", "words.ignored", "words.merged", "word_maps.function", "reliance.concept"} <= needing
    assert not needing & {"pairs.captions", "mosaic.share", "data.quality", "texts.language"}
