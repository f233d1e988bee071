"""How an audit grows with its images and texts: time, forward passes, rows and memory of the cheapest plan.

    PYTHONPATH=. python benchmarks/growth.py [--images 64 512 4096] [--texts 1 10 100 1000] [--most 100000]

The plan has one method that costs no pass of its own (`raw`), no curves and no analyses, on the embedded model with one
thread; the run is judged, the report is not rendered. Each cell is an audit in a process of its own. Cells with more
than `--most` pairs of image and text are left out and named. Seconds are processor time of that process, without
loading the libraries and the model; memory is the highest resident memory above what it held then. Prints a table, and
the exponents with which both grow: the slope of the logarithms over the largest two cells of a row or a column.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.memory import texts_of
from benchmarks.support.large_store import image_folder
from benchmarks.systems import ROOT, peak_bytes, reset_peak

MEASURES = {"seconds": "processor time", "peak_bytes": "memory"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[64, 512, 4096])
    parser.add_argument("--texts", type=int, nargs="+", default=[1, 10, 100, 1000])
    parser.add_argument("--most", type=int, default=100_000, help="pairs of image and text in one audit")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(measured(**json.loads(chosen.measure))))
        return
    rows, left = [], []
    with tempfile.TemporaryDirectory() as place:
        for images in chosen.images:
            source = image_folder(Path(place) / f"source-{images}", images)
            for texts in chosen.texts:
                if images * texts > chosen.most:
                    left.append(f"{images:,} × {texts:,}")
                    continue
                out = Path(place) / f"run-{images}-{texts}"
                rows.append(run(images, texts, chosen.model, source, out, Path(place) / "home"))
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(table(rows))
    for line in exponents(rows):
        print(line)
    if left:
        print(f"Not measured, more than {chosen.most:,} pairs: {', '.join(left)}.")


def run(images: int, texts: int, model: str, source: Path, out: Path, home: Path) -> dict[str, Any]:
    """One audit in a process of its own."""
    asked = {"texts": texts, "model": model, "source": str(source), "out": str(out)}
    own = {"OMP_NUM_THREADS": "1", "LOUPE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__).resolve()), "--measure", json.dumps(asked)]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{images} images, {texts} texts failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"images": images, "texts": texts, **found}


def measured(texts: int, model: str, source: str, out: str) -> dict[str, Any]:
    """One audit in this process."""
    import torch

    from core.audit.engines import Engine
    from core.audit.worker import work
    from core.memory import keep_freed
    from core.models.loading import load_model
    from core.request import AuditRequest, begin, methods_at, trust_at
    from core.runs import ModelSpec, TextPlan

    keep_freed()
    torch.set_num_threads(1)
    net = load_model(model, device="cpu")
    request = AuditRequest.build(
        out=Path(out), images=(Path(source),), texts=TextPlan(captions=False, prompts=tuple(texts_of(texts))),
        methods=methods_at("quick", ["raw"]), trust=trust_at("quick", curves=False),
        model=ModelSpec(name=model, device="cpu"),
    )  # fmt: skip
    # The images are taken in by processes of their own, and no part of what is measured.
    audit = begin(request)
    start = reset_peak()
    began = time.process_time()
    assert work(audit, model=net, report=False, engine=Engine(threads=1)) == "done"
    seconds = time.process_time() - began
    files = list((audit.folder / "results").glob("*.parquet"))
    cost = audit.manifest["cost"]
    return {
        "seconds": round(seconds, 2),
        "peak_bytes": peak_bytes() - start,
        "image_forwards": cost["image_forwards"],
        "text_forwards": cost["text_forwards"],
        "units": audit.progress().total,
        "rows": sum(unit["rows"] for unit in audit.store.units()),
        "files": len(files),
        "bytes": sum(file.stat().st_size for file in files),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = [
        "| images | texts | image passes | text passes | rows | processor time, s | for each pair, ms | memory, MB "
        "| results, MB | files |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        pairs = row["images"] * row["texts"]
        lines.append(
            f"| {row['images']:,} | {row['texts']:,} | {row['image_forwards']:,.0f} | {row['text_forwards']:,.0f} | "
            f"{row['rows']:,} | {row['seconds']:.1f} | {1000 * row['seconds'] / pairs:.2f} | "
            f"{row['peak_bytes'] / 2**20:,.0f} | {row['bytes'] / 2**20:.1f} | {row['files']} |"
        )
    return "\n".join(lines)


def exponents(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """How time and memory grow with either number, the other one being fixed, one sentence each."""
    for grows, fixed in (("images", "texts"), ("texts", "images")):
        for at in sorted({row[fixed] for row in rows}):
            line = sorted((row for row in rows if row[fixed] == at), key=lambda row: row[grows])
            if len(line) < 2:
                continue
            low, high = line[-2:]
            told = [f"{name} {slope(low, high, grows, measure):.2f}" for measure, name in MEASURES.items()]
            yield f"{at:,} {fixed}, {low[grows]:,} to {high[grows]:,} {grows}: exponent of {', of '.join(told)}."


def slope(low: dict[str, Any], high: dict[str, Any], grows: str, measure: str) -> float:
    """The exponent with which a measure grows between two audits; 1 is in proportion, below it is less."""
    return math.log(max(high[measure], 1e-9) / max(low[measure], 1e-9)) / math.log(high[grows] / low[grows])


if __name__ == "__main__":
    main()
