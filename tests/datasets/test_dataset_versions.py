"""What differs between two stored datasets."""

from __future__ import annotations

from pathlib import Path

from core.datasets import ingest
from core.datasets.versions import DatasetChange, dataset_change
from core.settings import ROOT

IMAGES = sorted((ROOT / "core" / "sample" / "images").iterdir())[:4]


def test_images_are_the_same_where_their_pixels_are(tmp_path: Path) -> None:
    table = tmp_path / "captions.csv"
    table.write_text(f"image,caption\n{IMAGES[1].name},a caption\n")
    renamed = tmp_path / f"other{IMAGES[2].suffix}"
    renamed.write_bytes(IMAGES[2].read_bytes())
    before = ingest(IMAGES[:3], store=tmp_path / "a")
    now = ingest([IMAGES[1], renamed, IMAGES[3]], store=tmp_path / "b", table=table)
    # One image is new, one is gone, one has a caption now and one another name.
    assert dataset_change(now, before) == DatasetChange(added=1, removed=1, changed=2)
    assert dataset_change(before, now) == DatasetChange(added=1, removed=1, changed=2)
    again = ingest(IMAGES[:3], store=tmp_path / "c")
    assert dataset_change(again, before).none and not dataset_change(now, before).none
