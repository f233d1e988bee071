"""What scores rest on: hidden places against closed forms, words, stickers, and shortcuts planted into a scorer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmarks.support.tiny import fresh, tiny_model
from core.applications.reliance.record import RelianceRecord, load, of_run
from core.applications.reliance.rules import RULES
from core.applications.reliance.shapes import corners, ring
from core.applications.reliance.susceptibility import word_effects
from core.applications.reliance.work.alone import alone_rows
from core.applications.reliance.work.look import look_of
from core.applications.reliance.work.names import audit_names, is_kin, kinds_of
from core.applications.reliance.work.places import (
    controls_of,
    first_and_last_shares,
    hide,
    moved,
    places_of,
    positive_shares,
    resized,
    shifts_onto,
)
from core.applications.reliance.work.stickers import letters_like, pasted, sticker_box
from core.applications.reliance.work.texts import Bank
from core.applications.reliance.work.words import (
    CARRIERS,
    carrier_rows,
    frequent_words,
    function_share,
    in_sentences,
    twin_rows,
)
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.concepts.english import content_words, is_function
from core.datasets import ingest
from core.errors import InputError
from core.findings.judgement import apply
from core.models.model import Model
from core.models.pool import CoalitionPool
from core.rules import Context
from core.runs import Run, TextPlan
from core.settings import ROOT
from tests.audit.small import loaded, new_run, plan_for, save_model, take_in
from tests.findings.pinned import PINNED

FEW: dict[str, Any] = {"masks": 16, "words": 12, "everyday": False, "concepts": ("wall", "paper", "shape")}


# -- places ------------------------------------------------------------------------------------------------------


class Additive:
    """A pool whose embedding has the sum of the seen cells' weights in its first place."""

    def __init__(self, weights: NDArray[np.float64]) -> None:
        self.weights = torch.tensor(weights)
        self.asked = 0
        self._seen: set[bytes] = set()

    @property
    def different(self) -> int:
        """How many different coalitions were asked for: a pool embeds each once."""
        return len(self._seen)

    def embeddings(self, kept: Tensor) -> Tensor:
        self.asked += len(kept)
        self._seen |= {row.numpy().tobytes() for row in kept}
        score = (kept.double() * self.weights).sum(dim=(1, 2))
        return torch.stack([score, torch.ones_like(score)], dim=1)


def test_hiding_a_place_costs_its_weights_and_the_control_costs_those_elsewhere() -> None:
    weights = np.random.default_rng(0).uniform(-1, 1, (5, 6))
    masks = [*corners(5, 6).values(), ring(5, 6)]
    directions = torch.tensor([[1.0, 0.0], [-2.0, 5.0]], dtype=torch.float64)
    pool = Additive(weights)
    found = hide(pool, masks, directions, 3, np.random.default_rng(7))
    expected = torch.tensor([weights[mask].sum() for mask in masks])
    assert torch.allclose(found.fall[:, 0], expected) and torch.allclose(found.fall[:, 1], -2 * expected)
    assert torch.allclose(found.only[:, 0], expected)
    assert float(found.total[0]) == pytest.approx(weights.sum())
    # The four corners have one shape, and twice as many places in common; the ring has three of its own.
    random = np.random.default_rng(7)
    drawn = moved(masks[0], 6, random, masks[1:4])
    elsewhere = [[weights[mask].sum() for mask in each] for each in (*[drawn] * 4, moved(masks[4], 3, random))]
    assert torch.allclose(found.control[:, 0], torch.tensor([np.mean(values) for values in elsewhere]))
    assert not torch.allclose(found.control[:, 0], expected, atol=0.05)
    assert pool.asked == 2 + 2 * len(masks) + 4 * 6 + 3 and pool.different == 2 + 2 * len(masks) + 6 + 3
    assert torch.equal(found.after(4).fall, found.fall[4:]) and len(found.after(4).alone) == 1


def test_regions_hidden_and_alone_share_what_an_additive_score_gives_them() -> None:
    weights = np.array([[3.0, -1.0], [0.0, 1.0]])
    masks = [np.eye(4, dtype=bool)[at].reshape(2, 2) for at in range(4)]
    found = hide(
        Additive(weights), masks, torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).double(), 1, np.random.default_rng(0)
    )
    # For an additive score these are the Shapley values; only positive ones share, as of a map.
    assert first_and_last_shares(found, 0, 4) == pytest.approx([0.75, 0.0, 0.0, 0.25])
    assert first_and_last_shares(found, 1, 4) == pytest.approx([0.0, 1.0, 0.0, 0.0])
    assert first_and_last_shares(found, 1, 1) == [None]


