"""How numbers are written, how samples are chosen, and that the package stays light."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from core.content import words as words
from core.content.assets import Assets
from core.evaluation.summary import summarise
from core.languages import speaking, voice_of
from core.reporting.annex import annexes
from core.reporting.gallery import Plates, choose
from core.rules.finding import Sample as FindingSample
from core.runs.store import RunState
from core.settings import ROOT
from pages.parts import state
from tests.support.contexts import context_of
from tests.support.made_run import made_run


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((0.314, 0.24, 0.38, 24), "0.31 [0.24, 0.38], n = 24"),
        ((-0.314, -0.4, 0.001, 24), "\u22120.31 [\u22120.40, 0.001], n = 24"),
        ((0.5, None, None, 1), "0.50 [no interval], n = 1"),
        ((None, None, None, 0), "not measured, n = 0"),
        ((float("nan"), None, None, 3), "not measured, n = 3"),
    ],
)
def test_measured(arguments: tuple[float, float, float, int], wanted: str) -> None:
    assert words.measured(*arguments) == wanted


def test_no_zero_is_negative() -> None:
    assert words.number(-0.0) == words.number(0.0) == "0.000" and words.amount(-0.0) == "0"
    assert words.bounded(-0.0, -0.0, 0.1) == "0.00 [0.00, 0.10]" and words.number(-0.001, 3).startswith(words.MINUS)


def test_small_words() -> None:
    assert words.plural(1, "image") == "1 image" and words.plural(1200, "class", "classes") == "1,200 classes"
    assert words.size(999) == "999 bytes" and words.size(2_500_000) == "2.5 MB"
    assert words.share(3, 12) == "3 of 12 (25 %)" and words.share(0, 0) == "0 of 0"
    assert words.moment("2026-01-15T10:41:30+01:00") == "2026-01-15 09:41 UTC"
    assert words.moment(None) == "not recorded"


def test_a_small_share_has_one_decimal_sign() -> None:
    assert words.percent(-0.007) == "\u22120.7 %" and words.percent(12) == "1,200 %"
    with speaking(voice_of("de")):
        assert words.percent(-0.007) == "\u22120,7\u202f%" and words.percent(12) == "1.200\u202f%"


def test_samples_follow_the_stated_rule(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=6, methods=("raw", "m2ib", "rise"))
    summary = summarise(run)
    everything, rule = choose(context_of(run, summary=summary))
    assert len(everything) == 6 and rule == "All 6 explained images are shown, in the order of their names."
    chosen, rule = choose(context_of(run, summary=summary), most=4)
    assert chosen == choose(context_of(run, summary=summary), most=4)[0]
    assert len(dict(chosen)) == len(chosen) == 4 and "Of 6 explained images 4 are shown" in rule
    agreement = summary.pair_agreement.groupby("image").value.mean()
    assert chosen[0] == (agreement.idxmin(), "lowest mean agreement between methods")
    assert chosen[1] == (agreement.idxmax(), "highest mean agreement between methods")


def test_plates_name_method_scale_and_image(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw", "m2ib"))
    plates = Plates(run, Assets())
    sample = plates.sample(run.plan.images[0], "because")
    assert sample is not None and len(sample.rows) == 2
    photo, raw, m2ib = sample.rows[0].heats
    assert (photo.bar, raw.title, m2ib.title) == ("", "Raw similarity", "Information bottleneck (M2IB)")
    assert "cosine similarity" in raw.caption and raw.low == raw.high.replace("0", "\u22120", 1)
    assert sample.name in raw.alt and m2ib.low == "0"
    assert [word.text for word in sample.rows[1].words[0].words] == sample.rows[1].text.split()
    assert plates.sample("0" * 16, "") is None


def test_reporting_never_imports_torch() -> None:
    code = (
        "import sys, core.reporting.report, core.reporting.pdf, core.content.heat, core.content.charts\n"
        "assert 'torch' not in sys.modules and 'weasyprint' not in sys.modules, 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_pages_and_report_use_the_same_words_for_a_state(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=6, failed=1)
    word, colour = state.state_of(run.progress())
    annex = next(section for section in annexes(context_of(run), {}) if section.title.startswith("Run log"))
    assert {fact.name: fact.value for fact in annex.facts}["State"] == word == "finished with errors"
    assert colour == "orange"
    assert set(words.STATES) == set(get_args(RunState))
    unknown = replace(run.progress(), state="<b>owned")  # type: ignore[arg-type]
    assert words.state_word(unknown) == "in an unknown state"


def test_a_report_counts_as_finished_while_it_is_written(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    done = words.reported_state(run.progress())
    run.store.set(state="reporting")
    assert words.reported_state(run.progress()) == done == "finished"
    run.store.set(state="reporting")
    assert words.reported_state(run.progress(), "done_with_errors") == "finished with errors"
    assert words.reported_state(run.progress(), "<b>") == words.reported_state(run.progress(), None) == "finished"


def test_no_template_decides_by_a_text() -> None:
    texts = re.compile(r"\.(title|name|caption|value|text)\s*(==|!=|<|>)|\.control\[|\.(title|name|caption) in ")
    for path in (ROOT / "templates").rglob("*.j2"):
        for tag in re.findall(r"\{[%{].*?[%}]\}", path.read_text()):
            assert not texts.search(tag), (path.name, tag)
    assert texts.search("{% if column.title == 'Severity' %}")


def test_a_condition_is_cut_at_the_end_of_a_sentence_alone() -> None:
    text = "The share is 0.5 [0.2, 0.7] in a.jpg. \u201cDog\u201d leads. It would take 12 images."
    assert words.first_sentences(text, 1000) == text
    assert words.first_sentences(text, len(text) - 1) == "The share is 0.5 [0.2, 0.7] in a.jpg. \u201cDog\u201d leads."
    assert words.first_sentences(text, 5) == "The share is 0.5 [0.2, 0.7] in a.jpg."
    assert words.first_sentences("", 5) == ""


@pytest.mark.parametrize(
    ("value", "digits", "wanted"),
    [
        (4e-6, 2, "< 0.0001"),
        (-4e-6, 2, "> \u22120.0001"),
        (0.0003, 2, "0.0003"),
        (0.0096, 2, "0.01"),
        (0.3, 0, "0.3"),
        (274.652, 3, "274.7"),
        (1380.4, 2, "1,380"),
        (12.345, 3, "12.345"),
    ],
)
def test_small_and_large_numbers_have_one_form(value: float, digits: int, wanted: str) -> None:
    assert words.number(value, digits) == wanted
    assert "e" not in words.number(value * 1e-9, digits) and "e" not in words.number(value * 1e9, digits)


def test_a_small_value_has_the_places_of_its_interval() -> None:
    assert words.bounded(4e-6, -0.02, 0.02) == "0.00 [\u22120.02, 0.02]"
    assert words.bounded(0.008, -0.01, 0.03) == "0.01 [\u22120.01, 0.03]"
    # Where the interval is as small as the value, its digits count.
    assert words.bounded(0.0003, 0.0002, 0.0005) == "0.0003 [0.0002, 0.0005]"


def test_raw_values_and_shares_of_few_units() -> None:
    assert words.amount(-6.65e-5) == "\u22120.0000665" and words.amount(1384.0) == "1,380"
    assert words.amount(3e-12) == "3 \u00d7 10^\u221212"
    assert words.part_of(0.125, 8) == "1 of 8" and words.part_of(0.125, 80) == "12 %"
    assert words.percent(4e-8) == "< 0.01 %" and words.part_of(float("nan"), 8) == "n/a"


def test_a_text_is_cut_between_words() -> None:
    assert words.shorten("a koala sits in the fork of a tree", 20) == "a koala sits in the\u2026"
    assert words.shorten("a koala sits in the fork of a tree", 17) == "a koala sits in\u2026"
    assert words.shorten("windmill_khokhlovka.jpg", 12) == "windmill_kh\u2026"


def test_a_finding_shows_the_maps_of_its_text_and_of_no_other(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",))
    flagged = run.plan.images[1]
    plates = Plates(run, Assets(), flags={flagged: ("blurred",)})
    rows = plates.rows[plates.rows.image == run.plan.images[0]]
    for text in dict.fromkeys(rows.text):
        (sample,) = plates.finding_samples([FindingSample(image=run.plan.images[0], image_name="a", text=text)])
        assert [row.text for row in sample.rows] == [text] and sample.rows[0].heats[1].alt.count(f"the text {text};")
    # Neither a text without a map nor none at all is answered with the map of another text.
    for other, facts in (("never explained", "not explained on this image"), (None, "")):
        (sample,) = plates.finding_samples([FindingSample(image=flagged, image_name="b", text=other, note="seen")])
        assert [(row.text, row.facts) for row in sample.rows] == [(other or "", facts)]
        assert len(sample.rows[0].heats) == 1 and sample.why == "seen; flagged: blurred"
    with speaking(voice_of("de")):
        (sample,) = plates.finding_samples([FindingSample(image=flagged, image_name="b", text="none", note="x")])
    assert sample.why == "x; markiert: unscharf"
