"""Tables: which column is which, what a cell becomes, and how rows find their images."""

from __future__ import annotations

import datetime
import io
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from core.datasets import Dataset, Upload, ingest
from core.datasets.bounds import Refused
from core.datasets.tables import read_table
from core.errors import InputError
from core.settings import LIMITS, Limits
from tests.datasets.made import coded, folder_of, noise, zipped

IMAGES = {f"{name}.png": coded(noise(number)) for number, name in enumerate("abc")}


def take(table: str, store: Path, files: dict[str, bytes] = IMAGES, limits: Limits = LIMITS) -> Dataset:
    uploads = [Upload("p.zip", zipped(files))]
    return ingest(uploads, table=Upload("t.csv", table.encode()), store=store, limits=limits)


def captions(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    return {image.name: image.captions for image in dataset.images}


def as_parquet(columns: dict[str, object], **options: Any) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), stream, **options)
    return stream.getvalue()


@pytest.mark.parametrize("image", ["image", "path", "file", "filename", "filepath", "File_Name", "IMAGE PATH"])
@pytest.mark.parametrize("caption", ["caption", "captions", "text", "sentence", "title", "Caption"])
def test_columns(image: str, caption: str) -> None:
    table = read_table("t.csv", f"{caption},{image},label\nhello,a.png,x\n".encode(), LIMITS)
    assert (table.rows[0].path, table.rows[0].captions, table.rows[0].metadata) == ("a.png", ("hello",), {"label": "x"})
    assert table.columns == ("label",)


def test_several_caption_columns() -> None:
    content = b"image,caption_1,caption_2,title,caption 3,text\na.png,one,two,name,,main\n"
    row = read_table("t.csv", content, LIMITS).rows[0]
    assert row.captions == ("main", "one", "two")
    assert row.metadata == {"title": "name"}  # text is preferred, so the title is an ordinary column


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(delimiter: str) -> None:
    content = f'image{delimiter}caption\na.png{delimiter}"a cat, or; not"\n'
    assert read_table("t.csv", content.encode(), LIMITS).rows[0].captions == ("a cat, or; not",)