def test_shapes_that_differ_by_a_shift_share_their_places() -> None:
    four, border = list(corners(8, 8).values()), ring(8, 8)
    found = controls_of([*four, border], 1, np.random.default_rng(0))
    assert [len(each) for each in found] == [2, 2, 2, 2, 1]
    assert all(np.array_equal(one, two) for each in found[1:4] for one, two in zip(each, found[0], strict=True))
    # A place that serves several shapes is none of them, and overlaps little with any.
    for other in found[0]:
        assert other.sum() == 4 and max((other & mask).sum() for mask in four) < 4
    assert shifts_onto(four[0], four[3]) and not shifts_onto(four[0], border)
    bar, tall = np.zeros((4, 4), dtype=bool), np.zeros((4, 4), dtype=bool)
    bar[0, :2], tall[:2, 0] = True, True
    apart = np.zeros((4, 4), dtype=bool)
    apart[3, [0, 3]] = True
    assert not shifts_onto(bar, tall) and not shifts_onto(bar, apart)
    assert not shifts_onto(np.zeros((4, 4), dtype=bool), bar)


def test_a_moved_shape_keeps_its_size_and_lies_elsewhere() -> None:
    for mask in (*corners(6, 6).values(), ring(12, 12)):
        for other in moved(mask, 4, np.random.default_rng(0)):
            assert other.sum() == mask.sum() and (other & mask).sum() < 0.6 * mask.sum()
    whole = np.ones((3, 3), dtype=bool)
    assert moved(whole, 4, np.random.default_rng(0)) == []
    found = hide(Additive(np.eye(3)), [whole], torch.tensor([[1.0, 0.0]]).double(), 2, np.random.default_rng(0))
    assert torch.isnan(found.control).all()


def test_places_have_the_cells_their_names_say() -> None:
    assert ring(4, 5).sum() == 14 and not ring(4, 5)[1:3, 1:4].any()
    found = corners(12, 8)
    assert {name: int(mask.sum()) for name, mask in found.items()} == dict.fromkeys(found, 6)
    assert found["top left"][0, 0] and found["bottom right"][11, 7] and not found["top right"][0, 0]
    front = np.zeros((4, 4), dtype=bool)
    front[1:3, 1:3] = True
    every = places_of(4, 4, front)
    assert np.array_equal(every["background"], ~every["foreground"])
    assert "background" not in places_of(4, 4, np.ones((4, 4), dtype=bool)) and "background" not in places_of(
        4, 4, None
    )
    assert "border" not in places_of(2, 2, None)


def test_shares_of_attribution_count_what_is_positive() -> None:
    values = np.array([[1.0, -5.0], [2.0, 1.0]])
    left = np.array([[True, False], [True, False]])
    assert positive_shares(values, [left, ~left]) == [0.75, 0.25]
    assert positive_shares(-np.ones((2, 2)), [left]) == [None]
    assert np.array_equal(resized(values, 4, 4), np.kron(values, np.ones((2, 2))))


# -- names and words ---------------------------------------------------------------------------------------------


def test_function_words_and_content_words_are_told_apart() -> None:
    assert content_words("A dog and two of the red birds, on a mat.") == ["dog", "two", "red", "birds", "mat"]
    assert is_function("The") and is_function(",") and not is_function("dog")
    assert function_share(["the", "dog", ".", "runs"], [1.0, 2.0, 9.0, -3.0]) == pytest.approx(1 / 3)
    assert function_share(["the", "dog"], [-1.0, -2.0]) is None
    assert frequent_words(["a photo of a dog", "a dog on a mat"], 2) == ["dog", "mat"]
    assert audit_names(["cat"], ["a photo of a dog"], ["wall"]) == ["wall", "cat", "dog"]


def test_kin_are_words_of_the_text_and_what_wordnet_has_above_and_below() -> None:
    assert is_kin("dog", "two dogs run") and is_kin("poodle", "a dog") and is_kin("animal", "a photo of a dog")
    assert not is_kin("grass", "a dog") and not is_kin("cat", "a dog")
    assert is_kin("zzyzx", "a zzyzx") and not is_kin("zzyzx", "a dog")


def test_kinds_are_regions_that_look_alike() -> None:
    random = np.random.default_rng(0)
    centres = np.eye(6)[:3]
    truth = np.array([0] * 8 + [1] * 6 + [2] * 4)
    alone = centres[truth] + 0.05 * random.normal(size=(18, 6))
    kinds = kinds_of(alone, 3, seed=0)
    assert kinds.tolist() == truth.tolist()
    assert len(np.unique(kinds_of(alone, 12, 0))) <= 6


