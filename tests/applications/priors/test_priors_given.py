"""Regions that people drew and questions with answers: against masks and Shapley values by literal loops."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from core.applications.priors import work as priors
from core.applications.priors.card import CARD, PriorsOptions
from core.applications.priors.chapter import region_lines, sections
from core.applications.priors.record import REST, PriorsRecord, load
from core.applications.priors.work.given import question_text
from core.applications.work.subject import Subject
from core.content.assets import Assets
from core.datasets import DatasetImage, ingest, keep_annotations, read_label_maps
from core.errors import InputError, ScopeError
from core.languages import Catalogue, Voice
from core.runs import TextPlan
from tests.applications.test_languages import printed, words_of
from tests.audit.small import loaded, new_run, plan_for, save_model
from tests.reporting.test_language_edition import marked_voice, unmarked
from tests.support.contexts import context_of

WIDTH, HEIGHT, SIDE = 60, 40, 32
NAMES = {3: "sky", 5: "sea", 9: "boat"}
ASKED = "Q: what floats? A: a boat"


def label_map() -> NDArray[np.uint8]:
    """Sky above, sea below, a boat on both, and an unlabelled column on the right."""
    values = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    values[:20, :48], values[20:, :48], values[14:26, 20:34] = 3, 5, 9
    return values


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Subject, PriorsRecord]:
    """Three wide images: two with a label map, two with a question."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("given")
    images, maps = folder / "images", folder / "maps"
    images.mkdir()
    maps.mkdir()
    random = np.random.default_rng(0)
    lines = ["file,question,answer,caption"]
    for number in range(3):
        small = Image.fromarray(random.integers(0, 256, (6, 9, 3), dtype=np.uint8))
        small.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(images / f"{number}.png")
        lines.append(f"{number}.png,{'what  floats?,a boat' if number else ','},a {{boat}} in {number}")
    (images / "t.csv").write_text("\n".join(lines) + "\n")
    for number in range(2):
        Image.fromarray(label_map()).save(maps / f"{number}.png")
    (maps / "labels.csv").write_text("number,name\n" + "\n".join(f"{key},{name}" for key, name in NAMES.items()))
    dataset = ingest([images], store=folder / "data")
    keep_annotations(dataset, read_label_maps(maps, dataset))
    config = save_model(folder / "vit")
    run = new_run(folder / "run", plan_for(dataset, config))
    run.update_manifest(model=loaded(config).describe())
    subject = Subject(run, loaded(config))
    out = folder / "out"
    out.mkdir()
    options = CARD.parse({"drawn": True, "baselines": False, "generate": False, "regions": 4, "bank": 0})
    priors.work(subject, options, out, lambda line: None)
    record = load(out)
    record.save(PriorsRecord.folder_of(run))
    return subject, record


def masks() -> dict[str, NDArray[np.bool_]]:
    """The regions at the input, pixel by pixel: the shortest side becomes 32, and the middle is cut out."""
    found = {name: np.zeros((SIDE, SIDE), dtype=bool) for name in (REST, *NAMES.values())}
    scale = SIDE / HEIGHT
    left = round((WIDTH * scale - SIDE) / 2)
    values = label_map()
    for y in range(SIDE):
        for x in range(SIDE):
            number = int(values[int((y + 0.5) / scale), int((x + 0.5 + left) / scale)])
            found[NAMES.get(number, REST)][y, x] = True
    return {name: mask for name, mask in found.items() if mask.any()}


def shares_by_permutation(subject: Subject, image: DatasetImage, direction: torch.Tensor) -> dict[str, float]:
    """Shapley values of a linear value, as the mean marginal contribution over all orders of the regions."""
    model, regions = subject.model, masks()
    pixels = model.preprocess([subject.open(image)])[0]

    def value(shown: frozenset[str]) -> float:
        visible = np.zeros((SIDE, SIDE), dtype=bool)
        for name in shown:
            visible |= regions[name]
        with torch.no_grad():
            # The model's mean colour is 0 after normalisation.
            return float(model.embed_images(pixels * torch.from_numpy(visible)).double()[0] @ direction)

    known = {shown: value(shown) for order in permutations(regions) for shown in _prefixes(order)}
    orders = list(permutations(regions))
    found = dict.fromkeys(regions, 0.0)
    for order in orders:
        for before, after in zip(_prefixes(order), _prefixes(order)[1:], strict=False):
            (added,) = after - before
            found[added] += (known[after] - known[before]) / len(orders)
    return found


def _prefixes(order: tuple[str, ...]) -> list[frozenset[str]]:
    return [frozenset(order[:count]) for count in range(len(order) + 1)]


def rows_of(record: PriorsRecord, value: str, prior: str = "drawn") -> dict[str, tuple]:
    rows = record.maps[(record.maps["value"] == value) & (record.maps["prior"] == prior)]
    return {row.image_name: row for row in rows[rows["way"] == "sentence"].drop_duplicates("image").itertuples()}


def test_drawn_regions_and_their_values_are_those_of_literal_loops(made: tuple[Subject, PriorsRecord]) -> None:
    subject, record = made
    rows = rows_of(record, "similarity")
    assert sorted(rows) == ["0.png", "1.png"], "the third image has no label map"
    assert record.about["undivided"] == ["2.png"] and record.about["priors"] == ["semantic", "drawn"]
    for name, row in rows.items():
        image = next(entry for entry in subject.images if entry.name == name)
        text = subject.model.embed_texts([row.text]).double()[0]
        expected = shares_by_permutation(subject, image, text)
        got = dict(zip(row.names, row.shares, strict=True))
        assert got == pytest.approx(expected, abs=1e-5)
        areas = {region: float(mask.mean()) for region, mask in masks().items()}
        assert dict(zip(row.names, row.areas, strict=True)) == pytest.approx(areas)
        # The same values on other regions are other values.
        assert list(got.values())[::-1] != pytest.approx(list(expected.values()), abs=1e-4)


