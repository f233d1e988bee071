"""Tables of phrases with boxes: what is read, what is left out row by row, and what is refused in one line."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

from core.applications.truth import Truth
from core.datasets import Upload, ingest, keep_annotations, read_annotations
from core.errors import InputError
from tests.datasets.made import coded, folder_of, noise

HEADER = "dicom_id,category_name,label_text,path,x,y,w,h,image_width,image_height,split\n"
ROWS = (
    "d1,Pneumonia,Patchy opacity in both lungs,files/p10/a.png,2,4,10,8,40,32,train\n"
    "d1,Pneumonia,Patchy opacity in both lungs,files/p10/a.png,20,4,10,8,40,32,train\n"
    "d1,Edema,mild edema,files/p10/a.png,4,6,3,2,40,32,train\n"
    "d2,Edema,mild edema,files/p11/b.png,0,0,40,32,40,32,test\n"
)


def boxes(text: str, name: str = "ms-cxr.csv") -> Upload:
    return Upload(name, text.encode())


def test_a_table_in_the_published_form_becomes_objects_whose_labels_are_the_phrases() -> None:
    found = read_annotations(boxes(HEADER + ROWS))
    assert found.problems == () and found.sizes == {"a.png": (40, 32), "b.png": (40, 32)}
    labels = [entry.label for entry in found.objects["a.png"]]
    assert labels == ["patchy opacity in both lungs"] * 2 + ["mild edema"]
    first = found.objects["a.png"][0]
    assert first.shape == [[2, 4, 12, 4, 12, 12, 2, 12]] and first.area == 80 and first.is_box
    # What is kept is a file in COCO's form, which reads as the same objects.
    again = read_annotations(Upload("annotations.json", found.data))
    assert (again.objects, again.original) == (found.objects, found.original)


def test_the_same_table_as_parquet_and_with_tabs(tmp_path: Path) -> None:
    frame = pd.read_csv(io.StringIO(HEADER + ROWS))
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    expected = read_annotations(boxes(HEADER + ROWS)).objects
    for name in ("t.parquet", "t.tsv"):
        assert read_annotations(tmp_path / name).objects == expected, name


def test_the_region_of_a_phrase_is_the_union_of_its_boxes_whatever_other_phrases_cover(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", {"a.png": coded(noise(1)), "b.png": coded(noise(2))})
    dataset = ingest([folder], store=tmp_path / "store")
    found = read_annotations(boxes(HEADER + ROWS))
    keep_annotations(dataset, found)
    image = next(entry for entry in dataset.images if entry.name.endswith("a.png"))
    mask = Truth(found).mask(image, ["patchy opacity in both lungs"], (40, 32))
    assert mask is not None
    inside = {(x, y) for y in range(32) for x in range(40) if mask[y, x] == 1}
    # The drawing of a polygon includes its edge.
    expected = {(x, y) for left in (2, 20) for x in range(left, left + 11) for y in range(4, 13)}
    assert inside == expected
    # The smaller box of the other phrase lies within, and takes its pixels where both are wanted.
    both = Truth(found).mask(image, ["patchy opacity in both lungs", "mild edema"], (40, 32))
    assert both is not None and both[7, 5] == 2 and mask[7, 5] == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("d3,E,,c.png,1,1,2,2,40,32,t", "it has no phrase"),
        ("d3,E,x,c.png,a,1,2,2,40,32,t", "its x is not a number"),
        ("d3,E,x,c.png,1,1,0,2,40,32,t", "its width or height is not above 0"),
        ("d3,E,x,c.png,50,1,2,2,40,32,t", "it lies outside of its image"),
        ("d3,E,x,c.png,1,1,2,2,40.5,32,t", "not in whole pixels"),
        ("d3,E,x,c.png,1,1,2,2,1000000000,9,t", "above what an image may have"),
        ("d3,E,x,a.png,1,1,2,2,80,64,t", "a different size for the same image"),
        (f"d3,E,{'x' * 301},c.png,1,1,2,2,40,32,t", "more than 300 characters"),
        ("d3,E,x,c.png,1,1,2,2,nan,32,t", "its image_width is not a number"),
    ],
)
def test_a_row_that_cannot_be_used_is_left_out_and_named(row: str, said: str) -> None:
    found = read_annotations(boxes(HEADER + ROWS + row + "\n"))
    assert found.objects == read_annotations(boxes(HEADER + ROWS)).objects
    (problem,) = found.problems
    assert said in problem and "(row 5)" in problem


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADER.replace(",w,", ",wide,") + ROWS, "has no column 'w'; a table of boxes needs the columns"),
        (HEADER.replace(",image_height,", ",ih,") + ROWS, "has no column 'image_height'"),
        (HEADER.replace("path", "where") + ROWS, "has no column with image paths"),
        (HEADER.replace("label_text", "a").replace("category_name", "b") + ROWS, "has no column with phrases"),
    ],
)
def test_a_table_without_the_columns_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_annotations(boxes(text))
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_phrases_may_stand_in_a_caption_or_else_a_category() -> None:
    caption = read_annotations(boxes(HEADER.replace("label_text", "caption") + ROWS))
    assert caption.objects == read_annotations(boxes(HEADER + ROWS)).objects
    category = read_annotations(boxes(HEADER.replace("label_text", "other") + ROWS))
    assert {entry.label for entry in category.objects["a.png"]} == {"pneumonia", "edema"}


def test_corners_swapped_with_sizes_are_not_taken_for_the_same_boxes() -> None:
    swapped = HEADER.replace("w,h", "h,w") + ROWS
    assert read_annotations(boxes(swapped)).objects != read_annotations(boxes(HEADER + ROWS)).objects
