"""The forms of tables that people have, and cells that stay what was written in them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.datasets import Upload, ingest
from core.datasets.bounds import Refused
from core.datasets.tables import Table, read_table
from core.datasets.tables.cells import MISSING, is_missing, listed, typed
from core.errors import InputError
from core.settings import LIMITS, Limits
from tests.datasets.made import coded, noise, zipped


def table(data: bytes | str, name: str = "t.csv", limits: Limits = LIMITS) -> Table:
    return read_table(name, data if isinstance(data, bytes) else data.encode(), limits)


def captions(found: Table) -> list[tuple[str, tuple[str, ...]]]:
    return [(row.path, row.captions) for row in found.rows]


def workbook(*sheets: list[list[Any]], merged: str = "") -> bytes:
    """A workbook as the format's specification has it, with inline texts and numbers; `merged` is a range of cells."""

    def cell(value: Any) -> str:
        if isinstance(value, bool):
            return f'<c t="b"><v>{int(value)}</v></c>'
        if isinstance(value, (int, float)):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>' if value is not None else "<c/>"

    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    packages = "http://schemas.openxmlformats.org/package/2006"
    numbers = range(1, len(sheets) + 1)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    files = {
        "[Content_Types].xml": f'<Types xmlns="{packages}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{kind}.worksheet+xml"/>'
            for number in numbers
        )
        + "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{packages}/relationships"><Relationship Id="r" '
        f'Type="{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {space} xmlns:r="{relations}"><sheets>'
        + "".join(f'<sheet name="Sheet {number}" sheetId="{number}" r:id="r{number}"/>' for number in numbers)
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{packages}/relationships">'
        + "".join(
            f'<Relationship Id="r{number}" Type="{relations}/worksheet" Target="worksheets/sheet{number}.xml"/>'
            for number in numbers
        )
        + "</Relationships>",
    }
    for number, rows in zip(numbers, sheets, strict=True):
        lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
        more = f'<mergeCells><mergeCell ref="{merged}"/></mergeCells>' if merged else ""
        files[f"xl/worksheets/sheet{number}.xml"] = (
            f"<worksheet {space}><sheetData>{lines}</sheetData>{more}</worksheet>"
        )
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return stream.getvalue()


# Cells


@pytest.mark.parametrize("text", ["7.50", "1e5", "true", "0.10", "007", "12.00"])
def test_captions_and_paths_stay_as_they_were_written(text: str) -> None:
    found = table(f"image,caption,value\n{text},{text},{text}\n{text}.png,{text},{text}\n")
    assert captions(found) == [(text, (text,)), (f"{text}.png", (text,))]
    # Companion: a column of metadata has the type of its cells.
    assert isinstance(found.rows[0].metadata["value"], str) == (text == "007")


@pytest.mark.parametrize("missing", sorted(MISSING - {""}))
def test_the_usual_spellings_of_missing_are_missing(missing: str) -> None:
    found = table(f"image,caption,score\na.png,{missing},1\nb.png,a cat,{missing}\n{missing},a dog,2\n")
    assert captions(found) == [("a.png", ()), ("b.png", ("a cat",))]
    assert [row.metadata["score"] for row in found.rows] == [1, None]
    assert "rows without an image" in found.refusals[0].reason
    # Companion: what people write as a value is one.
    assert table("image,glasses\na.png,none\n").rows[0].metadata == {"glasses": "none"}


@pytest.mark.parametrize(
    ("cell", "texts"),
    [
        ("['a red cat', 'a cat sits']", ["a red cat", "a cat sits"]),
        ('["a boat", "a ship"]', ["a boat", "a ship"]),
        ("['a cat' 'a dog']", ["a cat", "a dog"]),
        ("['it''s' \"one\"]", ["it", "s", "one"]),
        ("('a', 'b')", ["a", "b"]),
        ("['a', None]", ["a"]),
        ('["a", null]', ["a"]),
        ("[1, 2]", None),
        ("[a cat]", None),
        ("(a cat)", None),
        ("[]", None),
        ("a ['b']", None),
        ("[__import__('os').getcwd()]", None),
    ],
)
def test_a_list_in_a_cell_is_several_texts(cell: str, texts: list[str] | None) -> None:
    assert listed(cell) == texts


