"""Where things are kept and how much is accepted: every limit of the product in one place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError

VERSION = "0.1.0"
ROOT = Path(__file__).resolve().parent.parent
# The wheel puts these folders below a package of its own; a checkout has no such file here.
INSTALLED = (ROOT / "__init__.py").exists()
_FROM_CHECKOUT = "python -m core"
# How this installation is called on a command line.
COMMAND = "loupe" if INSTALLED else _FROM_CHECKOUT


@dataclass(frozen=True)
class Limits:
    """How much is accepted of what people bring; `docs/limits.md` says what happens at each limit and why."""

    # One file.
    file_bytes: int = 50 * 2**20  # of the file itself
    file_seconds: float = 20.0  # of processor time that opening it may take
    file_wall: float = 60.0  # seconds by the clock, for a machine with other work
    file_memory: int = 2_500_000_000  # bytes of address space of the process that opens it

    # One image.
    pixels: int = 60_000_000
    side: int = 20_000  # pixels
    min_side: int = 16  # pixels
    aspect: float = 20.0  # the longer side over the shorter one
    scans: int = 500  # of a JPEG; a progressive one has about ten
    plain_pixels: int = 1_000_000  # a smaller image may be as plain as it likes
    pixels_per_byte: float = 10_000.0  # no PNG holds more
    jpeg_pixels_per_byte: float = 1_000.0  # no JPEG holds more than about 500
    stored_bytes: int = 256 * 2**20  # of the PNG that is stored

    # One intake.
    files: int = 120_000
    packed_files: int = 20_000  # of these in archives and Parquet files
    upload_bytes: int = 2 * 2**30  # of all files that come through a browser
    total_bytes: int = 16 * 2**30  # of all files as they are read
    total_pixels: int = 40_000_000_000  # 1,600 photographs of 24 megapixels
    total_stored_bytes: int = 64 * 2**30  # of all PNG files that are stored
    lost_seconds: float = 600.0  # of processor time for files that are then refused
    refusals: int = 25_000  # listed one by one
    zip_ratio: float = 200.0  # unpacked bytes over packed ones

    # Tables.
    tables: int = 100  # of one intake
    table_rows: int = 200_000
    table_columns: int = 1_000
    table_cells: int = 4_000_000
    table_bytes: int = 128 * 2**20  # of a table as it is unpacked
    cell_characters: int = 131_072  # of any cell, also of those that are left out
    captions: int = 100  # of one image

    # Annotations.
    drawn_objects: int = 500_000
    drawn_numbers: int = 6_000_000  # coordinates and run lengths in all

    # Texts.
    text_characters: int = 2_000
    texts: int = 2_000
    imports: int = 2  # at once, in the app
    previews: int = 2  # models that are recognised at once, in the app
    all_text_characters: int = 2_000_000
    templates: int = 200
    concepts: int = 20_000
    title_characters: int = 200
    declared_characters: int = 2_000
    path_characters: int = 4_096
    plan_bytes: int = 32 * 2**20
    thresholds_bytes: int = 2**20
    manifest_bytes: int = 256 * 2**20  # of a stored dataset's description

    # What `verify` reads of a seal or a bundle that anybody may have made.
    seal_bytes: int = 64 * 2**20
    bundle_bytes: int = 8 * 2**30
    bundle_names: int = 25_000
    bundle_part_bytes: int = 64 * 2**20  # of one file that is read as a whole
    verify_seconds: float = 60.0  # of processor time, and one more for every MB of the bundle
    verify_memory: int = 2_500_000_000  # bytes, and four more for every byte of the bundle


LIMITS = Limits()


@dataclass(frozen=True)
class ModelLimits:
    """What the files of a model may hold and take. Sizes are in bytes; `seconds` are of processor time."""

    configuration: int = 2**20
    tokenizer: int = 64 * 2**20
    weights: int = 64 * 2**30
    header: int = 8 * 2**20
    tensors: int = 20_000
    name: int = 512
    depth: int = 32
    digits: int = 40
    layers: int = 512
    width: int = 16_384
    image_side: int = 2_048
    image_tokens: int = 8_192
    context: int = 8_192
    vocabulary: int = 2**20
    unpacked: int = 2**30
    file_seconds: float = 20.0
    file_wall: float = 60.0
    tokenizer_seconds: float = 25.0
    tokenizer_wall: float = 180.0
    state_seconds: float = 25.0
    state_wall: float = 180.0
    onnx_seconds: float = 120.0
    onnx_wall: float = 600.0


MODEL_LIMITS = ModelLimits()


def as_typed(text: str) -> str:
    """A text that names commands of Loupe, as people type them on this installation."""
    return text.replace(f"{_FROM_CHECKOUT} ", f"{COMMAND} ")


def settle() -> None:
    """Make the folders in the environment absolute: processes of Loupe work in other folders than their caller."""
    for name in ("LOUPE_HOME", "LOUPE_MODELS", "LOUPE_FOLDERS", "LOUPE_ROLES"):
        if os.environ.get(name, "").strip():
            several = name in ("LOUPE_MODELS", "LOUPE_FOLDERS")
            parts = os.environ[name].split(os.pathsep) if several else [os.environ[name]]
            os.environ[name] = os.pathsep.join(os.path.abspath(os.path.expanduser(part)) for part in parts if part)


def workspace() -> Path:
    """The folder that holds datasets and runs: `LOUPE_HOME`, or `~/.loupe`."""
    return Path(os.environ.get("LOUPE_HOME", "~/.loupe")).expanduser()


def datasets_folder() -> Path:
    """Where datasets are stored, one folder each."""
    return workspace() / "datasets"


def runs_folder() -> Path:
    """Where the app keeps its runs, one folder each."""
    return workspace() / "runs"


def roles_file() -> Path | None:
    """The file that gives people their roles: `LOUPE_ROLES`, or `roles.toml` of the workspace; None without either."""
    named = os.environ.get("LOUPE_ROLES", "").strip()
    if named:
        return Path(named).expanduser()
    own = workspace() / "roles.toml"
    return own if os.path.lexists(own) else None


def opened_folder() -> Path:
    """Where bundles that were made elsewhere are unpacked, one folder each."""
    return workspace() / "opened"


def study_folder(run: str) -> Path:
    """Where the user study of a run is kept, by the run's id: outside of the run, which stays sealed."""
    return workspace() / "studies" / run


