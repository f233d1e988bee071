"""Shards for tests: tar files as WebDataset writes them, Parquet files as `datasets` writes them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow
from pyarrow import parquet


def tarred(files: Mapping[str, bytes], **special: Mapping[str, Any]) -> bytes:
    """The bytes of a tar file; `special` are attributes of entries without content, by name."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
        for name, attributes in special.items():
            entry = tarfile.TarInfo(name)
            for attribute, value in attributes.items():
                setattr(entry, attribute, value)
            archive.addfile(entry)
    return stream.getvalue()


def image_parquet(
    images: Sequence[bytes | None],
    paths: Sequence[str | None] | None = None,
    classes: Sequence[str] = (),
    group: int = 100,
    binary: bool = False,
    **columns: Sequence[Any],
) -> bytes:
    """A table with a column of images and others; numbers in `label` are of `classes`."""
    if binary:
        column = pyarrow.array(images, pyarrow.binary())
    else:
        rows = [{"bytes": data, "path": path} for data, path in zip(images, paths or [None] * len(images), strict=True)]
        column = pyarrow.array(rows, pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())]))
    table = pyarrow.table({"image": column, **{name: list(values) for name, values in columns.items()}})
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    if classes:
        features["label"] = {"names": list(classes), "_type": "ClassLabel"}
    description = json.dumps({"info": {"features": features}}).encode()
    table = table.replace_schema_metadata({b"huggingface": description})
    stream = io.BytesIO()
    parquet.write_table(table, stream, row_group_size=group)
    return stream.getvalue()