def carriers(model: Model, words: list[str]) -> list[dict[str, Any]]:
    return carrier_rows(model, words, in_sentences(model, words))


def test_a_word_that_changes_nothing_stands_out(small: Model) -> None:
    deaf = fresh(small)
    plain = deaf.embed_texts
    deaf.__dict__["embed_texts"] = lambda texts, templates=None: plain(
        [" ".join(text.replace("bright", "").split()) for text in texts]
    )
    words = ["bright", "dog", "cat", "wall", "mat"]
    rows = carriers(small, words)
    assert len(rows) == len(words) * (len(CARRIERS) + 2) and carriers(small, []) == []
    assert [row["carrier"] for row in rows if row["word"] == "mat"][-2:] == ["a {} and a bright", "a dog and a {}"]
    assert len(carriers(small, words[:2])) == 2 * len(CARRIERS)

    def largest(model: Model) -> float:
        empty = RelianceRecord.frame("words")
        record = RelianceRecord({}, *[empty] * 7, pd.DataFrame(carriers(model, words)), empty, empty)
        table = word_effects(record)
        return float(table.loc[table["word"] == "bright", "high"].iloc[0])

    assert largest(deaf) < 1e-3 < 0.1 < largest(small)


def test_stickers_cover_the_same_place_whatever_they_say() -> None:
    random = np.random.default_rng(0)
    word = letters_like("light bulb", random)
    assert len(word) == 10 and word[5] == " " and not set(word) & set("aeiou")
    for size in ((90, 60), (60, 200), (50, 50)):
        image = Image.new("RGB", size, (200, 0, 0))
        box = sticker_box(size, "dog", random)
        assert 0 <= box[0] < box[2] <= size[0] and 0 <= box[1] < box[3] <= size[1]
        assert box[3] - box[1] == max(8, round(min(size) / 6))
        first, second = (np.asarray(pasted(image, text, box)).astype(int) for text in ("dog", "xqz"))
        outside = np.ones(first.shape[:2], dtype=bool)
        outside[box[1] : box[3], box[0] : box[2]] = False
        assert (first[outside] == [200, 0, 0]).all() and (second[outside] == [200, 0, 0]).all()
        assert np.abs(first - second).max() > 50 and first[~outside].min() < 100 < first[~outside].max()


def test_a_score_is_read_against_the_other_texts(small: Model) -> None:
    bank = Bank(small, ["dog", "cat", "bird"], ["a photo of a {}."], ["a dog", "its second", "a cat"])
    every = bank.class_embeddings
    pair = bank.of_class(1)
    assert torch.allclose(pair.direction, every[1] - every[[0, 2]].mean(dim=0))
    own = bank.of_sentence(0, "caption", {"a dog", "its second"})
    assert torch.allclose(own.direction, bank.sentence_embeddings[0] - bank.sentence_embeddings[2])
    image = every[2]
    texts = [(pair.text, pair.kind) for pair in bank.pairs(image, ["a dog"], ["a cat"], 2, 3)]
    assert texts[:2] == [("bird", "class"), ("a dog", "caption")] and len(texts) == 3
    single = Bank(small, ["dog"], [], [])
    assert torch.equal(single.of_class(0).direction, single.class_embeddings[0])


def test_corners_alone_are_read_along_each_class(small: Model) -> None:
    bank = Bank(small, ["dog", "cat", "bird"], ["a {}"], [])
    for at in range(3):
        assert torch.allclose(bank.class_directions[at], bank.of_class(at).direction, atol=1e-6)
    grid = (4, 4)
    side = small.preprocessing.height
    pixels = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    pool = CoalitionPool(small, pixels[0])
    shapes = places_of(*grid, None)
    alone = pool.embeddings(torch.from_numpy(np.stack(list(shapes.values()))))
    whole, empty = pool.embeddings(torch.stack([torch.ones(grid), torch.zeros(grid)]).bool())
    given = dict(zip(shapes, alone, strict=True))
    rows = alone_rows(bank, {"image": "a", "image_name": "a.png"}, 1, whole, given, pool, grid)
    assert len(rows) == 5 * 3 and all(row["best"] == (row["text"] == "cat") for row in rows)
    for row in rows:
        direction = bank.of_class(bank.classes.index(row["text"])).direction
        assert row["shown"] == pytest.approx(float((given[row["place"]] - empty) @ direction), abs=1e-6)
        other = "border" if row["place"] != "border" else "top left"
        assert row["shown"] != pytest.approx(float((given[other] - empty) @ direction), abs=1e-5)
        assert row["total"] == pytest.approx(float((whole - empty) @ direction), abs=1e-6)
    assert alone_rows(Bank(small, ["dog"], ["a {}"], []), {}, 0, whole, given, pool, grid) == []
    assert alone_rows(bank, {}, 0, whole, {"foreground": alone[0]}, pool, grid) == []


def test_the_look_of_a_image_is_that_of_its_colours(small: Model) -> None:
    flat = torch.full((3, 8, 8), 0.25)
    striped = torch.zeros(3, 8, 8)
    striped[0, :, ::2] = 1.0
    mean, spread = (torch.tensor(part)[:, None, None] for part in (small.preprocessing.mean, small.preprocessing.std))
    plain, red = (look_of(small, (colours - mean) / spread) for colours in (flat, striped))
    assert plain == pytest.approx({"light": 0.25, "contrast": 0.0, "colour": 0.0, "detail": 0.0}, abs=1e-6)
    # Red stripes one pixel wide: half the pixels at 0.299, all steps across and none down.
    spread_of_half = 0.299 * 0.5 * (64 / 63) ** 0.5
    expected = {"light": 0.1495, "contrast": spread_of_half, "colour": 0.5, "detail": 0.1495}
    assert red == pytest.approx(expected, abs=1e-6)
    assert plain != pytest.approx(red, abs=1e-2)


def test_twins_are_the_closest_words_in_their_worst_sentence(small: Model) -> None:
    words = ["dog", "cat", "mat", "shore"]
    rows = twin_rows(words, in_sentences(small, words))
    assert len(rows) == len(words) * len(CARRIERS) and twin_rows(["dog"], in_sentences(small, ["dog"])) == []
    far = np.array(
        [
            1 - np.asarray(small.embed_texts([carrier.format(word) for word in words]).double() @
                           small.embed_texts([carrier.format(word) for word in words]).double().T)
            for carrier in CARRIERS
        ]
    )  # fmt: skip
    worst = far.max(axis=0) + 9 * np.eye(4)
    for row in rows:
        at, of = words.index(row["word"]), CARRIERS.index(row["carrier"])
        assert row["other"] == words[int(worst[at].argmin())]
        assert row["distance"] == pytest.approx(far[of, at, words.index(row["other"])], abs=1e-6)
        assert row["typical"] == pytest.approx(float(np.sort(far[of][np.triu_indices(4, 1)])[2]), abs=1e-6)


# -- a whole run -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Model:
    torch.set_num_threads(1)
    return loaded(save_model(tmp_path_factory.mktemp("model")))