def test_the_answer_is_what_it_adds_to_the_question(made: tuple[Subject, PriorsRecord]) -> None:
    subject, record = made
    rows = rows_of(record, "answer")
    assert list(rows) == ["1.png"] and set(rows_of(record, "answer", "semantic")) == {"1.png", "2.png"}
    row = rows["1.png"]
    assert row.text == ASKED and record.about["questions"] == 2
    whole, alone = subject.model.embed_texts([ASKED, "Q: what floats? A:"]).double()
    image = next(entry for entry in subject.images if entry.name == "1.png")
    expected = shares_by_permutation(subject, image, whole - alone)
    got = dict(zip(row.names, row.shares, strict=True))
    assert got == pytest.approx(expected, abs=1e-5)
    # The cosine with the whole text is another quantity, though of the same text.
    other = rows_of(record, "similarity")["1.png"]
    assert other.text == ASKED and list(other.shares) != pytest.approx(list(got.values()), abs=1e-4)


def test_question_and_answer_become_a_text_by_the_stated_rule(made: tuple[Subject, PriorsRecord]) -> None:
    subject, _ = made
    without, with_both, _ = subject.images
    assert question_text(without, PriorsOptions()) is None
    found = question_text(with_both, PriorsOptions())
    assert found is not None and (found.text, found.question) == (ASKED, "Q: what floats? A:")
    other = question_text(with_both, PriorsOptions(question_form="{question} It is {answer}."))
    assert other is not None and other.text == "what floats? It is a boat." and other.question == "what floats? It is"
    # Braces in a stranger's text are text.
    odd = with_both.model_copy(update={"metadata": {"question": "is it {answer}?", "answer": "{question}"}})
    assert question_text(odd, PriorsOptions()).text == "Q: is it {answer}? A: {question}"  # type: ignore[union-attr]
    assert question_text(with_both, PriorsOptions(answer="nothing")) is None
    for form in ("Q: {question}", "{answer} {question}", "{question} {answer} {answer}"):
        with pytest.raises(InputError, match=r"write \{question\} and, behind it, \{answer\}"):
            CARD.parse({"question_form": form})


def test_more_labels_than_regions_leave_the_smallest_to_the_rest(
    made: tuple[Subject, PriorsRecord], tmp_path: Path
) -> None:
    subject, _ = made
    options = CARD.parse({"drawn": True, "baselines": False, "generate": False, "regions": 3, "bank": 0})
    priors.work(subject, options, tmp_path, lambda line: None)
    row = rows_of(load(tmp_path), "similarity")["0.png"]
    areas = masks()
    largest = sorted(NAMES.values(), key=lambda name: -areas[name].sum())[:2]
    assert set(row.names) == {REST, *largest}
    rest = areas[REST] | areas[next(name for name in NAMES.values() if name not in largest)]
    assert dict(zip(row.names, row.areas, strict=True))[REST] == pytest.approx(float(rest.mean()))


def test_the_report_names_drawn_regions_and_states_the_rule_of_questions(
    made: tuple[Subject, PriorsRecord],
) -> None:
    subject, record = made
    row = rows_of(record, "similarity")["0.png"]
    assert any(line.endswith("drawn as \u201cboat\u201d") for line in region_lines(row))
    assert sum(" from the rest of the image, " in line for line in region_lines(row)) == 1
    assert not any(REST in line and "drawn as" in line for line in region_lines(row))
    told = str(sections(context_of(subject.run, Assets())))
    assert "2 images, read as \u201cQ: {question} A: {answer}\u201d" in told
    assert "one for each label of the annotations, and the rest of the image; 1 image without two such" in told
    assert "is what the answer adds" in told


def left(subject: Subject, voice: Voice) -> set[str]:
    """The words of the chapter that are neither marked nor data."""
    labels = {*NAMES.values(), *["Q", "what", "floats", "A", "a", "boat"]}
    return unmarked(printed(subject, "priors", voice)) - words_of(subject, "priors") - labels


def test_the_chapter_on_drawn_regions_and_questions_comes_from_the_catalogue(
    made: tuple[Subject, PriorsRecord],
) -> None:
    assert left(made[0], marked_voice()) == set()
    own = "one for each label of the annotations, and the rest of the image"
    catalogue = marked_voice().catalogue
    without = {english: told for english, told in catalogue.messages.items() if english != own}
    assert "annotations" in left(made[0], Voice(Catalogue("de", without, catalogue.counted)))


def test_drawn_regions_need_annotations(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.new("RGB", (40, 40), "red").save(folder / "a.png")
    config = save_model(tmp_path / "vit")
    dataset = ingest([folder], store=tmp_path / "data")
    run = new_run(tmp_path / "run", plan_for(dataset, config, texts=TextPlan(prompts=("a red wall",))))
    with pytest.raises(ScopeError, match="drawn regions need annotations"):
        priors.work(Subject(run, loaded(config)), CARD.parse({"drawn": True}), tmp_path, lambda line: None)
