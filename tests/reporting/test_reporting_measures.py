"""The compact table of further measures, what unrelated maps correlate by, and consensus in the gallery."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.content.assets import Assets
from core.content.words import number
from core.evaluation.agreement import consensus
from core.evaluation.gains import Gains
from core.evaluation.metrics import FURTHER, MAIN, STORED
from core.evaluation.summary import Summary, summarise
from core.findings import Finding
from core.reporting.cards import absent
from core.reporting.curve_sentences import gain_sentences, points_sentences
from core.reporting.document import build_report
from core.reporting.front import overview
from core.reporting.gallery import Plates
from core.reporting.measures import other_measures
from core.reporting.trust import _difference, against_control, trust
from core.runs import Run
from core.settings import ROOT
from core.statistics.intervals import METHOD
from tests.findings.pinned import PINNED
from tests.support.contexts import context_of
from tests.support.made_run import made_run

NAMES = [metric.name for metric in FURTHER]
METHODS = ("raw", "m2ib", "rise", "gradcam")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("made") / "run", images=8, methods=METHODS, further=True)


@pytest.fixture(scope="module")
def summary(run: Run) -> Summary:
    return summarise(run)


def test_one_table_has_a_row_a_map_and_a_column_a_measure(run: Run, summary: Summary) -> None:
    table, _ = other_measures(context_of(run, summary=summary)).tables
    assert [len(row) for row in table.rows] == [1 + len(FURTHER)] * (len(METHODS) + 3)
    assert [row[0].endswith("(control)") for row in table.rows] == [False] * 4 + [True] * 3
    assert len(table.columns) == 1 + len(FURTHER)
    assert sum(column.share for column in table.columns) <= 100
    assert "n = 8 images" in table.caption and "trust.csv" in table.more
    trusted = summary.trust.set_index(["method", "metric"])["value"]
    row = next(row for row in table.rows if "RISE" in row[0])
    at = 1 + NAMES.index("infidelity")
    assert row[at] == number(trusted["rise", "infidelity"], 2) != number(trusted["raw", "infidelity"], 2)
    assert table.columns[at].title == "Infid. \u2193"
    assert table.columns[1].title.endswith("\u2191") and table.columns[-1].title == FURTHER[-1].short == "Rough."
    assert row[1 + NAMES.index("sufficiency")] == ""


def test_a_run_from_before_has_no_such_table(tmp_path: Path) -> None:
    old = made_run(tmp_path / "run", images=4, methods=("raw", "m2ib"))
    sections = {section.title: section for section in trust(context_of(old))}
    assert "Faithfulness and controls" in sections
    further = [sections[title] for title in ("Other measures",) if title in sections]
    heads = {column.title.split()[0] for section in further for column in section.tables[0].columns}
    assert not {metric.short for metric in FURTHER if metric in STORED} & heads


def test_the_main_table_stays_as_it_was(run: Run, summary: Summary) -> None:
    sections = {section.title: section for section in trust(context_of(run, summary=summary))}
    (main,) = sections["Faithfulness and controls"].tables
    assert [column.title.rpartition(", ")[2] for column in main.columns] == ["Map", *["n = 8"] * len(MAIN)]
    assert list(sections).index("Other measures") > list(sections).index("Faithfulness and controls")


def test_medians_stand_beside_means_that_are_divided_by_a_gain(run: Run, summary: Summary) -> None:
    sections = {section.title: section for section in trust(context_of(run, summary=summary))}
    (main,) = sections["Faithfulness and controls"].tables
    means = summary.trust.set_index(["method", "metric"])
    row = next(row for row in main.rows if "RISE" in row[0])
    for at, metric in enumerate(MAIN, start=1):
        value = means.loc[("rise", metric.name)]
        assert row[at].startswith(number(value["value"], 2))
        assert row[at].endswith(f", median {number(value['median'], 2)}") == bool(metric.divisor)
    assert [metric.name for metric in MAIN if not metric.divisor] == ["correlation"]
    table, _ = other_measures(context_of(run, summary=summary)).tables
    row, blur = next(row for row in table.rows if "RISE" in row[0]), means.loc[("rise", "blur_faithfulness")]
    assert row[1 + NAMES.index("blur_faithfulness")] == f"{number(blur['value'], 2)} ({number(blur['median'], 2)})"
    assert "(" not in row[1 + NAMES.index("infidelity")]


@pytest.mark.parametrize(
    ("gains", "expected", "absent"),
    [
        (
            Gains(0.1573, 48, 10, 24, 0),
            "10 of 48 (21 %) image-text pairs have a gain below 0.157 (50 % of the median",
            "No pair",
        ),
        (Gains(0.1573, 48, 10, 24, 3), "No pair with a value is left for 3 images of 24.", "all are counted"),
        (Gains(0.1573, 48, 2, 24, 0), "2 of 48 (4 %) image-text pairs", "is left for"),
        (
            Gains(0.1573, 48, 0, 24, 0),
            "No image-text pair has a gain below 0.157 (50 % of the median gain), so all are counted",
            "left out",
        ),
        (
            Gains(0.1573, 48, 10, 24, 3, 4),
            "controls. No area is known for 4 pairs more: the image raises the score by less than 0.01. No pair",
            "all are counted",
        ),
    ],
)
def test_pairs_without_a_value_are_counted(summary: Summary, gains: Gains, expected: str, absent: str) -> None:
    (sentence,) = gain_sentences(replace(summary, gains=gains))
    assert expected in sentence and absent not in sentence
    assert gain_sentences(replace(summary, gains=Gains())) == ()


def test_agreement_is_set_beside_that_of_other_images(run: Run, summary: Summary) -> None:
    section = next(s for s in trust(context_of(run, summary=summary)) if s.title == "Agreement between methods")
    assert any("images paired at random" in sentence for sentence in section.results)
    first = section.tables[0].rows[0]
    row = summary.agreement.sort_values("value", kind="stable").iloc[0]
    assert first[-1] == number(row.chance, 2) != first[-2]
    # Their tops lie elsewhere in each image: by chance less than on the same one.
    best = summary.agreement.sort_values("value").iloc[-1]
    assert best.value > best.chance_high > best.chance


def test_the_first_row_of_the_first_image_ends_with_consensus_and_disagreement(run: Run) -> None:
    both = {"caption": ("m2ib", "rise"), "class": ("m2ib", "rise")}
    plates = Plates(run, Assets(), {}, both)
    image = run.plan.images[0]
    sample = plates.sample(image, "", agreed=True)
    plain = plates.sample(image, "")
    assert sample is not None and plain is not None
    assert [heat.title for heat in sample.rows[0].heats[-2:]] == ["Consensus", "Disagreement"]
    assert "2 methods, above every control for captions" in sample.rows[0].heats[-1].caption
    assert len(sample.rows[0].heats) == len(plain.rows[0].heats) + 2
    assert len(sample.rows[1].heats) == len(plain.rows[1].heats)
    rows = plates.rows[(plates.rows.image == image) & (plates.rows.text_kind == "caption")]
    grids = {row.method: np.asarray(row.map).reshape(int(row.rows), int(row.columns)) for row in rows.itertuples()}
    mean, _ = consensus([grids["m2ib"], grids["rise"]])
    assert sample.rows[0].heats[-2].high == f"{mean.max():.3g}"
    everything, _ = consensus(list(grids.values()))
    assert sample.rows[0].heats[-2].high != f"{everything.max():.3g}"
    none = Plates(run, Assets(), {}, {"caption": (), "class": ()}).sample(image, "", agreed=True)
    assert none is not None and "not shown to be above every control for cap" in none.rows[0].heats[-1].caption
    assert "4 methods" in none.rows[0].heats[-1].caption
    assert none.rows[0].facts.endswith("; no method is shown to beat every control for captions")


def test_maps_of_texts_for_which_methods_are_trusted_stand_first_and_the_others_say_so(run: Run) -> None:
    image = run.plan.images[0]
    sample = Plates(run, Assets(), {}, {"caption": (), "class": ("rise",)}).sample(image, "", agreed=True)
    assert sample is not None
    assert [row.facts.partition(",")[0] for row in sample.rows] == ["class", "caption"]
    assert "no method is shown" in sample.rows[1].facts and "no method is shown" not in sample.rows[0].facts
    untested = Plates(run, Assets()).sample(image, "")
    assert untested is not None
    assert [row.facts.partition(",")[0] for row in untested.rows] == ["caption", "class"]
    assert not any("is shown" in row.facts for row in untested.rows)


@pytest.mark.parametrize(
    ("low", "high", "p", "word"),
    [
        (0.1, 0.3, 0.01, "beats it"),
        (0.1, 0.3, 0.44, "not shown"),
        (-0.3, -0.1, 0.01, "worse"),
        (-0.3, -0.1, 0.44, "not shown"),
        (-0.1, 0.1, 0.01, "not shown"),
        (None, None, 0.01, "not shown"),
        (-0.3, -0.1, float("nan"), "not shown"),
    ],
)
def test_better_and_worse_need_an_interval_and_a_p_value(
    low: float | None, high: float | None, p: float, word: str
) -> None:
    assert against_control(SimpleNamespace(low=low, high=high, p_adjusted=p), PINNED) == word


@pytest.mark.parametrize(("p", "printed"), [(0.07, "p = 0.070"), (0.00001, "p < 0.0001"), (float("nan"), "p n/a")])
def test_a_p_value_has_one_sign_of_relation(p: float, printed: str) -> None:
    row = SimpleNamespace(value=0.1, low=-0.1, high=0.3, n=75, p_adjusted=p)
    assert _difference(row, PINNED, None) == f"0.10 [\u22120.10, 0.30], n = 75, {printed}: not shown"


def test_an_application_that_was_not_run_is_no_method(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    told = [*run.manifest["not_run"], ["segmentation", "data set", "needs labels"]]
    run.update_manifest(not_run=told)
    summary = summarise(run)
    assert ("segmentation", "data set", "needs labels") in summary.not_run
    table = absent(context_of(run, summary=summary))
    assert table is None or all("egmentation" not in str(row[0]) for row in table.rows)
    assert build_report(context_of(run, summary=summary), evidence_sha256="0" * 64, files={})


def test_metrics_of_maps_alone_make_no_chapter_on_faithfulness(run: Run, summary: Summary) -> None:
    alone = replace(summary, trust=summary.trust[summary.trust.metric == FURTHER[-1].name], versus=summary.versus[:0])
    assert len(alone.trust), "a metric of maps alone is measured without curves"
    titles = [section.title for section in trust(context_of(run, summary=alone))]
    assert "Faithfulness and controls" not in titles
    assert "Faithfulness and controls" in [section.title for section in trust(context_of(run, summary=summary))]


def test_findings_on_the_explanations_are_in_the_summary_whatever_was_tested(run: Run, summary: Summary) -> None:
    none = replace(summary, trust=summary.trust[:0], versus=summary.versus[:0])
    finding = Finding(
        id="x", rule="x", subject="explanations", title="Maps are constant", status="finding", severity="high",
        condition="c", criterion="c", threshold="",
    )  # fmt: skip
    for one, words in (
        (none, "No map was tested against controls"),
        (summary, "No method was tested against the controls for any kind of text. Not tested, with fewer than 12"),
    ):
        context = context_of(run, summary=one, findings=[finding])
        told = overview(context, Plates(run, context.assets, ()), ()).confidence
        assert words in told and told.endswith(" Findings on the explanations: Maps are constant (High).")
        # The companion: a finding about the images is in the register alone.
        other = context_of(run, summary=one, findings=[finding.model_copy(update={"subject": "data"})])
        assert "Findings on the explanations" not in overview(other, Plates(run, other.assets, ()), ()).confidence


def test_the_points_of_the_curves_are_told_as_the_rows_hold_them(run: Run) -> None:
    rows = run.results()
    (sentence,) = points_sentences(rows)
    assert sentence.startswith("Each curve has 17 points, at 0, 6, 12, 19, 25, ") and "94 and 100 % of" in sentence
    rows["curve_shares"] = [None if curve is None else [0.0, 0.1, *[0.5] * 14, 1.0] for curve in rows.deletion_curve]
    assert "at 0, 10, 50, " in points_sentences(rows)[0]
    rows["deletion_curve"] = None
    assert points_sentences(rows) == ()


def test_what_is_said_of_intervals_names_every_kind_of_them() -> None:
    table = (ROOT / "docs" / "statistics.md").read_text().split("## Quantities, methods and smallest n")[1]
    names = ("Wilson", "Welch", "Newcombe", "Fisher's z", "linear expansion", "jackknife")
    assert [name for name in names if name not in table.split("\n\n")[2]] == []
    assert [name for name in names if name not in METHOD] == []
    # The companions: no kind is all the rest, and the image is not the unit of every interval.
    assert "any other statistic" not in METHOD
    made = Path(ROOT, "core", "reporting", "trust.py").read_text()
    assert "unless another is named beside its n" in made and "The unit of every interval" not in made
