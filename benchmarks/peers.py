"""Loupe beside captum, pytorch-grad-cam, shap and legrad_torch: the same model, image and texts, in one run.

    pip install -r benchmarks/requirements.txt && pip install --no-deps legrad_torch==1.1
    PYTHONPATH=. python benchmarks/peers.py [--model ViT-B-32] [--parts gradient sampled ...] [--chart peers.svg]

A model is any that Loupe loads by name, or an architecture of open_clip with seeded random weights that are drawn
livelier than a fresh model's, so that maps differ from place to place. Prints one JSON object and a table in Markdown,
and writes the chart where --chart says.

Every way runs in a process of its own. Its work is counted first, from outside (`benchmarks/work_done.py`), and then
timed without the counting: a quick way a few times, of which the median is shown; a long one while it is counted, which
costs it a few per cent. `peak` is the most memory that it takes above the loaded model (`ru_maxrss`). The texts'
embeddings are given to both sides. Some packages ask the model again for every text: those are measured with few
samples, and forwards, operations and seconds are multiplied; the table marks them. `agreement` is the mean rank
correlation over texts, on our grid, where the package was measured in full. A package that is missing or fails is a row
that says so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from benchmarks.memory import texts_of
from benchmarks.systems import NAMES, ROOT, SAMPLE, loaded, peak_bytes, reset_peak
from core.content.charts import ACCENT, PALETTE, styled, to_svg
from core.evaluation.agreement import common_grid
from core.models.listing import embedded_name
from core.statistics import spearman

PACKAGES = ("torch", "open-clip-torch", "captum", "grad-cam", "shap", "legrad-torch")
PARTS = ("gradient", "pixels", "sampled", "channels", "each", "verdict", "pool", "ranks")
# A quick way is timed this often, and no further run begins after so many seconds of the processor. A way that takes
# this long is timed while it is counted.
QUICK_RUNS, QUICK, LONG = 5, 6.0, 15.0
DEFAULT = ("gradient", "pixels", "sampled", "each", "verdict", "pool")


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(DEFAULT))
    parser.add_argument("--texts", type=int, default=20)
    parser.add_argument("--samples", type=int, default=512, help="coalitions of sampling methods")
    parser.add_argument("--few", type=int, default=64, help="samples where a package asks again for every text")
    parser.add_argument("--steps", type=int, default=8, help="points of integrated gradients")
    parser.add_argument("--reference", type=int, default=20000, help="part ranks: coalitions of the references")
    parser.add_argument("--published", type=int, default=4000, help="part ranks: published masks that are judged")
    parser.add_argument("--images", type=int, default=1, help="part ranks: images of the sample")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--chart", type=Path, help="where the chart goes, as SVG")
    parser.add_argument("--keep", type=Path, help="folder that keeps every way's figures, to go on after a stop")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(measured(**json.loads(chosen.measure))))
        return
    keys = ("model", "texts", "samples", "few", "steps", "reference", "published", "images", "threads")
    asked = {name: getattr(chosen, name) for name in keys}
    with tempfile.TemporaryDirectory() as folder:
        told = everything(asked, chosen.parts, chosen.keep or Path(folder))
    print(json.dumps(told, indent=1))
    print("\n" + table(told["pairs"]))
    if chosen.chart and told["pairs"]:
        title = f"Work beside other packages, {asked['model']}, {asked['texts']} texts"
        chosen.chart.write_text(to_svg(chart(told["pairs"]), title))


def everything(asked: dict[str, Any], parts: list[str], folder: Path) -> dict[str, Any]:
    """Every part's figures. What `folder` holds of the same measurement isn't measured again."""
    from benchmarks.peer_ways import PARTS as PAIRS
    from benchmarks.peer_ways import ways_of

    folder.mkdir(parents=True, exist_ok=True)
    paired = [part for part in parts if part in PAIRS]
    ways = {way: once(asked, way, folder) for way in ways_of(paired)}
    pairs = [beside(pair, ways, folder) for part in paired for pair in PAIRS[part]]
    others = {part: once(asked, part, folder) for part in parts if part not in PAIRS}
    return {**asked, "versions": versions(), "ways": ways, "pairs": pairs, **others}


def once(asked: dict[str, Any], way: str, folder: Path) -> dict[str, Any]:
    """One way's figures: those that the folder keeps of just this, or new ones. What failed isn't kept."""
    kept = folder / f"{way}.json"
    if kept.exists() and (known := json.loads(kept.read_text()))["asked"] == asked:
        return known["told"]
    told = child({**asked, "way": way, "result": str(folder / f"{way}.npz")})
    if "failed" not in told:
        kept.write_text(json.dumps({"asked": asked, "told": told}))
    return told


def versions() -> dict[str, str]:
    """The installed version of everything that is compared."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


