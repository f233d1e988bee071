"""DICOM files made for tests, with the details of a patient who does not exist."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

PATIENT = {
    "PatientName": "Zyxwvut^Quendrith",
    "PatientID": "PID-7391-KX",
    "PatientBirthDate": "19310427",
    "PatientAddress": "17 Nowhere Lane",
    "InstitutionName": "Hospital of Nowhere",
    "AccessionNumber": "ACC55120938",
    "StudyDescription": "QUITE UNIQUE STUDY",
    "OtherPatientNames": "Vutxyz^Drithquen",
}


def dicom(values: np.ndarray | None, *, syntax: str = ExplicitVRLittleEndian, frame: bytes = b"", **tags: Any) -> bytes:
    """The bytes of a file whose stored values are `values` (frames, rows, columns), (rows, columns) or (..., 3).

    A compressed `frame` takes their place, `values` then gives the size. `tags` are set last, None removes a tag.
    """
    made = pydicom.Dataset()
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.826.0.1.3680043.8.498.9917"
    for tag, value in PATIENT.items():
        setattr(made, tag, value)
    if values is not None:
        colour = values.shape[-1] == 3 and values.ndim > 2
        made.Rows, made.Columns = values.shape[-3:-1] if colour else values.shape[-2:]
        made.SamplesPerPixel = 3 if colour else 1
        made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
        if colour:
            made.PlanarConfiguration = 0
        if values.ndim == (4 if colour else 3):
            made.NumberOfFrames = len(values)
        bits = 8 * values.dtype.itemsize
        made.BitsAllocated, made.BitsStored, made.HighBit = bits, bits, bits - 1
        made.PixelRepresentation = int(values.dtype.kind == "i")
        made.PixelData = encapsulate([frame]) if frame else values.tobytes()
        made["PixelData"].VR = "OB" if bits == 8 or frame else "OW"
    for tag, value in tags.items():
        if value is None:
            delattr(made, tag)
        else:
            setattr(made, tag, value)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, made, enforce_file_format=True)
    return stream.getvalue()


def jpeg_dicom(frame: bytes, width: int, height: int, **tags: Any) -> bytes:
    """A file with one frame in JPEG's baseline form."""
    return dicom(np.zeros((height, width), np.uint8), syntax=JPEGBaseline8Bit, frame=frame, **tags)
