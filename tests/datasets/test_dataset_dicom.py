"""DICOM and HEIC: shown as a viewer shows them, by the formulas of the standard; nothing of a patient is kept."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless, RLELossless

from core.datasets import ingest
from core.datasets.bounds import Refused
from core.datasets.image import decode, is_image
from core.settings import LIMITS, Limits
from tests.datasets.made import coded, corners, noise, scene
from tests.datasets.made_dicom import PATIENT, dicom, jpeg_dicom

RAMP = np.linspace(-1000, 3000, 32 * 40).round().astype(np.int16).reshape(32, 40)


def grey(data: bytes, limits: Limits = LIMITS) -> np.ndarray:
    found = decode(data, limits)
    pixels = np.asarray(found.image)
    assert found.format == "DICOM" and (pixels == pixels[..., :1]).all()
    return pixels[..., 0].astype(int)


def linear(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.2.1, to 0 to 255."""
    x = values.astype(np.float64)
    y = ((x - (centre - 0.5)) / (width - 1) + 0.5) * 255
    return np.where(x <= centre - 0.5 - (width - 1) / 2, 0, np.where(x > centre - 0.5 + (width - 1) / 2, 255, y))


def sigmoid(values: np.ndarray, centre: float, width: float) -> np.ndarray:
    """PS3.3 C.11.2.1.3.1."""
    return 255 / (1 + np.exp(-4 * (values.astype(np.float64) - centre) / width))


def near(found: np.ndarray, wanted: np.ndarray) -> bool:
    return bool(np.abs(found - wanted).max() <= 0.51)


def test_signed_values_are_rescaled_and_windowed_as_the_standard_says() -> None:
    data = dicom(RAMP, RescaleSlope=2, RescaleIntercept=-24, WindowCenter=40, WindowWidth=400)
    wanted = linear(2.0 * RAMP - 24, 40, 400)
    assert near(grey(data), wanted)
    # Companions: without the rescale, and as if the values had no sign, it is another image.
    assert not near(grey(data), linear(RAMP, 40, 400))
    assert not near(grey(data), linear(2.0 * RAMP.view(np.uint16) - 24, 40, 400))


def test_a_negative_slope_turns_the_values_but_not_the_window() -> None:
    data = dicom(RAMP, RescaleSlope=-1, RescaleIntercept=10, WindowCenter=40, WindowWidth=400)
    assert near(grey(data), linear(10.0 - RAMP, 40, 400))


@pytest.mark.parametrize("function", ["SIGMOID", "LINEAR_EXACT"])
def test_other_forms_of_a_window(function: str) -> None:
    found = grey(dicom(RAMP, WindowCenter=100, WindowWidth=900, VOILUTFunction=function))
    exact = ((RAMP - 100.0) / 900 + 0.5).clip(0, 1) * 255
    wanted = sigmoid(RAMP, 100, 900) if function == "SIGMOID" else exact
    assert near(found, wanted) and not near(found, linear(RAMP, 300, 900))


def test_monochrome1_is_inverted_and_monochrome2_is_not() -> None:
    values = np.arange(1280, dtype=np.uint16).reshape(32, 40)
    window = {"WindowCenter": 640, "WindowWidth": 1280}
    plain = grey(dicom(values, **window))
    turned = grey(dicom(values, PhotometricInterpretation="MONOCHROME1", **window))
    assert plain[0, 0] < 2 < 253 < plain[-1, -1]
    assert np.array_equal(turned, 255 - plain) and not np.array_equal(turned, plain)


def lut(first: int, outputs: np.ndarray, bits: int) -> pydicom.Dataset:
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", [len(outputs), first, bits])
    item.add_new("LUTData", "OW", outputs.astype("<u2").tobytes())
    return item


def test_a_voi_lut_goes_before_a_window() -> None:
    values = np.arange(1280, dtype=np.uint16).reshape(32, 40)
    outputs = np.linspace(0, 1, 1280) ** 2 * 4095
    data = dicom(values, VOILUTSequence=[lut(0, outputs, 12)], WindowCenter=10, WindowWidth=20)
    wanted = outputs.astype(int)[values] / 4095 * 255
    assert near(grey(data), wanted) and not near(grey(data), linear(values, 10, 20))


def test_the_first_of_several_windows_is_applied_and_told() -> None:
    found = decode(dicom(RAMP, WindowCenter=[40, -600], WindowWidth=[400, 1500]), LIMITS)
    assert found.remarks == ("states 2 windows, of which the first was applied (centre 40, width 400)",)
    assert near(np.asarray(found.image)[..., 0].astype(int), linear(RAMP, 40, 400))


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 5, "WindowWidth": 0}, {"WindowCenter": 5}])
def test_without_a_usable_window_the_range_is_shown_and_told(window: dict[str, int]) -> None:
    values = RAMP.copy()
    values[0, :10] = -2000  # where the scanner saw nothing
    found = decode(dicom(values, PixelPaddingValue=-2000, **window), LIMITS)
    assert found.remarks[-1] == (
        f"states no window; it was scaled from its smallest value ({RAMP[0, 10]}) to its largest (3000)"
    )
    assert (found.remarks[0] == "states a window that cannot be applied (centre 5, width 0)") == (len(window) == 2)
    span = (values - float(RAMP[0, 10])) / (3000 - RAMP[0, 10]) * 255
    assert near(np.asarray(found.image)[..., 0].astype(int), span.clip(0, 255))


