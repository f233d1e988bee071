"""Segmentation: masks against a per-pixel reference, truths, the whole stage on three kinds of tower, its record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.support.tiny import Zoo, fresh, sample_images, tiny_model
from core import explain
from core.applications.segmentation import record as records
from core.applications.segmentation.card import CARD, SegmentationOptions
from core.applications.segmentation.chapter import sections
from core.applications.segmentation.work.segmenter import MOST_SIDE, Segmenter, chosen_map, highest, mask_size, segment
from core.applications.truth import read_truth
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.attribution.clip_surgery import surgery_templates
from core.content.assets import Assets
from core.datasets import Dataset, column_labels, ingest, keep_annotations, read_annotations
from core.errors import CapabilityError, InputError, RunError
from core.models.geometry import Preprocessing
from core.models.model import Model
from core.runs import Run, TextPlan, create_run
from tests.attribution import plain as ref
from tests.audit.small import CLASSES, draw_images, loaded, plan_for, save_model, take_in
from tests.datasets.test_dataset_run_lengths import packed
from tests.support.contexts import context_of
from tests.support.made_truth import made_truth

LABELS = ("red bird", "dog", "grey shore")


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tiny-models")
    return lambda family: tiny_model(family, folder)


# -- masks --------------------------------------------------------------------------------------------------------


def by_pixel(maps: NDArray[Any], width: int, height: int, scale: float, least: float) -> NDArray[np.int32]:
    """Interpolated by torch, then one pixel after the other."""
    large = F.interpolate(torch.tensor(maps)[None].double(), (height, width), mode="bilinear", align_corners=False)[0]
    out = np.zeros((height, width), np.int32)
    for y in range(height):
        for x in range(width):
            values = large[:, y, x]
            share = float(torch.softmax(scale * values, 0).max())
            out[y, x] = 0 if share < least else int(values.argmax()) + 1
    return out


@pytest.mark.parametrize("least", [0.0, 0.6])
def test_the_highest_map_wins_at_every_pixel(least: float) -> None:
    maps = np.random.default_rng(0).normal(size=(4, 3, 5)).astype(np.float32)
    geometry = Preprocessing(32, 32, mode="squash").geometry(45, 33)
    got = highest(maps, geometry, confidence=least, scale=2.0)
    expected = by_pixel(maps, 45, 33, 2.0, least)
    assert got.shape == (33, 45)
    assert (got != expected).mean() < 0.002  # Ties of rounding on a border.
    for wrong in (maps[::-1], -maps, maps[:, ::-1]):
        assert (highest(np.ascontiguousarray(wrong), geometry, confidence=least, scale=2.0) != expected).mean() > 0.1
    assert (got == 0).any() == (least > 0)
    if least:
        assert (highest(maps, geometry, confidence=least, scale=9.0) != expected).mean() > 0.1


def test_unseen_pixels_are_marked_and_left_out_labels_never_win() -> None:
    maps = np.random.default_rng(0).normal(size=(4, 3, 3)).astype(np.float32)
    geometry = Preprocessing(32, 32).geometry(60, 30)
    for least in (0.0, 0.5):
        mask = highest(maps, geometry, confidence=least)
        assert (mask[:, :15] == -1).all()
        assert (mask[:, 45:] == -1).all()
        assert (mask[:, 15:45] >= 0).all()
    few = highest(maps, geometry, np.array([1, 3]))
    both = highest(maps[[1, 3]], geometry)
    assert np.array_equal(few, np.where(both > 0, 2 * both, both))
    assert set(np.unique(few)) <= {-1, 2, 4}
    assert not np.array_equal(few, highest(maps, geometry))


def test_a_huge_image_is_segmented_smaller() -> None:
    assert mask_size(640, 480) == (640, 480)
    assert mask_size(2 * MOST_SIDE, MOST_SIDE) == (MOST_SIDE, MOST_SIDE // 2)
    geometry = Preprocessing(32, 32, mode="squash").geometry(2 * MOST_SIDE, 100)
    assert highest(np.zeros((1, 2, 2), np.float32), geometry).shape == (50, MOST_SIDE)


# -- maps ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "method"), [("vit", "clip_surgery"), ("resnet_clip", "clip_surgery"),
                                                ("siglip", "clip_surgery"), ("convnext", "raw")])  # fmt: skip
def test_maps_are_those_of_the_method_with_the_whole_label_set(zoo: Zoo, family: str, method: str) -> None:
    model, images = zoo(family), sample_images(2)
    templates = ("a photo of a {}", "the {}")
    got = segment(model, images, LABELS, templates=templates)
    expected = explain(model, images, LABELS, method, templates=templates)
    raw = explain(model, images, LABELS, "raw", templates=templates)
    empty = explain(model, images, [""], "raw", templates=templates).image
    assert expected.image is not None and raw.image is not None and empty is not None
    for index, found in enumerate(got):
        assert found.method == method
        assert np.allclose(found.maps, expected.image[index], atol=1e-5)
        assert not np.allclose(found.maps, expected.image[1 - index], atol=1e-3)
        assert np.allclose(found.raw, raw.image[index], atol=1e-5)
        # The absolute score stands beside every map.
        assert np.allclose(found.cosines, expected.scores[index], atol=1e-5)
        assert found.mask.shape == images[index].size[::-1]
        if method == "raw":
            assert np.allclose(found.empty, empty[index, 0], atol=1e-5)
            assert np.array_equal(found.empty_before, found.empty_after)
        else:
            assert not np.allclose(found.maps, found.raw, atol=1e-3)
    assert np.allclose(got[0].recipes["best_place"], got[0].maps.max(axis=(1, 2)))
    p = np.exp(2 * got[0].cosines) / np.exp(2 * got[0].cosines).sum()
    weighted = p / p.mean() * got[0].cosines
    assert np.allclose(got[0].recipes["class_surgery"], weighted - weighted.mean(), atol=1e-5)
    assert not np.allclose(got[0].recipes["class_surgery"], got[0].cosines, atol=1e-3)


def test_a_single_label_is_held_against_the_empty_text(zoo: Zoo) -> None:
    model, image = zoo("vit"), sample_images(1)
    got = segment(model, image, ["dog"], templates=("{}",))[0]
    expected = explain(model, image, ["dog"], "clip_surgery", mode="single").image
    assert expected is not None
    assert np.allclose(got.maps, expected[0], atol=1e-5)
    assert np.abs(got.maps).max() > 1e-3


def test_background_words_join_the_set_and_their_pixels_are_no_label(zoo: Zoo) -> None:
    model, image = zoo("vit"), sample_images(1)
    whole = segment(model, image, (*LABELS, "cat"), templates=("{}",), present=0.0)[0]
    got = segment(model, image, LABELS, templates=("{}",), background=("cat", "dog"), present=0.0)[0]
    assert np.array_equal(got.maps, whole.maps)
    assert np.array_equal(got.mask, np.where(whole.mask == 4, 0, whole.mask))
    assert (got.mask == 0).any()
    assert len(got.recipes["cosine"]) == 3


def test_labels_that_are_hardly_in_the_image_take_no_part(zoo: Zoo) -> None:
    model, image = zoo("vit"), sample_images(1)
    every = segment(model, image, LABELS, templates=("{}",), present=0.0)[0]
    least = float(np.sort(every.shares)[-2]) + 1e-6
    got = segment(model, image, LABELS, templates=("{}",), present=least)[0]
    assert set(np.unique(got.mask)) - {-1} == {int(np.argmax(every.shares)) + 1}
    assert len(np.unique(every.mask)) > len(np.unique(got.mask))


def test_which_maps_are_used_is_told(zoo: Zoo) -> None:
    assert chosen_map(zoo("vit")) == ("clip_surgery", "the model supports it")
    assert chosen_map(zoo("vit"), "raw") == ("raw", "it was requested")
    method, why = chosen_map(zoo("efficientnet"))
    assert method == "raw"
    assert "CLIP Surgery needs a model that has image self-attention" in why
    with pytest.raises(CapabilityError, match="use raw maps"):
        chosen_map(zoo("efficientnet"), "clip_surgery")
    with pytest.raises(CapabilityError, match="projects each patch"):
        chosen_map(zoo("byobnet"))
    with pytest.raises(InputError, match="needs labels"):
        Segmenter(zoo("vit"), [])


def test_a_image_and_its_captions_cost_one_forward(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    image = sample_images(1)[0]
    segmenter = Segmenter(model, LABELS)
    with model.meter.measuring() as meter:
        segmenter.image(image)
        segmenter.caption(image, "a dog")
    assert meter.image == pytest.approx(1.3)
    with model.meter.measuring() as again:
        segmenter.image(sample_images(2)[1])
    assert again.image == pytest.approx(1.3)
    assert again.text == 0
    assert segmenter.bank.templates == surgery_templates()


@pytest.mark.parametrize("family", ["vit", "registers", "bert_mean"])
def test_the_token_view_is_that_of_the_second_implementation(zoo: Zoo, family: str) -> None:
    """In float64: the final norm and projection at every position, less the empty text, against operated places."""
    model, plain = zoo(family), ref.Plain(zoo(family))
    image, caption = sample_images(1)[0], "two people walk along"
    got = Segmenter(model, LABELS, templates=("{}",)).caption(image, caption)
    pixels = model.preprocess(image)[0][0]
    with torch.no_grad():
        features = ref.surgery(plain, pixels, 6)
        states, ids, _ = plain.text_states(caption)
        # A row that ends at a position is read out there.
        each = [plain.text_pooled(states[-1][at : at + 1], ids[at : at + 1]) for at in range(len(ids))]
        empty = plain.words("")
    positions, pieces = model.text.content(model.text.tokenize([caption])[0])
    assert got.tokens == pieces
    wanted = torch.stack([features[1:] @ (each[at] - empty) for at in positions]).numpy()
    maps = np.asarray(got.maps).reshape(len(pieces), -1)
    size = np.abs(wanted).max()
    assert np.abs(maps - wanted).max() < 1e-4 * size
    scores = np.array([float(features[0] @ (each[at] - empty)) for at in positions])
    np.testing.assert_allclose(got.scores, scores, atol=1e-5)
    np.testing.assert_allclose(got.peaks, wanted.max(axis=1), atol=1e-4 * size)
    np.testing.assert_allclose(
        np.asarray(got.whole).ravel(), (features[1:] @ (plain.words(caption) - empty)), atol=1e-5
    )
    # The companions: the next position, the empty text not subtracted, places turned, tokens backwards.
    later = torch.stack([features[1:] @ (each[max(at - 1, 0)] - empty) for at in positions]).numpy()
    kept = torch.stack([features[1:] @ each[at] for at in positions]).numpy()
    for wrong in (later, kept, wanted[:, ::-1], wanted[::-1]):
        assert np.abs(maps - wrong).max() > 1e-2 * size


@pytest.mark.parametrize("family", ["vit", "efficientnet"])
def test_caption_tokens_are_maps_of_what_each_position_holds(zoo: Zoo, family: str) -> None:
    model, image = zoo(family), sample_images(1)[0]
    got = Segmenter(model, LABELS, templates=("{}",)).caption(image, "two people walk along")
    method = "clip_surgery" if family == "vit" else "raw"
    whole = explain(model, [image], [got.caption], method)
    assert whole.image is not None
    assert got.tokens == whole.tokens[0]
    assert np.allclose(got.whole, whole.image[0, 0], atol=1e-5)
    assert got.cosine == pytest.approx(float(whole.scores[0, 0]), abs=1e-5)
    assert got.maps.shape == (len(got.tokens), *got.whole.shape)
    assert np.allclose(got.peaks, got.maps.max(axis=(1, 2)))
    assert list(got.scores[got.best]) == sorted(got.scores, reverse=True)[:3]
    # A causal tower's first token knows nothing of the rest: another ending leaves its map alone.
    other = Segmenter(model, LABELS, templates=("{}",)).caption(image, "two people see nothing")
    assert np.allclose(other.maps[0], got.maps[0], atol=1e-5)
    assert not np.allclose(other.maps[-1], got.maps[-1], atol=1e-3)


# -- truth --------------------------------------------------------------------------------------------------------


def annotations(path: Path, entries: Sequence[dict[str, Any]], name: str = "drawn-0.png", side: int = 48) -> Path:
    content = {
        "images": [{"id": 7, "file_name": name, "width": side, "height": side}],
        "categories": [{"id": 1, "name": "Red Circle"}, {"id": 2, "name": "green square"}, {"id": 3, "name": "sky"}],
        "annotations": [{"image_id": 7, **entry} for entry in entries],
    }
    path.write_text(json.dumps(content))
    return path


BOX = [[8, 10, 24, 10, 24, 26, 8, 26]]
INNER = [[12, 14, 18, 14, 18, 20, 12, 20]]
CROWD = {"size": [48, 48], "counts": [48 * 40, 48 * 8]}


def test_masks_are_painted_smaller_over_larger_and_crowds_are_ignored(tmp_path: Path) -> None:
    entries = [
        {"category_id": 2, "segmentation": INNER, "area": 36},
        {"category_id": 1, "segmentation": BOX, "area": 256},
        {"category_id": 1, "segmentation": CROWD, "area": 384, "iscrowd": 1},
        {"category_id": 3, "bbox": [30, 30, 5, 5], "area": 25},
    ]
    truth = read_truth(annotations(tmp_path / "truth.json", entries))
    image = take_in(tmp_path).images[0]
    mask = truth.mask(image, CLASSES, (48, 48))
    assert mask is not None
    expected = Image.new("I", (48, 48), 0)
    pen = ImageDraw.Draw(expected)
    pen.rectangle((8, 10, 24, 26), fill=1)
    pen.rectangle((12, 14, 18, 20), fill=2)
    wanted = np.asarray(expected).astype(int)
    wanted[:, 40:] = -1
    assert np.array_equal(mask, wanted)
    assert not np.array_equal(mask.T, wanted)
    doubled = truth.mask(image, CLASSES, (96, 96))
    assert doubled is not None
    assert doubled[24, 20] == 1 and doubled[34, 30] == 2 and doubled[60, 60] == 0
    assert truth.labels(image) == {"red circle", "green square", "sky"}
    other = take_in(tmp_path).images[1]
    assert truth.mask(other, CLASSES, (48, 48)) is None
    assert truth.labels(other) is None


def test_run_lengths_and_their_packed_form_are_painted_as_drawn(tmp_path: Path) -> None:
    inside = np.zeros((48, 48), bool)
    inside[10:26, 8:24] = True
    runs = [8 * 48 + 10, 16] + [32, 16] * 15 + [24 * 48 + 22]
    image = take_in(tmp_path).images[0]
    for number, counts in enumerate((runs, packed(runs))):
        shape = {"size": [48, 48], "counts": counts}
        entry = {"category_id": 1, "segmentation": shape, "bbox": [0, 0, 48, 48], "area": 256}
        mask = read_truth(annotations(tmp_path / f"{number}.json", [entry])).mask(image, CLASSES, (48, 48))
        assert mask is not None
        assert np.array_equal(mask == 1, inside)
        # The box, which stood in for packed forms once, would be all of the image.
        assert not mask.all()


def test_a_damaged_truth_is_told_in_one_line(tmp_path: Path) -> None:
    for content in ("", "[]", '{"images": []}', '{"images": [], "categories": [], "annotations": [{"image_id": 1}]}'):
        (tmp_path / "truth.json").write_text(content)
        with pytest.raises(InputError, match="COCO format") as caught:
            read_truth(tmp_path / "truth.json")
        assert "\n" not in str(caught.value)


def test_labels_in_a_column_are_parted_by_semicolons(tmp_path: Path) -> None:
    image = take_in(tmp_path).images[0]
    with_labels = image.model_copy(update={"metadata": {"labels": "Dog; red  bird ;"}})
    assert column_labels(with_labels, "labels") == {"dog", "red  bird"}
    assert column_labels(image, "labels") is None


# -- the stage ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return take_in(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("vit"), "vit")


def staged(folder: Path, dataset: Dataset, config: Path, **options: Any) -> tuple[Run, Model]:
    run = create_run(folder, plan_for(dataset, config, ("raw",)))
    model = loaded(config)
    run.update_manifest(model={"preprocessing": model.preprocessing.as_dict()})
    run_stage(Subject(run, model), "segmentation", {"templates": "none", **options}, lambda line: None)
    return run, model


def test_a_run_is_segmented_recorded_and_reported(tmp_path: Path, dataset: Dataset, vit: Path) -> None:
    truth = annotations(tmp_path / "truth.json", [{"category_id": 1, "segmentation": BOX, "area": 256}])
    run, model = staged(tmp_path / "run", dataset, vit, truth=str(truth), background=["wall"], kept=2, present=0.0)
    record = records.of_run(run)
    assert record is not None
    assert record.labels == CLASSES
    assert record.about["method"] == "clip_surgery"
    assert record.about["failures"] == []
    assert "no Segment Anything checkpoint" in record.about["sam"]
    assert len(record.images) == len(dataset.images) == 4
    image = dataset.images[0]
    segmenter = Segmenter(model, CLASSES, SegmentationOptions(background=("wall",), present=0.0), ("{}",))
    found = segmenter.image(dataset.open(image))
    mask = record.mask(image.id)
    assert np.array_equal(mask, found.mask)
    part = record.areas[record.areas.image == image.id]
    assert part.pixels.sum() == part.seen.iloc[0] == (mask >= 0).sum()
    for row in part.itertuples():
        assert row.pixels == (mask == row.number).sum()
    rows = record.maps[record.maps.image == image.id]
    assert list(rows.kind) == ["label", "label", "empty", "caption", *["token"] * len(rows[rows.kind == "token"])]
    assert 1 <= len(rows[rows.kind == "token"]) <= 3
    best = rows[rows.kind == "label"].iloc[0]
    assert best.text == CLASSES[int(np.argmax(found.recipes["best_place"]))]
    assert np.allclose(best["map"], found.maps[CLASSES.index(best.text)].ravel())
    assert best.cosine == pytest.approx(found.cosines[CLASSES.index(best.text)])
    assert list(record.points(image.id)) == list(rows[rows.kind == "label"].text)
    known = record.recognition[record.recognition.truth.notna()]
    assert set(known.image) == {image.id}
    assert known[known.truth == True].label.tolist() == ["red circle"]  # noqa: E712
    expected = read_truth(truth).mask(image, CLASSES, (48, 48))
    counted = record.overlap[(record.overlap["map"] == "clip_surgery") & (record.overlap.label == "red circle")].iloc[0]
    assert counted.intersection == ((mask == 1) & (expected == 1)).sum()
    assert counted.union == ((mask == 1) | (expected == 1)).sum()
    assert set(record.overlap["map"]) == {"clip_surgery", "raw", "whole"}
    titles = [section.title for section in sections(context_of(run, Assets()))]
    assert titles == [
        "Open-vocabulary segmentation", "Overlap with drawn objects", "Labels recognised in whole images",
        "Prompt points", "The map of the empty text", "Caption tokens",
    ]  # fmt: skip


def test_annotations_kept_with_the_data_set_are_the_truth_unless_another_is_named(tmp_path: Path, vit: Path) -> None:
    own = take_in(tmp_path)
    run, _ = staged(tmp_path / "without", own, vit)
    before = records.of_run(run)
    assert before is not None and before.overlap.empty and before.about["truth"] == ""
    names = [image.name for image in own.images]
    keep_annotations(own, read_annotations(made_truth(tmp_path / "kept.json", names, CLASSES)))
    run, _ = staged(tmp_path / "kept", own, vit)
    kept = records.of_run(run)
    assert kept is not None and own.annotations is not None
    assert kept.about["truth_sha256"] == read_annotations(own.annotations).sha256
    assert set(kept.overlap.image) == {image.id for image in own.images}
    table = records.overlap_table(kept)
    assert set(table.n) == {4} and table.value.notna().all()
    assert not records.precision_table(kept).empty
    other = made_truth(tmp_path / "other.json", names[:1], CLASSES[1:])
    run, _ = staged(tmp_path / "other", own, vit, truth=str(other))
    named = records.of_run(run)
    assert named is not None and named.about["truth"] == "other.json"
    assert set(named.overlap.image) == {own.images[0].id}


@pytest.mark.parametrize(("cells", "known"), [(("red circle; green square", "blue triangle"), 2), (("7", "8"), 0)])
def test_a_column_of_labels_is_used_if_it_speaks_of_the_label_set(
    tmp_path: Path, vit: Path, cells: tuple[str, str], known: int
) -> None:
    folder = draw_images(tmp_path / "drawn", 2)
    lines = ["file,caption,Category", *(f"drawn-{n}.png,a wall,{cell}" for n, cell in enumerate(cells))]
    (folder / "captions.csv").write_text("\n".join(lines))
    run, _ = staged(tmp_path / "run", ingest([folder], store=tmp_path / "data"), vit)
    record = records.of_run(run)
    assert record is not None and record.about["labels_column"] == ("Category" if known else "")
    truth = record.recognition.set_index(["image_name", "label"]).truth
    assert truth.notna().groupby("image_name").all().sum() == known
    if known:
        assert truth["drawn-0.png", "green square"] and not truth["drawn-1.png", "green square"]
        assert not records.precision_table(record).empty


def test_the_same_run_gives_the_same_bytes(tmp_path: Path, dataset: Dataset, vit: Path) -> None:
    hashes = []
    for name in ("first", "second"):
        run, _ = staged(tmp_path / name, dataset, vit)
        hashes.append(run.manifest["applications"]["segmentation"]["files"])
    assert hashes[0] == hashes[1]
    other, _ = staged(tmp_path / "third", dataset, vit, depth=1)
    assert other.manifest["applications"]["segmentation"]["files"] != hashes[0]


def test_a_convolutional_model_is_segmented_by_raw_maps_and_says_so(tmp_path: Path, dataset: Dataset) -> None:
    run, _ = staged(tmp_path / "run", dataset, save_model(tmp_path / "cnn", "cnn"), captions=False)
    record = records.of_run(run)
    assert record is not None
    assert record.about["method"] == "raw"
    assert "CLIP Surgery needs a model" in record.about["why"]
    assert set(record.maps.method) == {"raw"}
    assert record.overlap.empty and record.tokens.empty
    first = sections(context_of(run, Assets()))[0]
    assert ("Maps", "Raw similarity") in [(fact.name, fact.value) for fact in first.facts]


def test_a_image_that_fails_is_listed_and_the_rest_goes_on(
    tmp_path: Path, dataset: Dataset, vit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Segmenter.image
    calls = []

    def broken(self: Segmenter, image: Image.Image) -> Any:
        calls.append(image)
        if len(calls) in failing:
            raise FloatingPointError("not finite")
        return plain(self, image)

    monkeypatch.setattr(Segmenter, "image", broken)
    failing = {2}
    record = records.of_run(staged(tmp_path / "run", dataset, vit)[0])
    assert record is not None
    assert [entry["message"] for entry in record.about["failures"]] == ["not finite"]
    assert len(record.images) == 3
    calls.clear()
    failing = {1, 2, 3, 4}
    with pytest.raises(InputError, match="no image could be segmented"):
        staged(tmp_path / "worse", dataset, vit)
    assert not (tmp_path / "worse" / "applications" / "segmentation").exists()


def test_without_labels_nothing_is_segmented(tmp_path: Path, dataset: Dataset, vit: Path) -> None:
    run = create_run(tmp_path / "run", plan_for(dataset, vit, ("raw",), texts=TextPlan()))
    with pytest.raises(InputError, match="needs labels"):
        run_stage(Subject(run, loaded(vit)), "segmentation", {}, lambda line: None)
    assert records.of_run(run) is None
    assert sections(context_of(run, Assets())) == ()
    records.SegmentationRecord.folder_of(run).mkdir(parents=True)
    with pytest.raises(RunError, match="incomplete or damaged"):
        records.of_run(run)


# -- tables -------------------------------------------------------------------------------------------------------


def test_mean_overlap_sums_over_images_before_it_divides() -> None:
    both = np.array([[3, 0, 1], [1, 0, 0]])
    either = np.array([[4, 5, 2], [8, 0, 0]])
    true = np.array([[3, 0, 2], [2, 0, 0]])
    assert records.mean_overlap(both, either, true) == pytest.approx((4 / 12 + 1 / 2) / 2)
    assert records.mean_overlap(both, either, np.zeros_like(true)) is None


def test_colours_are_told_apart_and_unseen_places_stay_grey() -> None:
    colours = records.palette(60)
    assert len(set(colours)) == 60
    assert colours[:3] == records.palette(3)
    mask = np.array([[1, 2], [0, -1]])
    painted = np.asarray(records.paint(Image.new("RGB", (2, 2), "black"), mask, [records.GREY, *colours[:2]], 1.0))
    assert tuple(painted[0, 0]) == colours[0]
    assert tuple(painted[0, 1]) == colours[1]
    assert tuple(painted[1, 0]) == records.GREY
    assert len(set(painted[1, 1].tolist())) == 1


def test_the_card_costs_what_its_maps_cost() -> None:
    assert CARD.cost_model(CARD.parse({"map": "raw"})) == 1.0
    assert CARD.cost_model(CARD.parse({"depth": 2})) < CARD.cost_model(CARD.parse({"depth": 6}))
    assert CARD.reason({"embeddings"}) is not None
    with pytest.raises(InputError, match="option 'recipe'"):
        CARD.parse({"recipe": "guess"})
