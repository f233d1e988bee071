"""How much memory every method takes above the weights.

    PYTHONPATH=. python benchmarks/memory.py [--model ViT-B-16] [--texts 20] [--methods rise gae ...] [--markdown]

A model is any that Loupe loads by name, or an architecture of open_clip with random weights. Each method runs in a
process of its own on one image and all texts, every side that the model can serve. `peak` is the highest resident
memory (`ru_maxrss`) above what the process holds once the model is loaded, so it counts everything but the weights:
the shared forward, the method, and what the libraries keep for themselves. Methods that sample take few samples: what
they hold at once is bounded by the byte budget (`LOUPE_BYTES`, 1 GiB unless set) and not by how many there are, and
`FEW` gives each of them enough for full chunks. Prints one JSON object, and with --markdown a table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.systems import NAMES, ROOT, SAMPLE, loaded, peak_bytes, reset_peak
from core.errors import CapabilityError
from core.memory import keep_freed
from core.methods import METHODS

THINGS = (
    *("dog", "cat", "boat", "flower", "bird", "horse", "car", "tree", "child", "house", "ball", "river", "bridge"),
    *("chair", "book", "clock", "train", "sheep", "mountain", "road", "cup", "shoe", "kite", "bear"),
)
# Options of methods whose work grows with samples or steps.
FEW: dict[str, dict[str, Any]] = {
    "rise": {"masks": 48},
    "kernel_shap": {"masks": 48, "extra": 16, "words": 16},
    "lime": {"masks": 48},
    "fixlip": {"masks": 64, "words": 16},
    "occlusion": {"cells": 7},
    "smoothgrad": {"samples": 4},
    "integrated_gradients": {"steps": 4},
    "score_cam": {"channels": 40},
    "gscorecam": {"channels": 4},
    "m2ib": {"steps": 1},
    "nib": {"steps": 3},
    "convis": {"preset": "fast"},
    "semantic_priors": {"count": 5},
}
LIMIT = 1.5 * 2**30


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="ViT-B-16")
    parser.add_argument("--texts", type=int, default=20)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--markdown", action="store_true", help="also print a table")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        # As `python -m core` does.
        keep_freed()
        print(json.dumps(measured(**json.loads(chosen.measure))))
        return
    rows = []
    for method in chosen.methods:
        rows.append(run(method, chosen.model, chosen.texts, chosen.threads))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(json.dumps({"model": chosen.model, "texts": chosen.texts, "threads": chosen.threads, "rows": rows}, indent=1))
    if chosen.markdown:
        print("\n" + table(rows))


def texts_of(count: int) -> list[str]:
    """Different short texts."""
    return [f"a photo of a {THINGS[index % len(THINGS)]}" + " again" * (index // len(THINGS)) for index in range(count)]


def measured(method: str, model: str, texts: int, threads: int) -> dict[str, Any]:
    """One method in this process: the most bytes above the loaded model, seconds, forward-equivalents."""
    import torch

    from core import explain

    torch.set_num_threads(threads)
    net, options = loaded(model), FEW.get(method, {})
    before = reset_peak()
    began = time.perf_counter()
    with net.meter.measuring() as spent:
        try:
            found = explain(net, [SAMPLE / f"{NAMES[0]}.jpg"], texts_of(texts), method, **options)
        except CapabilityError as error:
            return {"method": method, "not_run": str(error)}
    sides = {"image": found.image, "text": found.text}
    return {
        "method": method,
        "options": options,
        "sides": [side for side, values in sides.items() if values is not None],
        "peak_bytes": peak_bytes() - before,
        "weights_bytes": sum(value.numel() * value.element_size() for value in net.net.state_dict().values()),
        "seconds": round(time.perf_counter() - began, 2),
        "image_forwards": round(spent.image, 2),
        "text_forwards": round(spent.text, 2),
    }


def run(method: str, model: str, texts: int, threads: int) -> dict[str, Any]:
    """Measure one method in a process of its own."""
    asked = {"method": method, "model": model, "texts": texts, "threads": threads}
    with tempfile.TemporaryDirectory() as home:
        own = {"OMP_NUM_THREADS": str(threads), "LOUPE_HOME": home, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(Path(__file__).resolve()), "--measure", json.dumps(asked)]
        done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{method} on {model} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown, the largest first."""
    lines = ["| method | sides | peak above the weights | forwards, image + text | options |", "|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: -row.get("peak_bytes", 0)):
        if "not_run" in row:
            lines.append(f"| {row['method']} | – | not run: {row['not_run']} | – | – |")
            continue
        told = ", ".join(f"{name}={value}" for name, value in row["options"].items()) or "default"
        over = " (over the limit)" if row["peak_bytes"] > LIMIT else ""
        lines.append(
            f"| {row['method']} | {', '.join(row['sides'])} | {row['peak_bytes'] / 2**20:.0f} MB{over} | "
            f"{row['image_forwards']:g} + {row['text_forwards']:g} | {told} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
