"""How numbers are written, how samples are chosen, and that the package stays light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.evaluation.summary import summarise
from core.reporting import words
from core.reporting.assets import Assets
from core.reporting.gallery import Plates, choose
from core.settings import ROOT
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


def test_small_words() -> None:
    assert words.plural(1, "picture") == "1 picture" and words.plural(1200, "class", "classes") == "1,200 classes"
    assert words.size(999) == "999 bytes" and words.size(2_500_000) == "2.5 MB"
    assert words.share(3, 12) == "3 of 12 (25 %)" and words.share(0, 0) == "0 of 0"
    assert words.moment("2026-01-15T10:41:30+01:00") == "2026-01-15 09:41 UTC"
    assert words.moment(None) == "not recorded"


def test_samples_follow_the_stated_rule(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", images=6, methods=("raw", "m2ib", "rise"))
    summary = summarise(run)
    everything, rule = choose(run, summary)
    assert len(everything) == 6 and rule == "All 6 explained pictures are shown, ordered by name."
    chosen, rule = choose(run, summary, most=4)
    assert chosen == choose(run, summary, most=4)[0]
    assert len(dict(chosen)) == len(chosen) == 4 and "Of 6 explained pictures 4 are shown" in rule
    agreement = summary.pair_agreement.groupby("image").value.mean()
    assert chosen[0] == (agreement.idxmin(), "lowest mean agreement between methods")
    assert chosen[1] == (agreement.idxmax(), "highest mean agreement between methods")


def test_plates_name_method_scale_and_picture(tmp_path: Path) -> None:
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
        "import sys, core.reporting.report, core.reporting.pdf, core.reporting.heat, core.reporting.charts\n"
        "assert 'torch' not in sys.modules and 'weasyprint' not in sys.modules, 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
