"""What the full edition prints from cards and data files is translated; what others brought stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import messages
from core.content.assets import Assets
from core.content.context import ReportContext
from core.content.recognition import loading_lines
from core.evaluation.metrics import METRICS
from core.findings import consensus_methods
from core.languages import load_catalogue, speaking, voice_of
from core.methods import METHODS
from core.reporting import requirements
from core.reporting.cards import cards
from core.reporting.detection import detection_record, detection_sentence
from core.reporting.requirements import FOLDER, details, frameworks
from core.rules import Context
from core.runs import Declared
from core.terms import ENTRIES
from tests.support.made_run import made_run

# What is the same in both languages: names of methods and measures, and numbers of requirements.
SAME = {
    "Attribution", "Annotation", "Jaccard", "KernelSHAP", "Prompt", "R²", "Superpixel", "Synset", "Storey",
    "Sensitivity-n", "Infidelity", "ROAD", "Gini", "Sens.", "Infid.", "Entr.",
}  # fmt: skip


def test_every_text_of_cards_and_data_files_has_another_one_in_german() -> None:
    told = load_catalogue("de").messages
    texts = [text for text in (*messages._of_cards(), *messages._of_data()) if text.english]
    places = {text.place.split()[0] for text in texts}
    assert {"method", "framework", "core/terms.toml", "core/evaluation/metrics.py"} <= places
    same = {text.english for text in texts if told.get(text.english, text.english) == text.english}
    assert {text for text in same - SAME if not text.startswith(("MEASURE ", "{", "CLIP (OpenAI)", "MIT,"))} == set()


def test_the_cards_of_methods_are_printed_in_german(tmp_path: Path) -> None:
    context = Context(made_run(tmp_path / "run", images=4, methods=("raw", "rise")))
    made = ReportContext(context, (), Assets(), consensus_methods(context))
    with speaking(voice_of("de")):
        german = {card.title: {fact.name: fact.value for fact in card.facts} for card in cards(made)}
    assert german["RISE"]["Idea"].startswith("Verdeckt viele Male zufällige Teile des Bildes")
    assert german["RISE"]["Unit"].startswith("Kosinus, von verdeckt zu sichtbar")
    assert {fact.value for card in cards(made) for fact in card.facts if fact.name == "Idea"} == {
        METHODS["raw"].idea, METHODS["rise"].idea,
    }  # fmt: skip


def test_a_framework_of_a_user_stays_in_its_own_language(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'id = "own"\ntitle = "House rules {a}"\nedition = "2026"\nsource = "intranet"\nchecked = 2026-01-02\n'
        'note = "Ours."\n[[requirements]]\nid = "1"\nparaphrase = "Be careful."\nrules = ["data.*"]\n'
        'limits = "Human oversight was not examined."\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(requirements, "frameworks", lambda: (*frameworks(tmp_path), *frameworks(FOLDER)))
    with speaking(voice_of("de")):
        section = details((), Declared(title="t", purpose="p", provenance=""))
    own, act = section.tables[0], section.tables[1]
    assert own.rows[0][:2] == ("1", "Be careful.") and "House rules {a}: 2026. intranet" in section.sentences[0]
    assert "2. Januar 2026" in section.sentences[0]
    # A text that the product has too is printed in its translation.
    assert own.rows[0][-1] == "Die menschliche Aufsicht wurde nicht untersucht."
    assert act.rows[0][0] == "Art. 9 Abs. 2 und 6" and "Risiken" in act.rows[0][1]


def test_the_record_of_planted_flaws_and_the_measures_are_named_in_german() -> None:
    rule = detection_record().limit[4].rules[0]
    with speaking(voice_of("de")) as _:
        assert "Planted" not in detection_sentence(rule, ())
    assert "mark in a corner" in detection_sentence(rule, ())
    assert {voice_of("de").message(metric.direction) for metric in METRICS} == {
        "höher ist besser", "niedriger ist besser", "keine Richtung ist besser",
    }  # fmt: skip


def test_a_german_entry_of_the_glossary_names_the_terms_that_its_english_one_names() -> None:
    told = voice_of("de").message
    opinion = next(entry for entry in ENTRIES if entry.term == "Opinion")
    for verdict in ("Concerns", "No material concern", "Cannot conclude"):
        assert verdict in opinion.definition and told(verdict) in told(opinion.definition)
    template = next(entry for entry in ENTRIES if entry.term == "Template")
    assert "{}" in told(template.definition)


def test_what_was_recognised_is_told_in_words_of_the_language() -> None:
    found = {
        "kind": "open_clip", "context_length": 77, "image_pooling": "class token", "notes": ["a line of the loader"],
        "text_pooling": "first end token (id 49407)", "image_activation": "QuickGELU", "text_activation": "not known",
    }  # fmt: skip
    english = dict(loading_lines(found))
    assert english["Pooling"] == "class token (image), first end token (id 49407) (text)"
    assert english["Context length"] == "77 tokens"
    with speaking(voice_of("de")):
        german = dict(loading_lines(found))
    assert german["Pooling"] == "Klassentoken (Bild), erstes End-Token (Nummer 49407) (Text)"
    assert german["Activations (names in the code)"] == "QuickGELU (Bild), nicht bekannt (Text)"
    # Recorded while the model was loaded.
    assert german["Anmerkung zum Laden"] == "a line of the loader"