# -- the process that measures one way ---------------------------------------------------------------------------


def measured(way: str, result: str, **asked: Any) -> dict[str, Any]:
    """One way in this process; its maps go to the file `result`."""
    import torch

    from benchmarks.packages.problem import lively_problem
    from benchmarks.peer_ways import WAYS
    from benchmarks.work_done import counted

    torch.set_num_threads(asked["threads"])
    model = loaded(asked["model"])
    if embedded_name(asked["model"]) is None:
        from benchmarks.support.tiny import enliven

        enliven(model.net)
    pixels, _ = model.preprocess([SAMPLE / f"{name}.jpg" for name in NAMES[: asked["images"]]])
    sizes = {name: asked[name] for name in ("samples", "few", "steps")}
    problem = lively_problem(model, pixels[:1], texts_of(asked["texts"]), **sizes)
    if way not in WAYS:
        return others(way, problem, pixels, asked)
    chosen = WAYS[way]
    # What the process holds before any of the work; the counted run leaves some of its memory behind.
    before = reset_peak()
    began, at = time.perf_counter(), time.process_time()
    with counted(model, problem.pixels) as done:
        maps = chosen.run(problem)
    wall, spun = [time.perf_counter() - began], [time.process_time() - at]
    if spun[0] < LONG:
        reset_peak()
        wall, spun = [], []
        while len(wall) < QUICK_RUNS and sum(spun) < QUICK:
            began, at = time.perf_counter(), time.process_time()
            maps = chosen.run(problem)
            wall.append(time.perf_counter() - began)
            spun.append(time.process_time() - at)
    seconds, processor = statistics.median(wall), statistics.median(spun)
    peak, factor = peak_bytes() - before, chosen.factor(problem)
    np.savez(result, allow_pickle=False, **maps)
    forwards = done.metered if chosen.package == "Loupe" else done.hooked
    return {
        "package": chosen.package,
        "title": chosen.title,
        "forwards": round(forwards * factor, 2),
        "operations": round(done.operations * factor, 2),
        "seconds": seconds * factor,
        "processor_seconds": processor * factor,
        "runs": len(wall),
        "peak_bytes": peak,
        "factor": factor,
        "why": chosen.why,
    }


def others(way: str, problem: Any, pixels: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Parts without pairs: what each map of the group adds, is LeGrad right, who pays for the pool, RISE's ranks."""
    if way == "each":
        from benchmarks.peer_ways import each_of_the_group

        return each_of_the_group(problem)
    if way == "verdict":
        from benchmarks.packages.with_legrad import verdict

        return verdict(problem)
    if way == "pool":
        from benchmarks.one_pool import shared_pool

        served, _ = shared_pool(problem.model, problem.pixels, problem.texts, masks=asked["samples"])
        return {one.name: {"coalitions": one.added, "forwards": round(one.forwards, 2)} for one in served}
    from benchmarks.rise_ranks import ranks

    return ranks(problem, pixels, asked["reference"], asked["published"])


# -- the process that compares ----------------------------------------------------------------------------------


def child(asked: dict[str, Any]) -> dict[str, Any]:
    """Measure one way in a process of its own; what fails says why."""
    # A package is found where the caller's Python finds it.
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    own = {"OMP_NUM_THREADS": str(asked["threads"]), "PYTHONPATH": paths}
    command = [sys.executable, str(Path(__file__).resolve()), "--measure", json.dumps(asked)]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, cwd=ROOT)
    lines = (done.stderr if done.returncode else done.stdout).strip().splitlines()
    told = {"failed": lines[-1] if lines else "no message"} if done.returncode else json.loads(lines[-1])
    print(f"{asked['way']}: {json.dumps(told)}", file=sys.stderr, flush=True)
    return told


