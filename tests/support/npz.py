"""Archives of arrays as numpy writes them, some of whose members are forged."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np


def npz(arrays: Mapping[str, Any], **forged: bytes) -> bytes:
    """An .npz file of `arrays`; `forged` are the bytes of members that stand in for those of their name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in arrays.items():
            with archive.open(f"{key}.npy", "w") as file:
                if key in forged:
                    file.write(forged[key])
                else:
                    np.lib.format.write_array(file, value, allow_pickle=True)
    return stream.getvalue()


def header(shape: tuple[int, int], kind: str = "<f8") -> bytes:
    """The header of a member of this shape and type, without its values."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue()
