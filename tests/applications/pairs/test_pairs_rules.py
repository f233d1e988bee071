"""Exchanged captions are found, a clean set raises no alarm, and a small one is not called clean."""

from __future__ import annotations

import numpy as np
import pytest

from core.applications.pairs import measures, rules
from core.applications.pairs.card import BORDER, CARD
from core.applications.pairs.chapter import how
from core.applications.pairs.measures import mismatch, retrieval, suspects
from core.applications.pairs.record import PairsRecord
from core.applications.pairs.rules import EXCHANGED
from core.findings import apply, load_thresholds
from core.rules import Context, Finding
from core.runs import Run
from tests.support.captioned import record_of


def judged(record: PairsRecord | None, run: Run) -> list[Finding]:
    if record is not None:
        record.save(PairsRecord.folder_of(run))
    return list(apply(EXCHANGED, Context.of(run, thresholds=load_thresholds())))


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("run"))


def test_the_estimate_is_that_of_the_exchanged_share() -> None:
    estimates = [mismatch(record_of(200, 40, seed=seed)).value or 0.0 for seed in range(8)]
    assert np.mean(estimates) == pytest.approx(0.20, abs=0.03)
    clean = [mismatch(record_of(200, 0, seed=seed)).value or 0.0 for seed in range(8)]
    assert np.mean(clean) < 0.02


def test_exchanged_captions_are_a_finding_with_the_right_samples(run: Run) -> None:
    record = record_of(100, 25)
    (finding,) = judged(record, run)
    assert finding.status == "finding" and finding.subject == "data" and (finding.n, finding.unit) == (100, "images")
    assert finding.severity == "medium" and "of the captions do not fit their image" in finding.title
    exchanged = {f"{at:03}.png" for at in range(25)}
    assert {sample.image_name for sample in finding.samples} <= exchanged
    assert not {sample.image_name for sample in finding.counter} & exchanged
    listed = set(suspects(record)["image_name"])
    assert len(listed & exchanged) >= 20 and len(listed - exchanged) <= 8


def test_eleven_exchanged_captions_among_75_are_mostly_a_finding(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def findings(exchanged: int) -> int:
        return sum(judged(record_of(75, exchanged, seed=seed), run)[0].status == "finding" for seed in range(20))

    assert findings(11) >= 18 and findings(0) == 0
    # A border of a half, which hardly any caption that fits exceeds, misses many more of them.
    for module in (measures, rules):
        monkeypatch.setattr(module, "BORDER", 0.5)
    assert findings(11) < 18


def test_a_clean_twin_passes_where_there_are_enough_images(run: Run) -> None:
    (large,) = judged(record_of(200, 0), run)
    assert large.status == "passed" and not large.samples
    # 40 images cannot exclude one wrong caption in twenty, however well they fit.
    (small,) = judged(record_of(40, 0), run)
    assert small.status == "cannot_conclude" and "112 images would be needed" in small.condition
    (few,) = judged(record_of(9, 0), run)
    assert few.status == "cannot_conclude"


def test_the_words_are_those_of_the_estimate() -> None:
    record = record_of(100, 25)
    beyond = (record.captions["unrelated_share"] > BORDER).mean()
    # The factor and the border as printed give the estimate.
    assert mismatch(record).value == pytest.approx(1.5 * beyond) and pytest.approx(1 / 3) == BORDER
    assert "1.5 times the share of captions where more than 1/3 of the unrelated pairs" in how()[1]
    assert "lower 2/3 of that distribution" in CARD.idea


def test_without_a_record_nothing_is_judged(run: Run) -> None:
    assert judged(None, run) == []


def test_ranks_are_first_for_pairs_that_fit_and_at_chance_for_others() -> None:
    image, caption = retrieval(record_of(60, 0, noise=0.05))
    assert image.first.value == caption.first.value == 1.0 and image.median_rank == 1 and image.chance == 1 / 60
    lost, _ = retrieval(record_of(60, 60, noise=0.05))
    assert lost.first.value == 0.0
