"""DICOM files that lie, bomb or break off."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pydicom
from pydicom.encaps import get_frame
from pydicom.uid import JPEGLSLossless

from tests.datasets.made_dicom import dicom, jpeg_dicom
from tests.hostile.images import coded, noise
from tests.hostile.item import REFUSED, TAKEN, Item, item, writes

GREY = np.arange(4096, dtype=np.uint16).reshape(64, 64)
WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}
DEFLATED = "1.2.840.10008.1.2.1.99"


def sound() -> dict[str, bytes]:
    """Sound files: grey with a window, signed, in colour, of several frames, compressed."""
    return {
        "grey": dicom(GREY, **WINDOW),
        "signed": dicom(GREY.astype(np.int16) - 2048, RescaleSlope=2, RescaleIntercept=-24),
        "colour": dicom(np.asarray(noise())),
        "frames": dicom(np.stack([GREY, GREY]), **WINDOW),
        "jpeg": jpeg_dicom(coded(noise().convert("L"), "JPEG"), 64, 64, **WINDOW),
    }


def items() -> Iterator[Item]:
    """Each carried to the intake beside a good image."""
    good = sound()
    files: dict[str, tuple[bytes, tuple[str, ...]]] = {f"sound-{name}": (data, (TAKEN,)) for name, data in good.items()}
    files |= {
        "many-frames": (dicom(GREY, NumberOfFrames=2**31 - 1), (REFUSED,)),
        "huge": (dicom(GREY, Rows=65_535, Columns=65_535), (REFUSED,)),
        "no-pixels": (dicom(None), (REFUSED,)),
        "no-bits": (dicom(GREY, BitsStored=0, HighBit=0), (REFUSED, TAKEN)),
        "endless-window": (dicom(GREY, WindowCenter="1e300", WindowWidth="1e308"), (REFUSED, TAKEN)),
        "window-of-nothing": (dicom(GREY, WindowCenter=0, WindowWidth=7).replace(b"7 ", b"0 "), (REFUSED, TAKEN)),
        "endless-slope": (dicom(GREY, RescaleSlope="1e308", RescaleIntercept="1e308"), (REFUSED, TAKEN)),
        "larger-jpeg-inside": (jpeg_dicom(coded(noise(4000, 4000).convert("L"), "JPEG"), 64, 64), (REFUSED,)),
        "larger-jpeg-ls-inside": (jpeg_ls(60_000), (REFUSED,)),
        "jpeg-ls-cut": (jpeg_ls(64, 40), (REFUSED,)),
        "jpeg-ls-of-nothing": (jpeg_ls(64, 17), (REFUSED,)),
        "mark-only": (bytes(128) + b"DICM", (REFUSED,)),
    }
    for share in (0.02, 0.1, 0.5):
        files[f"cut-{share}"] = (good["grey"][: int(len(good["grey"]) * share)], (REFUSED,))
    for name, (data, expect) in files.items():
        yield item(f"dicoms/{name}", "ingest", f"{name}.dcm", writes(f"{name}.dcm", data), *expect)
    yield item(
        "dicoms/deflated-bomb", "ingest", "bomb.dcm", writes("bomb.dcm", deflated_bomb), REFUSED, told="Deflated"
    )


def jpeg_ls(side: int, length: int | None = None) -> bytes:
    """A file of 64 x 64 pixels whose JPEG-LS frame declares this side, cut to `length` bytes."""
    whole = pydicom.dcmread(io.BytesIO(dicom(GREY)))
    whole.compress(JPEGLSLossless)
    frame = bytearray(get_frame(whole.PixelData, 0, number_of_frames=1))
    place = frame.index(b"\xff\xf7") + 5
    frame[place : place + 4] = struct.pack(">HH", side, side)
    return dicom(GREY, syntax=JPEGLSLossless, frame=bytes(frame[:length]))


def deflated_bomb() -> bytes:
    """A file whose data set is packed and unpacks to a gigabyte."""
    small = dicom(np.zeros((16, 16), np.uint8), syntax=DEFLATED)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = bytes(2**20)
    head = small[: small.index(DEFLATED.encode()) + len(DEFLATED)]
    return head + b"".join(packer.compress(piece) for _ in range(1024)) + packer.flush()