def test_a_list_in_a_cell_is_several_captions_and_labels() -> None:
    rows = ["a.png;\"['a cat', 'a red cat']\";\"['cat', 'sofa']\"", "b.png;[a dog];dog"]
    found = table("image;caption;labels\n" + "\n".join(rows))
    assert captions(found) == [("a.png", ("a cat", "a red cat")), ("b.png", ("[a dog]",))]
    assert [row.metadata["labels"] for row in found.rows] == ["cat; sofa", "dog"]


@given(st.lists(st.text(max_size=8), max_size=6))
def test_columns_have_one_type(cells: list[str]) -> None:
    kinds = {type(cell) for cell in typed(cells) if cell is not None}
    assert len(kinds) <= 1
    assert [cell is None for cell in typed(cells)] == [is_missing(cell) for cell in cells]


# Forms


FORMS = {
    "captions.txt": 'image,caption\ncat.jpg,"a red cat"\ndog.jpg,"a dog, on grass"\n',
    "Flickr8k.token.txt": "cat.jpg#0\ta red cat\ndog.jpg#0\ta dog, on grass\n",
    "results.csv": "image_name| comment_number| comment\ncat.jpg| 0| a red cat\ndog.jpg| 0| a dog, on grass\n",
    "headless.csv": 'cat.jpg,a red cat\ndog.jpg,"a dog, on grass"\n',
    "headless.tsv": "cat.jpg\ta red cat\ndog.jpg\ta dog, on grass\n",
    "metadata.jsonl": '{"file_name": "cat.jpg", "text": "a red cat"}\n\n'
    '{"file_name": "dog.jpg", "text": "a dog, on grass"}\n',
    "rows.json": '[{"image": "cat.jpg", "caption": ["a red cat"]}, {"image": "dog.jpg", "caption": "a dog, on grass"}]',
    "by_name.json": '{"cat.jpg": "a red cat", "dog.jpg": ["a dog, on grass"]}',
    "coco.json": json.dumps(
        {
            "images": [{"id": 1, "file_name": "cat.jpg"}, {"id": "2", "file_name": "dog.jpg"}],
            "annotations": [
                {"id": 7, "image_id": "1", "caption": "a red cat"},
                {"id": 8, "image_id": 2, "caption": "a dog, on grass"},
            ],
        }
    ),
    "splits.json": json.dumps(
        {
            "images": [
                {"filename": "cat.jpg", "split": "val", "sentences": [{"raw": "a red cat", "tokens": []}]},
                {"filename": "dog.jpg", "split": "val", "sentences": [{"raw": "a dog, on grass"}]},
            ]
        }
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_rows(name: str) -> None:
    found = table(FORMS[name], name)
    assert captions(found) == [("cat.jpg", ("a red cat",)), ("dog.jpg", ("a dog, on grass",))]
    assert found.refusals == ()


def test_a_workbook_gives_the_same_rows() -> None:
    rows = [["image", "caption", "count", "night"], ["cat.jpg", "a red cat", 2.0, True], ["dog.jpg", 7.5, None, False]]
    found = table(workbook([["notes"], ["made by hand"]], rows), "t.xlsx")
    assert captions(found) == [("cat.jpg", ("a red cat",)), ("dog.jpg", ("7.5",))]
    assert [row.metadata for row in found.rows] == [{"count": 2, "night": True}, {"count": None, "night": False}]
    assert "has 2 filled sheets, of which one was read (Sheet 2)" in found.remarks[0].reason
    assert table(workbook(rows), "t.xlsx").remarks == ()


def test_the_rows_of_a_merged_cell_have_its_value() -> None:
    rows = [["image", "group", "k"], ["a.jpg", "pets", 1], ["b.jpg", None, 2], ["c.jpg", None, 3]]
    found = table(workbook(rows, merged="B2:B3"), "t.xlsx")
    assert [row.metadata["group"] for row in found.rows] == ["pets", "pets", None]
    (remark,) = found.remarks
    assert remark.reason == "has merged cells; each of their rows got the value of the merged cell (Sheet 1)"
    # A title over several columns is no value of the second; and the whole of a sheet may be declared one cell.
    assert table(workbook([["image", "group", None], *rows[1:]], merged="B1:C1"), "t.xlsx").columns == (
        "group",
        "column 3",
    )
    with pytest.raises(Refused, match="cells"):
        table(workbook(rows, merged="B2:B1048576"), "t.xlsx", Limits(table_cells=100_000))


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t"])
def test_a_separator_that_a_spreadsheet_states_above_the_header(delimiter: str) -> None:
    lines = [delimiter.join(cells) for cells in (("image", "caption"), ("a.jpg", "a cat"))]
    for text in (f"sep={delimiter}\r\n", f"\ufeffSEP={delimiter}\n", f"sep={delimiter}{delimiter}\n"):
        assert captions(table(text + "\n".join(lines), "t.csv")) == [("a.jpg", ("a cat",))]


def test_the_line_on_rows_of_other_lengths_names_the_delimiter() -> None:
    found = table("image;caption\na.jpg;one; two\n", "t.csv")
    assert "quote cells that contain semicolons (row 1)" in found.refusals[0].reason


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("t.json", "{", "neither JSON nor JSON Lines"),
        ("t.json", '{"a": 1}', "in a form that names no images"),
        ("t.json", '["cat"]', "in a form that names no images"),
        ("t.json", '{"images": [], "annotations": [{"bbox": [1, 2, 3, 4]}]}', "provide it as the file of annotations"),
        ("t.jsonl", '{"text": "a"}', "in a form that names no images|no column with image paths"),
        ("t.jsonl", "[" * 100_000, "neither JSON nor JSON Lines"),
        ("t.xlsx", b"PK\3\4", "damaged or unsupported workbook"),
        ("t.xlsx", workbook([]), "has no rows"),
        ("t.parquet", b"PK\3\4", "is not a Parquet file"),
        ("t.txt", "only a note\n", "no column with image paths"),
    ],
)
def test_what_is_no_table_is_refused_by_the_name_of_its_form(name: str, data: bytes | str, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as refusal:
        table(data, name)
    assert "\n" not in str(refusal.value)


def test_lines_that_are_no_objects_are_left_out_and_said() -> None:
    found = table('{"image": "a.png", "tags": {"x": 1}}\n[1]\n{"image": "b.png"}\n{\n', "t.jsonl")
    assert [row.path for row in found.rows] == ["a.png", "b.png"]
    assert {refusal.reason.partition(",")[0].partition(" that")[0] for refusal in found.refusals} == {
        "has lines",
        "has columns",
    }


@pytest.mark.parametrize("packed", [False, True])
def test_a_workbook_describes_images_also_from_an_archive(tmp_path: Path, packed: bool) -> None:
    data = workbook([["image", "caption"], ["a.png", "a cat"]])
    files = {"a.png": coded(noise(1)), **({"t.xlsx": data} if packed else {})}
    given = [Upload("p.zip", zipped(files)), *([] if packed else [Upload("t.xlsx", data)])]
    dataset = ingest(given, store=tmp_path)
    assert dataset.refusals == () and dataset.images[0].captions == ("a cat",)


@settings(deadline=None)
@given(st.binary(max_size=120), st.sampled_from(["t.csv", "t.txt", "t.json", "t.jsonl", "t.xlsx", "t.ods", "t.xls"]))
def test_any_bytes_give_rows_or_one_line(data: bytes, name: str) -> None:
    try:
        table(data, name)
    except Refused as refusal:
        assert "\n" not in str(refusal)


def test_a_required_table_that_cannot_be_read_is_told_with_its_reason(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "a.png").write_bytes(coded(noise(32, 24)))
    damaged = tmp_path / "list.parquet"
    damaged.write_bytes(b"PAR1" + bytes(40) + b"PAR1")
    with pytest.raises(InputError, match=r"^the table list\.parquet is a damaged") as caught:
        ingest([images], store=tmp_path / "store", table=damaged)
    # Companion: beside the images, the same file is one refusal, and the import goes on.
    (refusal,) = ingest([images, damaged], store=tmp_path / "store").refusals
    assert (refusal.name, refusal.reason) == ("list.parquet", str(caught.value).removeprefix("the table list.parquet "))