def test_the_first_of_several_frames_is_read_and_told() -> None:
    frames = np.stack([np.full((20, 20), value, np.uint8) for value in (200, 10, 90)])
    found = decode(dicom(frames, WindowCenter=128, WindowWidth=256), LIMITS)
    assert found.remarks == ("has 3 frames, of which the first was read",)
    assert set(np.asarray(found.image).ravel()) == {200}


def test_an_enhanced_file_states_its_window_for_each_frame_or_for_all() -> None:
    voi, transformation, shared, frame = (pydicom.Dataset() for _ in range(4))
    voi.WindowCenter, voi.WindowWidth = 40, 400
    transformation.RescaleSlope, transformation.RescaleIntercept = 1, -24
    shared.PixelValueTransformationSequence = [transformation]
    frame.FrameVOILUTSequence = [voi]
    data = dicom(
        RAMP[None],
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=[frame],
    )
    assert near(grey(data), linear(RAMP - 24.0, 40, 400))


def test_colours_and_palettes() -> None:
    image = noise()
    assert np.array_equal(np.asarray(decode(dicom(np.asarray(image)), LIMITS).image), np.asarray(image))
    values = np.random.default_rng(0).integers(0, 4, (20, 24), dtype=np.uint8)
    tables = np.random.default_rng(1).integers(0, 2**16, (3, 4), dtype=np.uint16)
    palette = {}
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        palette[f"{name}PaletteColorLookupTableDescriptor"] = [4, 0, 16]
        palette[f"{name}PaletteColorLookupTableData"] = table.tobytes()
    found = np.asarray(decode(dicom(values, PhotometricInterpretation="PALETTE COLOR", **palette), LIMITS).image)
    wanted = np.stack([table[values] for table in tables], axis=-1) / 65535 * 255
    assert near(found.astype(int), wanted)


def test_compressed_frames_that_can_be_decoded() -> None:
    shades = scene().convert("L")
    found = grey(jpeg_dicom(coded(shades, "JPEG", quality=95), *shades.size, WindowCenter=128, WindowWidth=256))
    assert np.abs(found - np.asarray(shades).astype(int)).max() <= 8
    values = np.asarray(shades)
    stream = io.BytesIO()
    shades.save(stream, "JPEG2000", no_jp2=True)
    data = dicom(values, syntax=JPEG2000Lossless, frame=stream.getvalue(), WindowCenter=128, WindowWidth=256)
    assert np.array_equal(grey(data), values)
    data = compressed(dicom(values, WindowCenter=128, WindowWidth=256), RLELossless)
    assert np.array_equal(grey(data), values)


def compressed(data: bytes, syntax: str, **options: int) -> bytes:
    """A file as pydicom compresses it."""
    plain = pydicom.dcmread(io.BytesIO(data))
    plain.compress(syntax, **options)
    stream = io.BytesIO()
    plain.save_as(stream)
    return stream.getvalue()


def test_jpeg_ls() -> None:
    window = {"RescaleSlope": 2, "RescaleIntercept": -24, "WindowCenter": 40, "WindowWidth": 400}
    assert np.array_equal(grey(compressed(dicom(RAMP, **window), JPEGLSLossless)), grey(dicom(RAMP, **window)))
    frames = dicom(np.stack([RAMP, RAMP[::-1]]), **window)
    assert np.array_equal(grey(compressed(frames, JPEGLSLossless)), grey(frames))
    colours = dicom(np.asarray(scene()))
    found = decode(compressed(colours, JPEGLSLossless), LIMITS).image
    assert np.array_equal(np.asarray(found), np.asarray(scene()))
    shades = dicom(np.asarray(scene().convert("L")), WindowCenter=128, WindowWidth=256)
    difference = np.abs(grey(compressed(shades, JPEGLSNearLossless, jls_error=3)) - grey(shades)).max()
    assert 0 < difference <= 3


def test_a_jpeg_ls_frame_of_another_size_is_refused_before_it_is_decoded() -> None:
    data = compressed(dicom(RAMP), JPEGLSLossless)
    header = b"\xff\xf7" + struct.pack(">HBHH", 11, 16, *RAMP.shape)
    assert data.count(header) == 1
    larger = data.replace(header, b"\xff\xf7" + struct.pack(">HBHH", 11, 16, 60_000, 60_000))
    with pytest.raises(Refused, match="declares 40 x 32 pixels, but its compressed frame has 60000 x 60000"):
        decode(larger, LIMITS)
    with pytest.raises(Refused, match="without a header"):
        decode(data.replace(b"\xff\xd8\xff\xf7", b"\xff\xd8\0\0"), LIMITS)


