"""The first frame of a DICOM file as 8-bit RGB, shown as a viewer would show it; nothing else of the file is read.

Order of the steps (DICOM PS3.3 C.11, PS3.4 N.2): stored values, modality LUT or rescale, VOI LUT or window, inversion
for MONOCHROME1. Only the tags below are parsed: names, dates and identifiers of a patient never become values.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from core.characters import brief
from core.datasets.bounds import Refused
from core.datasets.pillow import open_whole
from core.errors import missing

if TYPE_CHECKING:
    from pydicom import Dataset

_MARK = slice(128, 132)
_ENDINGS = (".dcm", ".dicom")
_TAGS = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction",
    "VOILUTSequence", "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData", "SegmentedBluePaletteColorLookupTableData", "BurnedInAnnotation",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PixelData", "FloatPixelData",
    "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
)  # fmt: skip
# What the frames of an enhanced file state for themselves, or once for all of them.
_GROUPS = {
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
}
_KINDS = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_")
_DEFLATED = "1.2.840.10008.1.2.1.99"
_CONVERT = "convert it with `gdcmconv --raw in.dcm out.dcm` or `dcmconv +te in.dcm out.dcm`"
_JPEG_LS_FRAME = 0xF7  # the marker of its header
_LARGEST_NUMBER = 1e30  # beyond any value, and any window, of a file


def is_dicom(data: bytes) -> bool:
    """Whether `data` starts as a DICOM file: 128 bytes of any content, then its mark."""
    return data[_MARK] == b"DICM"


def may_be_dicom(name: str, data: bytes) -> bool:
    """Whether a file, perhaps packed in an archive, is worth loading the reader of DICOM for."""
    return is_dicom(data) or name.lower().endswith(_ENDINGS)


def first_frame(data: bytes, check: Callable[[tuple[int, int]], None], remarks: list[str]) -> Image.Image:
    """The first frame of the DICOM file in `data`, RGB with 8 bits.

    `check` is told the size before a pixel is decoded, and may refuse it. `remarks` gets what was chosen: the frame,
    one of several windows, the range where no window is stated; and what the file says of text burned into its pixels.
    Raises `Refused` for a file without an image and for a form of compression that cannot be decoded, and whatever the
    library raises for a damaged file.
    """
    with warnings.catch_warnings():
        # Files break rules of the standard that do not matter here.
        warnings.simplefilter("ignore")
        dataset = _read(data)
        if not any(tag in dataset for tag in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
            raise Refused("is a DICOM file without an image; provide the files that contain the images")
        kind = str(dataset.get("PhotometricInterpretation", ""))
        if not kind.startswith(_KINDS):
            raise Refused(
                f"has the photometric interpretation {brief(kind, 20) or 'none'}, which is not read; {_CONVERT}"
            )
        size = (int(dataset.Columns), int(dataset.Rows))
        check(size)
        frames = int(dataset.get("NumberOfFrames") or 1)
        if frames > 1:
            remarks.append(f"has {frames:,} frames, of which the first was read")
        if str(dataset.get("BurnedInAnnotation", "")).upper() == "YES":
            remarks.append(
                "states that text is burned into its pixels, which may identify a patient; check it before use"
            )
        _flatten_groups(dataset)
        return _image(_stored(dataset, size), dataset, remarks)


def _read(data: bytes) -> Dataset:
    if lacks := missing("pydicom", "dicom"):
        raise Refused(f"is a DICOM file, and {lacks}")
    import pydicom
    from pydicom.filereader import read_dataset

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    meta = read_dataset(io.BytesIO(data[132:]), False, True, stop_when=lambda tag, *_: tag.group > 2)
    syntax = str(meta.get("TransferSyntaxUID", ""))
    # Unpacking it has no bound, and hardly any file uses it.
    if syntax == _DEFLATED:
        raise Refused(f"uses the transfer syntax Deflated Explicit VR Little Endian ({syntax}); {_CONVERT}")
    return pydicom.dcmread(io.BytesIO(data), specific_tags=list(_TAGS))


def _stored(dataset: Dataset, size: tuple[int, int]) -> np.ndarray:
    """The values of the first frame; of a compressed one only if its own header gives the size that was checked."""
    from pydicom.encaps import get_frame
    from pydicom.pixels import get_decoder, pixel_array
    from pydicom.uid import JPEGLSTransferSyntaxes, RLELossless

    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        readable = get_decoder(syntax).is_available
    except NotImplementedError:
        readable = False
    if not readable:
        name = brief(syntax.name if syntax.name != syntax else "unknown", 100)
        raise Refused(f"uses the transfer syntax {name} ({brief(syntax, 70)}), which cannot be decoded; {_CONVERT}")
    if syntax.is_compressed and syntax != RLELossless:
        frames = int(dataset.get("NumberOfFrames") or 1)
        frame = get_frame(dataset.PixelData, 0, number_of_frames=frames)
        width, height = _jpeg_ls_size(frame) if syntax in JPEGLSTransferSyntaxes else _jpeg_size(frame)
        if (width, height) != size:
            raise Refused(
                f"declares {size[0]} x {size[1]} pixels, but its compressed frame has {width} x {height}; export it "
                "again"
            )
    return np.asarray(pixel_array(dataset, index=0))


def _jpeg_size(frame: bytes) -> tuple[int, int]:
    with open_whole(io.BytesIO(frame), ("JPEG", "JPEG2000")) as inside:
        return inside.size


def _jpeg_ls_size(frame: bytes) -> tuple[int, int]:
    """Width and height that the frame header of a JPEG-LS stream states (ITU-T T.87, C.2.2)."""
    place = 2
    while frame[place : place + 1] == b"\xff":
        kind, length = frame[place + 1], int.from_bytes(frame[place + 2 : place + 4], "big")
        if kind == _JPEG_LS_FRAME:
            height, width = struct.unpack_from(">HH", frame, place + 5)
            return width, height
        place += 2 + length
    raise Refused("contains a compressed frame without a header; export it again")


def _flatten_groups(dataset: Dataset) -> None:
    """Gives an enhanced file's rescale and window of the first frame the place that they have in other files."""
    for holder in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        for group in list(dataset.get(holder) or ())[:1]:
            for name, tags in _GROUPS.items():
                for part in list(group.get(name) or ())[:1]:
                    for tag in tags:
                        if tag in part and tag not in dataset:
                            setattr(dataset, tag, part[tag].value)