def beside(pair: Any, ways: dict[str, dict[str, Any]], folder: Path) -> dict[str, Any]:
    """One row: the packages' sum beside ours."""
    ours, theirs = ways[pair.ours], [ways[name] for name in pair.theirs]
    row = {"title": pair.title, "ours": pair.ours, "theirs": list(pair.theirs)}
    failed = [f"{name}: {one['failed']}" for name, one in zip(pair.theirs, theirs, strict=True) if "failed" in one]
    if "failed" in ours or failed:
        return {**row, "failed": "; ".join(failed + ([f"ours: {ours['failed']}"] if "failed" in ours else []))}
    total = {key: sum(one[key] for one in theirs) for key in ("forwards", "operations", "seconds", "processor_seconds")}
    return {
        **row,
        "packages": " + ".join(dict.fromkeys(f"{one['package']} {one['title']}" for one in theirs)),
        "multiplied": any(one["factor"] != 1 for one in theirs),
        "sum": {**total, "peak_bytes": max(one["peak_bytes"] for one in theirs)},
        "own": {key: ours[key] for key in (*total, "peak_bytes")},
        "ratio": {key: round(total[key] / max(ours[key], 1e-9), 2) for key in total},
        "agreement": agreement(folder / f"{pair.ours}.npz", folder / f"{pair.theirs[0]}.npz")
        if len(theirs) == 1 and theirs[0]["factor"] == 1
        else None,
    }


def agreement(ours: Path, theirs: Path) -> float | None:
    """Mean rank correlation over texts of the maps that both files hold, on our grid; None if no map varies."""
    with np.load(ours) as one, np.load(theirs) as other:
        found = [
            spearman(own, common_grid(given, own.shape))
            for name in other.files
            for own, given in zip(one[name], other[name], strict=True)
        ]
    known = [rank for rank in found if rank is not None]
    return float(np.mean(known)) if known else None


def table(pairs: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    head = ("what", "package", "forwards", "ratio", "operations", "wall", "processor", "peak memory", "agreement")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in pairs:
        if "failed" in row:
            lines.append(f"| {row['title']} | {', '.join(row['theirs'])} | failed: {row['failed']} |" + " |" * 6)
            continue
        total, own, ratio = row["sum"], row["own"], row["ratio"]
        cells = (
            row["title"],
            row["packages"] + (" (multiplied)" if row["multiplied"] else ""),
            f"{total['forwards']:g} → {own['forwards']:g}",
            f"{ratio['forwards']:.1f} x",
            f"{total['operations']:.4g} → {own['operations']:.4g} ({ratio['operations']:.1f} x)",
            f"{total['seconds']:.1f} s → {own['seconds']:.1f} s ({ratio['seconds']:.1f} x)",
            f"{ratio['processor_seconds']:.1f} x",
            f"{total['peak_bytes'] / 2**20:.0f} MB → {own['peak_bytes'] / 2**20:.0f} MB",
            "–" if row["agreement"] is None else f"{row['agreement']:.3f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def chart(pairs: list[dict[str, Any]]) -> alt.Chart:
    """Operations of each pair in plain forwards, packages and ours, on a logarithmic axis."""
    rows = []
    for row in (row for row in pairs if "failed" not in row):
        label = f"{row['title']} ({' + '.join(dict.fromkeys(name.split('.')[0] for name in row['theirs']))})"
        rows += [
            {"what": label, "who": "packages", "forwards": row["sum"]["operations"]},
            {"what": label, "who": "Loupe", "forwards": row["own"]["operations"]},
        ]
    frame = pd.DataFrame(rows)
    colour = alt.Scale(domain=["packages", "Loupe"], range=[PALETTE[1], ACCENT])
    base = alt.Chart(frame).encode(
        y=alt.Y("what:N", sort=list(dict.fromkeys(frame["what"])), title=None, axis=alt.Axis(labelLimit=420)),
        x=alt.X("forwards:Q", scale=alt.Scale(type="log"), title="work, in plain forwards of the image tower (log)"),
        yOffset=alt.YOffset("who:N", sort=["packages", "Loupe"]),
        color=alt.Color("who:N", scale=colour, legend=alt.Legend(title=None, orient="top")),
    )
    return styled(base.mark_point(filled=True, size=70).properties(width=460, height=alt.Step(15)))


if __name__ == "__main__":
    main()
