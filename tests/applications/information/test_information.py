"""Information over a run: own and wrong texts, seeds and prices as recorded, and what is said of them."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from core import explain
from core.applications.information import work as information
from core.applications.information.card import CARD, TAIL
from core.applications.information.chapter import sections
from core.applications.information.measures import (
    MEASURES,
    by_text,
    common_range,
    own_against_wrong,
    pairs_chart,
    seed_table,
    shared_overlay,
)
from core.applications.information.record import InformationRecord, load, of_run
from core.applications.work.own_texts import own_texts, wrong_texts
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.attribution.context import estimate_context
from core.content.assets import Assets
from core.content.heat import geometry_of
from core.errors import InputError, RunError
from core.runs import Run, TextPlan
from core.settings import ROOT
from core.statistics import FEWEST
from tests.audit.small import CAPTION, CLASSES, loaded, new_run, plan_for, save_model, take_in
from tests.support.contexts import context_of

OPTIONS: dict[str, Any] = {"steps": 10, "samples": 2, "prices": (0.1, 5.0), "wrong": 1}
IMAGES, SEEDS, PRICES = 4, 3, 2


def subject_of(folder: Path, kind: str = "vit", **parts: Any) -> Subject:
    config = save_model(folder / kind, kind)
    run = new_run(folder / f"run-{kind}", plan_for(take_in(folder, IMAGES), config, **parts))
    model = loaded(config)
    run.update_manifest(model=model.describe())
    return Subject(run, model)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Subject, InformationRecord]:
    """A run of a tiny transformer, measured."""
    torch.set_num_threads(1)
    subject = subject_of(tmp_path_factory.mktemp("information"))
    told: list[str] = []
    out = run_stage(subject, "information", OPTIONS, told.append)
    assert told == [f"information: image {number} of 4" for number in (1, 2, 3, 4)]
    return subject, load(out)


# -- texts -------------------------------------------------------------------------------------------------------


def test_a_wrong_text_is_never_a_image_s_own() -> None:
    own = {str(at): [f"text {at}", f"another of {at}"] for at in range(9)}
    own["8"] = ["TEXT  0", "x"]
    found = wrong_texts(own, 2, seed=5)
    for image, texts in found.items():
        assert len(texts) == 2 and len({text.casefold() for text in texts}) == 2
        mine = {" ".join(text.casefold().split()) for text in own[image]}
        assert not mine & {" ".join(text.casefold().split()) for text in texts}
    assert wrong_texts(own, 2, seed=5) == found != wrong_texts(own, 2, seed=6)


def test_a_round_uses_every_text_once_where_that_is_possible() -> None:
    own = {str(at): [f"text {at}"] for at in range(30)}
    for seed in range(5):
        first = [texts[0] for texts in wrong_texts(own, 1, seed).values()]
        assert sorted(first) == sorted(texts[0] for texts in own.values())
    # A text that most images share can't be used by them: the few others serve again, and none is left without.
    shared = {str(at): ["same" if at < 6 else f"text {at}"] for at in range(8)}
    found = wrong_texts(shared, 1, 0)
    assert all(found[str(at)][0] in ("text 6", "text 7") for at in range(6))
    assert all(texts for texts in found.values())
    assert wrong_texts({"a": ["same"], "b": ["same"]}, 1, 0) == {"a": [], "b": []}
    assert wrong_texts({}, 1, 0) == {}


def test_two_texts_can_give_only_one_wrong_one() -> None:
    assert wrong_texts({"a": ["one"], "b": ["two"]}, 3, 0) == {"a": ["two"], "b": ["one"]}


def test_captions_are_own_texts_and_without_them_the_model_chooses(
    made: tuple[Subject, InformationRecord], tmp_path: Path
) -> None:
    subject, record = made
    own, rule = own_texts(subject, subject.images[:3])
    assert rule == "captions" and list(own) == [image.id for image in subject.images[:3]]
    assert all(texts == list(image.captions) for texts, image in zip(own.values(), subject.images, strict=False))
    plan = subject.run.plan.model_copy(update={"texts": TextPlan(captions=False, classes=CLASSES)})
    chosen, rule = own_texts(Subject(new_run(tmp_path / "run", plan), subject.model), subject.images)
    assert rule == "the model's choice"
    candidates = [f"a photo of a {name}." for name in CLASSES]
    for image in subject.images:
        scores = explain(subject.model, [subject.open(image)], candidates, "raw").scores[0]
        assert chosen[image.id] == [candidates[int(scores.argmax())]]
        assert chosen[image.id] != [candidates[int(scores.argmin())]]
    del record


def test_an_audit_without_two_texts_is_told_so(made: tuple[Subject, InformationRecord], tmp_path: Path) -> None:
    subject, _ = made
    for name, texts in (("none", TextPlan(captions=False)), ("one", TextPlan(captions=False, prompts=("a thing",)))):
        plan = subject.run.plan.model_copy(update={"texts": texts})
        with pytest.raises(InputError, match="two images whose texts differ"):
            information.work(
                Subject(new_run(tmp_path / name, plan), subject.model), CARD.parse(OPTIONS), tmp_path, print
            )
    with pytest.raises(RunError, match="incomplete or damaged"):
        load(tmp_path / "nowhere")
    for wrong in ({"seeds": 2}, {"prices": (0.1, 0.1)}, {"prices": ()}, {"wrong": 0}, {"prices": (-1.0,)}):
        with pytest.raises(InputError):
            CARD.parse(wrong)


# -- what is recorded ----------------------------------------------------------------------------------------------


def test_there_is_a_row_for_every_image_text_side_price_and_seed(made: tuple[Subject, InformationRecord]) -> None:
    _, record = made
    for name, schema in InformationRecord.SCHEMAS.items():
        assert getattr(record, name).columns.tolist() == schema.names
    keys = ["image", "side", "kind", "price"]
    assert len(record.pairs) == IMAGES * 2 * 2 * PRICES * SEEDS
    assert not record.pairs.duplicated([*keys, "seed"]).any() and not record.maps.duplicated(keys).any()
    assert set(record.pairs["seed"]) == set(record.about["seeds"]) == {0, 1, 2}
    assert record.sides == ("image", "text") and record.prices == (0.1, 5.0)
    assert (record.pairs["nats"] >= 0).all() and record.pairs[["cosine", "floor", "score"]].abs().max().max() <= 1
    own = record.maps[record.maps["kind"] == "own"]
    wrong = record.maps[record.maps["kind"] == "wrong"]
    assert set(own["text"]) == set(wrong["text"]) == {CAPTION.format(shape) for shape in ("ellipse", "rectangle")}
    paired = own.merge(wrong, on=["image", "side", "price"])
    assert (paired["text_x"] != paired["text_y"]).all()


def test_maps_are_the_method_s_own_with_the_seeds_named(made: tuple[Subject, InformationRecord]) -> None:
    subject, record = made
    image = subject.images[1]
    for row in record.maps[record.maps["image"] == image.id].itertuples():
        each = []
        for seed in record.about["seeds"]:
            chosen = {"beta": row.price, "steps": 10, "samples": 2}
            result = explain(subject.model, [subject.open(image)], [row.text], "m2ib", seed=seed, **chosen)
            values = result.image if row.side == "image" else result.text
            assert values is not None
            each.append(values[0, 0].ravel().astype(float))
            if row.side == "text":
                assert list(row.tokens) == result.tokens[0]
        stack = np.stack(each)
        np.testing.assert_allclose(row.map, stack.mean(axis=0), rtol=1e-3)
        np.testing.assert_allclose(row.spread, stack.std(axis=0, ddof=1), rtol=2e-2, atol=1e-3 * stack.mean())
        assert row.agreement == pytest.approx(
            np.mean([spearmanr(a, b).statistic for a, b in combinations(each, 2)]), abs=0.02
        )
        # One seed isn't the mean of three, and the seeds do differ.
        assert np.abs(each[0] - row.map).max() > 1e-3 * np.abs(row.map).max()
        assert len(row.map) == row.rows * row.columns


def test_the_partner_is_read_at_the_state_that_the_bottleneck_mixes(made: tuple[Subject, InformationRecord]) -> None:
    subject, record = made
    entry = subject.images[2]
    depth = subject.model.image.depth
    assert record.about["layer"] == depth - 3
    row = next(record.of(entry.id, "image", 0.1).itertuples())
    image = [subject.open(entry)]
    right, other = (
        explain(subject.model, image, [row.text], "nib", layer=layer, steps=5).image for layer in (depth - 2, depth - 3)
    )
    assert right is not None and other is not None
    np.testing.assert_allclose(row.nib, right[0, 0].ravel(), rtol=1e-3, atol=1e-7)
    assert np.abs(row.nib - other[0, 0].ravel()).max() > 1e-2 * np.abs(row.nib).max()
    assert row.nib_agreement == pytest.approx(spearmanr(row.map, row.nib).statistic)
    assert row.nib_agreement != pytest.approx(spearmanr(row.map, -np.asarray(row.nib)).statistic)


def test_work_is_counted_and_the_card_foresees_it(made: tuple[Subject, InformationRecord], tmp_path: Path) -> None:
    subject, record = made
    options = CARD.parse({**OPTIONS, "images": 3})
    # What the strata of a sample cost is counted once for all applications.
    assert len(subject.embeddings(subject.images, print)) == 4
    with subject.model.meter.measuring() as spent:
        information.work(subject, options, tmp_path, lambda words: None)
    about = load(tmp_path).about
    assert spent.image == about["image_forwards"] < record.about["image_forwards"]
    assert about["images"] == 3 and about["images_left_out"] == 1
    # For two texts and two samples: thirty backward and forward passes and one of noise, and five steps of the partner.
    bottlenecks = PRICES * SEEDS * 2 * 2
    behind = bottlenecks * (3 * 10 + 1) + 5 * (1 + 2 * 2)
    assert CARD.cost_model(options) == 1 + TAIL * behind
    # Two of this tower's four blocks lie behind the bottleneck; the card reckons with a quarter of a tower. The prior
    # of tokens is estimated on nothing, so that each image's trunk is all that is added. The walk back of the last step
    # is spared.
    assert spent.image == pytest.approx(3 * (1 + 0.5 * (behind - 2 * bottlenecks)))
    assert spent.image != pytest.approx(3 * (1 + 0.5 * behind))


def test_convolutional_towers_share_the_prior_of_the_audited_images(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    subject = subject_of(tmp_path, "cnn")
    options = CARD.parse({**OPTIONS, "images": 3, "prices": (0.1,)})
    information.work(subject, options, tmp_path, lambda words: None)
    record = load(tmp_path)
    assert record.about["prior"] == "channel"
    model = subject.model
    pixels = model.preprocess([subject.open(image) for image in subject.images])[0]
    context = estimate_context(model, [pixels], [model.image.depth - 3])
    image = next(image for image in subject.images if image.id in set(record.pairs["image"]))
    row = next(record.of(image.id, "image", 0.1).itertuples())
    chosen: dict[str, Any] = {"steps": 10, "samples": 2}

    def mean(**more: Any) -> Any:
        found = [
            explain(model, [subject.open(image)], [row.text], "m2ib", seed=seed, **chosen, **more).image
            for seed in (0, 1, 2)
        ]
        return np.mean([values[0, 0] for values in found if values is not None], axis=0).ravel()

    np.testing.assert_allclose(row.map, mean(context=context), rtol=1e-3)
    assert np.abs(mean() - row.map).max() > 1e-2 * np.abs(row.map).max()


# -- what is said of it ----------------------------------------------------------------------------------------------


def test_measures_are_means_over_seeds_paired_by_image(made: tuple[Subject, InformationRecord]) -> None:
    _, record = made
    frame = own_against_wrong(record)
    assert len(frame) == len(MEASURES) * 2 * PRICES and set(frame["n"]) == {IMAGES}
    pairs = record.pairs[(record.pairs["side"] == "text") & (record.pairs["price"] == 5.0)].copy()
    pairs["gain"] = pairs["cosine"] - pairs["floor"]
    pairs["efficiency"] = 1000 * pairs["gain"] / pairs["nats"]
    pairs["per_place"] = pairs["nats"] / pairs["places"]
    for measure in MEASURES:
        by = pairs.groupby(["image", "kind"])[measure].mean().unstack()
        row = frame[(frame["side"] == "text") & (frame["price"] == 5.0) & (frame["measure"] == measure)].iloc[0]
        gap = by["own"] - by["wrong"]
        assert row["value"] == pytest.approx(gap.mean()) and row["value"] != pytest.approx(-gap.mean())
        assert row["share"] == (gap > 0).mean()
        assert (row["low"] <= row["value"] <= row["high"]) == (IMAGES >= FEWEST)


def test_the_spread_is_over_seeds_and_not_over_images(made: tuple[Subject, InformationRecord]) -> None:
    _, record = made
    table = seed_table(record)
    one = record.pairs[(record.pairs["side"] == "image") & (record.pairs["price"] == 0.1)]
    each = one.groupby(["image", "kind"])["nats"].agg(lambda values: values.std(ddof=1) / values.mean())
    row = table[(table["side"] == "image") & (table["price"] == 0.1)].iloc[0]
    assert row["total"] == pytest.approx(each.mean())
    assert row["total"] != pytest.approx(one["nats"].std(ddof=1) / one["nats"].mean(), rel=1e-3)
    assert row["map_n"] == row["nib_n"] == IMAGES
    assert (by_text(record)["spread"] > 0).all()


def test_two_maps_on_one_scale_keep_their_difference(made: tuple[Subject, InformationRecord]) -> None:
    subject, _ = made
    image = subject.images[0]
    small = subject.open(image)
    geometry = geometry_of(subject.run, *small.size)
    weak, strong = np.linspace(0, 1, 16).reshape(4, 4), np.linspace(0, 4, 16).reshape(4, 4)
    found = common_range([weak, strong])
    assert (found.low, found.high) == (0.0, 4.0)
    painted = [np.asarray(shared_overlay(small, values, geometry, found), float) for values in (weak, strong)]
    assert painted[1].sum() > painted[0].sum()
    alone = [np.asarray(shared_overlay(small, m, geometry, common_range([m])), float) for m in (weak, strong)]
    assert np.abs(alone[0] - alone[1]).max() <= 1
    flat = common_range([np.ones((2, 2))])
    assert flat.constant and shared_overlay(small, np.ones((2, 2)), geometry, flat).size == small.size


def test_the_report_shows_tables_charts_maps_and_words(made: tuple[Subject, InformationRecord], tmp_path: Path) -> None:
    subject, record = made
    assets = Assets()
    chapter = sections(context_of(subject.run, assets))
    titles = [
        "Information retained by a pair",
        "Agreement of seeds",
        "Maps of own and wrong texts",
        "Words of own texts",
    ]
    assert [section.title for section in chapter] == titles
    first, seeds, maps, words = chapter
    assert len(first.charts) == 2 and all(chart.asset in assets.items for chart in first.charts)
    for table in (*first.tables, *seeds.tables, *words.tables):
        assert table.rows and {len(cells) for cells in table.rows} == {len(table.columns)}
    assert all("n = 4" in cells[4] for cells in first.tables[0].rows)
    # The spread has own and wrong texts, the correlation with the narrowing bottleneck own texts alone.
    assert "is over own texts only" in seeds.sentences[0]
    of_own = record.maps[(record.maps["kind"] == "own") & (record.maps["side"] == "image")]
    (first_row,) = seed_table(record).head(1).itertuples()
    means = of_own[of_own["price"] == first_row.price].groupby("image")["nib_agreement"].mean()
    assert first_row.side == "image" and first_row.nib == pytest.approx(means.astype(float).mean())
    assert len(maps.heats) == 6 * IMAGES
    assert all(heat.asset in assets.items and (heat.bar in assets.items or not heat.bar) for heat in maps.heats)
    own, wrong = maps.heats[1], maps.heats[2]
    assert (own.low, own.high) == (wrong.low, wrong.high) and own.caption != wrong.caption
    assert [row[0] for row in words.tables[0].rows] == list(record.of(subject.images[0].id, "text", 0.1).iloc[0].tokens)
    assert pairs_chart(record, "image", 5.0).to_dict()
    assert sections(context_of(Run(tmp_path), assets)) == ()


def test_the_stage_is_named_in_the_manifest_and_read_without_torch(made: tuple[Subject, InformationRecord]) -> None:
    subject, _ = made
    files = subject.run.manifest["applications"]["information"]["files"]
    assert {Path(name).name for name in files} == {"pairs.parquet", "maps.parquet", "about.json"}
    assert of_run(subject.run) is not None
    code = (
        "import sys; from core.runs import Run; from core.applications.information.record import of_run; "
        f"from pathlib import Path; import core.applications.information.chapter; "
        f"of_run(Run(Path({str(subject.run.folder)!r}))); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr
