"""A coloured mark that drives a class wherever it lies: declared forbidden, it is found and named; its twin is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from benchmarks.support.tiny import fresh
from core.applications.reliance.record import load
from core.applications.reliance.rules import RULES
from core.applications.reliance.work.naming import areas, centred_cosines, kind_names, naming_part
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.datasets import ingest
from core.findings.judgement import apply
from core.rules import Context
from core.runs import TextPlan
from tests.audit.small import loaded, new_run, plan_for, save_model
from tests.findings.pinned import PINNED

OPTIONS = {
    "masks": 0, "words": 0, "everyday": False, "texts": 1, "stickers": 0, "kinds": 4,
    "declared": ["mark | magenta sticker | forbidden", "square | magenta sticker | expected"],
}  # fmt: skip
CLASSES = ("mark", "square")


def marked(folder: Path, count: int) -> list[Path]:
    """Grey images: half have a magenta mark, in one of four positions, the others a white square."""
    folder.mkdir(parents=True)
    for at in range(count):
        pixels = np.full((64, 64, 3), (122, 116, 104)) + np.random.default_rng(at).integers(0, 4, (64, 64, 3))
        top, left = 32 * (at // 2 % 2), 32 * (at // 4 % 2)
        pixels[top : top + 32, left : left + 32] = (250 - at, 20, 250 - at) if at % 2 else 250 - at
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{at:02d}.png")
    return [folder]


@pytest.mark.parametrize("shortcut", [True, False])
def test_a_forbidden_mark_that_drives_a_class_is_found_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shortcut: bool
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))
    # The scorer sees pixels, so that hidden cells take the mean colour instead of leaving the image.
    monkeypatch.setattr("core.models.pool.removal_of", lambda model, wanted: "mean")
    config = save_model(tmp_path / "vit")
    model = fresh(loaded(config))
    known = model.embed_texts
    words = torch.linalg.qr(known([*CLASSES, "magenta"], ["a photo of a {}."]).T)[0].T
    aside = torch.linalg.svd(words, full_matrices=True)[2][-1]

    def embedded(texts: list[str], templates: tuple[str, ...] | None = None) -> Tensor:
        if list(texts) == list(CLASSES):
            return words[:2]
        if list(texts) == ["a photo of a magenta sticker."]:
            return (words[2] + words[0])[None] / 2**0.5
        return known(texts, templates)

    def score(images: Tensor) -> Tensor:
        magenta = (images[:, 0] + images[:, 2] - 2 * images[:, 1]).clamp(min=0).mean(dim=(1, 2))
        light = images.min(dim=1).values.clamp(min=0).mean(dim=(1, 2))
        # The twin sees the mark as well, and scores the class by its darkness alone.
        first = magenta if shortcut else 0.5 * (1 - light)
        return first[:, None] * words[0] + light[:, None] * words[1] + magenta[:, None] * words[2] + 2 * aside

    model.__dict__["embed_texts"], model.__dict__["bulk"] = embedded, score
    dataset = ingest(marked(tmp_path / "drawn", 24), store=tmp_path / "data")
    run = new_run(tmp_path / "run", plan_for(dataset, config, texts=TextPlan(captions=False, classes=CLASSES)))
    record = load(run_stage(Subject(run, model), "reliance", OPTIONS, lambda line: None))
    assert len(record.declared) == len(record.regions.drop_duplicates(["image", "region"]))
    assert len(record.looks) == 24 and record.names["kind"].is_unique
    context = Context.of(run, thresholds=PINNED)
    judged = {finding.id: finding for rule in RULES for finding in apply(rule, context)}
    finding = judged["reliance.forbidden.1"]
    if shortcut:
        assert finding.status == "finding" and finding.evidence[0].value is not None
        assert (
            finding.title
            == "Scores of \u201cmark\u201d rely on \u201cmagenta sticker\u201d, which is declared forbidden"
        )
        assert finding.evidence[0].value > 0.5 and finding.n >= 8 and finding.samples
    else:
        assert finding.status != "finding"
    # A mark that moves is at no fixed place.
    assert judged["reliance.border"].status != "finding" and judged["reliance.alone"].status != "finding"


def test_a_name_is_chosen_on_one_part_of_the_images_and_checked_on_the_other() -> None:
    random = np.random.default_rng(0)
    centres = np.eye(8)
    truth = np.repeat(np.arange(3), 20)
    alone = centres[truth] + 0.1 * random.normal(size=(60, 8))
    images = [f"image {at % 20}" for at in range(60)]
    names = ["grass", "wall", "sea", "everything", "nothing"]
    embeddings = np.vstack([centres[:3], centres[:3].sum(axis=0), centres[7]])
    cosines = centred_cosines(alone, embeddings)
    assert np.allclose(cosines.mean(axis=0), 0)
    naming = naming_part(images, random)
    assert sum(naming) == 21 and {image for image, part in zip(images, naming, strict=True) if part}.isdisjoint(
        image for image, part in zip(images, naming, strict=True) if not part
    )
    checks = kind_names(cosines, cosines, truth, images, naming, names, ["the audit"] * 5)
    assert [check.name for check in checks] == ["grass", "wall", "sea"]
    assert all(check.area == 1.0 and (check.inside, check.outside) == (13, 13) for check in checks)
    assert all(check.near == 1.0 and check.lost == 1 and not check.rivals for check in checks)
    # What the images lose without the regions names them a second time.
    other = kind_names(cosines, -cosines, truth, images, naming, names, ["the audit"] * 5)
    assert other[0].name == "grass" and other[0].lost == 5
    # A second name for the same thing is as near; what both have in common is the name, or there is none.
    for second, name, rivals in (("tree", "plant", ()), ("telephone", "grass", ("telephone",))):
        twins = np.vstack([embeddings, centres[0]])
        near = centred_cosines(alone, twins)
        both = kind_names(near, near, truth, images, naming, [*names, second], ["the audit"] * 6)
        assert (both[0].name, both[0].rivals, both[1].name) == (name, rivals, "wall")
    # Kinds that are drawn at random have names that fail on the other images.
    drawn = random.permutation(truth)
    checks = kind_names(cosines, cosines, drawn, images, naming, names, ["the audit"] * 5)
    assert all(check.area is not None and check.area < 0.8 for check in checks)


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    values = np.random.default_rng(1).normal(size=(30, 4))
    inside = np.arange(30) < 11
    expected = [(values[inside, at][:, None] > values[~inside, at]).mean() for at in range(4)]
    assert areas(values, inside) == pytest.approx(expected)
    assert areas(values, np.zeros(30, dtype=bool)) is None
