"""What taking ordinary images in costs, as a multiple of decoding and storing them in one process with nothing checked.

    PYTHONPATH=. python benchmarks/intake.py [--images 1000] [--rounds 3]

Processor time of this process and of all its children; the ways alternate, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shutil
import statistics
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from core.datasets import ingest


def main() -> None:
    """Print the ratio of each round and their median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        make(images, chosen.images)
        for number in range(chosen.rounds):
            plain = spent(lambda: bare(images, Path(folder) / "bare"))
            checked = spent(lambda: ingest([images], store=Path(folder) / "store"))
            ratios.append(checked / plain)
            print(f"round {number + 1}: {checked / plain:.2f}")
            for name in ("bare", "store"):
                shutil.rmtree(Path(folder) / name)
    print(f"{chosen.images:,} images: intake costs {statistics.median(ratios):.2f} times bare decoding and storing")


def make(folder: Path, count: int) -> None:
    """Photograph-like JPEG and PNG files of about half a megapixel, no two alike."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        small = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        image = small.resize((800, 600), Image.Resampling.BICUBIC)
        image.save(folder / f"{number:05}.{'png' if number % 10 == 0 else 'jpg'}")


def bare(images: Path, out: Path) -> None:
    """Each image decoded, hashed and stored, and nothing else."""
    out.mkdir()
    for path in sorted(images.iterdir()):
        image = Image.open(io.BytesIO(path.read_bytes())).convert("RGB")
        name = hashlib.sha256(image.tobytes()).hexdigest()[:16]
        image.save(out / f"{name}.png", compress_level=1)


def spent(work: object) -> float:
    """Processor seconds of this process and of the children that it started for `work`."""
    before = _time()
    work()  # type: ignore[operator]
    return _time() - before


def _time() -> float:
    own = os.times()
    found = own.user + own.system + own.children_user + own.children_system
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        for child in (task / "children").read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            found += sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    return found


if __name__ == "__main__":
    main()