@pytest.mark.parametrize(
    ("syntax", "name"),
    [
        (
            JPEGLosslessSV1,
            r"JPEG Lossless, Non-Hierarchical, First-Order Prediction .*\(1\.2\.840\.10008\.1\.2\.4\.70\)",
        ),
        ("1.2.840.10008.1.2.4.102", r"MPEG-4 .*\(1\.2\.840\.10008\.1\.2\.4\.102\)"),
        ("1.2.840.10008.1.2.1.99", r"Deflated Explicit VR Little Endian \(1\.2\.840\.10008\.1\.2\.1\.99\)"),
        ("1.2.840.10008.1.2.4.89", r"unknown \(1\.2\.840\.10008\.1\.2\.4\.89\)"),
    ],
)
def test_other_transfer_syntaxes_are_named_with_the_conversion(syntax: str, name: str) -> None:
    deflated = syntax.endswith(".1.99")
    known = JPEGLSLossless if syntax.endswith("89") else syntax
    data = dicom(np.zeros((20, 20), np.uint8), frame=b"" if deflated else b"\xff\xd8not decoded", syntax=known)
    data = data.replace(known.encode(), syntax.encode())
    with pytest.raises(Refused, match=rf"^uses the transfer syntax {name}.*convert it with `gdcmconv --raw [^\n]*$"):
        decode(data, LIMITS)


def test_what_is_refused() -> None:
    small = Limits(pixels=1_000)
    square = np.zeros((40, 40), np.uint8)
    cases = {
        r"contains|accepted, so provide": (dicom(square), small),
        "without an image": (dicom(None), LIMITS),
        "compressed frame has 48 x 32": (jpeg_dicom(coded(corners().convert("L"), "JPEG"), 40, 40), LIMITS),
        "photometric interpretation NONSENSE": (dicom(square, PhotometricInterpretation="NONSENSE"), LIMITS),
        "damaged": (dicom(square)[:-900], LIMITS),
    }
    for why, (data, limits) in cases.items():
        with pytest.raises(Refused, match=why) as caught:
            decode(data, limits)
        assert "\n" not in str(caught.value)


def test_pixels_are_counted_before_they_are_decoded() -> None:
    def count(pixels: int) -> None:
        raise Refused(f"{pixels} are too many")

    with pytest.raises(Refused, match="1600 are too many"):
        decode(dicom(np.zeros((40, 40), np.uint8)), LIMITS, count)


def test_nothing_of_the_patient_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    data = dicom(np.asarray(scene().convert("L")), BurnedInAnnotation="YES", WindowCenter=128, WindowWidth=256)
    for value in PATIENT.values():
        assert value.encode() in data  # or the test would show nothing
    (folder / "IM0001").write_bytes(data)
    made = ingest([folder], store=tmp_path / "store")
    (image,) = made.images
    assert (image.name, image.format, image.metadata) == ("IM0001", "DICOM", {})
    assert [remark.reason for remark in made.remarks] == [
        "states that text is burned into its pixels, which may identify a patient; check it before use"
    ]
    kept = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert len(kept) >= 2
    for path in kept:
        for value in PATIENT.values():
            assert value.encode() not in path.read_bytes(), (path, value)


def test_heic_is_read_upright_and_by_its_main_image() -> None:
    image = corners(96, 64)
    data = coded(image, "HEIF", quality=95)
    assert is_image(data) and data[4:8] == b"ftyp"
    found = decode(data, LIMITS)
    assert found.format == "HEIF" and found.image.size == (96, 64) and found.remarks == ()
    assert np.abs(np.asarray(found.image).astype(int) - np.asarray(image)).mean() < 8
    # Its decoder turns it; orientation that metadata states besides must not turn it once more.
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode(coded(image, "HEIF", quality=95, exif=exif.tobytes()), LIMITS).image
    assert turned.size == (64, 96)
    upright = np.asarray(image.transpose(Image.Transpose.ROTATE_270)).astype(int)
    assert np.abs(np.asarray(turned).astype(int) - upright).mean() < 8


def test_heic_of_several_images_is_told() -> None:
    data = coded(corners(96, 64), "HEIF", save_all=True, append_images=[noise(1, 96, 64)])
    found = decode(data, LIMITS)
    assert found.remarks == ("contains 2 images, of which the main one was read",)
    assert np.abs(np.asarray(found.image).astype(int) - np.asarray(corners(96, 64))).mean() < 12


def test_a_heic_that_declares_a_huge_size_is_refused() -> None:
    data = coded(corners(96, 64), "HEIF")
    place = data.index(b"ispe")
    huge = data[: place + 8] + struct.pack(">II", 60_000, 60_000) + data[place + 16 :]
    with pytest.raises(Refused):
        decode(huge, LIMITS)