def test_wrong_column(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"the table t\.csv has no column with image paths: name it image, path.*photo, x"
    ):
        take("photo,x\na.png,1\n", tmp_path)
    assert list(tmp_path.iterdir()) == []
    # Among the sources, where it may just lie about, the same table is a refusal.
    dataset = ingest([Upload("p.zip", zipped({**IMAGES, "t.csv": b"photo,x\na.png,1\n"}))], store=tmp_path)
    assert [refusal.name for refusal in dataset.refusals] == ["t.csv"]
    assert "no column with image paths" in dataset.refusals[0].reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\n\n", "no rows"),
        (b"image,a,a\nx,1,2\n", "two columns named 'a'"),
        (b'image,caption\na.png,"open\n', "line 2"),
        (b"\x00\x01", "not a text file"),
        (b"PAR1 and no more", "damaged or unsupported Parquet"),
    ],
)
def test_unusable_tables(content: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read_table("t.csv", content, LIMITS)


def test_types_are_told_by_column() -> None:
    content = (
        "image,whole,number,truth,code,text,mixed,gap\n"
        "a,1,1.5,true,007,x,1,\n"
        "b,-2,2,FALSE,008,,x,\n"
        "c,,1e3,,009,y,2.5,\n"
    )
    rows = read_table("t.csv", content.replace("text", "note").encode(), LIMITS).rows
    assert [row.metadata["whole"] for row in rows] == [1, -2, None]
    assert [row.metadata["number"] for row in rows] == [1.5, 2.0, 1000.0]
    assert [row.metadata["truth"] for row in rows] == [True, False, None]
    assert [row.metadata["code"] for row in rows] == ["007", "008", "009"]
    assert [row.metadata["note"] for row in rows] == ["x", None, "y"]
    assert [row.metadata["mixed"] for row in rows] == ["1", "x", "2.5"]
    assert [row.metadata["gap"] for row in rows] == [None, None, None]


def test_rows_of_another_width_are_left_out_and_told() -> None:
    table = read_table("t.csv", b"image,caption\na.png,one, two\n\nb.png,three\nc.png\n", LIMITS)
    assert [(row.number, row.path) for row in table.rows] == [(3, "b.png")]
    assert "more or fewer than 2 cells" in table.refusals[0].reason
    assert "row 1, row 4" in table.refusals[0].reason


def test_parquet() -> None:
    table = read_table(
        "t.parquet",
        as_parquet(
            {
                "path": ["a.png", "b.png", None],
                "captions": [["one", "two"], None, []],
                "code": ["1", "2", "3"],
                "score": [0.5, float("nan"), float("inf")],
                "day": [datetime.date(2024, 5, 1)] * 3,
                "odd": [{"x": 1}] * 3,
                "kind": pyarrow.array(["u", "v", "u"]).dictionary_encode(),
            }
        ),
        LIMITS,
    )
    assert [row.captions for row in table.rows] == [("one", "two"), ()]
    assert table.rows[0].metadata == {"code": "1", "score": 0.5, "day": "2024-05-01", "kind": "u"}
    assert table.rows[1].metadata["score"] is None
    reasons = " ".join(refusal.reason for refusal in table.refusals)
    assert "(odd)" in reasons and "rows without an image; fill in the path (row 3)" in reasons


def test_parquet_with_embedded_images_says_so() -> None:
    with pytest.raises(Refused, match="no column with image paths"):
        read_table("t.parquet", as_parquet({"image": [{"bytes": b"x", "path": "a.png"}], "text": ["x"]}), LIMITS)


def test_parquet_bombs() -> None:
    # A gigabyte, if each row had its own copy.
    long = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 5000, pyarrow.int32()), ["x" * 200_000])
    # Without Arrow's own schema in the file, nothing but the reader keeps the text dictionary-coded.
    data = as_parquet({"image": ["a.png"] * 5000, "text": long}, store_schema=False)
    assert len(data) < 100_000
    with pytest.raises(Refused, match="a cell of 200,000 bytes"):
        read_table("t.parquet", data, LIMITS)
    with pytest.raises(Refused, match=r"unpacks to more than 0\.1 times"):
        read_table("t.parquet", data, Limits(zip_ratio=0.1))
    # Companion: shorter cells are only left out.
    table = read_table("t.parquet", as_parquet({"image": ["a.png"] * 10, "text": ["x" * 5000] * 10}), LIMITS)
    assert (
        "captions of more than 2,000 characters, left out (row 1, row 2, row 3 and 7 more)" in table.refusals[0].reason
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_row_limit(kind: str) -> None:
    paths = [f"{number}.png" for number in range(6)]
    data = ("image\n" + "\n".join(paths)).encode() if kind == "csv" else as_parquet({"image": paths})
    assert len(read_table("t", data, Limits(table_rows=6)).rows) == 6
    with pytest.raises(Refused, match="5"):
        read_table("t", data, Limits(table_rows=5))


def test_long_cells() -> None:
    limits = Limits(text_characters=5)
    content = b"image,caption,note\na.png,12345,12345\nb.png,123456,123456\n"
    table = read_table("t.csv", content, limits)
    assert [row.captions for row in table.rows] == [("12345",), ()]
    assert [row.metadata["note"] for row in table.rows] == [12345, 123456]
    table = read_table("t.csv", content.replace(b"12345,1", b"12345,x1"), limits)
    assert "cells of more than 5 characters" in " ".join(refusal.reason for refusal in table.refusals)


def test_repeated_rows_add_captions(tmp_path: Path) -> None:
    dataset = take("image,caption,k\na.png,one,1\na.png,two,1\na.png,one,1\nb.png,three,2\n", tmp_path)
    assert captions(dataset) == {"a.png": ("one", "two"), "b.png": ("three",), "c.png": ()}
    assert [image.metadata for image in dataset.images] == [{"k": 1}, {"k": 2}, {}]
    assert dataset.columns == ("k",)
    assert dataset.refusals == ()


def test_contradicting_rows_keep_the_first_and_say_so(tmp_path: Path) -> None:
    dataset = take("image,k\na.png,1\na.png,2\n", tmp_path)
    assert dataset.images[0].metadata == {"k": 1}
    assert "column 'k' has several values for one image; the first was kept (a.png)" in dataset.refusals[0].reason


def test_paths_from_another_machine_find_images_by_their_base_name(tmp_path: Path) -> None:
    rows = ["/home/somebody/set/a.png", r"C:\data\set\b.png", "../../c.png"]
    dataset = take("image,caption\n" + "".join(f"{row},said\n" for row in rows), tmp_path)
    assert captions(dataset) == dict.fromkeys(IMAGES, ("said",))
    assert dataset.refusals == dataset.remarks == ()
    # Companion: the base name is mistakable.
    files = {"x/a.png": IMAGES["a.png"], "y/a.png": IMAGES["b.png"]}
    dataset = take("image,caption\n/home/a.png,said\n", tmp_path, files)
    assert set(captions(dataset).values()) == {()}


def test_names_in_other_letters_or_without_their_ending_find_images(tmp_path: Path) -> None:
    dataset = take("image,caption\nA.PNG,one\nx/B,two\nc,three\n", tmp_path)
    assert captions(dataset) == {"a.png": ("one",), "b.png": ("two",), "c.png": ("three",)}
    assert dataset.refusals == dataset.remarks == ()
    # Another ending is another file, and what may be one of two files is refused.
    dataset = take("image,caption\na.png,A\nb.jpg,B\n", tmp_path)
    assert captions(dataset) == {"a.png": ("A",), "b.png": (), "c.png": ()}
    two = {"a.png": IMAGES["a.png"], "A.PNG": IMAGES["b.png"], "c.png": IMAGES["c.png"]}
    dataset = take("image,caption\na.png,A\nC,C\n", tmp_path, two)
    assert captions(dataset) == {"A.PNG": (), "a.png": ("A",), "c.png": ("C",)}
    dataset = take("image,caption\na,A\n", tmp_path, two)
    assert "may refer to several images" in dataset.refusals[0].reason


def test_rows_for_other_images_are_a_remark(tmp_path: Path) -> None:
    rows = ["nope.png", "/nope/z", *(f"{number}.png" for number in range(5000)), "x/../b.png", "./c.png"]
    dataset = take("image,caption\n" + "".join(f"{row},said\n" for row in rows), tmp_path)
    assert dataset.refusals == ()
    (remark,) = dataset.remarks
    assert remark.name == "t.csv" and remark.reason.startswith("has rows for images that are not in the dataset")
    assert remark.reason.endswith("(nope.png, nope/z, 0.png and 4,999 more)")
    assert captions(dataset) == {"a.png": (), "b.png": ("said",), "c.png": ("said",)}
    # Companion: a table that names no image of the dataset is refused.
    dataset = take("image,caption\nnope.png,said\n", tmp_path)
    assert [refusal.name for refusal in dataset.refusals] == ["t.csv"] and dataset.remarks == ()
    # A web address is never a name.
    dataset = take("image,caption\nhttps://host/a.png,said\n", tmp_path)
    assert "web address" in dataset.refusals[0].reason and captions(dataset)["a.png"] == ()


def test_a_refused_image_is_not_called_missing(tmp_path: Path) -> None:
    dataset = take("image\nbad.png\na.png\n", tmp_path, {**IMAGES, "bad.png": b"no"})
    assert [refusal.name for refusal in dataset.refusals] == ["bad.png"]


def test_base_names_count_where_they_are_unmistakable(tmp_path: Path) -> None:
    files = {f"x/{name}": data for name, data in IMAGES.items()}
    dataset = take("image,caption\nother/a.png,A\nb.png,B\n", tmp_path, files)
    assert captions(dataset) == {"x/a.png": ("A",), "x/b.png": ("B",), "x/c.png": ()}


def test_ambiguous_base_names_are_refused(tmp_path: Path) -> None:
    files = {"x/a.png": IMAGES["a.png"], "y/a.png": IMAGES["b.png"]}
    dataset = take("image,caption\na.png,A\n", tmp_path, files)
    assert "may refer to several images" in dataset.refusals[0].reason
    assert set(captions(dataset).values()) == {()}
    # Two paths of the table for one image are no better.
    dataset = take("image,caption\np/a.png,A\nq/a.png,B\n", tmp_path, {"a.png": IMAGES["a.png"]})
    assert "(p/a.png, q/a.png)" in dataset.refusals[0].reason
    # An image that another row names in full is not also taken by base name.
    dataset = take("image,caption\nx/a.png,A\nz/a.png,B\n", tmp_path, {"x/a.png": IMAGES["a.png"]})
    assert captions(dataset) == {"x/a.png": ("A",)}
    assert "(z/a.png)" in dataset.remarks[0].reason


def test_tables_inside_what_is_given(tmp_path: Path) -> None:
    files = {"sub/a.png": IMAGES["a.png"], "sub/labels.csv": b"image,caption\na.png,near\n"}
    files |= {
        "top.tsv": b"image\tcaption\nsub/a.png\tfar\n",
        "sub/p.parquet": as_parquet({"image": ["a.png"], "n": [3]}),
    }
    for source in (folder_of(tmp_path / "in", files), Upload("in.zip", zipped(files))):
        dataset = ingest([source], store=tmp_path / "store")
        assert captions(dataset) == {"sub/a.png": ("near", "far")}
        assert dataset.images[0].metadata == {"n": 3}
        assert dataset.refusals == ()


def test_a_table_speaks_of_its_own_source_first(tmp_path: Path) -> None:
    first = zipped({"1.png": IMAGES["a.png"], "t.csv": b"image,caption\n1.png,first\n"})
    second = zipped({"1.png": IMAGES["b.png"], "t.csv": b"image,caption\n1.png,second\n"})
    dataset = ingest([Upload("one.zip", first), Upload("two.zip", second)], store=tmp_path)
    assert captions(dataset) == {"one/1.png": ("first",), "two/1.png": ("second",)}


@pytest.mark.parametrize("how", ["table", "source"])
def test_a_table_may_name_images_beside_it(tmp_path: Path, how: str) -> None:
    root = folder_of(tmp_path / "in", {"images/a.png": IMAGES["a.png"], "images/b.png": IMAGES["b.png"]})
    table = root / "t.csv"
    table.write_text("image,caption,k\nimages/a.png,A,1\nimages/a.png,B,1\nimages/no.png,C,1\n../in/images/b.png,D,1\n")
    seen: list[tuple[int, int]] = []
    given = {"sources": [table]} if how == "source" else {"sources": [], "table": table}
    dataset = ingest(**given, store=tmp_path / "store", progress=lambda *at: seen.append(at))  # type: ignore[arg-type]
    assert captions(dataset) == {"images/a.png": ("A", "B")}
    assert "(images/no.png, in/images/b.png)" in dataset.remarks[0].reason and dataset.refusals == ()
    assert dataset.name == "t"
    assert seen == [(1, 1), (2, 2)]


def test_an_uploaded_table_finds_nothing_on_this_machine(tmp_path: Path) -> None:
    root = folder_of(tmp_path, {"a.png": IMAGES["a.png"], "t.csv": b"image\na.png\n"})
    for upload in (Upload("t.csv", root / "t.csv"), Upload("t.csv", (root / "t.csv").read_bytes())):
        with pytest.raises(InputError, match="are not in the dataset"):
            ingest([], table=upload, store=tmp_path / "store")


def test_links_beside_a_table_are_not_followed(tmp_path: Path) -> None:
    folder_of(tmp_path / "secret", {"a.png": IMAGES["a.png"]})
    root = folder_of(tmp_path / "in", {"b.png": IMAGES["b.png"]})
    (root / "dir").symlink_to(tmp_path / "secret")
    (root / "a.png").symlink_to(tmp_path / "secret" / "a.png")
    (root / "t.csv").write_text("image\ndir/a.png\na.png\nb.png\n")
    dataset = ingest([], table=root / "t.csv", store=tmp_path / "store")
    assert [image.name for image in dataset.images] == ["b.png"]
    assert {refusal.name for refusal in dataset.refusals} == {"a.png", "dir/a.png"}
    assert all("links are not followed" in refusal.reason for refusal in dataset.refusals)


def test_tables_in_different_folders_keep_their_images_apart(tmp_path: Path) -> None:
    tables = []
    for folder, letter in (("x", "a"), ("y", "b")):
        files = {"1.png": IMAGES[f"{letter}.png"], f"{folder}.csv": f"image,caption\n1.png,{letter}\n".encode()}
        tables.append(folder_of(tmp_path / folder, files) / f"{folder}.csv")
    dataset = ingest(tables, store=tmp_path / "store")
    assert set(captions(dataset)) == {"1.png", "1 (2).png"}
    assert {image.id: image.captions for image in dataset.images} == {
        ingest([Upload("1.png", IMAGES[f"{letter}.png"])], store=tmp_path / "one").images[0].id: (letter,)
        for letter in "ab"
    }
    assert captions(ingest(tables[::-1], store=tmp_path / "store")) == captions(dataset)


def test_a_image_named_like_a_table_is_a_image(tmp_path: Path) -> None:
    dataset = ingest([Upload("photo.csv", IMAGES["a.png"])], store=tmp_path)
    assert dataset.images[0].format == "PNG"


def test_control_characters_never_reach_a_caption() -> None:
    table = read_table(
        "t.parquet", as_parquet({"image": ["a.png"], "text": ["a\x00b\u202ec"], "k": ["\x1b[0m"]}), LIMITS
    )
    assert table.rows[0].captions == ("a b c",)
    assert table.rows[0].metadata == {"k": "[0m"}
