"""Tables of stored embeddings and scores: every form gives the same numbers, and nothing is made up beside them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.applications.predictions.record import PredictionsRecord
from core.audit.worker import work
from core.datasets import Dataset, ingest
from core.errors import LoupeError, ModelError, ScopeError
from core.models.loading import load_model
from core.models.stored import StoredModel
from core.models.stored_file import Kind, read_stored
from core.request import AuditRequest, applications_at, begin
from core.runs import ModelSpec, TextPlan
from tests.support.npz import header, npz

IMAGES = tuple(f"image-{number}.png" for number in range(6))
TEXTS = ("dog", "cat", "a red bird")
RANDOM = np.random.default_rng(0)
VECTORS = RANDOM.normal(size=(6, 5))
WORDS = RANDOM.normal(size=(3, 5))
UNIT = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
UNIT_WORDS = WORDS / np.linalg.norm(WORDS, axis=1, keepdims=True)
SCORES = UNIT @ UNIT_WORDS.T


def archive(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def embeddings_npz(folder: Path) -> Path:
    return archive(folder / "e.npz", images=VECTORS, texts=WORDS, image_names=np.array(IMAGES),
                   text_names=np.array(TEXTS))  # fmt: skip


def embeddings_frame() -> pd.DataFrame:
    names = {"image": [*IMAGES, *[None] * 3], "text": [*[None] * 6, *TEXTS]}
    numbers = np.concatenate([VECTORS, WORDS])
    return pd.DataFrame(names | {f"v{at}": numbers[:, at] for at in range(5)})


def embeddings_csv(folder: Path) -> Path:
    embeddings_frame().to_csv(folder / "e.csv", index=False)
    return folder / "e.csv"


def embeddings_parquet(folder: Path) -> Path:
    embeddings_frame().to_parquet(folder / "e.parquet")
    return folder / "e.parquet"


def embeddings_lists(folder: Path) -> Path:
    frame = embeddings_frame()
    rows = list(frame[[f"v{at}" for at in range(5)]].to_numpy())
    frame[["image", "text"]].assign(embedding=rows).to_parquet(folder / "l.parquet")
    return folder / "l.parquet"


def scores_npz(folder: Path) -> Path:
    return archive(folder / "s.npz", scores=SCORES, image_names=np.array(IMAGES), text_names=np.array(TEXTS))


def scores_csv(folder: Path) -> Path:
    frame = pd.DataFrame({"image": IMAGES} | {text: SCORES[:, at] for at, text in enumerate(TEXTS)})
    frame.to_csv(folder / "s.csv", index=False)
    return folder / "s.csv"


EMBEDDINGS = (embeddings_npz, embeddings_csv, embeddings_parquet, embeddings_lists)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Six images by the names of the tables."""
    folder = tmp_path_factory.mktemp("images")
    for number, name in enumerate(IMAGES):
        noise = np.random.default_rng(number).integers(0, 255, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((48, 40), Image.Resampling.BICUBIC).save(folder / name)
    return ingest([folder], store=folder / "store")


def stored(path: Path, kind: Kind, dataset: Dataset) -> StoredModel:
    model = load_model(f"{kind}:{path}")
    assert isinstance(model, StoredModel)
    return model.bound(dataset, [image.id for image in dataset.images])


# -- what is read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", EMBEDDINGS)
def test_every_form_of_embeddings_gives_the_same(make: Any, tmp_path: Path) -> None:
    found = read_stored(make(tmp_path), "embeddings")
    assert (found.image_names, found.text_names) == (IMAGES, TEXTS)
    assert np.allclose(found.images, UNIT, atol=1e-12) and np.allclose(found.texts, UNIT_WORDS, atol=1e-12)
    assert not np.allclose(found.images, VECTORS)


@pytest.mark.parametrize("make", [scores_npz, scores_csv])
def test_every_form_of_scores_gives_the_same(make: Any, tmp_path: Path) -> None:
    found = read_stored(make(tmp_path), "scores")
    assert (found.image_names, found.text_names) == (IMAGES, TEXTS)
    assert np.allclose(found.images @ found.texts.T, SCORES, atol=1e-12)


@pytest.mark.parametrize(("make", "kind"), [(embeddings_csv, "embeddings"), (scores_csv, "scores")])
def test_an_image_of_the_dataset_has_its_row_and_no_other(
    make: Any, kind: Kind, dataset: Dataset, tmp_path: Path
) -> None:
    model = stored(make(tmp_path), kind, dataset)
    texts = model.embed_texts(TEXTS)
    for image in dataset.images:
        pixels, _ = model.preprocess([dataset.open(image)])
        scores = (model.embed_images(pixels) @ texts.T)[0].numpy()
        assert np.allclose(scores, SCORES[IMAGES.index(image.name)], atol=1e-12)
        assert not np.allclose(scores, SCORES[IMAGES.index(image.name) - 1], atol=1e-3)
    changed = dataset.open(dataset.images[0]).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    with pytest.raises(ScopeError, match="changed image"):
        model.preprocess([changed])
    with pytest.raises(ScopeError, match="no row for the text 'horse'"):
        model.embed_texts(["dog", "horse"])
    assert model.capabilities == {"stored"}


def test_a_text_in_its_template_comes_before_the_bare_one(dataset: Dataset, tmp_path: Path) -> None:
    names = np.array(["dog", "a photo of a dog."])
    path = archive(tmp_path / "t.npz", images=VECTORS, texts=WORDS[:2], image_names=np.array(IMAGES), text_names=names)
    model = stored(path, "embeddings", dataset)
    assert np.allclose(model.embed_texts(["dog"], ("a photo of a {}.",)).numpy(), UNIT_WORDS[1:2])
    assert np.allclose(model.embed_texts(["dog"], ("an image of a {}.",)).numpy(), UNIT_WORDS[:1])
    assert np.allclose(model.embed_texts(["dog"]).numpy(), UNIT_WORDS[:1])


# -- what is refused ----------------------------------------------------------------------------------------------


def test_an_image_without_a_row_is_named(dataset: Dataset, tmp_path: Path) -> None:
    path = archive(tmp_path / "m.npz", scores=SCORES[:5], image_names=np.array(IMAGES[:5]), text_names=np.array(TEXTS))
    model = load_model(f"scores:{path}")
    with pytest.raises(ModelError, match=r"no row for 'image-5\.png'"):
        model.bound(dataset, [image.id for image in dataset.images])


SOUND = {"images": VECTORS, "texts": WORDS, "image_names": np.array(IMAGES), "text_names": np.array(TEXTS)}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"image_names": np.array([*IMAGES[:5], "image-0.png"])}, "'image-0.png' twice"),
        ({"text_names": np.array(["dog", "", "x"])}, "without a name"),
        ({"image_names": np.array(IMAGES[:5])}, "numbers of names and vectors differ"),
        ({"texts": WORDS[:, :4]}, "other dimensions"),
        ({"images": np.where(VECTORS[0, 0] == VECTORS, np.nan, VECTORS)}, "not finite"),
        ({"images": VECTORS * np.array([[0], [1], [1], [1], [1], [1]])}, "embedding of zeros"),
        ({"images": VECTORS.astype(str)}, "table of numbers"),
        ({"images": VECTORS.astype(object)}, "Python objects, which is never read"),
        ({"image_names": np.arange(6)}, "list of texts"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused_in_one_line(change: dict[str, Any], line: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=line):
        read_stored(archive(tmp_path / "x.npz", **{**SOUND, **change}), "embeddings")


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (npz(SOUND, images=header((2**40, 5)) + bytes(64)), "needs more than .* of memory"),
        (npz(SOUND, images=header((-1, 5)) + bytes(64)), "cannot be read as .npz: negative dimensions"),
        (
            npz(SOUND, images=header((6, 5), "|O") + b"cos\nsystem\n."),
            "array of Python objects, which is never read",
        ),
        (npz(SOUND, images=header((6, 5)) + bytes(8)), "cannot be read as .npz"),
        (npz(SOUND, images=b"\x93NUMPY\x09\0"), "cannot be read as .npz"),
        (b"\x80\x04cos\nsystem\n.", "is not an .npz file"),
        (npz(SOUND, images=VECTORS.tobytes())[:-40], "is not an .npz file"),
    ],
)
def test_an_archive_that_lies_is_refused(data: bytes, line: str, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(data)
    with pytest.raises(LoupeError, match=line) as caught:
        read_stored(path, "embeddings")
    assert "\n" not in str(caught.value) and "unsafely" not in str(caught.value)


@pytest.mark.parametrize("factor", [1e300, 1e-300])
def test_the_length_of_a_vector_may_be_beyond_the_range_of_numbers(factor: float, tmp_path: Path) -> None:
    found = read_stored(archive(tmp_path / "x.npz", **{**SOUND, "images": VECTORS * factor}), "embeddings")
    assert np.allclose(found.images, UNIT, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("image,a,a\nx.png,0.1,0.2\n", "two columns named 'a'"),
        (",image,a\n0,x.png,0.1\n", "a column without a name; leave out row numbers"),
        ("image,,b\nx.png,0.1,0.2\n", "a column without a name"),
        ("image,a\nx.png,0.1,0.5\n", "names columns in 2 cells, but its first row has 3"),
        ("image;a;b\nx.png;0,1;0,2\n", "does not separate its cells with commas"),
        ("image,a\nx.png,high\n", "columns that are not numbers: a"),
        ("image,a\nx.png,inf\n", "not finite"),
        ("image," + ",".join(map(str, range(60_000))) + "\n", "has 60,001 columns; at most 50,000"),
    ],
)
def test_a_table_whose_columns_would_be_taken_for_others_is_refused(text: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(ModelError, match=line):
        read_stored(tmp_path / "x.csv", "scores")


def test_encodings_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_text("image,Käse\nx.png,0.5\n", encoding=encoding)
        assert read_stored(path, "scores").text_names == ("Käse",)
    path.write_text("image,Käse\nx.png,0.5\n", encoding="cp1252")
    with pytest.raises(ModelError, match="UTF-8"):
        read_stored(path, "scores")


@pytest.mark.parametrize("ending", [".npz", ".csv", ".parquet", ".pickle"])
@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" * 9, b"\x80\x04.", b"\xff" * 99, b"a,b\n1,2\n", b"image,text\n"])
def test_other_bytes_are_refused_in_one_line(ending: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"x{ending}"
    path.write_bytes(data)
    for kind in ("embeddings", "scores"):
        with pytest.raises(LoupeError) as caught:
            read_stored(path, kind)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_scores_are_cosines(tmp_path: Path) -> None:
    path = archive(tmp_path / "p.npz", scores=100 * SCORES, image_names=np.array(IMAGES), text_names=np.array(TEXTS))
    with pytest.raises(ModelError, match="outside of -1 to 1"):
        read_stored(path, "scores")
    buffer = io.BytesIO(embeddings_frame().rename(columns={"text": "words"}).to_csv(index=False).encode())
    (tmp_path / "w.csv").write_bytes(buffer.getvalue())
    with pytest.raises(ModelError, match="lacks the column image and text"):
        read_stored(tmp_path / "w.csv", "embeddings")


# -- an audit -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "kind"), [(embeddings_parquet, "embeddings"), (scores_npz, "scores")])
def test_an_audit_predicts_from_the_table_and_lists_what_it_cannot_do(
    make: Any, kind: Kind, dataset: Dataset, tmp_path: Path
) -> None:
    spec = ModelSpec(name=f"{kind}:{make(tmp_path)}")
    request = AuditRequest.build(
        out=tmp_path / "run",
        dataset=dataset.root,
        model=spec,
        texts=TextPlan(classes=TEXTS, templates=("{}",)),
        applications=applications_at("quick", ["data_checks", "predictions", "mosaic"]),
    )
    run = begin(request)
    assert work(run, report=False) == "done"
    names = {image.id: image.name for image in dataset.images}
    frame = PredictionsRecord.of_run(run).predictions  # type: ignore[union-attr]
    expected = {name: TEXTS[SCORES[at].argmax()] for at, name in enumerate(IMAGES)}
    assert {names[row.image]: row.predicted for row in frame.itertuples()} == expected
    assert frame["disturbances"].isna().all() and frame["templates"].isna().all()
    assert np.allclose(sorted(frame["similarity"]), sorted(SCORES.max(axis=1)), atol=1e-6)
    ((name, side, reason),) = run.manifest["not_run"]
    assert (name, side) == ("mosaic", "data set") and "any image" in reason
    assert run.manifest["model"]["recognised"]["kind"] == f"a table of {kind}"
    # No path of this machine leaves it.
    assert str(tmp_path) not in run.plan.public().model_dump_json()
