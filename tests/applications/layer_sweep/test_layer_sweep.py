"""The sweep over layers: blocks, what maps keep of the score against a second computation, controls, rules, report."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import core.applications.layer_sweep.rules as rules
from core import explain
from core.applications.layer_sweep import work as sweep
from core.applications.layer_sweep.card import CARD, TAIL
from core.applications.layer_sweep.chapter import sections
from core.applications.layer_sweep.measures import against_default, by_block, each_image, highlighted
from core.applications.layer_sweep.record import BlockRow, LayerSweepRecord, load, of_run
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.content.assets import Assets
from core.errors import InputError
from core.evaluation.agreement import common_grid
from core.findings.judgement import apply
from core.rules import Context, Finding, Rule
from core.runs import Run
from core.runs.rows import typed
from tests.audit.small import loaded, new_run, plan_for, save_model, take_in
from tests.findings.pinned import PINNED
from tests.support.contexts import context_of
from tests.support.made_run import made_run

OPTIONS: dict[str, Any] = {"steps": 6, "samples": 2, "controls": 3}
IMAGES = 4


def subject_of(folder: Path, kind: str = "vit") -> Subject:
    config = save_model(folder / kind, kind)
    run = new_run(folder / f"run-{kind}", plan_for(take_in(folder, IMAGES), config))
    model = loaded(config)
    run.update_manifest(model=model.describe())
    return Subject(run, model)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Subject, LayerSweepRecord]:
    """A run of a tiny transformer, measured."""
    torch.set_num_threads(1)
    subject = subject_of(tmp_path_factory.mktemp("sweep"))
    return subject, load(run_stage(subject, "layer_sweep", OPTIONS, lambda line: None))


# -- blocks ------------------------------------------------------------------------------------------------------


def test_blocks_are_spread_up_to_the_default() -> None:
    assert sweep.spread(9, 3) == {3, 6, 9} and sweep.spread(4, 3) == {1, 3, 4} and sweep.spread(21, 3) == {7, 14, 21}
    assert sweep.spread(0, 3) == {0} and sweep.spread(9, 1) == {9}


def test_a_layer_that_fits_one_side_runs_that_side_and_says_so(made: tuple[Subject, LayerSweepRecord]) -> None:
    model = made[0].model
    assert (model.image.depth, model.text.depth) == (4, 3)
    assert sweep.chosen_blocks(model, CARD.parse()) == ({"image": [0, 1], "text": [0]}, {})
    blocks, reasons = sweep.chosen_blocks(model, CARD.parse({"layers": (2, -4), "text_layers": (2,)}))
    assert blocks == {"image": [0, 1, 2]} and "0 to 1 on the text side, not 2" in reasons["text"]
    with pytest.raises(InputError, match="0 to 2 on the image side, not 9") as raised:
        sweep.chosen_blocks(model, CARD.parse({"layers": (9,), "text_layers": (7,)}))
    assert "\n" not in str(raised.value)
    for wrong in ({"layers": (1, 1)}, {"blocks": 0}, {"controls": 0}, {"layers": (10**9,)}):
        with pytest.raises(InputError):
            CARD.parse(wrong)


# -- what is recorded, against a second computation ------------------------------------------------------------------


def rows_of(record: LayerSweepRecord, side: str) -> list[BlockRow]:
    return list(typed(record.blocks[record.blocks["side"] == side], BlockRow))


def test_maps_are_the_method_s_own_at_the_block_named(made: tuple[Subject, LayerSweepRecord]) -> None:
    subject, record = made
    images = {image.id: image for image in subject.images}
    for row in rows_of(record, "image")[:2] + rows_of(record, "text")[:1]:
        asked: dict[str, Any] = {"layer": row.block, "steps": 6, "samples": 2}
        found = explain(subject.model, [subject.open(images[row.image])], [row.text], "m2ib", **asked)
        own = found.image[0, 0] if row.side == "image" and found.image is not None else found.word_values(0)[0]
        np.testing.assert_allclose(row.map, own.ravel(), rtol=1e-3)
        other = explain(subject.model, [subject.open(images[row.image])], [row.text], "m2ib", **{**asked, "steps": 5})
        wrong = other.image[0, 0] if row.side == "image" and other.image is not None else other.word_values(0)[0]
        assert np.abs(np.asarray(row.map) - wrong.ravel()).max() > 1e-2 * np.abs(row.map).max()


def faded(pixels: Tensor, values: Any, side: int) -> Tensor:
    """The normalised pixels times the map in 0 to 1, enlarged: the image of pytorch-grad-cam's confidence measures."""
    raw = torch.tensor(np.asarray(values, np.float32).reshape(side, side))
    unit = (raw - raw.min()) / (raw.max() - raw.min())
    return pixels * F.interpolate(unit[None, None], pixels.shape[-2:], mode="bilinear", align_corners=False)[0, 0]


