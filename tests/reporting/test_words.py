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
from core.reporting.annex import annexes
from core.reporting.gallery import Plates, choose
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