def uploads_folder() -> Path:
    """Where the app keeps uploaded models, one folder each."""
    return workspace() / "models"


def previews_folder() -> Path:
    """Where the app keeps what was recognised of models before an audit."""
    return workspace() / "previews"


def kept_folder() -> Path:
    """Where summaries and findings of large runs are kept for the pages."""
    return workspace() / "kept"


def playground_folder() -> Path:
    """Where the app keeps images of the playground that belong to no dataset, for a day."""
    return workspace() / "playground"


def model_folders() -> list[Path]:
    """The folders from which people who use the app may choose a model: `LOUPE_MODELS`, parted by colons."""
    parts = os.environ.get("LOUPE_MODELS", "").split(os.pathsep)
    return [Path(part).expanduser().resolve() for part in parts if part.strip()]


def server_folders() -> list[Path]:
    """The folders that people who use the app may read on the server: `LOUPE_FOLDERS`, parted by colons."""
    parts = os.environ.get("LOUPE_FOLDERS", "").split(os.pathsep)
    return [Path(part).expanduser().resolve() for part in parts if part.strip()]


def upload_megabytes() -> int:
    """How many MB the files of an uploaded model may have together (`LOUPE_MODEL_UPLOAD`, 500 unless set; 0: none).

    Raises `InputError` for anything but a whole number.
    """
    wanted = os.environ.get("LOUPE_MODEL_UPLOAD", "500")
    if not (wanted.isascii() and wanted.isdecimal()):
        raise InputError(f"LOUPE_MODEL_UPLOAD must be a number of MB, not {wanted!r}")
    return int(wanted)


def byte_budget() -> int:
    """How much memory one chunk of model work may take, in bytes (`LOUPE_BYTES`, 1 GiB unless set)."""
    return int(os.environ.get("LOUPE_BYTES", 2**30))


def part_bytes() -> int:
    """How large a part of the results of many units becomes, in bytes (`LOUPE_PART`, in MB, 128 unless set).

    Raises `InputError` for anything but a positive number.
    """
    wanted = os.environ.get("LOUPE_PART", "128")
    try:
        found = int(float(wanted) * 1_000_000)
    except (ValueError, OverflowError):
        found = 0
    if found <= 0:
        raise InputError(f"LOUPE_PART must be a number of MB above 0, not {wanted!r}")
    return found


def precision() -> str:
    """In what forwards without gradient may run: "auto" (bf16 on a GPU), "fp32" or "bf16" (`LOUPE_PRECISION`).

    Raises `InputError` for anything else.
    """
    wanted = os.environ.get("LOUPE_PRECISION", "auto")
    if wanted not in ("auto", "fp32", "bf16"):
        raise InputError(f"LOUPE_PRECISION must be auto, fp32 or bf16, not {wanted!r}")
    return wanted