def test_the_image_side_is_the_cosine_of_pixels_times_map(made: tuple[Subject, LayerSweepRecord]) -> None:
    subject, record = made
    model, images = subject.model, {image.id: image for image in subject.images}
    for row in rows_of(record, "image"):
        pixels, _ = model.preprocess([subject.open(images[row.image])])
        text = model.embed_texts([row.text])[0]
        with torch.no_grad():
            right, inverted = (
                float(model.embed_images(faded(pixels[0], sign * np.asarray(row.map), int(row.rows))[None])[0] @ text)
                for sign in (1, -1)
            )
        assert row.highlighted == pytest.approx(right, abs=1e-5)
        assert row.highlighted != pytest.approx(inverted, abs=1e-5)
        assert row.drop == pytest.approx(max(0.0, row.score - right), abs=1e-5)
        assert row.increase == float(right > row.score)
        assert 0 <= row.random_increase <= 1 and row.random_drop >= max(0.0, row.score - row.random) - 1e-9


def test_the_text_side_is_the_cosine_of_the_words_above_the_median(made: tuple[Subject, LayerSweepRecord]) -> None:
    subject, record = made
    model, images = subject.model, {image.id: image for image in subject.images}
    for row in rows_of(record, "text"):
        assert list(row.words) == row.text.split()
        stays = highlighted(row.map)
        assert stays.sum() == len(row.words) // 2
        pixels, _ = model.preprocess([subject.open(images[row.image])])
        with torch.no_grad():
            image = model.embed_images(pixels)[0]
        kept, lost = (
            " ".join(word for word, one in zip(row.words, stays, strict=True) if one == part) for part in (True, False)
        )
        right, wrong = (float(one @ image) for one in model.embed_texts([kept, lost]))
        assert row.highlighted == pytest.approx(right, abs=1e-5) and right != pytest.approx(wrong, abs=1e-5)


