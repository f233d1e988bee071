"""Association of groups with words: effect size and permutation test by enumeration, planted and clean groups."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from core.applications.columns import metadata_groups
from core.applications.subgroups.association import (
    EVERY_WORD,
    associated,
    associations,
    permuted,
    standardised,
)
from core.applications.subgroups.chapter import sections
from core.applications.subgroups.record import GroupsRecord
from core.applications.work.stage import run_stage
from core.applications.work.subject import Subject
from core.datasets import ingest
from core.rules import Context
from tests.applications.test_columns import images
from tests.audit.small import draw_images, loaded, new_run, plan_for, save_model
from tests.support.contexts import context_of

IDS = [f"{at:016x}" for at in range(40)]


def by_image(values: np.ndarray) -> dict[str, float]:
    return dict(zip(IDS, values.tolist(), strict=True))


def test_the_effect_size_is_the_difference_of_means_in_standard_deviations_of_all() -> None:
    values, inside = np.array([1.0, 2.0, 4.0, 7.0, 1.0]), np.array([True, True, False, False, False])
    every = [1.0, 2.0, 4.0, 7.0, 1.0]
    spread = (sum((value - 3.0) ** 2 for value in every) / 4) ** 0.5
    assert standardised(values, inside) == pytest.approx((1.5 - 4.0) / spread)
    assert standardised(values, ~inside) == pytest.approx((4.0 - 1.5) / spread)
    assert standardised(np.ones(5), inside) is None and standardised(values, np.ones(5, bool)) is None


def test_p_is_that_of_all_permutations() -> None:
    random = np.random.default_rng(0)
    table = random.normal(size=(12, 3))
    table[:5, 1] += 1.2
    inside = np.arange(12) < 5
    found = permuted(table, inside, 0)
    for at in range(3):
        values = table[:, at]
        observed = abs(values[:5].mean() - values[5:].mean())
        exact = np.mean(
            [
                abs(values[list(own)].mean() - np.delete(values, own).mean()) >= observed - 1e-12
                for own in combinations(range(12), 5)
            ]
        )
        assert found[at] == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 10_000) ** 0.5 + 1e-4)
    # The companion: the test of the shifted column is not that of the others.
    assert found[1] < 0.5 * min(found[0], found[2])


def test_a_planted_association_is_found_and_a_clean_twin_raises_none() -> None:
    random = np.random.default_rng(1)
    groups = metadata_groups(images(site=["a", "b"] * 20, sex=(["f"] * 2 + ["m"] * 2) * 10), 8)
    moon, lamp = random.normal(size=40), random.normal(size=40)
    clean = {EVERY_WORD: by_image((moon + lamp) / 2), "moon": by_image(moon), "lamp": by_image(lamp)}
    assert all(row.p_adjusted > 0.05 for row in associated(groups, clean, 8, 0))
    planted = moon + 2.0 * (np.arange(40) % 2 == 0)
    values = {EVERY_WORD: by_image((planted + lamp) / 2), "moon": by_image(planted), "lamp": by_image(lamp)}
    every = associated(groups, values, 8, 0)
    first = every[0]
    assert first.entry == "moon" and first.group.column == "site" and first.p_adjusted < 0.01
    assert first.low is not None and first.low * first.size > 0 and (first.n, first.others) == (20, 20)
    assert all(row.p_adjusted > 0.05 for row in every if row.entry == "lamp")
    assert first.p_adjusted == pytest.approx(min(1.0, len(every) * first.p))


def test_words_are_measured_against_texts_or_other_words_and_printed(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    folder = draw_images(tmp_path / "in", 20)
    lines = (folder / "captions.csv").read_text().splitlines()
    table = [f"{line},{'site' if at == 0 else 'ab'[at % 2]}" for at, line in enumerate(lines)]
    (folder / "captions.csv").write_text("\n".join(table) + "\n")
    dataset = ingest([folder], store=tmp_path / "data")
    config = save_model(tmp_path / "vit")
    model = loaded(config)
    run = new_run(tmp_path / "run", plan_for(dataset, config))
    run.update_manifest(model=model.describe())
    subject = Subject(run, model)
    embeddings = subject.embeddings(subject.images, lambda line: None)
    templates = run.plan.texts.templates
    moon, lamp, sun = model.embed_texts(["moon", "lamp", "sun"], templates).double().cpu().numpy()
    classes = model.embed_texts(list(run.plan.texts.classes), templates).double().cpu().numpy().mean(axis=0)
    for against, rest in (((), classes), (("sun",), sun)):
        run_stage(subject, "subgroups", {"words": ["moon", "lamp"], "against": list(against)}, lambda line: None)
        record = GroupsRecord.load(GroupsRecord.folder_of(run))
        for word, embedding in (("moon", moon), ("lamp", lamp)):
            got = record.words[record.words["word"] == word]["value"].to_numpy()
            assert got == pytest.approx(embeddings @ (embedding - rest), abs=1e-6)
        whole = record.associations["value"].to_numpy()
        assert whole == pytest.approx(embeddings @ ((moon + lamp) / 2 - rest), abs=1e-6)
        assert whole != pytest.approx(-embeddings @ ((moon + lamp) / 2 - rest), abs=1e-4)
    rows = associations(Context(run))
    assert {row.entry for row in rows} == {EVERY_WORD, "moon", "lamp"} and len({row.group.column for row in rows}) == 1
    printed = str(sections(context_of(run)))
    assert "Association with words" in printed and "less that with “sun”" in printed and "permutation test" in printed


def test_a_record_of_an_earlier_version_has_no_words(tmp_path: Path) -> None:
    about = {"columns": [], "words": []}
    GroupsRecord.write(tmp_path, about, GroupsRecord.frames({}))
    (tmp_path / "words.parquet").unlink()
    assert GroupsRecord.load(tmp_path).words.empty
