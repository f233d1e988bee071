"""How far the time that `estimate` prints is from that of the audit, on models of published shapes with random weights.

    PYTHONPATH=. python benchmarks/estimates.py [--shapes ViT-B-32 …] [--images 1 8 64] [--methods raw,gradcam,…]
        [--least-passes 0] [--no-curves]

Each cell asks `estimate` in a workspace that has timed nothing yet, and then runs the audit with the same arguments:
two prompts, quick effort, no analyses. Both are processes of their own with the same number of threads. The time of the
audit is by the clock, from the command to its end; run it on an idle machine. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file

from benchmarks.support.large_store import image_folder
from core.settings import ROOT

SHAPES = ("ViT-B-32", "ViT-B-16", "ViT-L-14")
TEXTS = ("a photograph of a dog", "a red boat on a lake")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", default=SHAPES)
    parser.add_argument("--images", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--methods", default="raw,gradcam,grad_eclip,clip_surgery")
    parser.add_argument("--no-curves", action="store_true", help="without deletion and insertion")
    chosen = parser.parse_args()
    print("| shape | images | passes: estimate, counted | seconds: estimate, audit | ratio | MB: estimate, audit |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as place:
        sources = {images: image_folder(Path(place) / f"source-{images}", images) for images in chosen.images}
        for shape in chosen.shapes:
            weights = random_weights(shape, Path(place) / f"{shape}.safetensors")
            for images, source in sources.items():
                more = ["--no-curves"] if chosen.no_curves else []
                asked = ["--images", str(source), "--texts", str(prompts(Path(place))), "--model", shape]
                asked += ["--weights", str(weights), "--methods", chosen.methods, "--applications", "none"]
                row = cell([*asked, "--effort", "quick", *more], Path(place) / f"{shape}-{images}")
                passes = f"{row['estimate']['image_forwards']:,}, {row['cost']['image_forwards']:,.0f}"
                times = f"{row['estimate']['seconds']:.0f}, {row['seconds']:.0f}"
                ratio = row["estimate"]["seconds"] / row["seconds"]
                memory = f"{row['estimate']['memory_mb']:,}, {row['memory_mb']:,.0f}"
                print(f"| {shape} | {images} | {passes} | {times} | {ratio:.2f} | {memory} |", flush=True)
            weights.unlink()


def random_weights(shape: str, file: Path) -> Path:
    """Weights of an architecture of open_clip as they are before training, by a seed."""
    torch.manual_seed(0)
    save_file({name: value.contiguous() for name, value in open_clip.create_model(shape).state_dict().items()}, file)
    return file


def prompts(folder: Path) -> Path:
    """The file of the texts."""
    file = folder / "prompts.txt"
    file.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    return file


def cell(arguments: Sequence[str], place: Path) -> dict[str, Any]:
    """What `estimate` says, and what the audit took."""
    own = os.environ | {"LOUPE_HOME": str(place / "home"), "PYTHONPATH": str(ROOT)}
    told, _, _ = run(["estimate", *arguments, "--json"], own)
    _, seconds, memory = run(["audit", *arguments, "--out", str(place / "run")], own)
    manifest = json.loads((place / "run" / "manifest.json").read_text(encoding="utf-8"))
    return {"estimate": json.loads(told), "seconds": seconds, "memory_mb": memory, "cost": manifest["cost"]}


def run(command: Sequence[str], own: dict[str, str]) -> tuple[str, float, float]:
    """What a command prints, how many seconds it took, and the largest memory of any process so far, in MB."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "core", *command], env=own, capture_output=True, text=True, cwd=ROOT)
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 1):
        raise SystemExit(f"{command[0]} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout, seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000


if __name__ == "__main__":
    main()