def test_controls_have_the_values_of_the_map_in_one_order_for_all_blocks(
    made: tuple[Subject, LayerSweepRecord], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    subject, _ = made
    seen: list[dict[tuple[str, int], Any]] = []
    whole = sweep.faded_embeddings

    def watched(model: Any, pixels: Tensor, maps: Any) -> Any:
        seen.append(dict(maps))
        return whole(model, pixels, maps)

    monkeypatch.setattr(sweep, "faded_embeddings", watched)
    sweep.work(subject, CARD.parse({**OPTIONS, "images": 2}), tmp_path, lambda line: None)
    for maps in seen:
        blocks = {block for _, block in maps}
        assert len(maps) == len(blocks) * 4 and len(blocks) == 2
        orders = {}
        for (name, block), values in maps.items():
            own = maps["map", block]
            np.testing.assert_array_equal(np.sort(values, axis=None), np.sort(own, axis=None))
            order = tuple(np.argsort(own, axis=None)[np.argsort(np.argsort(values, axis=None))].tolist())
            assert orders.setdefault(name, order) == order
        assert len(set(orders.values())) == 4


def test_maps_of_finer_blocks_are_summed_on_the_coarsest_grid(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    subject = subject_of(tmp_path, "cnn")
    sweep.work(subject, CARD.parse({**OPTIONS, "images": 2, "text_layers": (7,)}), tmp_path, lambda line: None)
    record = load(tmp_path)
    assert record.sides == ("image",) and record.about["prior"] == "channel"
    assert "text" in record.about["reasons"] and len(record.about["blocks"]["image"]) >= 2
    assert len({(row.rows, row.columns) for row in rows_of(record, "image")}) == 1
    first = common_grid(np.arange(16.0).reshape(4, 4), (2, 2))
    np.testing.assert_allclose(first, [[2.5, 4.5], [10.5, 12.5]])


def test_work_is_counted_and_the_card_foresees_it(made: tuple[Subject, LayerSweepRecord]) -> None:
    _, record = made
    options = CARD.parse(OPTIONS)
    assert CARD.cost_model(options) == 1 + 3 * (TAIL * 3 * 6 * 2 + 1 + 3)
    # Blocks 0 and 1 of 4 have three and two quarters of the tower behind them.
    # No walk back, which costs two forwards, follows the last of six steps with two samples each.
    spent = 1 + (0.75 + 0.5) * (3 * 6 - 2) * 2 + 2 * (1 + 3)
    assert record.about["image_forwards"] == pytest.approx(IMAGES * spent)
    quick = CARD.parse(CARD.preset("quick"))
    assert CARD.measured(quick, 92) >= 12 and CARD.cost(CARD.preset("quick"), 92) / 92 < 75


# -- what is said of it ----------------------------------------------------------------------------------------------


def test_tables_pair_each_map_with_its_own_controls(made: tuple[Subject, LayerSweepRecord]) -> None:
    _, record = made
    table, each = by_block(record), each_image(record)
    assert table[["side", "block"]].to_numpy().tolist() == [["image", 0], ["image", 1], ["text", 0]]
    assert table["default"].tolist() == [False, True, True] and set(table["gain_n"]) == {IMAGES}
    part = each[(each["side"] == "image") & (each["block"] == 0)]
    assert table["gain"][0] == pytest.approx((part["random_drop"] - part["drop"]).mean())
    assert table["gain"][0] != pytest.approx((part["drop"] - part["random_drop"]).mean())
    usual = each[(each["side"] == "image") & (each["block"] == 1)]
    np.testing.assert_allclose(
        against_default(record, "image", 0)["value"], part["gain"].to_numpy() - usual["gain"].to_numpy()
    )


def test_the_report_shows_tables_a_chart_maps_and_words(made: tuple[Subject, LayerSweepRecord], tmp_path: Path) -> None:
    subject, _ = made
    assets = Assets()
    chapter = sections(context_of(subject.run, assets))
    first, *maps, words = chapter
    names = [f"Maps by block: drawn-{number}.png" for number in (0, 1, 2)]
    assert [section.title for section in chapter] == ["Information by layer", *names, "Words by block"]
    assert all(chart.asset in assets.items for chart in first.charts) and len(first.tables) == 2
    assert [row[0] for row in first.tables[0].rows] == [
        "image side, block 0",
        "image side, block 1 (default)",
        "text side, block 0 (default)",
    ]
    assert [len(section.heats) for section in maps] == [3, 3, 3] and len(words.tables) == 2
    assert sum(row[1].endswith("(kept)") for row in words.tables[0].rows) == len(words.tables[0].rows) // 2
    assert sections(context_of(Run(tmp_path), assets)) == ()


# -- rules -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("rules") / "run", images=2, methods=("raw",))


def planted(count: int, gain: float, other: float) -> Any:
    """A record of one side, whose default block 1 gains `gain` over random maps, and block 0 `gain + other`."""
    rows = []
    for at, wiggle in enumerate(np.linspace(-1, 1, count)):
        for block, more in ((0, other + 0.005 * (-1) ** at), (1, 0.0)):
            drop = 0.2 - gain - more + 0.005 * wiggle
            named = {"image": f"i{at}", "image_name": f"{at}.png", "text": "a dog", "side": "image", "block": block}
            rows.append(
                named
                | {"default": block == 1, "nats": 1.0, "cosine": 0.1, "score": 0.3, "highlighted": 0.3 - drop}
                | {"random": 0.1, "drop": drop, "random_drop": 0.2, "increase": 0.0, "random_increase": 0.0}
            )
    about = {"blocks": {"image": [0, 1]}, "default": {"image": 1}}
    return SimpleNamespace(about=about, blocks=pd.DataFrame(rows), sides=("image",))


def judged(rule: Rule, run: Run, monkeypatch: pytest.MonkeyPatch, record: Any) -> list[Finding]:
    monkeypatch.setattr(rules, "of_run", lambda _: record)
    return list(apply(rule, Context.of(run, thresholds=PINNED)))


@pytest.mark.parametrize(
    ("count", "gain", "status"),
    [(12, 0.05, "passed"), (12, -0.05, "finding"), (12, 0.0002, "cannot_conclude"), (4, 0.05, "cannot_conclude")],
)
def test_the_default_block_must_beat_random_positions(
    run: Run, monkeypatch: pytest.MonkeyPatch, count: int, gain: float, status: str
) -> None:
    (finding,) = judged(rules.RANDOM, run, monkeypatch, planted(count, gain, 0.0))
    assert (finding.id, finding.status, finding.n) == ("layer_sweep.random.image", status, count)
    assert finding.evidence[0].value == pytest.approx(gain, abs=1e-9) and finding.evidence[0].unit == "cosine"
    assert "block 1" in finding.title


@pytest.mark.parametrize(
    ("count", "other", "status"),
    [(12, 0.1, "finding"), (12, -0.05, "passed"), (12, 0.02, "cannot_conclude"), (4, 0.1, "cannot_conclude")],
)
def test_another_block_must_not_do_better(
    run: Run, monkeypatch: pytest.MonkeyPatch, count: int, other: float, status: str
) -> None:
    (finding,) = judged(rules.CHOICE, run, monkeypatch, planted(count, 0.05, other))
    assert (finding.id, finding.status) == ("layer_sweep.choice.image-0", status)
    assert finding.evidence[0].value == pytest.approx(other, abs=1e-9)
    assert "lock 0" in finding.title and "block 1" in finding.title
    assert "(tested against a difference of 0.02)" in finding.condition or count == 4
    assert finding.status != "passed" or "by more than 0.02" in finding.title


@pytest.mark.parametrize(
    ("gain", "other", "told"),
    [
        (0.05, 0.1, "at block 1: both intervals lie above 0."),
        (-0.05, 0.1, "at block 1: only the interval of block 0 lies above 0."),
        (0.05, -0.1, "at block 1: only the interval of block 1 lies above 0."),
        (-0.2, 0.1, "neither map is shown to keep more than random positions."),
    ],
)
def test_a_block_that_does_better_is_told_with_whether_it_beats_random_positions(
    run: Run, monkeypatch: pytest.MonkeyPatch, gain: float, other: float, told: str
) -> None:
    (finding,) = judged(rules.CHOICE, run, monkeypatch, planted(12, gain, other))
    assert finding.condition.endswith(told)
    for value in (gain + other, gain):
        assert f"{value:+.3f} [".replace("-", "\N{MINUS SIGN}") in finding.condition


def test_without_a_record_the_questions_do_not_arise(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert of_run(run) is None
    assert judged(rules.RANDOM, run, monkeypatch, None) == judged(rules.CHOICE, run, monkeypatch, None) == []


def test_a_coarser_grid_keeps_the_information_of_a_map() -> None:
    fine = np.random.default_rng(0).random((6, 9))
    coarse = sweep.on_grid(fine, (2, 3))
    assert coarse[0, 0] == pytest.approx(fine[:3, :3].sum()) and coarse.sum() == pytest.approx(fine.sum())
    # What maps are compared on is the mean of a cell, whose sum is smaller.
    assert common_grid(fine, (2, 3)).sum() == pytest.approx(fine.sum() / 9)
    np.testing.assert_allclose(sweep.on_grid(fine, (6, 9)), fine)
