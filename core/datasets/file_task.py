"""The task that opens a file of images or a table, as it runs in the child: its answer is checked by `opening`."""

from __future__ import annotations

import hashlib
import io
from typing import Any, Literal

from PIL import Image
from pillow_heif import register_heif_opener

from core.datasets.bounds import Budget, Refused
from core.datasets.class_lists import class_names
from core.datasets.image import FORMATS, decode, is_image
from core.datasets.packing import Packed, Room, unpacked
from core.datasets.tables import WORKBOOKS, is_table, packed_table, read_table
from core.datasets.texts import decode_text
from core.settings import LIMITS, Limits

Kind = Literal["table", "image"]
# What the task answers instead of facts on an image where the file lists classes.
CLASSES = "classes"


def warm_up() -> None:
    """Let the decoders load what they need, once for all children."""
    register_heif_opener()
    image = Image.new("RGB", (64, 64), "white")
    for kind in FORMATS:
        stream = io.BytesIO()
        image.save(stream, kind)
        decode(stream.getvalue(), LIMITS).png()
    decode_text("Käfer, été, niño".encode("cp1252"), "")


def file(
    data: bytes, name: str, only: Kind | None, member: list[Any] | None, taken: list[int], limits: dict[str, Any]
) -> tuple[Any, bytes]:
    """Task: a file's hash and size, and its image as facts and a PNG, its table as JSON, or its names of classes.

    `member` is what an archive says of it, if it comes from one; `taken` how many bytes and pixels the import has.
    """
    bounds = Limits(**limits)
    budget = Budget(bounds)
    budget.bytes, budget.pixels = taken
    if member is not None:
        entry, room = member
        packed = name.lower().endswith(WORKBOOKS)
        data = budget.read(unpacked(data, Packed(*entry), Room(*room), bounds), packed=packed)
    facts = [hashlib.sha256(data).hexdigest(), len(data)]
    try:
        if only == "table" or (only is None and is_table(name, data) and not is_image(data)):
            return [*facts, None], packed_table(read_table(name, data, bounds))
        found = decode(data, bounds, budget.count_pixels)
    except Refused:
        names = class_names(name, data, bounds) if only is None else ()
        if not names:
            raise
        return [*facts, CLASSES], "\n".join(names).encode()
    image = [found.id, found.format, found.image.width, found.image.height, found.perceptual, found.remarks]
    return [*facts, image], found.png()