def _image(values: np.ndarray, dataset: Dataset, remarks: list[str]) -> Image.Image:
    from pydicom.pixels.processing import apply_color_lut

    kind = str(dataset.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        coloured = apply_color_lut(values, dataset)[..., :3]
        return Image.fromarray(_eight_bits(coloured, 8 * coloured.dtype.itemsize), "RGB")
    if values.ndim == 3 and values.shape[2] == 3:
        return Image.fromarray(_eight_bits(values, int(dataset.BitsStored)), "RGB")
    if values.ndim != 2:
        raise Refused(
            f"has {values.shape[-1]} values for each pixel, which {brief(kind, 20)} does not have; {_CONVERT}"
        )
    grey = _shown(values, dataset, remarks)
    return Image.fromarray(np.rint(255 * (1 - grey if kind == "MONOCHROME1" else grey)).astype(np.uint8)).convert("RGB")


def _eight_bits(values: np.ndarray, bits: int) -> np.ndarray:
    return np.rint(values * (255 / (2**bits - 1))).clip(0, 255).astype(np.uint8)


def _shown(values: np.ndarray, dataset: Dataset, remarks: list[str]) -> np.ndarray:
    """Grey from 0 to 1: by the file's VOI LUT or window, otherwise between its smallest and largest value."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi, apply_windowing

    measured = np.asarray(apply_modality_lut(values, dataset), np.float64)
    tables = dataset.get("VOILUTSequence")
    if tables:
        if len(tables) > 1:
            remarks.append(f"has {len(tables)} VOI LUTs, of which the first was applied")
        bits = int(tables[0].LUTDescriptor[2])
        return (apply_voi(np.rint(measured).astype(np.int64), dataset, index=0) / (2**bits - 1)).clip(0, 1)
    window = _window(dataset, remarks)
    if window is not None:
        # The library scales to a range of its own; two values beyond any window are shown as its ends.
        ends = np.array([-_LARGEST_NUMBER, _LARGEST_NUMBER])
        with np.errstate(over="ignore"):
            shown = apply_windowing(np.concatenate([measured.ravel(), ends]), dataset, index=0)
        low, high = shown[-2:]
        return ((shown[:-2] - low) / (high - low)).clip(0, 1).reshape(measured.shape)
    inside = measured[np.isfinite(measured) & ~_is_padding(values, dataset)]
    low, high = (float(inside.min()), float(inside.max())) if inside.size else (0.0, 0.0)
    remarks.append(f"states no window; it was scaled from its smallest value ({low:g}) to its largest ({high:g})")
    return np.nan_to_num((measured - low) / (high - low if high > low else 1.0)).clip(0, 1)


def _window(dataset: Dataset, remarks: list[str]) -> tuple[float, float] | None:
    """The centre and the width of the window to apply, or None if none is stated that can be applied."""
    centres, widths = (_numbers(dataset.get(tag)) for tag in ("WindowCenter", "WindowWidth"))
    if not centres or not widths:
        return None
    centre, width = centres[0], widths[0]
    least = 1.0 if str(dataset.get("VOILUTFunction") or "LINEAR") == "LINEAR" else math.ulp(0.0)
    if not (math.isfinite(centre) and least <= width < _LARGEST_NUMBER and abs(centre) < _LARGEST_NUMBER):
        remarks.append(f"states a window that cannot be applied (centre {centre:g}, width {width:g})")
        return None
    if len(centres) > 1:
        remarks.append(
            f"states {len(centres)} windows, of which the first was applied (centre {centre:g}, width {width:g})"
        )
    return centre, width


def _numbers(value: Any) -> list[float]:
    if value is None or value == "":
        return []
    return [float(part) for part in value] if hasattr(value, "__iter__") else [float(value)]


def _is_padding(values: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Where the scanner saw nothing and wrote a value that says so."""
    first = dataset.get("PixelPaddingValue")
    if not isinstance(first, int):
        return np.zeros(values.shape, bool)
    last = dataset.get("PixelPaddingRangeLimit", first)
    low, high = sorted((first, last if isinstance(last, int) else first))
    return (values >= low) & (values <= high)