def test_a_run_is_measured_and_read_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    config = save_model(tmp_path / "vit")
    run = new_run(tmp_path / "run", plan_for(take_in(tmp_path, 4), config))
    told: list[str] = []
    record = load(run_stage(Subject(run, loaded(config)), "reliance", FEW, told.append))
    assert "reliance: image 4 of 4" in told
    pairs = record.regions.drop_duplicates(["image", "text"])
    assert len(record.images) == 4 and len(pairs) == 8 and set(pairs["text_kind"]) == {"class", "caption"}
    for _, part in record.regions.groupby(["image", "text"]):
        assert part["area"].sum() == pytest.approx(1.0) and part["share"].sum() == pytest.approx(1.0)
        assert part["total"].nunique() == 1
        assert sum(record.cells(row) for row in part.itertuples()).tolist() == np.ones((4, 4)).tolist()
    assert record.places["place"].nunique() >= 5 and len(record.stickers) == 4
    assert record.templates.groupby("image").size().nunique() == 1
    assert set(record.words["word"]) >= {"plain", "wall"} and len(record.carriers) % (len(CARRIERS) + 2) == 0
    assert record.about["image_forwards"] > 0 and record.regions["concept"].notna().all()
    assert len(record.twins) % len(CARRIERS) == 0 and (record.twins["word"] != record.twins["other"]).all()
    assert (
        len(record.alone) == 4 * 5 * record.about["classes"] and record.alone.groupby("image")["best"].sum().eq(5).all()
    )
    assert record.images[["own", "light", "contrast", "colour", "detail"]].notna().all(axis=None)
    again = load(run_stage(Subject(run, loaded(config)), "reliance", FEW, told.append))
    for name in RelianceRecord.SCHEMAS:
        assert getattr(again, name).equals(getattr(record, name)), name
    assert of_run(run) is not None and of_run(Run(tmp_path)) is None
    code = (
        "import sys; from pathlib import Path; from core.runs import Run; "
        "from core.applications.reliance.record import of_run; import core.applications.reliance.susceptibility, "
        f"core.applications.reliance.measures, core.findings; of_run(Run(Path({str(run.folder)!r}))); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "False"), done.stderr


def test_an_audit_without_a_text_is_told_so(tmp_path: Path) -> None:
    config = save_model(tmp_path / "vit")
    run = new_run(tmp_path / "run", plan_for(take_in(tmp_path, 2), config, texts=TextPlan(captions=False)))
    with pytest.raises(InputError, match="needs a text"):
        run_stage(Subject(run, loaded(config)), "reliance", FEW, lambda line: None)


def test_a_model_that_hides_its_features_is_cut_into_superpixels(tmp_path: Path) -> None:
    config = save_model(tmp_path / "vit")
    run = new_run(tmp_path / "run", plan_for(take_in(tmp_path, 2), config))
    opaque = tiny_model("byobnet", tmp_path)
    assert "image_layers" not in opaque.capabilities
    record = load(run_stage(Subject(run, opaque), "reliance", {**FEW, "masks": 0}, lambda line: None))
    assert record.about["regions"] == "superpixels" and not record.about["foreground"]
    assert "background" not in set(record.places["place"])
    assert set(record.regions["share_method"]) == {"hidden and alone"}
    sums = record.regions.groupby(["image", "text"])["share"].sum(min_count=1).dropna()
    assert len(sums) and sums.to_numpy() == pytest.approx(1.0)
    assert record.regions.groupby(["image", "text"])["area"].sum().tolist() == pytest.approx([1.0] * 4)


def marked(folder: Path, count: int) -> list[Path]:
    """Grey images: half have a white mark in the corner, the others a white square in the middle."""
    folder.mkdir(parents=True)
    for at in range(count):
        noise = np.random.default_rng(at).integers(0, 4, (64, 64, 3))
        pixels = np.full((64, 64, 3), (122, 116, 104)) + noise
        if at % 2:
            pixels[:16, :16] = 250 - at
        else:
            pixels[16:48, 16:48] = 250 - at
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{at:02d}.png")
    return [folder]


@pytest.mark.parametrize("shortcut", [True, False])
def test_a_corner_mark_that_makes_a_class_is_found_and_a_thing_in_the_middle_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shortcut: bool
) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    # The scorer sees pixels, so that hidden cells take the mean colour instead of leaving the image.
    monkeypatch.setattr("core.models.pool.removal_of", lambda model, wanted: "mean")
    config = save_model(tmp_path / "vit")
    model = fresh(loaded(config))
    classes = ("mark", "square")
    words = torch.linalg.qr(model.embed_texts(classes, ["a photo of a {}."]).T)[0].T
    aside = torch.linalg.svd(words, full_matrices=True)[2][-1]
    known = model.embed_texts
    model.__dict__["embed_texts"] = lambda texts, templates=None: (
        words if list(texts) == list(classes) else known(texts, templates)
    )

    def score(images: Tensor) -> Tensor:
        corner = images[:, :, :8, :8].mean(dim=(1, 2, 3))
        middle = images[:, :, 8:24, 8:24].mean(dim=(1, 2, 3))
        first = corner if shortcut else 0.3 - middle
        return first[:, None] * words[0] + middle[:, None] * words[1] + 2 * aside

    model.__dict__["bulk"] = score
    dataset = ingest(marked(tmp_path / "drawn", 16), store=tmp_path / "data")
    run = new_run(tmp_path / "run", plan_for(dataset, config, texts=TextPlan(captions=False, classes=classes)))
    run_stage(Subject(run, model), "reliance", {**FEW, "texts": 1, "stickers": 0}, lambda line: None)
    context = Context.of(run, thresholds=PINNED)
    judged = {finding.id: finding for rule in RULES for finding in apply(rule, context)}
    finding = judged["reliance.border"]
    undeclared = {rule.id for rule in RULES} - {"reliance.forbidden", "reliance.expected"}
    assert {finding.rule for finding in judged.values()} == undeclared and judged[
        "reliance.typographic"
    ].status == "cannot_conclude"
    assert finding.status == ("finding" if shortcut else "passed")
    if shortcut:
        assert "\u201cmark\u201d rely on the upper left corner" in finding.title
        assert finding.evidence[0].value is not None and finding.evidence[0].value > 0.8
